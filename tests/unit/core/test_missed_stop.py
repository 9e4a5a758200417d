"""A stop whose answer was lost: what the exchange says when it is told to cancel it by its name.

No read is as fresh as that. Broken on purpose, and red here: a stop that is withdrawn while the
request can still act, or before reads had their second; a lane that is freed by an answer from
before; freed although somebody else's coins could be sold twice; a position that closes while it is
not known what was sold.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import PROTECTED, D, Life, absence, fill, lost, report
from tests.unit.core.test_replacing import moved, now, protected

from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import State
from surefoot.core.records import CancelIntended
from surefoot.core.reports import Doubt, Grounds, NothingOpen, PriceSeen, Refusal, TimePassed
from surefoot.core.signals import Close, Filled


def naked(*, cancelled: bool = True) -> tuple[Life, Order]:
    """Return a life whose stop was to be moved by a request whose answer was lost."""
    life, stop = protected()
    new = moved(life)
    life.tell(Doubt(client_order_id=new.client_order_id, reason="no answer"))
    if cancelled:
        life.tell(report(stop, "CANCELED"))
    return life, new


def missed(life: Life, order: Order, *, alone: bool = True) -> list[str]:
    """Look for an order in vain, two seconds later."""
    life.now += timedelta(seconds=2)
    return life.tell(lost(life, order, alone=alone))


def nothing(life: Life, order: Order) -> list[str]:
    life.now += timedelta(seconds=0.1)
    return life.tell(NothingOpen(client_order_id=order.client_order_id, asked_at=life.now))


def test_what_is_not_there_is_protected_again_in_seconds_not_after_v() -> None:
    """The cancel was done and the new stop never came: nothing rested for 65 seconds."""
    life, new = naked()
    assert missed(life, new) == ["cancel-intended"]
    cancel = life.records[-1]
    assert isinstance(cancel, CancelIntended)
    assert cancel.hailed
    assert nothing(life, new) == ["order-shut", "order-intended"]
    again = life.order
    assert (again.role, again.trigger, again.replaces) == (Role.STOP, new.trigger, None)
    assert now(life, new).status is OrderStatus.INTENDED, "what it sold before is still asked"
    life.tell(report(again, "OPEN"))
    assert life.position.unfinished == now(life, again)


def test_what_was_there_after_all_is_cancelled_and_set_again() -> None:
    life, new = naked()
    missed(life, new)
    life.tell(replace(report(new, "CANCELED"), client_order_id=now(life, new).cancel_name))
    assert life.orders[new.client_order_id].status is OrderStatus.CANCELED
    assert life.position.meddled_at is None
    assert (life.order.role, life.order.attempt) == (Role.STOP, new.attempt + 1)


def test_while_the_old_stop_may_rest_nothing_is_withdrawn() -> None:
    """STOP_ON_FAILURE: what is to replace an order comes when that one goes, or never."""
    life, new = naked(cancelled=False)
    assert missed(life, new) == []
    life, new = naked()
    assert life.tell(lost(life, new)) == [], "reads are given a second to show it"


def test_a_first_stop_can_come_for_as_long_as_its_request_can_act() -> None:
    life = Life(protected()[0].terms)
    life.opened()
    new = life.order
    assert new.role is Role.STOP
    life.tell(Doubt(client_order_id=new.client_order_id, reason="no answer"))
    for _ in range(4):
        assert missed(life, new) == []
    life.now = new.not_after + life.terms.request_lifetime
    assert missed(life, new) == ["cancel-intended"]
    stale = NothingOpen(client_order_id=new.client_order_id, asked_at=new.not_after)
    assert life.tell(stale) == [], "asked while it could still come"
    assert nothing(life, new) == ["order-shut", "order-intended"]


def test_beside_coins_of_others_only_time_proves_it() -> None:
    """It may have sold unseen; then the next one would sell what is not ours."""
    life, new = naked()
    assert missed(life, new, alone=False) == []


def test_a_word_that_nobody_asked_for_frees_nothing() -> None:
    life, new = naked()
    assert nothing(life, new) == []
    life.tell(Close(by="ann"))
    assert life.order == now(life, new)


def test_it_can_be_sold_at_once_as_well() -> None:
    """A level that is reached meanwhile was not sold at for 65 seconds."""
    life, new = naked()
    missed(life, new)
    life.tell(PriceSeen(price=D(48000)))
    nothing(life, new)
    out = life.order
    assert (out.role, out.limit, out.replaces) == (Role.EXIT, None, None)
    life.tell(report(out, "FILLED", out.quantity), fill(out, "48000", trade="9"))
    assert life.position.state is State.CLOSING, "it is not known yet what the missed stop did"
    life.tell(lost(life, new))
    late = new.not_after + life.terms.visibility + timedelta(seconds=1)
    life.now = late
    life.tell(replace(lost(life, new), fills_complete=True))
    assert life.position.state is State.CLOSED


def test_what_it_sold_before_anybody_looked_is_not_sold_again() -> None:
    """It had triggered and filled before it was asked for: the exchange refuses the next one."""
    life, new = naked()
    missed(life, new)
    nothing(life, new)
    again = life.order
    life.tell(fill(new, "51480", trade="7"))
    assert now(life, again).cancel_at is not None
    no = Refusal(
        client_order_id=again.client_order_id, code="-2010", message="no", grounds=Grounds.FUNDS
    )
    life.tell(report(new, "FILLED", new.quantity), no)
    assert (life.position.state, life.position.frozen) == (State.CLOSED, None)


@pytest.mark.parametrize("heard", [False, True], ids=["sent", "rests"])
def test_an_operator_may_say_that_it_has_sold_after_all(*, heard: bool) -> None:
    """A true word broke S13 beside the stop that was set again, and froze the position."""
    life, new = naked()
    missed(life, new)
    nothing(life, new)
    again = life.order
    if heard:
        life.tell(report(again, "OPEN"))
    name, price = new.client_order_id, D(51480)
    life.tell(Filled(by="ann", client_order_id=name, quantity=new.quantity, price=price))
    assert now(life, again).cancel_at is not None
    life.tell(report(again, "CANCELED"))
    assert (life.position.state, life.position.frozen) == (State.CLOSED, None)


def test_a_stop_that_was_not_replaced_is_cancelled_though_an_operator_said_so() -> None:
    """Nothing cancelled it: sold on paper, it rested for ever, and would sell the owner's coins."""
    life, new = naked(cancelled=False)
    old = next(o for o in life.position.orders if o.replaced_by == new.client_order_id)
    name, price = new.client_order_id, D(51480)
    life.tell(Filled(by="ann", client_order_id=name, quantity=new.quantity, price=price))
    assert now(life, old).cancel_at is not None
    life.tell(report(old, "CANCELED"))
    assert (life.position.state, life.position.frozen) == (State.CLOSED, None)


def test_what_was_to_make_way_before_it_was_missed_is_cancelled_by_its_name_too() -> None:
    """Where a stop is cancelled first, a level that was reached meanwhile waited for V."""
    life = Life(PROTECTED)
    life.opened()
    new = life.order
    life.tell(Doubt(client_order_id=new.client_order_id, reason="no answer"))
    life.tell(PriceSeen(price=D(48000)))
    assert (now(life, new).cancel_at, now(life, new).hailed) == (life.now, False)
    life.now = new.not_after + life.terms.request_lifetime
    assert missed(life, new) == ["cancel-intended"]
    assert missed(life, new) == [], "once"
    nothing(life, new)
    assert (life.order.role, life.order.limit) == (Role.EXIT, None)


def test_a_stop_that_turns_up_when_another_protects_is_withdrawn() -> None:
    """Both would sell as much, one of them coins of others. Red: both went on resting."""
    life = Life(PROTECTED)
    life.opened()
    late = life.order
    life.tell(Doubt(client_order_id=late.client_order_id, reason="no answer"))
    life.now += timedelta(seconds=66)
    life.tell(absence(life, late))
    assert now(life, late).status is OrderStatus.NEVER
    life.now += timedelta(seconds=5)
    life.tell(TimePassed())
    stop = life.order
    assert (stop.attempt, stop.role) == (late.attempt + 1, Role.STOP)
    life.tell(report(stop, "OPEN", exchange_id="stop-2"))
    life.tell(report(late, "OPEN", exchange_id="stop-1"))
    assert now(life, late).cancel_at is not None
    assert now(life, stop).cancel_at is None
