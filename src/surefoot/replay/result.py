"""What came of a replay, as one document; everything in it follows from recording and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from surefoot.config import Bot
from surefoot.core.values import ZERO, BotName
from surefoot.journal.profit import KEYS, Figures, Outcome, grouped
from surefoot.simulator.model import Recording

_HOLES_SAID: Final = 10
UNKNOWN: Final = (
    "how prices moved inside of a candle: the end that is farther from the close is met first",
    "the book: behind the spread there is as much as anybody wants, so size moves no price",
    "how much stood in front of an order that rests: it fills once a price went through it",
    "the venue's filters of that time, its delays and its failures",
    "what you know today: a strategy that was fitted to this recording will look good on it",
)


class Point(Struct, frozen=True, kw_only=True):
    """What everything was worth at a moment, at the bid, and the last prices."""

    at: datetime
    value: Decimal
    prices: Mapping[str, Decimal]


class Traded(Struct, frozen=True, kw_only=True):
    """One fill."""

    at: datetime
    symbol: str
    side: str
    price: Decimal
    quantity: Decimal
    fee: Decimal
    fee_asset: str


class Missing(Struct, frozen=True, kw_only=True):
    """A time of which the recording says nothing: no candle came, and nothing was filled."""

    symbol: str
    begin: datetime
    end: datetime
    candles: int


class Result(Struct, frozen=True, kw_only=True):
    """A whole replay. `idle` are bots without a finished trade; `wrong` is what went wrong."""

    begin: datetime
    end: datetime
    prices: int
    value_before: Decimal
    value_after: Decimal
    drawdown: Decimal
    bots: tuple[Figures, ...]
    idle: tuple[str, ...]
    positions: tuple[Outcome, ...]
    fills: tuple[Traded, ...]
    curve: tuple[Point, ...]
    wrong: tuple[str, ...]
    holes: tuple[Missing, ...] = ()
    cannot_know: tuple[str, ...] = UNKNOWN


def result_of(
    *,
    bots: Mapping[BotName, Bot],
    recording: Recording,
    curve: Sequence[Point],
    traded: Sequence[Traded],
    outcomes: Sequence[Outcome],
    wrong: Sequence[str],
) -> Result:
    """Add up what was watched."""
    busy = {each.bot for each in outcomes}
    return Result(
        begin=curve[0].at,
        end=curve[-1].at,
        prices=len(recording.ticks),
        value_before=curve[0].value,
        value_after=curve[-1].value,
        drawdown=drawdown([each.value for each in curve]),
        bots=grouped(outcomes, KEYS["bot"]),
        idle=tuple(sorted(name for name in bots if name not in busy)),
        positions=tuple(outcomes),
        fills=tuple(traded),
        curve=tuple(curve),
        wrong=tuple(wrong),
        holes=tuple(
            Missing(
                symbol=each.symbol,
                begin=_at(each.begin_ms),
                end=_at(each.end_ms),
                candles=each.missing,
            )
            for each in recording.holes
        ),
    )


def said_of(holes: Sequence[Missing]) -> list[str]:
    """Say where a recording has holes, the longest first; there may be many."""
    longest = sorted(holes, key=lambda hole: -hole.candles)[:_HOLES_SAID]
    said = [
        f"{each.symbol} from {each.begin:%F %H:%M} to {each.end:%F %H:%M} UTC: "
        f"{each.candles} candles are missing; nothing was bridged, and nothing filled"
        for each in longest
    ]
    if len(holes) > len(said):
        said.append(f"and {len(holes) - len(said)} shorter holes")
    return said


def _at(ms: int) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)


def drawdown(values: Sequence[Decimal]) -> Decimal:
    """Return the deepest fall below the highest value before it."""
    highest = deepest = ZERO
    for value in values:
        highest = max(highest, value)
        deepest = max(deepest, highest - value)
    return deepest
