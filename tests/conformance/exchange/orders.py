"""Orders to send, as the engine would make them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from surefoot.core.order import Order, Role
from surefoot.core.values import ClientOrderId, Side, Symbol
from surefoot.exchange.port import Exchange

BTC = Symbol("BTC/USDT")
ETH = Symbol("ETH/USDT")
NAME = ClientOrderId("sf0123456789abcdef")


def order(exchange: Exchange, *, lifetime_s: float = 5, **more: Any) -> Order:
    """Return a market order to buy, unless told otherwise."""
    now: datetime = exchange.now()
    given: dict[str, Any] = {
        "client_order_id": NAME,
        "role": Role.ENTRY,
        "attempt": 1,
        "side": Side.BUY,
        "quantity": Decimal("0.001"),
        "signed_at": now,
        "not_after": now + timedelta(seconds=lifetime_s),
        **more,
    }
    return Order(**given)


def resting(exchange: Exchange, **more: Any) -> Order:
    """Return a limit order to buy, under the market."""
    return order(exchange, limit=Decimal(60000), **more)
