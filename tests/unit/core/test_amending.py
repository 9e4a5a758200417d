"""A stop that is to sell less is made smaller where it stands: it rests meanwhile, under its ids.

Broken on purpose, and red here: a smaller stop that is replaced where it can be amended; a second
request while the first may be accepted; an answer that is waited for when the request can act no
more; a refusal that leaves it too large; a report of an older, larger order that is believed.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import INSTRUMENT, PROTECTED, D, Life, fill, report

from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import State
from surefoot.core.records import AmendIntended, OrderAmended
from surefoot.core.reports import PriceSeen, Shortage, TimePassed, Unamended
from surefoot.core.signals import Close
from surefoot.core.terms import Terms

WHOLE, LESS = D("0.0016"), D("0.001")
AMENDING = replace(PROTECTED, instrument=replace(INSTRUMENT, replaces=True, amends=True))
LACK = Shortage(missing=WHOLE - LESS, evidence="the balance")


def protected(terms: Terms = AMENDING) -> tuple[Life, Order]:
    """Return a life whose stop rests for all that it holds."""
    life = Life(terms)
    entry = life.enter()
    life.tell(report(entry, "FILLED", entry.quantity), fill(entry, "50000", trade="1"))
    stop = life.order
    life.tell(report(stop, "OPEN"))
    assert (stop.role, stop.quantity) == (Role.STOP, WHOLE)
    return life, stop


def lessened() -> tuple[Life, Order]:
    """Return one whose stop is asked to be smaller, and that stop."""
    life, stop = protected()
    life.tell(LACK)
    return life, now(life, stop)


def now(life: Life, order: Order) -> Order:
    found = life.position.find(order.client_order_id)
    assert found is not None
    return found


def test_a_smaller_stop_is_the_same_order() -> None:
    life, stop = lessened()
    asked = life.records[-1]
    assert isinstance(asked, AmendIntended)
    assert (asked.client_order_id, asked.quantity) == (stop.client_order_id, LESS)
    assert (stop.quantity, stop.rests) == (WHOLE, True), "as large as before until it is shown"
    life.tell(replace(report(stop, "OPEN"), quantity=LESS))
    stop = now(life, stop)
    assert (stop.quantity, stop.amending, stop.status) == (LESS, None, OrderStatus.WORKING)
    assert life.tell(TimePassed()) == []


def test_a_venue_that_cannot_is_asked_to_replace_it() -> None:
    cannot = replace(AMENDING, instrument=replace(AMENDING.instrument, amends=False))
    life, stop = protected(cannot)
    life.tell(LACK)
    assert (life.order.replaces, life.order.quantity) == (stop.client_order_id, LESS)


def test_a_lost_answer_is_waited_for_only_while_it_can_have_worked() -> None:
    life, stop = lessened()
    asked = stop.amending
    assert asked is not None
    assert life.tell(TimePassed()) == [], "one request at a time"
    life.tell(PriceSeen(price=D(50100)), report(stop, "OPEN"))
    assert life.order.client_order_id == stop.client_order_id
    life.now = asked.not_after + timedelta(seconds=1)
    life.tell(TimePassed())
    assert (life.order.replaces, life.order.quantity) == (stop.client_order_id, LESS)


def test_what_is_refused_is_replaced_at_once() -> None:
    life, stop = lessened()
    life.tell(Unamended(client_order_id=stop.client_order_id, reason="-2038: ten times already"))
    assert (life.order.replaces, life.order.quantity) == (stop.client_order_id, LESS)
    assert life.tell(Unamended(client_order_id=stop.client_order_id, reason="again")) == []


def test_a_smaller_stop_that_has_sold_is_counted_whole() -> None:
    """The answer was lost, and it triggered: nothing but its report tells how large it was."""
    life, stop = lessened()
    over = replace(report(stop, "FILLED", LESS), quantity=LESS)
    life.tell(over, fill(stop, "49000", LESS, trade="2"))
    assert (now(life, stop).status, now(life, stop).quantity) == (OrderStatus.FILLED, LESS)
    assert life.position.quantity == WHOLE - LESS
    assert life.position.frozen is None


def test_an_exit_does_not_wait_for_it() -> None:
    life, stop = lessened()
    life.tell(Close(by="ann"))
    assert (life.order.role, life.order.replaces) == (Role.EXIT, stop.client_order_id)
    assert life.position.state is State.CLOSING


def test_somebody_elses_amendment_is_made_good() -> None:
    """Made smaller by hand, it no longer covers what is held: it is replaced by one that does."""
    life, stop = protected()
    life.tell(replace(report(stop, "OPEN"), quantity=LESS))
    assert now(life, stop).quantity == LESS
    assert (life.order.replaces, life.order.quantity) == (stop.client_order_id, WHOLE)


@pytest.mark.parametrize("quantity", [WHOLE, D("0.002")])
def test_an_older_report_makes_nothing_larger(quantity: object) -> None:
    life, stop = lessened()
    life.tell(replace(report(stop, "OPEN"), quantity=LESS))
    life.tell(replace(report(stop, "OPEN"), quantity=quantity))
    assert now(life, stop).quantity == LESS
    assert sum(isinstance(each, OrderAmended) for each in life.records) == 1
