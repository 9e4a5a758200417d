"""What an order request must look like. Source: Binance spot API, "Filters" and "Error codes"."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from surefoot.simulator.model import ZERO, ApiError, NewOrder, Quote, Rules

_CLIENT_ID: Final = re.compile(r"[a-zA-Z0-9-_]{1,36}")
_NUMBER: Final = re.compile(r"[0-9]{1,20}(\.[0-9]{1,20})?")
_SIDES: Final = ("BUY", "SELL")
_TYPES: Final = ("MARKET", "LIMIT", "STOP_LOSS")
_DECIMALS: Final = 8
_INVALID: Final = {"timeInForce": -1115, "type": -1116, "side": -1117}


def new_order(params: Mapping[str, str], rules: Rules, quote: Quote, fallback: str) -> NewOrder:
    """Read and check a request for an order.

    Raises:
        ApiError: a parameter is missing, malformed, or fails a filter.
    """
    side, kind = _one_of(params, "side", _SIDES), _one_of(params, "type", _TYPES)
    quantity = _amount(params, "quantity")
    price = _amount(params, "price") if kind == "LIMIT" else ZERO
    stop = _amount(params, "stopPrice") if kind == "STOP_LOSS" else ZERO
    if kind == "LIMIT":
        _one_of(params, "timeInForce", ("GTC",))
    if not rules.trading:
        raise ApiError(-1013, "Market is closed.")
    client_order_id = params.get("newClientOrderId", fallback)
    if not _CLIENT_ID.fullmatch(client_order_id):
        raise ApiError(-1100, "Illegal characters found in parameter 'newClientOrderId'.")
    _lot_size(quantity, rules)
    for name, value in (("price", price), ("stopPrice", stop)):
        if value != ZERO and value % rules.tick:
            raise ApiError(-1013, f"Filter failure: PRICE_FILTER ({name})")
    worth = quantity * (price or stop or quote.last)
    if worth < rules.notional_min:
        raise ApiError(-1013, "Filter failure: NOTIONAL")
    return NewOrder(
        symbol=rules.symbol,
        side=side,
        type=kind,
        quantity=quantity,
        price=price,
        stop_price=stop,
        client_order_id=client_order_id,
    )


def _lot_size(quantity: Decimal, rules: Rules) -> None:
    inside = rules.quantity_min <= quantity <= rules.quantity_max
    if not inside or quantity % rules.lot:
        raise ApiError(-1013, "Filter failure: LOT_SIZE")


def _one_of(params: Mapping[str, str], name: str, known: tuple[str, ...]) -> Any:
    value = _needed(params, name)
    if value not in known:
        raise ApiError(_INVALID[name], f"Invalid {name}.")
    return value


def _amount(params: Mapping[str, str], name: str) -> Decimal:
    text = _needed(params, name)
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


def _needed(params: Mapping[str, str], name: str) -> str:
    value = params.get(name)
    if not value:
        raise ApiError(-1102, f"Mandatory parameter '{name}' was not sent, was empty/null.")
    return value
