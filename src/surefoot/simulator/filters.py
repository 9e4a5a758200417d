"""What an order request must look like. Source: Binance spot API, "Filters" and "Error codes"."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final

from surefoot.simulator.model import ALGO, ZERO, ApiError, NewOrder, Order, Quote, Rules
from surefoot.simulator.parameters import Params, amount, client_id, one_of

_SIDES: Final = ("BUY", "SELL")
_TYPES: Final = ("MARKET", "LIMIT", "STOP_LOSS")


def new_order(params: Params, rules: Rules, fallback: str) -> NewOrder:
    """Read a request for an order.

    Raises:
        ApiError: a parameter is missing or malformed.
    """
    side, kind = one_of(params, "side", _SIDES), one_of(params, "type", _TYPES)
    quantity = amount(params, "quantity")
    price = amount(params, "price") if kind == "LIMIT" else ZERO
    stop = amount(params, "stopPrice") if kind == "STOP_LOSS" else ZERO
    lasting = one_of(params, "timeInForce", ("GTC", "IOC")) if kind == "LIMIT" else "GTC"
    return NewOrder(
        symbol=rules.symbol,
        side=side,
        type=kind,
        quantity=quantity,
        price=price,
        stop_price=stop,
        client_order_id=client_id(params, "newClientOrderId", fallback),
        at_once=lasting == "IOC",
    )


def check(new: NewOrder, rules: Rules, quote: Quote, standing: Iterable[Order]) -> None:
    """Hold an order against every filter of its symbol, `standing` being the account's open orders.

    Raises:
        ApiError: -1013, with the name of the filter.
    """
    if not rules.trading:
        raise ApiError(-1013, "Market is closed.")
    passed = {
        "PRICE_FILTER": all(_price(value, rules) for value in (new.price, new.stop_price)),
        "PERCENT_PRICE_BY_SIDE": _percent(new, rules, quote),
        "LOT_SIZE": _lot(new.quantity, rules.quantity_min, rules.quantity_max, rules.lot),
        "MARKET_LOT_SIZE": new.type == "LIMIT" or _market_lot(new.quantity, rules),
        "NOTIONAL": _notional(new, rules, quote),
    }
    passed |= _room(new, rules, [order for order in standing if order.symbol == rules.symbol])
    for name, good in passed.items():
        if not good:
            raise ApiError(-1013, f"Filter failure: {name}")


def check_size(order: Order, quantity: Decimal, rules: Rules, quote: Quote) -> None:
    """Hold what an order would become against the filters of quantity; it takes no more room.

    Raises:
        ApiError: -1013, with the name of the filter.
    """
    new = NewOrder(
        symbol=order.symbol,
        side=order.side,
        type=order.type,
        quantity=quantity,
        price=order.price,
        stop_price=order.stop_price,
        client_order_id=order.name,
    )
    check(new, rules, quote, ())


def _price(price: Decimal, rules: Rules) -> bool:
    if price == ZERO:
        return True  # an order without this price
    return (rules.price_min or rules.tick) <= price <= rules.price_max and not price % rules.tick


def _percent(new: NewOrder, rules: Rules, quote: Quote) -> bool:
    """Hold the limit price against the reference price, or the last one; stop prices are free."""
    if new.price == ZERO:
        return True
    usual = rules.reference_price or quote.last
    up, down = (
        (rules.percent_bid_up, rules.percent_bid_down)
        if new.side == "BUY"
        else (rules.percent_ask_up, rules.percent_ask_down)
    )
    return usual * down <= new.price and (up == ZERO or new.price <= usual * up)


def _lot(quantity: Decimal, least: Decimal, most: Decimal, step: Decimal) -> bool:
    return least <= quantity <= most and not (step and quantity % step)


def _market_lot(quantity: Decimal, rules: Rules) -> bool:
    # Binance names MARKET only and says nothing of a stop, which becomes one: here it is bound too.
    most = rules.market_quantity_max or rules.quantity_max
    return _lot(quantity, rules.market_quantity_min, most, rules.market_lot)


def _notional(new: NewOrder, rules: Rules, quote: Quote) -> bool:
    # Which price a STOP_LOSS is worth is not documented: here it must pass at the worse of both.
    usual = rules.reference_price or quote.last
    prices = [new.price] if new.price else [new.stop_price or usual, usual]
    least, most = new.quantity * min(prices), new.quantity * max(prices)
    at_market = new.type == "MARKET"
    too_small = least < rules.notional_min and (rules.apply_min_to_market or not at_market)
    too_big = most > rules.notional_max and (rules.apply_max_to_market or not at_market)
    return not too_small and not too_big


def _room(new: NewOrder, rules: Rules, standing: list[Order]) -> dict[str, bool]:
    stops = sum(order.waits_for_its_stop for order in standing)
    return {
        "MAX_NUM_ORDERS": len(standing) < rules.max_orders,
        "MAX_NUM_ALGO_ORDERS": new.type not in ALGO or stops < rules.max_algo_orders,
    }
