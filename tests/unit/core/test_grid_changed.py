"""The venue's steps change while something is held: what is written then is on the new grid."""

from __future__ import annotations

from datetime import timedelta

from msgspec.structs import replace
from tests.builders import PROTECTED, REPLACING, D, Life, report

from surefoot.core.order import Order, Role
from surefoot.core.reports import Grounds, PriceSeen, Refusal, TimePassed
from surefoot.core.terms import Terms


def coarse(terms: Terms) -> Terms:
    return replace(terms, instrument=replace(terms.instrument, tick=D(100)))


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
