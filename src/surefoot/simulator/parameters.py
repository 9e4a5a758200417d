"""What a request carries, read one by one. Source: Binance spot API, "Error codes", 11xx."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeAlias

from surefoot.simulator.model import ZERO, ApiError

Params: TypeAlias = Mapping[str, str]

_CLIENT_ID: Final = re.compile(r"[a-zA-Z0-9-_]{1,36}")
_NUMBER: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_DECIMALS: Final = 8
_INVALID: Final = {
    "timeInForce": -1115,
    "type": -1116,
    "side": -1117,
    "cancelRestrictions": -1145,
}
_UNREADABLE: Final = -1130
_ROWS: Final = 500
_ROWS_MAX: Final = 1000


def needed(params: Params, name: str) -> str:
    """Return a parameter that must be there and say something."""
    value = params.get(name)
    if not value:
        raise ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null.")
    return value


def one_of(params: Params, name: str, known: tuple[str, ...], default: str | None = None) -> Any:
    """Return a parameter that takes one of a few values."""
    value = needed(params, name) if default is None else params.get(name, default)
    if value not in known:
        raise ApiError(_INVALID.get(name, _UNREADABLE), f"Invalid {name}.")
    return value


def amount(params: Params, name: str) -> Decimal:
    """Return an amount: digits and one point, more than zero."""
    text = needed(params, name)
    if not _NUMBER.fullmatch(text):
        raise ApiError(-1100, f"Illegal characters found in parameter '{name}'.")
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise ApiError(-1100, f"Illegal characters found in parameter '{name}'.") from None
    if -int(value.normalize().as_tuple().exponent) > _DECIMALS:
        raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
    if value <= ZERO:
        raise ApiError(-1013, f"Invalid {name}.")
    return value


def client_id(params: Params, name: str, fallback: str) -> str:
    """Return a client order id, or the one that the exchange makes up."""
    value = params.get(name, fallback)
    if not _CLIENT_ID.fullmatch(value):
        raise ApiError(-1100, f"Illegal characters found in parameter '{name}'.")
    return value


def integer(text: str) -> int:
    """Return a whole number."""
    try:
        return int(text)
    except ValueError:
        raise ApiError(-1100, "Illegal characters found in a parameter.") from None


def rows(params: Params) -> int:
    """Return how many rows an answer may have."""
    limit = integer(params.get("limit", str(_ROWS)))
    if limit < 1:
        raise ApiError(-1130, "Data sent for parameter 'limit' is not valid.")
    return min(limit, _ROWS_MAX)
