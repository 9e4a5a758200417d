"""Worlds of bots that add and sell in parts, whatever dies on the way.

Seen red: an addition taken beside one that is unresolved, and a stop that does not grow.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.simulation.machine import simulate, story_of
from tests.simulation.plan import Plan, draw

SEEDS = [9, *(pytest.param(seed, marks=pytest.mark.slow) for seed in (6, 15, 21, 22, 31))]


def scaling(plan: Plan) -> Plan:
    """Let every bot of a world add and sell in parts, hold on for long, and be killed often."""
    bots = tuple(
        replace(
            bot, adds=True, parts=number % 2 == 0, eagerness=0.4, stays=0.0, notional=100,
            stop_loss="3%", take_profit="2%", trailing_stop="off",
        )
        for number, bot in enumerate(plan.bots[:4])
    )  # fmt: skip
    kinds = {"crash": 60.0, "request": 60.0, **plan.kinds}
    return replace(plan, bots=bots, kinds=kinds, lasts_s=min(plan.lasts_s, 600.0), visibility_s=20)


@pytest.mark.parametrize("seed", SEEDS)
def test_bots_that_scale_end_without_harm(seed: int) -> None:
    """One unresolved entry at a time, and what is proven held is covered, through every death."""
    verdict = simulate(scaling(draw(seed)))
    assert not verdict.harms, story_of(verdict)
    assert verdict.counts["sight position that grew"]
