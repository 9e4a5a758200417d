"""Adding to what is open: the position stays OPEN, and its stop covers what is proven held.

Broken on purpose, and red here: an addition taken beside an exit, beside a stop that is not in
place, or beside another; a stop that keeps its size while an addition fills, or waits until that is
over; an exit written while an addition may still buy; a stop that gives way to an exit which cannot
be written yet; a stop that follows an average price down; a part that takes what was bought since.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import PLAN, PROTECTED, REPLACING, TERMS, D, Life, absence, fill, replay, report

from surefoot.core.errors import SignalRefused
from surefoot.core.exits import ExitPlan, Phase
from surefoot.core.lanes import Lane
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import State
from surefoot.core.reports import Doubt, PriceSeen, Refusal, TimePassed, Unsent
from surefoot.core.signals import AddSignal, Close, ExitSignal, Filled, Freeze, Withhold
from surefoot.core.terms import Terms

MORE = AddSignal(quantity=D("0.00160"), reason="cheaper")
ALL_TERMS = pytest.mark.parametrize(
    "terms", [TERMS, PROTECTED, REPLACING], ids=["here", "cancels", "one"]
)


def opened(terms: Terms = TERMS, plan: ExitPlan = PLAN) -> Life:
    life = Life(terms)
    order = life.enter(plan=plan)
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="1"))
    if terms.native_stop:
        life.tell(report(life.order, "OPEN"))
    return life


def added(life: Life, signal: AddSignal = MORE) -> Order:
    life.tell(signal)
    assert life.order.role is Role.ENTRY
    assert life.position.state is State.OPEN
    return life.order


def filled(
    life: Life, order: Order, price: str, quantity: str | None = None, trade: str = "a"
) -> None:
    life.tell(fill(order, price, quantity, trade=trade))
    if quantity is None:
        life.tell(report(order, "FILLED", order.quantity))
    assert replay(life.records) == life.position


def is_withdrawn(life: Life, order: Order) -> bool:
    found = life.position.find(order.client_order_id)
    return found is not None and found.cancel_at is not None


def stop_of(life: Life) -> Order:
    stop = life.position.lane(Lane.PROTECTION)
    assert stop is not None
    return stop


def test_more_is_held_at_the_average_price() -> None:
    life = opened()
    order = added(life)
    assert life.position.quantity == D("0.0016"), "nothing is held that is not filled"
    filled(life, order, "49500")
    position = life.position
    assert (position.state, position.quantity, position.entries) == (State.OPEN, D("0.0032"), 2)
    assert position.entry_price == D(49750)
    life.tell(ExitSignal())
    assert life.order.quantity == D("0.0032"), "one exit sells it all"
    life.tell(report(life.order, "FILLED", "0.0032"), fill(life.order, "50750", trade="z"))
    assert (life.position.state, life.position.realized_pnl) == (State.CLOSED, D("3.2"))


def test_the_stop_grows_with_every_fill_while_the_addition_works() -> None:
    """What is proven held is covered at once; the stop from before rests until then."""
    life = opened(REPLACING)
    old = stop_of(life)
    order = added(life, replace(MORE, limit=D(49500)))
    life.tell(report(order, "OPEN"))
    assert stop_of(life) == old, "an addition that has bought nothing moves no stop"
    filled(life, order, "49500", "0.0006", trade="a1")
    grown = stop_of(life)
    assert (grown.quantity, grown.replaces) == (D("0.0022"), old.client_order_id)
    life.tell(report(old, "CANCELED"), report(grown, "OPEN"))
    filled(life, order, "49500", "0.001", trade="a2")
    assert stop_of(life).quantity == D("0.0032")
    assert life.position.lane(Lane.ENTRY) is not None, "it has not said that it is over"


def test_an_addition_in_doubt_leaves_the_stop_and_counts_by_what_it_filled() -> None:
    life = opened(REPLACING)
    order = added(life)
    life.tell(Doubt(client_order_id=order.client_order_id, reason="no answer"))
    assert stop_of(life).rests
    filled(life, order, "49500", "0.0004", trade="a1")
    assert stop_of(life).quantity == D("0.002")


def test_a_venue_that_cannot_replace_counts_the_stop_first() -> None:
    life = opened(PROTECTED)
    old, order = stop_of(life), added(life)
    filled(life, order, "49500", "0.0006")
    assert stop_of(life).cancel_at is not None
    life.tell(report(old, "CANCELED"))
    assert (life.order.role, life.order.quantity) == (Role.STOP, D("0.0022"))
    assert life.position.lane(Lane.ENTRY) is not None, "it does not wait for the rest"


@ALL_TERMS
def test_an_addition_that_comes_to_nothing_leaves_the_position_as_it_was(terms: Terms) -> None:
    life = opened(terms)
    before = life.position
    name = added(life).client_order_id
    life.tell(Refusal(client_order_id=name, code="-2010", message="no money"))
    position = life.position
    assert (position.state, position.quantity, position.entries) == (State.OPEN, D("0.0016"), 1)
    assert (position.levels, position.frozen) == (before.levels, None)
    with pytest.raises(SignalRefused, match="the last entry failed"):
        life.tell(MORE)
    life.tell(MORE, after=timedelta(seconds=2))
    name = life.order.client_order_id
    life.tell(Unsent(client_order_id=name, reason="no connection"))
    assert life.position.state is State.OPEN


@ALL_TERMS
def test_an_addition_that_is_proven_absent_was_never_there(terms: Terms) -> None:
    life = opened(terms)
    order = added(life)
    life.now += timedelta(minutes=5)
    life.tell(absence(life, order))
    last = life.position.last(Role.ENTRY)
    assert last is not None
    assert last.status is OrderStatus.NEVER
    assert (life.position.state, life.position.quantity) == (State.OPEN, D("0.0016"))
    # It turns up after all: shown, frozen, and what is left of it is withdrawn.
    life.tell(report(order, "OPEN"))
    assert life.position.frozen is not None
    assert is_withdrawn(life, order)


@ALL_TERMS
def test_an_exit_withdraws_the_addition_and_waits_for_its_end(terms: Terms) -> None:
    """Entry and exit exclude each other; what the addition bought on the way goes too."""
    life = opened(terms)
    order = added(life, replace(MORE, limit=D(49500)))
    life.tell(report(order, "OPEN"))
    life.tell(ExitSignal(reason="enough"))
    assert is_withdrawn(life, order)
    assert life.position.lane(Lane.EXIT) is None
    if terms.native_stop:
        assert stop_of(life).cancel_at is None, "until then the stop protects"
    life.tell(fill(order, "49500", "0.0004", trade="a"), report(order, "CANCELED", "0.0004"))
    if terms is PROTECTED:
        life.tell(report(stop_of(life), "CANCELED"))
    out = life.position.lane(Lane.EXIT)
    assert out is not None
    assert out.quantity == D("0.002")
    assert life.position.state is State.CLOSING


@ALL_TERMS
def test_a_level_that_is_reached_withdraws_the_addition_too(terms: Terms) -> None:
    life = opened(terms)
    order = added(life, replace(MORE, limit=D(49500)))
    life.tell(report(order, "OPEN"), PriceSeen(price=D(52100)))
    assert is_withdrawn(life, order)
    life.tell(report(order, "CANCELED"))
    if terms is PROTECTED:
        life.tell(report(stop_of(life), "CANCELED"))
    life.tell(PriceSeen(price=D(52100)))  # a gain is taken only while the price is there
    assert life.position.lane(Lane.EXIT) is not None


def test_a_part_that_is_to_be_sold_does_not_grow_by_what_is_bought_on_the_way() -> None:
    life = opened()
    order = added(life)
    life.tell(ExitSignal(fraction=D("0.5")))
    filled(life, order, "49500")
    assert (life.order.role, life.order.quantity) == (Role.EXIT, D("0.0008"))
    life.tell(report(life.order, "FILLED", "0.0008"), fill(life.order, "50500", trade="z"))
    assert (life.position.state, life.position.quantity) == (State.OPEN, D("0.0024"))
    assert life.position.exit_wish is None


def test_the_stop_sells_while_an_addition_works() -> None:
    """CLOSING withdraws the addition; what it bought is held, and its level was reached."""
    life = opened(REPLACING)
    stop, order = stop_of(life), added(life, replace(MORE, limit=D(49000)))
    life.tell(report(order, "OPEN"), fill(stop, "49000", trade="s"))
    assert life.position.state is State.CLOSING
    assert is_withdrawn(life, order)
    life.tell(report(stop, "FILLED", stop.quantity))
    life.tell(fill(order, "49000", trade="a"), report(order, "FILLED", order.quantity))
    assert (life.position.state, life.position.quantity) == (State.OPEN, D("0.0016"))
    assert life.position.lane(Lane.PROTECTION) is not None
    life.tell(report(life.order, "OPEN"), PriceSeen(price=D(48000)))
    assert life.order.role is Role.EXIT


def test_the_stop_sells_all_and_nothing_was_added() -> None:
    life = opened(REPLACING)
    stop, order = stop_of(life), added(life, replace(MORE, limit=D(48000)))
    life.tell(report(order, "OPEN"), fill(stop, "49000", trade="s"))
    life.tell(report(stop, "FILLED", stop.quantity), report(order, "CANCELED"))
    assert life.position.state is State.CLOSED


def test_a_stop_that_sold_a_part_and_ended_takes_it_all_also_beside_an_addition() -> None:
    """Catches a stop that is not seen to have ended because the addition was written after it."""
    life = opened(REPLACING)
    stop, order = stop_of(life), added(life, replace(MORE, limit=D(48000)))
    life.tell(report(order, "OPEN"), fill(stop, "49000", "0.0006", trade="s"))
    life.tell(report(stop, "CANCELED", "0.0006"), report(order, "CANCELED"))
    assert (life.order.role, life.order.quantity) == (Role.EXIT, D("0.001"))


def test_levels_follow_the_average_price_and_the_stop_never_down() -> None:
    life = opened()
    assert (life.position.levels.stop, life.position.levels.take_profit) == (D(49000), D(52000))
    filled(life, added(life), "49200", trade="a")
    assert life.position.entry_price == D(49600)
    assert (life.position.levels.stop, life.position.levels.take_profit) == (D(49000), D(51584))
    filled(life, added(life), "52400", trade="b")
    levels, entry = life.position.levels, life.position.entry_price
    assert entry is not None
    assert levels.stop is not None
    assert levels.take_profit is not None
    assert D(49000) < levels.stop < entry * D("0.9801"), "at a higher average it tightens"
    assert levels.take_profit > entry * D("1.0399")


def test_break_even_moves_to_the_new_average_once_the_price_is_as_far_above_it() -> None:
    life = opened()
    life.tell(PriceSeen(price=D(50500)))
    assert life.position.levels.stop == D(50000)
    filled(life, added(life), "50600", trade="a")
    levels = life.position.levels
    assert (levels.phase, levels.stop) == (Phase.BREAK_EVEN, D(50000)), "not yet"
    life.tell(PriceSeen(price=D(50700)))
    assert life.position.levels.stop == D(50000)
    life.tell(PriceSeen(price=D(50900)))
    assert life.position.levels.stop == D(50300)


def test_a_frozen_or_paused_position_withdraws_its_addition_and_keeps_its_stop() -> None:
    for word in (Freeze(reason="look"), Withhold(reason="paused")):
        life = opened(REPLACING)
        order = added(life, replace(MORE, limit=D(49500)))
        life.tell(report(order, "OPEN"), word)
        assert is_withdrawn(life, order)
        assert stop_of(life).rests


def test_an_addition_lives_as_long_as_it_may() -> None:
    life = opened()
    order = added(life, replace(MORE, limit=D(49500), time_to_live=timedelta(seconds=20)))
    life.tell(report(order, "OPEN"))
    assert life.tell(TimePassed(), after=timedelta(seconds=21)) == ["cancel-intended"]


def test_what_nothing_is_added_to() -> None:
    life = opened(REPLACING)
    stop = stop_of(life)
    life.tell(ExitSignal(limit=D(60000)))
    with pytest.raises(SignalRefused, match="an exit is under way"):
        life.tell(MORE)

    life = Life(REPLACING)
    life.opened()
    with pytest.raises(SignalRefused, match="before its stop is in place"):
        life.tell(MORE)
    life.tell(report(stop, "OPEN"))
    added(life)
    with pytest.raises(SignalRefused, match="an addition is under way"):
        life.tell(MORE)


@pytest.mark.parametrize("bound", ["quantity_max", "market_quantity_max"])
def test_no_more_is_added_than_one_order_can_sell(bound: str) -> None:
    """With no bound for the market, that of every order was overlooked: nothing could sell it."""
    largest = replace(TERMS.instrument, **{bound: D("0.003")})
    life = opened(replace(TERMS, instrument=largest))
    with pytest.raises(SignalRefused, match="one stop carries"):
        life.tell(MORE)


def test_an_operator_says_what_an_addition_filled() -> None:
    life = opened(REPLACING)
    order = added(life)
    life.now += timedelta(minutes=3)
    word = Filled(
        by="ann",
        client_order_id=order.client_order_id,
        quantity=D("0.0005"),
        price=D(49500),
        denied=True,
    )
    life.tell(word)
    assert (life.position.state, life.position.quantity) == (State.OPEN, D("0.0021"))
    assert stop_of(life).quantity == D("0.0021")


def test_an_operator_closes_while_an_addition_works() -> None:
    life = opened()
    order = added(life)
    life.tell(Close(by="ann"))
    filled(life, order, "49500")
    assert (life.order.role, life.order.quantity) == (Role.EXIT, D("0.0032"))
