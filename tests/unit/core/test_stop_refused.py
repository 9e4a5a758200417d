"""A stop protects only while the exchange shows it, and what ends it or refuses it is evidence.

Broken on purpose, and red here: an ended stop that is left so; one that is placed again and again
without a pause; a refusal that proves the level reached taken for a mere refusal; coins that are
not there taken for a reason to freeze.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import PLAN, PROTECTED, REPLACING, TERMS, D, Life, fill, report

from surefoot.core.deadlines import overdue
from surefoot.core.errors import SignalRefused
from surefoot.core.exits import Level
from surefoot.core.facts import REFUSALS_MAX
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import State
from surefoot.core.records import CancelIntended, ExitWished
from surefoot.core.reports import Grounds, PriceSeen, Refusal, Shortage, TimePassed
from surefoot.core.signals import Close, EntrySignal, ExitSignal
from surefoot.core.stuck import StuckKind
from surefoot.core.terms import Terms

SECOND = timedelta(seconds=1)


def opened(terms: Terms = PROTECTED) -> tuple[Life, Order]:
    """Return an open position whose stop is written down."""
    life = Life(terms)
    life.opened()
    assert life.order.role is Role.STOP
    return life, life.order


def refusal(order: Order, grounds: Grounds = Grounds.OTHER) -> Refusal:
    name = order.client_order_id
    return Refusal(client_order_id=name, code="-2010", message="no", grounds=grounds)


@pytest.mark.parametrize("status", ["EXPIRED", "REJECTED"])
def test_a_stop_that_the_venue_ended_is_placed_again(status: str) -> None:
    life, stop = opened()
    life.tell(report(stop, "OPEN"), report(stop, status))
    if status == "REJECTED":
        life.tell(TimePassed(), after=SECOND)
    again = life.order
    assert (again.role, again.trigger) == (Role.STOP, stop.trigger)
    assert again.client_order_id != stop.client_order_id
    assert life.position.state is State.OPEN


def test_a_stop_that_ends_again_and_again_is_placed_ever_more_slowly() -> None:
    """The first time at once; then a venue that ends every stop is not flooded with them."""
    life, stop = opened()
    life.tell(report(stop, "EXPIRED"))
    second = life.order
    assert second is not stop
    life.tell(report(second, "EXPIRED"))
    assert life.order.client_order_id == second.client_order_id
    life.tell(TimePassed(), after=SECOND)
    assert life.order.client_order_id == second.client_order_id
    life.tell(TimePassed(), after=SECOND)
    assert life.order.client_order_id != second.client_order_id


@pytest.mark.parametrize("status", ["EXPIRED", "CANCELED"])
def test_a_stop_that_sold_a_part_and_ended_is_an_exit(status: str) -> None:
    """A thin book: the level was reached, the rest is still held and nothing rests."""
    life, stop = opened()
    part = stop.quantity / 2
    life.tell(report(stop, "OPEN"), fill(stop, "49000", part, trade="7"))
    life.tell(report(stop, status, part))
    out = life.order
    assert (out.role, out.limit, out.quantity) == (Role.EXIT, None, part)
    wished = next(record for record in life.records if isinstance(record, ExitWished))
    assert wished.wish.level is Level.STOP_LOSS
    life.tell(report(out, "REJECTED"))
    life.tell(TimePassed(), after=SECOND)
    assert life.order.role is Role.STOP, "once; then it is protected again and the price decides"


def test_a_stop_that_would_trigger_at_once_is_an_exit() -> None:
    """No price had shown it: the exchange's answer is proof that the level is reached."""
    life, stop = opened()
    life.tell(refusal(stop, Grounds.PASSED))
    out = life.order
    assert (out.role, out.limit) == (Role.EXIT, None)
    assert life.position.exit_wish is not None
    assert life.position.exit_wish.level is Level.STOP_LOSS


def test_a_move_that_would_trigger_at_once_is_an_exit() -> None:
    """409: the old stop is cancelled, and the market has passed the new level."""
    life, stop = opened(REPLACING)
    life.tell(report(stop, "OPEN"), PriceSeen(price=D(50600)))
    moved = life.order
    assert moved.replaces == stop.client_order_id
    life.tell(report(stop, "CANCELED"), refusal(moved, Grounds.PASSED))
    assert (life.order.role, life.order.replaces) == (Role.EXIT, None)


def test_missing_coins_are_no_reason_to_freeze() -> None:
    """Part of it was sold by hand: comparing finds that out, unless the position is frozen."""
    life, stop = opened()
    for _ in range(REFUSALS_MAX + 1):
        life.tell(refusal(life.order, Grounds.FUNDS))
        life.tell(Shortage(missing=D(0), evidence="all of it is there"))
        life.tell(TimePassed(), after=timedelta(minutes=1))
    assert life.position.frozen is None
    assert life.order.role is Role.STOP
    assert life.order.client_order_id != stop.client_order_id


@pytest.mark.parametrize("grounds", [Grounds.UNTIMELY, Grounds.CLOSED])
def test_a_wrong_clock_or_a_closed_market_is_no_reason_to_freeze(grounds: Grounds) -> None:
    """Three stops in a row were refused for it: a sound position was frozen for good."""
    life, stop = opened()
    for _ in range(REFUSALS_MAX + 1):
        life.tell(refusal(life.order, grounds))
        life.tell(TimePassed(), after=timedelta(minutes=1))
    assert life.position.frozen is None
    assert life.order.role is Role.STOP
    assert life.order.client_order_id != stop.client_order_id


@pytest.mark.parametrize("grounds", [Grounds.UNTIMELY, Grounds.CLOSED])
def test_nor_one_for_a_stop_to_make_way_for_an_exit(grounds: Grounds) -> None:
    """Somebody said `close` during a halt: nothing rested any more when the market opened."""
    life, stop = opened(REPLACING)
    life.tell(report(stop, "OPEN"), Close(by="operator"))
    for _ in range(REFUSALS_MAX + 1):
        assert (life.order.role, life.order.replaces) == (Role.EXIT, stop.client_order_id)
        life.tell(refusal(life.order, grounds))
        life.tell(TimePassed(), after=timedelta(minutes=2))
    resting = life.position.find(stop.client_order_id)
    assert resting is not None
    assert resting.cancel_at is None
    life.tell(refusal(life.order, Grounds.OTHER))
    life.tell(TimePassed(), after=timedelta(minutes=2))
    assert isinstance(life.records[-1], CancelIntended), "whatever else it is may be the stop"


def test_a_stop_that_finds_the_market_closed_is_missed_after_a_minute() -> None:
    """It freezes nothing, so its deadline has to say it."""
    life, _ = opened()
    for _ in range(REFUSALS_MAX):
        life.tell(refusal(life.order, Grounds.CLOSED))
        life.tell(TimePassed(), after=timedelta(minutes=1))
    (stuck,) = overdue([life.position], {life.position.bot: life.terms}, life.now)
    assert stuck.kind is StuckKind.STOP_MISSING


@pytest.mark.parametrize("real", [1, 2, 3])
def test_nor_does_it_count_beside_refusals_that_say_something(real: int) -> None:
    """Three for their time and one for another reason froze it together."""
    life, _ = opened()
    for grounds in (
        [Grounds.OTHER] * (real - 1) + [Grounds.UNTIMELY] * REFUSALS_MAX + [Grounds.OTHER]
    ):
        life.tell(refusal(life.order, grounds))
        life.tell(TimePassed(), after=timedelta(minutes=1))
    assert (life.position.frozen is not None) == (real == REFUSALS_MAX)
    assert life.position.tallies[Role.STOP].failed == real + REFUSALS_MAX, "yet each is waited for"


def test_a_move_that_is_refused_freezes_nothing_while_the_older_stop_rests() -> None:
    life, stop = opened(REPLACING)
    life.tell(report(stop, "OPEN"))
    for _ in range(REFUSALS_MAX):
        life.tell(PriceSeen(price=D(50600)), after=timedelta(minutes=1))
        life.tell(refusal(life.order))
    assert life.position.frozen is None
    found = life.position.find(stop.client_order_id)
    assert found is not None
    assert found.rests


def test_an_exit_that_the_venue_ends_is_tried_ever_more_slowly() -> None:
    """Beyond the price range every market order expires; a storm of them helps nobody."""
    life = Life(PROTECTED)
    life.opened()
    stop = life.order
    life.tell(report(stop, "OPEN"))
    life.tell(PriceSeen(price=D(48000)))
    life.tell(report(stop, "CANCELED"))
    tries = set[str]()
    for _ in range(20):
        order = life.order
        if order.role is Role.EXIT and order.status is OrderStatus.INTENDED:
            tries.add(order.client_order_id)
        life.tell(report(order, "EXPIRED" if order.role is Role.EXIT else "CANCELED"))
        life.tell(PriceSeen(price=D(48000)), after=timedelta(milliseconds=100))
    assert 2 <= len(tries) <= 3


def test_a_clock_that_was_ahead_and_was_set_right_holds_no_try_up() -> None:
    """Refused for its time by a clock half a minute ahead, the next waited that half minute."""
    life, _ = opened()
    life.tell(refusal(life.order, Grounds.UNTIMELY))
    refused = life.order
    life.tell(TimePassed(), after=timedelta(seconds=-30))
    assert life.order is not refused
    again = life.order
    life.tell(refusal(again, Grounds.UNTIMELY), TimePassed())
    assert life.order.client_order_id == again.client_order_id, "by the right clock it does wait"


def test_nor_is_a_signal_refused_for_as_long_as_the_clock_was_wrong() -> None:
    life = Life(TERMS)
    signal = EntrySignal(quantity=D("0.0016"), plan=PLAN)
    life.tell(signal)
    life.tell(refusal(life.order, Grounds.UNTIMELY))
    with pytest.raises(SignalRefused, match="the next may follow at"):
        life.tell(signal)
    life.tell(signal, after=timedelta(hours=-1))
    assert (life.order.role, life.order.status) == (Role.ENTRY, OrderStatus.INTENDED)


@pytest.mark.parametrize("grounds", [Grounds.UNTIMELY, Grounds.CLOSED, Grounds.OTHER])
@pytest.mark.parametrize("late", [timedelta(seconds=1), timedelta(hours=-1)])
def test_an_exit_that_came_at_a_wrong_time_waits_for_no_price(
    grounds: Grounds, late: timedelta
) -> None:
    """The clock had been measured, and nothing was sold until the next price below the stop."""
    life = Life(TERMS)
    life.opened()
    life.tell(ExitSignal())
    refused = life.order.client_order_id
    life.tell(refusal(life.order, grounds))
    assert (life.position.exit_wish is None) == (grounds is Grounds.OTHER)
    life.tell(TimePassed(), after=late)
    assert (life.order.client_order_id == refused) == (grounds is Grounds.OTHER)
    assert life.order.role is Role.EXIT
