"""A stop that is to sell less is made smaller where it stands: it rests meanwhile, under its ids.

Broken on purpose, and red here: a smaller stop that is replaced where it can be amended; a second
request while the first may be accepted; an answer that is waited for when the request can act no
more; a refusal that leaves it too large; a report of an older, larger order that is believed; one
that is replaced although its journal was put back.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import INSTRUMENT, PROTECTED, D, Life, fill, report

from surefoot.core.errors import SignalRefused
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import State
from surefoot.core.records import AmendIntended, OrderAmended
from surefoot.core.reports import PriceSeen, SetBack, Shortage, TimePassed, Unamended
from surefoot.core.signals import AddSignal, Close
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


@pytest.mark.parametrize("smaller", [True, False])
def test_what_sells_while_it_is_asked_is_counted_however_large_it_is(smaller: bool) -> None:
    """It is sold bit by bit while the request is under way: after it, or instead of it."""
    life, stop = lessened()
    whole = LESS if smaller else WHOLE
    first = D("0.0006")
    life.tell(fill(stop, "49000", first, trade="2"))
    if not smaller:
        refused = Unamended(client_order_id=stop.client_order_id, reason="it is selling")
        assert life.tell(refused) == ["amend-refused"], "it is let sell"
    life.tell(replace(report(stop, "OPEN", first), quantity=whole))
    life.tell(replace(report(stop, "FILLED", whole), quantity=whole))
    life.tell(fill(stop, "49000", whole - first, trade="3"))
    assert (now(life, stop).status, now(life, stop).quantity) == (OrderStatus.FILLED, whole)
    assert life.position.quantity == WHOLE - whole
    assert (life.position.frozen, life.position.exit_wish) == (None, None)


def test_answers_that_come_after_an_exit_took_its_place_disturb_nothing() -> None:
    life, stop = lessened()
    life.tell(Close(by="ann"))
    out = life.order
    life.tell(replace(report(stop, "OPEN"), quantity=LESS))
    life.tell(Unamended(client_order_id=stop.client_order_id, reason="too late"))
    life.tell(replace(report(stop, "CANCELED"), quantity=LESS))
    assert life.tell(Unamended(client_order_id=stop.client_order_id, reason="too late")) == []
    life.tell(report(out, "FILLED", out.quantity), fill(out, "50000", trade="2"))
    assert [order.role for order in life.orders.values()] == [Role.ENTRY, Role.STOP, Role.EXIT]
    assert (life.position.quantity, life.position.frozen) == (WHOLE - LESS, None)


def test_what_lacks_meanwhile_is_asked_for_once_the_first_is_shown() -> None:
    """Two requests under way could meet in the other order."""
    life, stop = lessened()
    least = D("0.0006")
    assert life.tell(Shortage(missing=WHOLE - least, evidence="more")) == ["shortage-seen"]
    life.tell(replace(report(stop, "OPEN"), quantity=LESS))
    asked = now(life, stop).amending
    assert asked is not None
    assert asked.quantity == least


def test_after_a_setback_it_is_neither_made_smaller_nor_replaced() -> None:
    """The request of a lost life may be refused, or be done: what is held is not certain."""
    life, stop = lessened()
    life.tell(SetBack(reason="an older journal"))
    life.tell(Unamended(client_order_id=stop.client_order_id, reason="no"))
    life.tell(TimePassed(), PriceSeen(price=D(50100)), after=timedelta(minutes=1))
    life.tell(replace(report(stop, "OPEN"), quantity=LESS))
    assert life.order.client_order_id == stop.client_order_id
    assert (life.order.quantity, life.order.amending) == (LESS, None)


def test_what_is_added_right_after_it_is_protected_with_it() -> None:
    life, stop = lessened()
    add = AddSignal(quantity=LESS)
    with pytest.raises(SignalRefused):
        life.tell(add)
    life.tell(replace(report(stop, "OPEN"), quantity=LESS))
    life.tell(add)
    added = life.order
    life.tell(report(added, "FILLED", LESS), fill(added, "50000", LESS, trade="2"))
    assert (life.order.replaces, life.order.quantity) == (stop.client_order_id, 2 * LESS)


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


def test_nothing_is_added_while_it_may_yet_become_smaller() -> None:
    """What lacked was there again: it looked as large as it should, and could not grow."""
    life, stop = lessened()
    life.tell(Shortage(missing=D(0), evidence="they are back"))
    add = AddSignal(quantity=LESS)
    with pytest.raises(SignalRefused, match="before its stop is in place"):
        life.tell(add)
    asked = stop.amending
    assert asked is not None
    life.now = asked.not_after + timedelta(seconds=1)
    life.tell(add)
    more = life.order
    life.tell(report(more, "FILLED", LESS), fill(more, "50000", LESS, trade="2"))
    assert (life.order.role, life.order.quantity) == (Role.STOP, WHOLE + LESS)
