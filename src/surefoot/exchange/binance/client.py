"""ccxt's Binance client, fenced: what we add to it and what we take away.

expiry       a signed order carries its `not_after`; how long it may travel is worked out at
             the moment of signing, after any queue, and an order that is too late never leaves
answers      what is no success is raised as `Answered`, with Binance's own code if it gave one;
             bodies are bounded, and large ones are read beside the loop
redirects    a 30x answer is an error: a signature is never carried to another host
raw streams  every user and market event reaches us as the exchange sent it; ccxt, which would
             merge, keep and round it, never sees one
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from datetime import datetime
from functools import lru_cache
from typing import Any, Final

import aiohttp
from typing_extensions import override

from surefoot.exchange.binance import payloads
from surefoot.exchange.binance.bodies import Body, BoundedResponse
from surefoot.exchange.binance.ccxt_alone import BinanceClient
from surefoot.exchange.binance.verdicts import Answered
from surefoot.exchange.errors import Misconfigured, NotSent
from surefoot.exchange.port import PULSE_S

# The signing call reads the clock once more; this much keeps the sum under `not_after`.
_MARGIN_MS: Final = 5
# Where handle_errors is given the status, the headers and the decoded body.
_STATUS: Final = 0
_HEADERS: Final = 4
_RESPONSE: Final = 6
# Where on_rest_response is given the body.
_BODY: Final = 5
_NO_SUCCESS: Final = 300
_CODE_MAX: Final = 1_000_000
NOT_AFTER: Final = "surefootNotAfter"

# The events that are passed on, and what they are called from there on.
_KINDS: Final = {
    "executionReport": "execution",
    "trade": "trade",
    "kline": "kline",
    None: "book",
}
_BOOK: Final = frozenset({"u", "s", "b", "a"})
_TERMINATED: Final = "eventStreamTerminated"

# What the answer to the request of this very task carried: ccxt keeps only the headers of whichever
# answer came last. Whoever wants to hear them puts a fresh dictionary here.
HEARD: Final[ContextVar[dict[str, str]]] = ContextVar("heard")

RawEvent = Callable[[str, dict[str, Any]], None]

_FORCED: Final[dict[str, Any]] = {
    # Its throttle knows neither what others use nor what is urgent; the carrier's budget does.
    "enableRateLimit": False,
}
_FORCED_OPTIONS: Final[dict[str, Any]] = {
    "maxRetriesOnFailure": 0,
    "defaultType": "spot",
    "fetchMarkets": {"types": ["spot"]},
    "fetchCurrencies": False,
    "fetchMargins": False,
    "crossMarginPairsData": [],
    "isolatedMarginPairsData": [],
    "adjustForTimeDifference": False,
    "warnOnFetchOpenOrdersWithoutSymbol": False,
}


class RedirectRefused(aiohttp.ClientError):
    """A redirect was not followed."""


class FencedBinance(BinanceClient):  # type: ignore[misc]  # ccxt is untyped
    """ccxt's client with our fence around it."""

    lifetime_max_ms: int = 60_000
    on_raw: RawEvent | None = None
    # Exchange time, which no step of the wall clock moves.
    now: Callable[[], datetime] | None = None

    @override
    def nonce(self) -> int:
        """Return the time that a request is signed with."""
        return int(super().nonce() if self.now is None else self.now().timestamp() * 1000)

    rate_limits: object = None
    ssl_context: Any = None

    @override
    def open(self, lazy: bool = False) -> None:
        """Get ready to connect; each client alone read all certificates there are, on the loop."""
        if self.verify and not self.options.get("include_OS_certificates"):
            self.ssl_context = self.ssl_context or _trusting(self.cafile)
        super().open(lazy)

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
                raise NotSent("it waited for the disk, or in a queue, until its time was over")
            params["recvWindow"] = min(left, self.lifetime_max_ms)
        return super().sign(path, api, method, params)

    @override
    async def fetch_markets(self, params: dict[str, Any] | None = None) -> list[Any]:
        """List the markets; one that cannot be read is left out, and the others stay."""
        answer = payloads.payload(await self.publicGetExchangeInfo(params or {}))
        self.rate_limits = answer.get("rateLimits")
        rows = payloads.listed(answer.get("symbols"))
        return await asyncio.to_thread(self._parsed, rows)

    def _parsed(self, rows: list[Mapping[str, Any]]) -> list[Any]:
        return [self.parse_market(row) for row in rows if payloads.is_market(row)]

    async def amend_order(self, params: dict[str, Any]) -> Any:
        """Make an order smaller where it stands: ccxt has no name for this request."""
        return await self.request("order/amend/keepPriority", ["private"], "PUT", params)

    @override
    def on_rest_response(self, *answer: Any) -> Any:
        """Leave a large body as it is: it has been read, beside the loop."""
        body = answer[_BODY]
        return body if isinstance(body, Body) else super().on_rest_response(*answer)

    @override
    def on_json_response(self, body: str) -> Any:
        """Return what a body says."""
        return body.value if isinstance(body, Body) else super().on_json_response(body)

    async def load_markets_again(self, _params: dict[str, Any]) -> Any:
        """Load the markets afresh, and return them."""
        return await self.load_markets(reload=True)

    @override
    def handle_errors(self, *answer: Any) -> None:
        """Raise whatever is no success as what it is; ccxt's classes differ between hosts."""
        status, headers, response = answer[_STATUS], answer[_HEADERS], answer[_RESPONSE]
        HEARD.get({}).update(_lower(headers))
        code = response.get("code") if isinstance(response, dict) else None
        if type(code) is not int or abs(code) > _CODE_MAX:
            code = None
        status = status if isinstance(status, int) else 0
        if status >= _NO_SUCCESS or code is not None:
            said = response.get("msg") if code is not None else None
            raise Answered(
                status,
                code=None if code is None else str(code),
                text=said if isinstance(said, str) else "",
                retry_after=_lower(headers).get("retry-after"),
                halves=response.get("data") if code is not None else None,
            )

    @override
    def handle_message(self, client: Any, message: Any) -> None:
        """Pass an event on, raw; ccxt sees only answers to what it asked.

        What it would make of events is not used: it would parse each, and keep the last thousand
        of every symbol.
        """
        event = _event_of(message)
        if event is None:
            super().handle_message(client, message)
        elif event.get("e") == _TERMINATED:
            client.reset(ConnectionError("the exchange has ended the account's stream"))
        elif self.on_raw is not None and (kind := _KINDS.get(event.get("e"))) is not None:
            self.on_raw(kind, event)


@lru_cache(maxsize=4)
def _trusting(certificates: str) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certificates)


def _event_of(message: Any) -> dict[str, Any] | None:
    """Return the event in a message; those of the book carry no name."""
    if not isinstance(message, dict):
        return None
    event = message.get("event", message)
    if not isinstance(event, dict):
        return None
    return event if "e" in event or event.keys() >= _BOOK else None


def constructor_settings(
    key: str, secret: str, settings: dict[str, Any], pulse_s: float = PULSE_S
) -> dict[str, Any]:
    """Return what ccxt is constructed with: the user's settings under the ones that are ours.

    Raises:
        Misconfigured: the user's settings would switch a protection off.
    """
    if settings.get("options", {}).get("maxRetriesOnFailure"):
        raise Misconfigured(
            "ccxt.options.maxRetriesOnFailure re-sends orders blindly; take it out of the settings",
        )
    pulse = {"ws": {"keepAlive": round(pulse_s * 1000)}}
    options = {**settings.get("options", {}), **_FORCED_OPTIONS, **pulse}
    return {**settings, **_FORCED, "options": options, "apiKey": key, "secret": secret}


def session() -> aiohttp.ClientSession:
    """Return a session that refuses redirects and endless answers."""
    trace = aiohttp.TraceConfig()
    trace.on_request_redirect.append(_refuse_redirect)
    return aiohttp.ClientSession(trace_configs=[trace], response_class=BoundedResponse)


async def _refuse_redirect(_session: Any, _context: Any, params: Any) -> None:
    raise RedirectRefused(f"the exchange answered {params.response.status}, a redirect")


def _lower(headers: Any) -> dict[str, str]:
    if not isinstance(headers, Mapping):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}
