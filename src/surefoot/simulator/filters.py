"""What an order request must look like. Source: Binance spot API, "Filters" and "Error codes"."""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from surefoot.simulator.model import ZERO, ApiError, NewOrder, Quote, Rules
from surefoot.simulator.parameters import Params, amount, client_id, one_of

_SIDES: Final = ("BUY", "SELL")
_TYPES: Final = ("MARKET", "LIMIT", "STOP_LOSS")


def new_order(params: Params, rules: Rules, quote: Quote, fallback: str) -> NewOrder:
    """Read and check a request for an order.

    Raises:
        ApiError: a parameter is missing, malformed, or fails a filter.
    """
    side, kind = one_of(params, "side", _SIDES), one_of(params, "type", _TYPES)
    quantity = amount(params, "quantity")
    price = amount(params, "price") if kind == "LIMIT" else ZERO
    stop = amount(params, "stopPrice") if kind == "STOP_LOSS" else ZERO
    if kind == "LIMIT":
        one_of(params, "timeInForce", ("GTC",))
    if not rules.trading:
        raise ApiError(-1013, "Market is closed.")
    client_order_id = client_id(params, "newClientOrderId", fallback)
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
