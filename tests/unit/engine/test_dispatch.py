"""Nothing leaves that is not durable, and every outcome of a send is a value."""

from __future__ import annotations

import asyncio

import pytest
from tests.builders import BTC, Life
from tests.unit.engine.clock import turns
from tests.unit.engine.desk import Desk

from surefoot.core.errors import InvariantViolated
from surefoot.core.order import Order
from surefoot.core.reports import Doubt, OrderReport, Refusal, Unsent
from surefoot.core.values import ExchangeOrderId
from surefoot.exchange.errors import NotSent, Refused, Unknown
from surefoot.journal.port import Receipt


def receipt(*orders: Order) -> Receipt:
    return Receipt(sequence=1, intents=frozenset(order.client_order_id for order in orders))


@pytest.fixture
def order() -> Order:
    return Life().enter()


async def test_an_order_without_its_receipt_is_not_sent(desk: Desk, order: Order) -> None:
    """S1. Catches a dispatch that trusts any receipt, and one that checks after sending."""
    other = Life(bot="other").enter()
    for wrong in (receipt(), receipt(other)):
        with pytest.raises(InvariantViolated) as refused:
            await desk.dispatch.send(BTC, order, wrong)
        assert refused.value.number == "S1"
    assert desk.exchange.sent == []
    assert desk.dispatch.busy == 0


async def test_a_covered_order_is_sent_once_and_its_report_comes_back(
    desk: Desk, order: Order
) -> None:
    (outcome,) = await desk.dispatch.send(BTC, order, receipt(order))
    assert isinstance(outcome, OrderReport)
    assert outcome.client_order_id == order.client_order_id
    assert desk.exchange.sent == [order]


@pytest.mark.parametrize(
    ("error", "value"),
    [
        (NotSent("no route"), lambda n: Unsent(client_order_id=n, reason="no route")),
        (
            Refused("-2010", "insufficient balance"),
            lambda n: Refusal(client_order_id=n, code="-2010", message="insufficient balance"),
        ),
        (Unknown("504"), lambda n: Doubt(client_order_id=n, reason="504")),
    ],
)
async def test_each_answer_becomes_its_own_value(
    desk: Desk, order: Order, error: Exception, value: object
) -> None:
    """Catches an unknown outcome that is taken for "no", the mistake that enters twice."""
    desk.exchange.answer(error)
    (outcome,) = await desk.dispatch.send(BTC, order, receipt(order))
    assert outcome == value(order.client_order_id)  # type: ignore[operator]
    assert desk.exchange.sent == [order]
    assert desk.dispatch.busy == 0


async def test_a_mistake_in_an_adapter_is_not_turned_into_an_answer(
    desk: Desk, order: Order
) -> None:
    desk.exchange.answer(KeyError("orderId"))
    with pytest.raises(KeyError):
        await desk.dispatch.send(BTC, order, receipt(order))
    assert desk.dispatch.busy == 0


async def test_busy_counts_the_sends_that_are_out(desk: Desk, order: Order) -> None:
    answered = desk.exchange.hold("send")
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(desk.dispatch.send(BTC, order, receipt(order)))
        await turns()
        assert desk.dispatch.busy == 1
        answered.set()
    assert desk.dispatch.busy == 0


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (NotSent("no route"), "NotSent: no route"),
        (Refused("-2011", "Unknown order sent."), "Refused: -2011: Unknown order sent."),
        (Unknown("reset"), "Unknown: reset"),
    ],
)
async def test_the_answer_to_a_cancel_is_only_words(
    desk: Desk, error: Exception, words: str
) -> None:
    desk.exchange.answer_cancel(error)
    assert await desk.dispatch.cancel(BTC, ExchangeOrderId("1")) == words


async def test_a_cancel_that_was_taken_is_only_asked(desk: Desk, order: Order) -> None:
    placed = desk.exchange.place(order)
    assert await desk.dispatch.cancel(BTC, placed.exchange_order_id) == "asked"
    assert desk.exchange.cancelled == [(BTC, placed.exchange_order_id)]
