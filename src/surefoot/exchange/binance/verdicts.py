"""Sorting every failure into what it says about the request: one function a question.

Only an answer in Binance's own words proves anything: a 4xx with its code in a JSON body. Every
other answer (a 5xx, a page of HTML, a proxy's or a portal's) may stand between us and an exchange
that did what it was asked. Whatever is not provably "no" is Unknown. What is said is in a trader's
words, and no secret gets into it: the URL, which ccxt puts into its errors, is left out.
"""

from __future__ import annotations

import re
import socket
import ssl
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

import aiohttp

from surefoot.core.reports import Grounds
from surefoot.core.values import one_line
from surefoot.exchange.binance.ccxt_alone import AuthenticationError
from surefoot.exchange.binance.facts import DEFINITIVE
from surefoot.exchange.errors import (
    Banned,
    ExchangeError,
    Misconfigured,
    NotSent,
    ReadFailed,
    Refused,
    TooMany,
    Unknown,
)

_QUERY: Final = re.compile(r"\?\S*")
_URL: Final = re.compile(r"\b(?:https?|wss?)://\S+")
# What a trader is told of what went wrong between us and the exchange, the closest word first.
_WORDS: Final[tuple[tuple[type[BaseException], str], ...]] = (
    (socket.gaierror, "the exchange's address is not found: is this machine on the network?"),
    (ConnectionRefusedError, "the exchange takes no connection"),
    (ssl.SSLError, "no secure connection to the exchange comes about"),
    (aiohttp.ConnectionTimeoutError, "no connection to the exchange comes about in time"),
    (TimeoutError, "the exchange does not answer in time"),
    (aiohttp.ServerDisconnectedError, "the exchange broke the connection off"),
    (ConnectionResetError, "the exchange broke the connection off"),
    (aiohttp.ClientConnectorError, "no connection to the exchange comes about"),
    (aiohttp.ClientPayloadError, "the answer of the exchange broke off"),
    (aiohttp.ClientResponseError, "what came back is no answer of an exchange"),
)
_TOO_MANY: Final = frozenset({"-1003", "-1015"})
# -1015 counts orders in 10 s and is over by itself: no reason to stay away.
_TOO_MANY_ORDERS: Final = "-1015"
_STAY_AWAY: Final = frozenset({418, 429})
_WRONG_KEYS: Final = frozenset({"-1022", "-2014", "-2015"})
_ORDER_REFUSED: Final = "-2010"
_FILTER_FAILED: Final = "-1013"
_UNTIMELY: Final = "-1021"
# Filters that an order was made to fit: refused by one of them, it was made by others than today's.
_GRID: Final = ("lot_size", "price_filter", "max_num_algo_orders")
_UNKNOWN_SYMBOL: Final = "-1121"
_UNKNOWN_ORDER: Final = frozenset({"-2011", "-2013"})
_PROXY_WANTS_KEYS: Final = 407
# Binance bans for at least two minutes when it does not say how long, and for three days at most.
_BAN_DEFAULT: Final = timedelta(minutes=2)
_BAN_MAX: Final = timedelta(days=3)
_SECONDS: Final = re.compile(r"[0-9]{1,40}")
_MESSAGE_MAX: Final = 200


class Garbled(ExchangeError):
    """A payload is not what the exchange documents; it is not believed."""


class NoSuchOrder(ReadFailed):
    """The exchange says that it knows no such order."""


class NothingToCancel(Unknown):
    """The exchange says that it has no such order open; it may have been filled or cancelled.

    `none_open` tells that these are the matching engine's own words for it.
    """

    def __init__(self, message: str, *, none_open: bool = False) -> None:
        self.none_open = none_open
        super().__init__(message)


class Answered(ExchangeError):
    """An answer that is no success; `code` and `text` are Binance's own, out of a JSON body.

    `halves` is what it says of the two halves of a cancelReplace, unread.
    """

    def __init__(
        self,
        status: int,
        *,
        code: str | None = None,
        text: str = "",
        retry_after: str | None = None,
        halves: object = None,
    ) -> None:
        self.status = status
        self.code = code
        self.text = one_line(text[:_MESSAGE_MAX])
        self.retry_after = retry_after
        self.halves = halves
        super().__init__(
            self.text if code is not None else f"the exchange answers with HTTP status {status}"
        )

    @property
    def final(self) -> str | None:
        """The code, if the exchange itself says with it that the request was turned away."""
        own = 400 <= self.status < 500 and self.status != _PROXY_WANTS_KEYS  # noqa: PLR2004
        return self.code if own else None

    @property
    def is_ban(self) -> bool:
        """Tell whether we were asked to stay away."""
        if self.final is not None:
            return self.final == "-1003" or (
                self.status in _STAY_AWAY and self.final not in {*_WRONG_KEYS, _TOO_MANY_ORDERS}
            )
        return self.status in _STAY_AWAY

    @property
    def is_untimely(self) -> bool:
        """Tell whether it says that the request is too old, or of the future: a clock is wrong.

        Whoever says so: to measure costs little, and an answer on a socket has no HTTP status.
        """
        return self.code == _UNTIMELY

    @property
    def too_many_orders(self) -> bool:
        """Tell whether the exchange's count of orders is full; asking is still welcome."""
        return self.final == _TOO_MANY_ORDERS


def of_send(error: Exception) -> NotSent | Refused | Unknown:
    """Say what an exception from sending or cancelling proves."""
    if isinstance(error, NotSent | Refused | Unknown):
        return error
    message = describe(error)
    if isinstance(error, Answered):
        return _of_refusal(error, message)
    if never_left(error):
        return NotSent(message)
    return Unknown(message)


def _of_refusal(answer: Answered, message: str) -> NotSent | Refused | Unknown:
    code = answer.final
    if code in _TOO_MANY:
        return TooMany(f"too many requests or orders ({code}): {message}")
    if code in _UNKNOWN_ORDER:
        none_open = code == "-2011" and "unknown order sent" in answer.text.lower()
        return NothingToCancel(f"{code}: {message}", none_open=none_open)
    if code is not None and code in DEFINITIVE and not _is_second(answer.text.lower()):
        return Refused(code, message, _grounds(code, answer.text.lower()))
    return Unknown(message if answer.code is None else f"{answer.code}: {message}")


def _is_second(text: str) -> bool:
    """Tell whether a refusal shows that the same was asked, and perhaps done, before.

    aiohttp sends what it takes for idempotent again when an old connection breaks: also a PUT.
    """
    return "duplicate order" in text or "change no state" in text


def _grounds(code: str, text: str) -> Grounds:
    """Say what a refused order teaches; Binance tells the reasons of -2010 by their words only."""
    if code == _FILTER_FAILED and "notional" in text:
        return Grounds.TOO_SMALL
    if code == _FILTER_FAILED and any(each in text for each in _GRID):
        return Grounds.FILTER
    if code == _UNTIMELY:
        return Grounds.UNTIMELY
    if code == _FILTER_FAILED and "market is closed" in text:
        return Grounds.CLOSED
    if code != _ORDER_REFUSED:
        return Grounds.OTHER
    if "would trigger immediately" in text:
        return Grounds.PASSED
    return Grounds.FUNDS if "insufficient balance" in text else Grounds.OTHER


def of_read(error: Exception, *, now: datetime) -> ExchangeError:
    """Say what an exception from a question means; never that the answer was "none"."""
    message = describe(error)
    if isinstance(error, Answered):
        return _of_question(error, message, now)
    if isinstance(error, ReadFailed | Misconfigured):
        return error
    if isinstance(error, AuthenticationError):  # keys that are not even there
        return Misconfigured(f"these keys cannot be used: {message}")
    return ReadFailed(message)


def _of_question(answer: Answered, message: str, now: datetime) -> ExchangeError:
    if answer.is_ban:
        return Banned(ban_end(now, answer.retry_after), message)
    if answer.final in _UNKNOWN_ORDER:
        return NoSuchOrder(message)
    if answer.final in _WRONG_KEYS:
        return Misconfigured(f"the exchange does not accept these keys: {message}")
    if answer.final == _UNKNOWN_SYMBOL:
        return Misconfigured(message)
    return ReadFailed(message)


def ban_end(now: datetime, retry_after: str | None) -> datetime:
    """Return when the exchange may be asked again: seconds or a date, within reason."""
    if retry_after is None:
        return now + _BAN_DEFAULT
    if _SECONDS.fullmatch(retry_after):
        return now + timedelta(seconds=min(int(retry_after), _BAN_MAX.total_seconds()))
    try:
        until = parsedate_to_datetime(retry_after)
    except (ValueError, OverflowError):
        return now + _BAN_DEFAULT
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return min(until, now + _BAN_MAX) if until > now else now + _BAN_DEFAULT


def describe(error: Exception) -> str:
    """Say what happened in words that are safe to write down: no URL, no signature."""
    if isinstance(error, Answered):
        return _QUERY.sub("", str(error))
    for kind, said in _WORDS:
        if any(isinstance(each, kind) for each in _causes(error)):
            return said
    words = _QUERY.sub("", _URL.sub("", str(error)[: 10 * _MESSAGE_MAX])).strip()
    cause = error.__cause__
    reason = f" ({type(cause).__name__})" if cause is not None else ""
    return f"{type(error).__name__}: {words[:_MESSAGE_MAX]}{reason}"


def never_left(error: Exception) -> bool:
    """Tell whether a request provably never left this machine."""
    kept = isinstance(error, NotSent | Banned)
    return kept or any(_never_connected(cause) for cause in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    current: BaseException | None = error
    while current is not None:
        yield current
        current = current.__cause__


def _never_connected(cause: BaseException) -> bool:
    return isinstance(
        cause,
        aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError | socket.gaierror,
    )
