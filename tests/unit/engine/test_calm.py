"""A price that lies between two others which changed nothing is not asked of the core again."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import Life, fill, report

from surefoot.core.exits import ExitPlan
from surefoot.core.leaving import matters
from surefoot.engine.calm import Calm

PLANS = {
    "stop": ExitPlan(stop_loss=D("0.02")),
    "target": ExitPlan(take_profit=D("0.03")),
    "break even": ExitPlan(stop_loss=D("0.02"), take_profit=D("0.05"), break_even=D("0.01")),
    "trailing": ExitPlan(trailing_stop=D("0.02")),
    "all": ExitPlan(stop_loss=D("0.02"), break_even=D("0.01"), trailing_stop=D("0.015")),
}
PRICES = st.lists(st.decimals(D(47_000), D(53_000), places=2), min_size=1, max_size=30)


@pytest.mark.parametrize("plan", PLANS.values(), ids=PLANS)
@given(prices=PRICES)
def test_what_is_remembered_is_what_the_core_says(plan: ExitPlan, prices: list[D]) -> None:
    """Catches a level that is passed over because prices on both sides of it were seen."""
    life, calm = opened(plan), Calm()
    for price in prices:
        said = matters(life.position, price, life.terms)
        assert calm.has(life.position, price, life.terms) is not said


def test_another_position_is_asked_anew() -> None:
    """Catches a memory that outlives what it is about."""
    calm, near = Calm(), D(49_500)
    wide, tight = opened(PLANS["stop"]), opened(ExitPlan(stop_loss=D("0.005")))
    assert calm.has(wide.position, near, wide.terms)
    assert not calm.has(tight.position, near, tight.terms)


def opened(plan: ExitPlan) -> Life:
    """Return a position that was entered at 50,000."""
    life = Life()
    order = life.enter(plan=plan)
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="1"))
    return life
