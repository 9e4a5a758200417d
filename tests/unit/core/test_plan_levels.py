"""Several take-profits: each sells its share of what was bought, once, and the next one counts.

Broken on purpose, and red here: a part that is sold again after it was tried; one that is sold from
what is held and not from what was bought; one too little to trade that is lost, or tried for ever;
a stop that is not honoured while a part is sold; a part of what was bought since.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import PLAN, PROTECTED, REPLACING, TERMS, D, Life, fill, report, sold

from surefoot.core.exits import ExitPlan, Level, Part
from surefoot.core.lanes import Lane
from surefoot.core.order import Role
from surefoot.core.position import State, Taken
from surefoot.core.reports import Grounds, PriceSeen, Refusal, TimePassed
from surefoot.core.signals import AddSignal, ExitSignal
from surefoot.core.terms import Terms


def part(at: str, fraction: str) -> Part:
    return Part(at=D(at), fraction=D(fraction))


HALVES = replace(PLAN, parts=(part("0.02", "0.5"),))
THIRDS = ExitPlan(stop_loss=D("0.02"), parts=(part("0.01", "0.25"), part("0.02", "0.25")))
KINDS = [TERMS, PROTECTED, REPLACING]
ALL_TERMS = pytest.mark.parametrize("terms", KINDS, ids=["here", "cancels", "one"])


def opened(plan: ExitPlan, terms: Terms = TERMS, quantity: str = "0.00160") -> Life:
    life = Life(terms)
    order = life.enter(quantity, plan)
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="1"))
    if terms.native_stop:
        life.tell(report(life.order, "OPEN"))
    return life


def make_way(life: Life) -> None:
    """Let the exchange cancel the stop that an exit replaces or waits for."""
    stop = next(o for o in life.position.orders if o.role is Role.STOP and not o.finished)
    life.tell(report(stop, "CANCELED"))


@ALL_TERMS
def test_each_level_sells_its_part_once_and_the_last_one_the_rest(terms: Terms) -> None:
    life = opened(HALVES, terms)
    assert life.position.levels.take_profit == D(51000)
    life.tell(PriceSeen(price=D(51000)))
    wish = life.position.exit_wish
    assert wish is not None
    assert wish.level is Level.TAKE_PART
    if terms.native_stop:
        make_way(life)
    assert sold(life) == D("0.0008")
    position = life.position
    assert (position.state, position.quantity, position.exit_wish) == (
        State.OPEN,
        D("0.0008"),
        None,
    )
    assert (position.taken.parts, position.levels.take_profit) == (1, D(52000))
    if terms.native_stop:
        stop = position.lane(Lane.PROTECTION)
        assert stop is not None
        assert stop.quantity == D("0.0008"), "the rest has its stop at once"
        life.tell(report(stop, "OPEN"))
    life.tell(PriceSeen(price=D(51500)))
    assert life.position.exit_wish is None, "it fires once"
    life.tell(PriceSeen(price=D(52000)))
    if terms.native_stop:
        make_way(life)
    assert sold(life) == D("0.0008")
    assert life.position.state is State.CLOSED


def test_a_part_is_of_what_was_bought_and_not_of_what_is_held() -> None:
    life = opened(THIRDS)
    life.tell(PriceSeen(price=D(50500)))
    assert sold(life) == D("0.0004")
    life.tell(PriceSeen(price=D(51000)))
    assert sold(life) == D("0.0004")
    position = life.position
    assert (position.taken.parts, position.levels.take_profit) == (2, None)
    assert life.tell(PriceSeen(price=D(60000))) == [], "what is left keeps its stop"
    assert position.levels.stop == D(49000)


def test_a_price_that_jumps_over_two_levels_sells_one_after_the_other() -> None:
    life = opened(HALVES)
    life.tell(PriceSeen(price=D(53000)))
    sold(life)
    life.tell(PriceSeen(price=D(53000)))
    assert sold(life) == D("0.0008")
    assert life.position.state is State.CLOSED


def test_what_a_try_left_of_a_part_is_sold_later_and_no_more() -> None:
    """Catches a part that is measured anew after some of it was sold."""
    life = opened(HALVES)
    life.tell(PriceSeen(price=D(51000)))
    sold(life, "0.0003", "CANCELED")
    position = life.position
    assert (position.state, position.taken.parts) == (State.OPEN, 0)
    life.tell(PriceSeen(price=D(50900)))
    assert life.position.exit_wish is None, "it is wished for while the price is there"
    life.tell(PriceSeen(price=D(51000)), after=timedelta(minutes=2))
    assert sold(life) == D("0.0005")
    assert (life.position.quantity, life.position.taken.parts) == (D("0.0008"), 1)


def test_a_part_too_little_to_trade_joins_the_next() -> None:
    plan = ExitPlan(parts=(part("0.01", "0.05"), part("0.02", "0.25")), take_profit=D("0.04"))
    life = opened(plan)
    assert life.tell(PriceSeen(price=D(50500))) == ["part-taken", "levels-set"]
    assert (life.position.taken.joins, life.position.state) == (D("0.05"), State.OPEN)
    assert life.tell(PriceSeen(price=D(50500))) == []
    life.tell(PriceSeen(price=D(51000)))
    assert sold(life) == D("0.00048"), "30 % of 0.0016"
    assert life.position.taken.joins == 0


@ALL_TERMS
def test_a_part_that_became_too_little_joins_what_is_left(terms: Terms) -> None:
    """The venue had raised its minimum: three refusals, and frozen, where all could be sold."""
    life = opened(HALVES, terms)
    life.tell(PriceSeen(price=D(51000)))
    if terms is PROTECTED:
        make_way(life)
    name, why = life.order.client_order_id, "Filter failure: NOTIONAL"
    no = Refusal(client_order_id=name, code="-1013", message=why, grounds=Grounds.TOO_SMALL)
    assert "part-taken" in life.tell(no)
    position = life.position
    assert (position.taken, position.exit_wish) == (Taken(parts=1, joins=D("0.5")), None)
    assert (position.state, position.frozen) == (State.OPEN, None)
    life.tell(PriceSeen(price=D(52000)), after=timedelta(minutes=1))
    if terms is PROTECTED:
        make_way(life)
    assert sold(life) == D("0.0016")


def test_a_part_under_a_minimum_that_was_raised_is_not_taken_for_sold() -> None:
    """Its share was dropped: nothing of it went with the next part."""
    thirds = replace(THIRDS, take_profit=D("0.03"))
    life = opened(thirds)
    life.tell(PriceSeen(price=D(50500)))
    name = life.order.client_order_id
    raised = replace(TERMS.instrument, quantity_min=D("0.0005"))
    life.tell(Refusal(client_order_id=name, code="-1013", message="Filter failure: LOT_SIZE"))
    life.terms = replace(TERMS, instrument=raised)
    life.tell(PriceSeen(price=D(50500)), after=timedelta(minutes=1))
    assert life.position.taken == Taken(parts=1, joins=D("0.25"))
    life.tell(PriceSeen(price=D(51000)))
    assert sold(life) == D("0.0008"), "both quarters"


def test_a_part_that_would_leave_too_little_takes_it_all() -> None:
    life = opened(replace(PLAN, parts=(part("0.02", "0.97"),)))
    life.tell(PriceSeen(price=D(51000)))
    assert sold(life) == D("0.0016")
    assert life.position.state is State.CLOSED


@ALL_TERMS
def test_a_stop_that_is_reached_while_a_part_is_sold_takes_it_all(terms: Terms) -> None:
    life = opened(HALVES, terms)
    life.tell(PriceSeen(price=D(51000)))
    # Break-even had come first, so that is the stop.
    life.tell(PriceSeen(price=D(49000)))
    if terms.native_stop:
        make_way(life)
    for _ in range(2):
        if life.position.state is not State.CLOSED:
            sold(life)
    assert (life.position.state, life.position.quantity) == (State.CLOSED, 0)


def test_what_is_added_later_belongs_to_the_levels_that_are_left() -> None:
    life = opened(THIRDS)
    life.tell(PriceSeen(price=D(50500)))
    sold(life)
    life.tell(AddSignal(quantity=D("0.0016")))
    life.tell(fill(life.order, "50000", trade="a"), report(life.order, "FILLED", "0.0016"))
    assert life.position.levels.take_profit == D(51000)
    life.tell(PriceSeen(price=D(51000)))
    assert sold(life) == D("0.0008"), "a quarter of all that was bought"
    assert life.position.quantity == D("0.002")


def test_what_is_added_while_a_part_is_tried_stays() -> None:
    life = opened(HALVES)
    life.tell(AddSignal(quantity=D("0.0016"), limit=D(49500)))
    order = life.order
    life.tell(report(order, "OPEN"), PriceSeen(price=D(51000)))
    life.tell(fill(order, "49500", "0.0004", trade="a"), report(order, "CANCELED", "0.0004"))
    life.tell(PriceSeen(price=D(51000)))
    assert sold(life) == D("0.0008")
    assert life.position.quantity == D("0.0012")


def test_what_the_strategy_sold_meanwhile_is_not_sold_twice() -> None:
    life = opened(HALVES)
    life.tell(PriceSeen(price=D(51000)))
    sold(life, "0", "CANCELED")
    life.tell(PriceSeen(price=D(50900)))
    life.tell(ExitSignal(fraction=D("0.5")), after=timedelta(minutes=2))
    sold(life)
    life.tell(PriceSeen(price=D(51000)))
    assert (life.position.quantity, life.position.taken.parts) == (D("0.0008"), 1)
    assert life.tell(TimePassed(), after=timedelta(minutes=5)) == []


@pytest.mark.parametrize(("terms", "keep"), [(TERMS, "0.0001"), (PROTECTED, "0"), (REPLACING, "0")])
def test_what_a_part_leaves_is_worth_its_stop_or_goes_as_well(terms: Terms, keep: str) -> None:
    """What stayed could be traded where it was bought, and not where its stop was to rest."""
    life = opened(ExitPlan(stop_loss=D("0.02"), parts=(part("0.02", "0.9375"),)), terms)
    life.tell(PriceSeen(price=D(51000)))
    assert life.position.exit_wish is not None
    assert life.position.exit_wish.keep == D(keep)
