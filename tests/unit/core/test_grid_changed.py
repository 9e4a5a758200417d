"""The venue's filters change while something is held: what is written then is on the new grid."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import PROTECTED, REPLACING, D, Life, report

from surefoot.core.lanes import Lane
from surefoot.core.leaving import is_at_rest
from surefoot.core.order import Order, Role
from surefoot.core.records import AmendIntended
from surefoot.core.reports import Grounds, PriceSeen, Refusal, Shortage, TimePassed, Unamended
from surefoot.core.terms import Terms

AMENDING = replace(REPLACING, instrument=replace(REPLACING.instrument, amends=True))


def coarse(terms: Terms) -> Terms:
    return replace(terms, instrument=replace(terms.instrument, tick=D(100)))


def largest(terms: Terms, quantity: str) -> Terms:
    return replace(terms, instrument=replace(terms.instrument, market_quantity_max=D(quantity)))


def misfit(order: Order) -> Refusal:
    return Refusal(
        client_order_id=order.client_order_id,
        code="-1013",
        message="Filter failure: PRICE_FILTER",
        grounds=Grounds.FILTER,
    )


def test_a_level_of_the_old_grid_is_triggered_on_the_new_one() -> None:
    """A break-even stop kept its price: it was refused for as long as the position was held."""
    life = Life(PROTECTED)
    life.opened("50001.37")
    stop = life.order
    life.tell(PriceSeen(price=D(50_700)))
    assert life.position.levels.stop == D("50001.37")
    life.tell(misfit(stop))
    life.terms = coarse(life.terms)
    life.tell(TimePassed(), after=timedelta(seconds=2))
    assert (life.order.role, life.order.trigger) == (Role.STOP, 50_100)


def test_a_stop_that_is_as_near_as_the_grid_lets_it_be_is_not_moved_again_and_again() -> None:
    """Two tenths of a percent away from its level, it lagged behind that at every price."""
    life = Life(replace(REPLACING, stop_step=D("0.001")))
    life.opened("50001.37")
    old = life.order
    life.tell(report(old, "OPEN", exchange_id="stop-1"))
    life.tell(PriceSeen(price=D(50_700)))
    life.tell(misfit(life.order))
    life.terms = coarse(life.terms)
    life.tell(PriceSeen(price=D(50_400)), after=timedelta(seconds=2))
    assert (life.order.trigger, life.position.levels.stop) == (D(50_100), D("50001.37"))
    cancelled = report(old, "CANCELED", exchange_id="stop-1")
    life.tell(cancelled, report(life.order, "OPEN", exchange_id="stop-2"))
    assert life.tell(PriceSeen(price=D(50_401)), PriceSeen(price=D(50_402))) == []


@pytest.mark.parametrize(
    "terms", [PROTECTED, REPLACING, AMENDING], ids=["cancels", "one", "amends"]
)
def test_a_stop_that_rests_is_not_made_smaller_by_a_rule_for_new_orders(terms: Terms) -> None:
    """The venue lowers its largest order: half of what is held was left without its stop."""
    life = Life(terms)
    life.opened()
    stop = life.order
    life.tell(report(stop, "OPEN"))
    life.terms = largest(terms, "0.0008")
    assert life.tell(TimePassed(), PriceSeen(price=D(50_100))) == []
    # Nor by its level, which is honoured here: what would take its place sells half.
    assert life.tell(PriceSeen(price=D(50_700))) == ["levels-set"]
    assert life.tell(TimePassed(), after=timedelta(minutes=1)) == []
    assert life.position.lane(Lane.PROTECTION) == life.position.find(stop.client_order_id)
    assert is_at_rest(life.position, life.terms)


def test_what_is_held_no_more_is_taken_off_it_all_the_same() -> None:
    life = Life(AMENDING)
    life.opened()
    life.tell(report(life.order, "OPEN"))
    life.terms = largest(AMENDING, "0.0008")
    life.tell(Shortage(missing=D("0.0004"), evidence="the balance"))
    asked = life.records[-1]
    assert isinstance(asked, AmendIntended)
    assert asked.quantity == D("0.0012")
    life.tell(Unamended(client_order_id=asked.client_order_id, reason="too large"))
    assert life.order.quantity == D("0.0008"), "a new one carries no more than that"
