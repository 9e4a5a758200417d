"""ccxt's Binance client, fenced: what we add to it and what we take away.

expiry       a signed order carries its `not_after`; how long it may travel is worked out at
             the moment of signing, after any queue, and an order that is too late never leaves
redirects    a 30x answer is an error: a signature is never carried to another host
raw streams  every user and market event reaches us as the exchange sent it, before ccxt merges,
             caches or rounds it
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import aiohttp
import ccxt.pro
from typing_extensions import override

from surefoot.exchange.errors import Misconfigured, NotSent

# The signing call reads the clock once more; this much keeps the sum under `not_after`.
_MARGIN_MS: Final = 5
# Where handle_errors is given the decoded body.
_RESPONSE: Final = 6
NOT_AFTER: Final = "surefootNotAfter"

RawEvent = Callable[[str, dict[str, Any]], None]

_FORCED: Final[dict[str, Any]] = {
    "enableRateLimit": True,
    "enableLastResponseHeaders": True,
}
_FORCED_OPTIONS: Final[dict[str, Any]] = {
    "maxRetriesOnFailure": 0,
    "defaultType": "spot",
    "fetchMarkets": {"types": ["spot"]},
    "fetchCurrencies": False,
    "fetchMargins": False,
    "adjustForTimeDifference": False,
    "warnOnFetchOpenOrdersWithoutSymbol": False,
    "ws": {"keepAlive": 5000},
}


class RedirectRefused(aiohttp.ClientError):
    """A redirect was not followed."""


class FencedBinance(ccxt.pro.binance):  # type: ignore[misc]  # ccxt is untyped
    """ccxt's client with our fence around it."""

    lifetime_max_ms: int = 60_000
    on_raw: RawEvent | None = None

    @override
    def sign(
        self,
        path: str,
        api: Any = "public",
        method: str = "GET",
        params: dict[str, Any] | None = None,
    ) -> Any:
        """Sign a request; an order's travelling time is fixed here and nowhere earlier."""
        params = dict(params or {})
        not_after = params.pop(NOT_AFTER, None)
        if not_after is not None:
            left = int(not_after) - int(self.nonce()) - _MARGIN_MS
            if left <= 0:
                raise NotSent("it waited in a queue until its time was over; it never left")
            params["recvWindow"] = min(left, self.lifetime_max_ms)
        return super().sign(path, api, method, params)

    @override
    def handle_errors(self, *answer: Any) -> Any:
        """Keep Binance's own code on whatever ccxt makes of it: some of its errors drop it."""
        try:
            return super().handle_errors(*answer)
        except Exception as error:
            response = answer[_RESPONSE]
            if isinstance(response, dict) and isinstance(response.get("code"), int):
                error.add_note(f'{{"code":{response["code"]}}}')
            raise

    @override
    def handle_order_update(self, client: Any, message: Any) -> None:
        """Pass the user event on, raw, before ccxt handles it."""
        self._pass_on("execution", message)
        super().handle_order_update(client, message)

    @override
    def handle_trade(self, client: Any, message: Any) -> None:
        """Pass the trade on, raw, before ccxt handles it."""
        self._pass_on("trade", message)
        super().handle_trade(client, message)

    @override
    def handle_bids_asks(self, client: Any, message: Any) -> None:
        """Pass the best bid and ask on, raw, before ccxt handles them."""
        self._pass_on("book", message)
        super().handle_bids_asks(client, message)

    @override
    def handle_ohlcv(self, client: Any, message: Any) -> None:
        """Pass the candle on, raw, before ccxt handles it."""
        self._pass_on("kline", message)
        super().handle_ohlcv(client, message)

    def _pass_on(self, kind: str, message: Any) -> None:
        if self.on_raw is not None and isinstance(message, dict):
            self.on_raw(kind, message)


def constructor_settings(key: str, secret: str, settings: dict[str, Any]) -> dict[str, Any]:
    """Return what ccxt is constructed with: the user's settings under the ones that are ours.

    Raises:
        Misconfigured: the user's settings would switch a protection off.
    """
    if settings.get("options", {}).get("maxRetriesOnFailure"):
        raise Misconfigured(
            "ccxt.options.maxRetriesOnFailure re-sends orders blindly; take it out of the settings",
        )
    options = {**settings.get("options", {}), **_FORCED_OPTIONS}
    return {**settings, **_FORCED, "options": options, "apiKey": key, "secret": secret}


def session() -> aiohttp.ClientSession:
    """Return a session that refuses redirects."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(trace_configs=[trace])


async def _refuse_redirect(_session: Any, _context: Any, params: Any) -> None:
    raise RedirectRefused(f"the exchange answered {params.response.status}, a redirect")
