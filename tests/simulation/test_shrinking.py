"""A world that came to harm is told again without what the harm does not need."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.simulation import __main__ as command
from tests.simulation.judge import Harm
from tests.simulation.plan import Plan, draw

SEED = 4


def test_a_shrunk_world_keeps_what_the_harm_needs_and_says_how_to_tell_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The harm here needs lost pieces of a stream, the second bot, and two minutes."""

    def simulate(plan: Plan) -> Any:
        there = "stream" in plan.kinds and "bot2" in {bot.name for bot in plan.bots}
        harms = (Harm("sold", "", 120.0),) if there and plan.lasts_s >= 120 else ()
        return SimpleNamespace(harms=harms)

    monkeypatch.setattr(command, "simulate", simulate)
    plan = command.shrunk(draw(SEED), "sold")
    assert list(plan.kinds) == ["stream"]
    assert [bot.name for bot in plan.bots] == ["bot2"]
    assert 120 <= plan.lasts_s < draw(SEED).lasts_s
    asked = command._asked_for(plan)
    assert asked.startswith(f"--seed {SEED} --without ")
    assert asked.endswith(f" --bots bot2 --lasts {plan.lasts_s:g}")
