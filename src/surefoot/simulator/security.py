"""Who may ask, for how long, how much. Source: Binance spot API, "Request security", "Limits"."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from typing import Final

from surefoot.simulator.clock import Clock
from surefoot.simulator.model import ApiError

RECV_WINDOW: Final = 5_000
RECV_WINDOW_MAX: Final = 60_000
_AHEAD_MAX_MS: Final = 1_000
_MINUTE_MS: Final = 60_000
_STRIKES_MAX: Final = 5
_BAN_MS: Final = 120_000

# Request weight per operation; a list of everything costs more, a list for one order less.
WEIGHTS: Final = {
    "ping": 1, "time": 1, "exchangeInfo": 20, "klines": 2, "ticker.price": 4, "ticker.book": 4,
    "depth": 5, "aggTrades": 4, "account": 20, "order.send": 1, "order.cancel": 1, "order.query": 4,
    "restrictions": 1, "order.amend": 4, "order.amendments": 4,
    "openOrders": 6, "allOrders": 20, "myTrades": 20, "wsApi.connect": 2, "wsApi.subscribe": 2,
}  # fmt: skip
_OPEN_ORDERS_ALL: Final = 80
_TRADES_OF_ORDER: Final = 5
_DEPTH: Final = ((100, 5), (500, 25), (1_000, 50), (5_000, 250))
# What costs its weight only when it fails.
FREE: Final = frozenset({"order.send", "order.cancel", "order.replace"})


def check_key(key: str | None, expected: str) -> None:
    """Refuse a request without our key."""
    if key != expected:
        raise ApiError(-2015, "Invalid API-key, IP, or permissions for action.", 401)


def check_signature(payload: str, signature: str | None, secret: str) -> None:
    """Refuse a payload that was not signed with our secret."""
    if not signature:
        raise ApiError(-1102, "Mandatory parameter 'signature' was not sent, was empty/null.")
    expected = hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
    if not hmac.compare_digest(expected.encode(), signature.encode()):
        raise ApiError(-1022, "Signature for this request is not valid.")


def check_window(params: Mapping[str, str], clock: Clock) -> None:
    """Refuse a request that is outside of its recvWindow; asked on arrival and before matching."""
    try:
        timestamp = int(params.get("timestamp", ""))
        window = int(float(params.get("recvWindow", RECV_WINDOW)))
    except (ValueError, OverflowError):
        raise ApiError(
            -1102, "Mandatory parameter 'timestamp' was not sent, was empty/null."
        ) from None
    if window > RECV_WINDOW_MAX:
        raise ApiError(-1131, "recvWindow must be less than 60000")
    now = clock.now_ms()
    if timestamp >= now + _AHEAD_MAX_MS:
        raise ApiError(-1021, "Timestamp for this request was 1000ms ahead of the server's time.")
    if now - timestamp > window:
        raise ApiError(-1021, "Timestamp for this request is outside of the recvWindow.")


def is_fresh(params: Mapping[str, str], clock: Clock) -> bool:
    """Tell whether a request came in time."""
    try:
        check_window(params, clock)
    except ApiError:
        return False
    return True


def weight_of(operation: str, params: Mapping[str, str]) -> int:
    """Return what a request costs."""
    if operation == "depth":
        rows = int(limit) if (limit := params.get("limit", "100")).isdecimal() else 100
        return next((weight for most, weight in _DEPTH if rows <= most), _DEPTH[-1][1])
    if operation == "openOrders" and "symbol" not in params:
        return _OPEN_ORDERS_ALL
    if operation == "myTrades" and "orderId" in params:
        return _TRADES_OF_ORDER
    return WEIGHTS.get(operation, 1)


class RateLimited(ApiError):
    """Too much was asked; `retry_after` is seconds."""

    def __init__(self, code: int, message: str, status: int, retry_after: int) -> None:
        super().__init__(code, message, status)
        self.retry_after = retry_after


class Meter:
    """Counts request weight, and bans who does not listen."""

    def __init__(self, clock: Clock, limit: int) -> None:
        self._clock = clock
        self.limit = limit
        self._minute = 0
        self._strikes = 0
        self._banned_until_ms = 0
        self.used = 0
        self.total = 0

    def charge(self, weight: int) -> None:
        """Count one request; raise RateLimited if it is one too many."""
        now = self._clock.now_ms()
        if now < self._banned_until_ms:
            left = -(-(self._banned_until_ms - now) // 1000)
            raise RateLimited(-1003, "Way too much request weight used; IP banned.", 418, left)
        self.add(weight)
        if self.used > self.limit:
            self._strikes += 1
            if self._strikes > _STRIKES_MAX:
                self._banned_until_ms = now + _BAN_MS
            left = -(-((self._minute + 1) * _MINUTE_MS - now) // 1000)
            raise RateLimited(-1003, "Too much request weight used.", 429, left)

    def add(self, weight: int) -> None:
        """Count weight without judging it: what has failed is paid for afterwards."""
        minute = self._clock.now_ms() // _MINUTE_MS
        if minute != self._minute:
            self._minute, self.used, self._strikes = minute, 0, 0
        self.used += weight
        self.total += weight
