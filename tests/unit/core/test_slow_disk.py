"""A disk that takes longer to write an order down than its request may travel.

Broken on purpose, and red here: every order with the same lifetime, so that none ever leaves; an
entry that is given more of it, and buys at a price of long ago.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import PROTECTED, TERMS, Life, fill, report

from surefoot.core.deadlines import overdue
from surefoot.core.order import Order, Role
from surefoot.core.reports import TimePassed, Unsent
from surefoot.core.signals import Close
from surefoot.core.terms import Terms

USUAL = TERMS.request_lifetime
LATE = "it waited for the disk, or in a queue, until its time was over"


def held_up(life: Life, took: timedelta) -> Order:
    """Let the newest order be too late to leave, and the next one be written."""
    order = life.order
    life.tell(Unsent(client_order_id=order.client_order_id, reason=LATE), after=took)
    life.tell(TimePassed(), after=timedelta(minutes=1))
    return order


def lasts(order: Order) -> timedelta:
    return order.not_after - order.signed_at


@pytest.mark.parametrize(("terms", "role"), [(TERMS, Role.EXIT), (PROTECTED, Role.STOP)])
def test_what_was_too_late_to_leave_is_followed_by_what_has_more_time(
    terms: Terms, role: Role
) -> None:
    """A stop that waits here was reached, and nothing was sold for as long as the disk was slow."""
    life = Life(terms)
    life.opened()
    if role is Role.EXIT:
        life.tell(Close(by="operator"))
    assert (life.order.role, lasts(life.order)) == (role, USUAL)
    first = held_up(life, timedelta(seconds=20))
    second = life.order
    assert second.client_order_id != first.client_order_id
    assert (second.role, lasts(second)) == (role, USUAL + timedelta(seconds=20))
    held_up(life, timedelta(hours=8))
    assert lasts(life.order) == timedelta(seconds=60), "no venue takes what is older"
    (stuck,) = overdue([life.position], {life.position.bot: terms}, life.now)
    assert LATE in stuck.true


def test_what_did_not_leave_for_another_reason_is_followed_by_what_has_the_usual_time() -> None:
    life = Life()
    life.opened()
    life.tell(Close(by="operator"))
    held_up(life, USUAL)
    assert lasts(life.order) == USUAL


def test_an_order_that_left_in_time_ends_it() -> None:
    life = Life()
    life.opened()
    life.tell(Close(by="operator"))
    held_up(life, timedelta(seconds=20))
    half = life.order.quantity / 2
    life.tell(fill(life.order, "50000", half, trade="2"), report(life.order, "CANCELED", half))
    life.tell(TimePassed(), after=timedelta(minutes=1))
    assert lasts(life.order) == USUAL


def test_an_entry_is_not_given_more_time() -> None:
    """It would buy at a price of long ago."""
    life = Life()
    first = life.enter()
    life.tell(Unsent(client_order_id=first.client_order_id, reason=LATE), after=USUAL * 4)
    life.now += timedelta(minutes=5)
    second = life.enter()
    assert second.client_order_id != first.client_order_id
    assert lasts(second) == USUAL
