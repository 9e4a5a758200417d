"""Sorting every exception into what it says about the request: one function a question.

Binance's own code decides first; ccxt's classes differ between hosts and are only asked when there
is no code. Whatever is not provably "no" is Unknown. Secrets never get into a message: the URL of a
signed request, which ccxt puts into its errors, is cut off.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Final

import aiohttp
import ccxt

from surefoot.exchange.binance.facts import DEFINITIVE
from surefoot.exchange.errors import (
    Banned,
    ExchangeError,
    Misconfigured,
    NotSent,
    ReadFailed,
    Refused,
    Unknown,
)

_CODE: Final = re.compile(r'"code"\s*:\s*(-?\d+)')
_MESSAGE: Final = re.compile(r'"msg"\s*:\s*"((?:[^"\\]|\\.)*)"')
_QUERY: Final = re.compile(r"\?\S*")
# -1015 counts orders in 10 s and is over by itself: it is a refusal, and no reason to stay away.
_TOO_MANY_ORDERS: Final = "-1015"
_RATE_LIMITS: Final = frozenset({"-1003"})
_WRONG_KEYS: Final = frozenset({"-1022", "-2014", "-2015"})
_UNKNOWN_SYMBOL: Final = "-1121"
# Binance bans for at least this long when it does not say how long.
_BAN_DEFAULT: Final = timedelta(minutes=2)
_MESSAGE_MAX: Final = 200


class Garbled(ExchangeError):
    """A payload is not what the exchange documents; it is not believed."""


def of_send(error: Exception) -> NotSent | Refused | Unknown:
    """Say what an exception from sending or cancelling proves."""
    if isinstance(error, NotSent | Refused | Unknown):
        return error
    code, message = code_of(error), describe(error)
    if code is not None:
        duplicate = "duplicate order" in message.lower()
        if code in DEFINITIVE and not duplicate:
            return Refused(code, message)
        return Unknown(f"{code}: {message}")
    if isinstance(error, ccxt.DDoSProtection):
        return Refused("rate-limited", message)
    if any(_never_connected(cause) for cause in _causes(error)):
        return NotSent(message)
    return Unknown(message)


def of_read(error: Exception, *, now: datetime, retry_after: str | None) -> ExchangeError:
    """Say what an exception from a question means; never that the answer was "none"."""
    if isinstance(error, ExchangeError) and not isinstance(error, Garbled):
        return error
    code, message = code_of(error), describe(error)
    if (isinstance(error, ccxt.DDoSProtection) and code not in _WRONG_KEYS) or code in _RATE_LIMITS:
        return Banned(ban_end(now, retry_after), message)
    if code in _WRONG_KEYS or isinstance(error, ccxt.AuthenticationError):
        return Misconfigured(f"the exchange does not accept these keys: {message}")
    if code == _UNKNOWN_SYMBOL:
        return Misconfigured(message)
    return ReadFailed(message)


def ban_end(now: datetime, retry_after: str | None) -> datetime:
    """Return when the exchange may be asked again."""
    if retry_after is not None and retry_after.isdigit():
        return now + timedelta(seconds=int(retry_after))
    return now + _BAN_DEFAULT


def is_rate_limit(error: Exception) -> bool:
    """Tell whether the exchange asked us to stay away."""
    code = code_of(error)
    if code in _WRONG_KEYS or code == _TOO_MANY_ORDERS:
        return False
    return isinstance(error, ccxt.DDoSProtection) or code in _RATE_LIMITS


def code_of(error: Exception) -> str | None:
    """Return Binance's code from an error's text, or None."""
    found = _CODE.search("\n".join([str(error), *getattr(error, "__notes__", ())]))
    return None if found is None else found.group(1)


def describe(error: Exception) -> str:
    """Say what happened in words that are safe to write down: no URL queries, no signatures."""
    text = str(error)
    found = _MESSAGE.search(text)
    words = found.group(1) if found else _QUERY.sub("", text)
    cause = error.__cause__
    reason = f" ({type(cause).__name__})" if cause is not None else ""
    name = "" if found else f"{type(error).__name__}: "
    return f"{name}{words[:_MESSAGE_MAX]}{reason}"


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
