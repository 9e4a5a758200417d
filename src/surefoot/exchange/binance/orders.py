"""What is sent of an order: the fields of a request, in Binance's words."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from surefoot.core.order import Order, Role
from surefoot.core.values import ExchangeOrderId, plain
from surefoot.exchange.binance.client import NOT_AFTER


def placing(market: str, order: Order) -> dict[str, Any]:
    """Return the request for a new order; without RESULT a stop would be answered by an ACK."""
    request = {
        "symbol": market,
        "side": order.side.upper(),
        "type": "MARKET",
        "quantity": plain(order.quantity),
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "RESULT",
        NOT_AFTER: milliseconds(order.not_after),
    }
    if order.role is Role.STOP and order.trigger is not None:
        request |= {"type": "STOP_LOSS", "stopPrice": plain(order.trigger)}
    elif order.limit is not None:
        lasting = "IOC" if order.immediate else "GTC"
        request |= {"type": "LIMIT", "timeInForce": lasting, "price": plain(order.limit)}
    return request


def amending(
    market: str, known: ExchangeOrderId, order: Order, quantity: Decimal, not_after: datetime
) -> dict[str, Any]:
    """Return the request that makes an order smaller; without its name it would get another."""
    return {
        "symbol": market,
        "orderId": known,
        "newClientOrderId": order.client_order_id,
        "newQty": plain(quantity),
        NOT_AFTER: milliseconds(not_after),
    }


def milliseconds(at: datetime) -> int:
    """Return a moment as Binance writes it."""
    return round(at.timestamp() * 1000)
