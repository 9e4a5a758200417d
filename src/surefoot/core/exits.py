"""Where to leave a position: levels from a plan, and a stop that never loosens.

    MONITORING ──▶ BREAK_EVEN ──▶ TRAILING
         └────────────────────────▲        (a trailing stop without break-even)

A plan is relative (fractions of the entry price); levels are absolute prices on the tick grid.
`advance` moves levels forward only: a phase never goes back and a stop never gives way. These are
figures; which price, signal or time makes a position leave is in `leaving`.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

from surefoot.core.values import Direction, Side, ceil_to, floor_to

# A trailing stop follows in steps of this fraction of the price, so that a noisy market does not
# turn into a stream of cancels and replacements (175 cancels in 14 minutes were once seen).
TRAIL_STEP = Decimal("0.0005")


class Phase(StrEnum):
    """How far an open position's protection has come."""

    MONITORING = "MONITORING"
    BREAK_EVEN = "BREAK_EVEN"
    TRAILING = "TRAILING"


class Level(StrEnum):
    """A price at which a position is left, by the name that operators read."""

    STOP_LOSS = "stop-loss"
    BREAK_EVEN = "break-even stop"
    TRAILING_STOP = "trailing stop"
    TAKE_PROFIT = "take-profit"
    TAKE_PART = "take-profit of a part"


STOP_OF: Final = {
    Phase.MONITORING: Level.STOP_LOSS,
    Phase.BREAK_EVEN: Level.BREAK_EVEN,
    Phase.TRAILING: Level.TRAILING_STOP,
}


class Part(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A share of what was bought that goes at a distance of its own."""

    at: Decimal
    fraction: Decimal


class TakeProfit(Struct, frozen=True, kw_only=True):
    """Where gains are taken: parts, nearest first, and then all that is left."""

    rest: Decimal | None = None
    parts: tuple[Part, ...] = ()


class ExitPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Distances as fractions of the entry price (0.02 is 2 %); None switches a part off.

    `parts` go before `take_profit`, where all that is left goes.
    """

    stop_loss: Decimal | None = None
    take_profit: Decimal | None = None
    parts: tuple[Part, ...] = ()
    break_even: Decimal | None = None
    trailing_stop: Decimal | None = None

    def target(self, taken: int) -> Decimal | None:
        """Return where the next gain is taken after so many parts, or None."""
        return self.parts[taken].at if taken < len(self.parts) else self.take_profit

    @property
    def has_stop(self) -> bool:
        """Tell whether a stop is a part of it, now or later."""
        return any(
            each is not None for each in (self.stop_loss, self.break_even, self.trailing_stop)
        )


class Levels(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Where a position is left: absolute prices and the phase they belong to.

    `take_profit` is the next of the plan's, of a part or of all that is left.
    """

    stop: Decimal | None = None
    take_profit: Decimal | None = None
    phase: Phase = Phase.MONITORING


def at_entry(
    plan: ExitPlan, entry: Decimal, direction: Direction, tick: Decimal, taken: int = 0
) -> Levels:
    """Return the levels of a position entered at this price, after so many parts were taken."""
    stop_distance = plan.stop_loss
    if stop_distance is None and plan.break_even is None:
        stop_distance = plan.trailing_stop
    stop = None if stop_distance is None else _away(entry, -stop_distance, direction, tick)
    target = plan.target(taken)
    take_profit = None if target is None else _away(entry, target, direction, tick)
    return Levels(stop=stop, take_profit=take_profit)


def followed(levels: Levels, fresh: Levels, direction: Direction) -> Levels:
    """Return levels after more was bought, or a part taken: as at the entry, and never looser."""
    stop = levels.stop
    if levels.phase is Phase.MONITORING and fresh.stop is not None:
        stop = tightest(stop, fresh.stop, direction)
    return Levels(stop=stop, take_profit=fresh.take_profit, phase=levels.phase)


def advance(
    plan: ExitPlan,
    levels: Levels,
    *,
    entry: Decimal,
    price: Decimal,
    direction: Direction,
    tick: Decimal,
) -> Levels:
    """Return the levels after the market traded at this price; the same object if unmoved."""
    phase, stop = levels.phase, levels.stop
    gain = (price - entry) * direction.sign
    moves = plan.break_even is not None and gain >= entry * plan.break_even
    if phase is Phase.MONITORING and plan.break_even is not None and not moves:
        return levels
    if phase is not Phase.TRAILING and moves:
        # Again once more was bought at a higher price: break-even is the average price.
        # On the venue's grid, and never under the entry: an average price has endless digits.
        covered = ceil_to(entry, tick) if direction is Direction.LONG else floor_to(entry, tick)
        phase, stop = Phase.BREAK_EVEN, tightest(stop, covered, direction)
    if plan.trailing_stop is not None and gain > 0:
        trailed = _away(price, -plan.trailing_stop, direction, tick)
        # A step, not every tick: see TRAIL_STEP.
        if stop is None or (trailed - stop) * direction.sign >= price * TRAIL_STEP:
            phase, stop = Phase.TRAILING, tightest(stop, trailed, direction)
    if (phase, stop) == (levels.phase, levels.stop):
        return levels
    return Levels(stop=stop, take_profit=levels.take_profit, phase=phase)


def tightest(stop: Decimal | None, other: Decimal, direction: Direction) -> Decimal:
    """Return whichever stop protects more."""
    if stop is None:
        return other
    return max(stop, other) if direction is Direction.LONG else min(stop, other)


def loosened(before: Levels, after: Levels, direction: Direction) -> bool:
    """Tell whether a stop gave way or a phase went back."""
    phases = tuple(Phase)
    if phases.index(after.phase) < phases.index(before.phase):
        return True
    if before.stop is None:
        return False
    return after.stop is None or (after.stop - before.stop) * direction.sign < 0


def breached(levels: Levels, price: Decimal, direction: Direction) -> Level | None:
    """Return which level a price has reached, the stop first, or None."""
    sign = direction.sign
    if levels.stop is not None and (price - levels.stop) * sign <= 0:
        return STOP_OF[levels.phase]
    if levels.take_profit is not None and (price - levels.take_profit) * sign >= 0:
        return Level.TAKE_PROFIT
    return None


def _away(price: Decimal, fraction: Decimal, direction: Direction, tick: Decimal) -> Decimal:
    """Move a price by a fraction in the position's favour (negative: against it), on the tick."""
    moved = price * (1 + fraction * direction.sign)
    side = direction.entry_side
    return ceil_to(moved, tick) if side is Side.BUY else floor_to(moved, tick)
