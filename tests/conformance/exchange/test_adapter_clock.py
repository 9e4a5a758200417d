"""A clock that an answer denies, whatever was asked: that is heard in one place, and is over.

Broken on purpose, and red here: orders heard alone; a measurement that leaves the old denial.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest
from tests.conformance.exchange.orders import BTC, NAME, resting

from surefoot.core.order import Order
from surefoot.core.reports import OrderReport
from surefoot.core.values import ClientOrderId
from surefoot.exchange.errors import ExchangeError
from surefoot.exchange.port import Exchange
from surefoot.simulator import Simulator

CANCEL = ClientOrderId("sf-cancel")


def amend(exchange: Exchange, order: Order, known: OrderReport) -> Awaitable[Any]:
    end = exchange.now() + timedelta(seconds=5)
    number, less = known.exchange_order_id, order.quantity / 2
    return exchange.amend(BTC, number, order, quantity=less, not_after=end)


REQUESTS: dict[str, Callable[[Exchange, Order, OrderReport], Awaitable[Any]]] = {
    "send": lambda at, order, _: at.send(BTC, order),
    "cancel": lambda at, _, known: at.cancel(BTC, known.exchange_order_id),
    "cancel by name": lambda at, _, __: at.cancel_named(BTC, NAME, cancel_name=CANCEL),
    "replace": lambda at, order, known: at.replace(
        BTC, known.exchange_order_id, order, cancel_name=CANCEL
    ),
    "amend": amend,
    "orders": lambda at, _, __: at.open_orders([BTC]),
    "order": lambda at, _, __: at.order(BTC, NAME),
    "fills": lambda at, _, __: at.fills(BTC, None),
    "balances": lambda at, _, __: at.balances(),
}


async def is_denied(exchange: Exchange) -> bool:
    """Tell whether somebody who waits for it hears of it."""
    try:
        async with asyncio.timeout(0.01):
            await exchange.clock_denied()
    except TimeoutError:
        return False
    return True


@pytest.mark.parametrize("asked", REQUESTS)
async def test_every_answer_that_denies_our_clock_is_heard(
    exchange: Exchange, simulator: Simulator, asked: str
) -> None:
    """Only a refused order was: cancels and reads were turned away for up to a minute."""
    order = resting(exchange)
    known = await exchange.send(BTC, order)
    assert not await is_denied(exchange)
    simulator.clock.advance(30)
    with pytest.raises(ExchangeError):
        await REQUESTS[asked](exchange, order, known)
    assert await is_denied(exchange)
    await exchange.measure_clock()
    assert await exchange.open_orders([BTC])
    assert not await is_denied(exchange)
