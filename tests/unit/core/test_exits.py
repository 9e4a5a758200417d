"""Levels: where they start, how they move, and that they never move back."""

from __future__ import annotations

from decimal import Decimal as D

import pytest

from surefoot.core.exits import (
    ExitPlan,
    Level,
    Levels,
    Phase,
    advance,
    at_entry,
    breached,
    loosened,
)
from surefoot.core.values import Direction

LONG, TICK = Direction.LONG, D("0.01")
FULL = ExitPlan(
    stop_loss=D("0.02"), take_profit=D("0.04"), break_even=D("0.01"), trailing_stop=D("0.005")
)


def moved(plan: ExitPlan, levels: Levels, price: str) -> Levels:
    return advance(plan, levels, entry=D(100), price=D(price), direction=LONG, tick=TICK)


def test_levels_at_entry() -> None:
    assert at_entry(FULL, D(100), LONG, TICK) == Levels(stop=D(98), take_profit=D(104))


def test_a_short_position_mirrors_them() -> None:
    levels = at_entry(FULL, D(100), Direction.SHORT, TICK)
    assert levels == Levels(stop=D(102), take_profit=D(96))
    assert breached(levels, D(102), Direction.SHORT) is Level.STOP_LOSS
    assert breached(levels, D(96), Direction.SHORT) is Level.TAKE_PROFIT


def test_without_a_plan_there_is_nothing_to_breach() -> None:
    levels = at_entry(ExitPlan(), D(100), LONG, TICK)
    assert levels == Levels()
    assert breached(levels, D("0.01"), LONG) is None


def test_break_even_then_trailing() -> None:
    levels = at_entry(FULL, D(100), LONG, TICK)
    assert moved(FULL, levels, "100.99") is levels
    broken_even = moved(FULL, levels, "101")
    assert (broken_even.phase, broken_even.stop) == (Phase.TRAILING, D("100.50"))
    higher = moved(FULL, broken_even, "103")
    assert (higher.phase, higher.stop) == (Phase.TRAILING, D("102.49"))
    assert moved(FULL, higher, "101") is higher


def test_break_even_without_trailing_stops_at_the_entry() -> None:
    plan = ExitPlan(stop_loss=D("0.02"), break_even=D("0.01"))
    levels = moved(plan, at_entry(plan, D(100), LONG, TICK), "101.5")
    assert levels == Levels(stop=D(100), phase=Phase.BREAK_EVEN)
    assert breached(levels, D(100), LONG) is Level.BREAK_EVEN


@pytest.mark.parametrize(
    ("phase", "level", "words"),
    [
        (Phase.MONITORING, Level.STOP_LOSS, "stop-loss"),
        (Phase.BREAK_EVEN, Level.BREAK_EVEN, "break-even stop"),
        (Phase.TRAILING, Level.TRAILING_STOP, "trailing stop"),
    ],
)
def test_a_stop_is_called_after_its_phase(phase: Phase, level: Level, words: str) -> None:
    """A break-even stop was told to the operator as a trailing one."""
    levels = Levels(stop=D(100), take_profit=D(104), phase=phase)
    assert breached(levels, D(100), LONG) is level
    assert breached(levels, D(104), LONG) is Level.TAKE_PROFIT
    assert level == words


def test_a_stop_above_the_entry_does_not_go_back_to_break_even() -> None:
    """An average entry that fell, when a late fill was cheap, took the stop down with it."""
    plan = ExitPlan(stop_loss=D("0.02"), break_even=D("0.01"))
    before = Levels(stop=D("100.5"), phase=Phase.MONITORING)
    after = moved(plan, before, "101.5")
    assert (after.phase, after.stop) == (Phase.BREAK_EVEN, D("100.5"))


def test_a_noisy_market_does_not_move_a_trailing_stop_every_tick() -> None:
    """Report I05: 175 cancels in 14 minutes. The stop follows in steps of 0.05 %."""
    plan = ExitPlan(trailing_stop=D("0.01"))
    levels = at_entry(plan, D(100), LONG, TICK)
    changes = 0
    for cents in range(1, 101):
        after = moved(plan, levels, str(D(100) + D(cents) / 100))
        changes += after != levels
        levels = after
    assert 15 <= changes <= 21


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (Levels(stop=D(98)), Levels(stop=D(97)), True),
        (Levels(stop=D(98)), Levels(), True),
        (Levels(stop=D(98)), Levels(stop=D(99)), False),
        (Levels(phase=Phase.TRAILING), Levels(phase=Phase.BREAK_EVEN), True),
        (Levels(), Levels(stop=D(1)), False),
    ],
)
def test_loosened(before: Levels, after: Levels, expected: bool) -> None:
    assert loosened(before, after, LONG) is expected
