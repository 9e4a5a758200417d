"""What an input costs does not follow from what has been: calls are counted, no clock is asked."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec import msgpack
from tests.builders import PLAN, PROTECTED, D, Life, absence, fill, report

from surefoot.core.decide import Input, decide
from surefoot.core.order import Role
from surefoot.core.reports import PriceSeen, Refusal, TimePassed
from surefoot.core.signals import EntrySignal

SIGNAL = EntrySignal(quantity=D("0.00160"), plan=PLAN)
NOTHING = PriceSeen(price=D(50001))


def calls(work: Callable[[], object]) -> int:
    """Return how many functions a piece of work calls, built-in ones included."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in {"call", "c_call"}

    sys.setprofile(note)
    try:
        work()
    finally:
        sys.setprofile(None)
    return count


def entered(life: Life) -> None:
    """Have an entry refused, two minutes after the one before."""
    life.now += timedelta(minutes=2)
    name = life.enter().client_order_id
    life.tell(Refusal(client_order_id=name, code="-2010", message="no"))


def moved(life: Life) -> None:
    """Have a stop cancelled, so that another takes its place."""
    life.tell(report(life.order, "CANCELED"), TimePassed())


def cost(life: Life, event: Input) -> int:
    position, now, terms = life.position, life.now, life.terms
    return calls(lambda: decide(position, event, now, terms))


def costs_after(orders: int) -> tuple[int, ...]:
    """Return what a signal, a fill and a tick cost with so many refused entries behind them."""
    life = Life(PROTECTED)
    for _ in range(orders):
        entered(life)
    life.now += timedelta(minutes=2)
    signal = cost(life, SIGNAL)
    life.tell(SIGNAL)
    entry = life.order
    life.tell(report(entry, "FILLED", entry.quantity))
    bought = fill(entry, "50000", trade="1")
    booked = cost(life, bought)
    life.tell(bought)
    for _ in range(orders):
        moved(life)
    return signal, booked, cost(life, NOTHING), len(msgpack.encode(life.position))


def test_inputs_cost_the_same_after_two_orders_and_after_two_hundred() -> None:
    """Each order used to make everything after it dearer: ten times as much behind a hundred."""
    assert costs_after(200) == pytest.approx(costs_after(2), rel=0.05)


def test_a_position_carries_only_the_orders_that_matter() -> None:
    """The newest of each role, and what is open; the others are the journal's."""
    life = Life(PROTECTED)
    for _ in range(50):
        entered(life)
    assert [order.attempt for order in life.position.orders] == [50]
    life.now += timedelta(minutes=2)
    life.opened()
    for _ in range(20):
        moved(life)
    assert [order.role for order in life.position.orders] == [Role.ENTRY, Role.STOP]
    assert life.position.attempts == life.order.attempt == len(life.orders) == 72


@pytest.mark.parametrize("orders", [1, 9])
def test_names_never_come_again(orders: int) -> None:
    """The counter goes on where the order has left: a name that was used may be live somewhere."""
    life = Life()
    for _ in range(orders + 1):
        entered(life)
    assert len({order.client_order_id for order in life.orders.values()}) == orders + 1


def test_what_is_looked_for_stays_until_its_day_is_over() -> None:
    """An order that was called NEVER from absence is asked about, so it must be at hand."""
    life = Life()
    life.enter()
    life.now += timedelta(minutes=2)
    life.tell(absence(life))
    never = life.order.client_order_id
    for hours, here in ((23, True), (2, False)):
        life.now += timedelta(hours=hours)
        for _ in range(2):
            entered(life)
        assert (life.position.find(never) is not None) is here
