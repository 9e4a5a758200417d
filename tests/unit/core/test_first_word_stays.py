"""Safeguards that could once be taken out without any test noticing; each names what it costs."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import PROTECTED, REPLACING, START, D, Life, absence, fill, report

from surefoot.core.order import OrderStatus, Role
from surefoot.core.position import State
from surefoot.core.reconcile import wanted
from surefoot.core.records import OrderNever
from surefoot.core.reports import TimePassed, Unsent
from surefoot.core.signals import Close, Flatten, Freeze


def test_a_stop_grows_with_a_fill_that_comes_late() -> None:
    """0.001 was protected and 0.0016 held: the late 0.0006 would have had no stop for good."""
    life = Life(PROTECTED)
    entry = life.enter("0.00160")
    life.tell(report(entry, "CANCELED", "0.001"), fill(entry, "50000", "0.001", trade="1"))
    small = life.order
    assert (small.role, small.quantity) == (Role.STOP, D("0.001"))
    life.tell(report(small, "OPEN"))
    kinds = life.tell(fill(entry, "50000", "0.0006", trade="2"))
    assert "cancel-intended" in kinds
    life.tell(report(small, "CANCELED"))
    assert (life.order.role, life.order.quantity) == (Role.STOP, D("0.0016"))
    assert life.position.frozen is not None


@pytest.mark.parametrize(("hours", "asked"), [(0, True), (1, True), (23.99, True), (24, False)])
def test_an_order_called_never_is_looked_for_a_whole_day(hours: float, *, asked: bool) -> None:
    """V is a bound, not a law: what turns up later is found only by somebody who still asks."""
    life = Life()
    life.enter()
    life.now += timedelta(minutes=2)
    life.tell(absence(life))
    never = life.order
    assert never.status is OrderStatus.NEVER
    found = wanted((life.position,), life.now + timedelta(hours=hours))
    assert [order.client_order_id for _, order in found] == [never.client_order_id] * asked


def test_twelve_hours_offline_leave_nothing_to_look_for() -> None:
    """Each retry of a stop that never left was asked about for a day: 5,728 weight a minute."""
    life = Life(PROTECTED)
    life.opened()
    for _ in range(720):
        assert (life.order.role, life.order.status) == (Role.STOP, OrderStatus.INTENDED)
        life.tell(Unsent(client_order_id=life.order.client_order_id, reason="no route"))
        assert wanted((life.position,), life.now) == ()
        life.tell(TimePassed(), after=timedelta(minutes=1))
    never = [each for each in life.records if isinstance(each, OrderNever)]
    assert len(never) == 720
    assert {each.may_have_left for each in never} == {False}


def test_a_stop_that_was_faster_leaves_nothing_to_look_for() -> None:
    """Whoever was stopped out had his exit asked about for a day, though the exchange denied it."""
    life = Life(REPLACING)
    life.opened()
    stop = life.order
    life.tell(report(stop, "OPEN"), Close(by="ann"))
    late = life.order
    assert late.replaces == stop.client_order_id
    life.tell(fill(stop, "49000", trade="2"), report(stop, "FILLED", stop.quantity))
    assert [order for _, order in wanted((life.position,), life.now)] == [life.order]
    why = "not tried, because the cancel failed"
    life.tell(Unsent(client_order_id=late.client_order_id, reason=why))
    assert life.position.state is State.CLOSED
    assert wanted((life.position,), life.now) == ()
    assert life.position.tallies[Role.EXIT].failed == 1
    life.tell(Unsent(client_order_id=late.client_order_id, reason=why))
    assert sum(isinstance(each, OrderNever) for each in life.records) == 2


def test_what_an_operator_calls_gone_is_looked_for() -> None:
    """Somebody's word is no proof that the request did not leave."""
    life = Life()
    life.enter()
    life.tell(Flatten(by="ann"))
    assert life.order.status is OrderStatus.NEVER
    assert [order for _, order in wanted((life.position,), life.now)] == [life.order]


def test_a_second_write_off_is_added_to_the_first() -> None:
    """Replacing the first would bring what was declared gone back to life, and sell it."""
    life = Life()
    life.opened()
    life.tell(Freeze(reason="gone"), Flatten(by="ann"))
    assert (life.position.state, life.position.written_off) == (State.CLOSED, D("0.0016"))
    life.tell(Freeze(reason="again"))
    life.tell(Flatten(by="bob"))
    assert life.position.written_off == D("0.0016")
    assert life.position.quantity == 0


def test_a_position_is_as_old_as_its_first_fill() -> None:
    """Trades of others are evidence from then on: a younger birth would hide a sale by hand."""
    life = Life()
    entry = life.enter()
    first, second = START + timedelta(seconds=3), START + timedelta(seconds=9)
    life.tell(report(entry, "OPEN"))
    life.tell(fill(entry, "50000", "0.001", trade="1", at=first))
    life.tell(fill(entry, "50000", "0.0006", trade="2", at=second))
    assert life.position.opened_at == first
