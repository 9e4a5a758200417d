"""What came of a replay, as one document; everything in it follows from recording and seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from surefoot.config import Bot
from surefoot.core.values import ZERO, BotName, natural
from surefoot.journal.profit import KEYS, Figures, Outcome, grouped
from surefoot.simulator.model import Recording, Tick

_HOLES_SAID: Final = 10
_BARS_MAX: Final = 180
_BAR_MIN_MS: Final = 60_000
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


class Bar(Struct, frozen=True, kw_only=True):
    """The prices of one symbol for a while, for a chart."""

    at: datetime
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal


class Missing(Struct, frozen=True, kw_only=True):
    """A time of which the recording says nothing: no candle came, and nothing was filled."""

    symbol: str
    begin: datetime
    end: datetime
    candles: int

    @property
    def said(self) -> str:
        """Say how much is missing."""
        return "1 candle is missing" if self.candles == 1 else f"{self.candles} candles are missing"


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
    holes: tuple[Missing, ...]
    bars: Mapping[str, tuple[Bar, ...]]
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
        idle=tuple(sorted((name for name in bots if name not in busy), key=natural)),
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
        bars=bars_of(recording.ticks),
    )


def bars_of(ticks: Sequence[Tick]) -> dict[str, tuple[Bar, ...]]:
    """Return the prices of every symbol as no more candles than a chart can show."""
    begin = ticks[0].at_ms
    length = max((ticks[-1].at_ms - begin) // _BARS_MAX, _BAR_MIN_MS)
    bars: dict[str, dict[int, Bar]] = {}
    for each in ticks:
        of_symbol = bars.setdefault(each.symbol, {})
        number, price = (each.at_ms - begin) // length, each.price
        bar = of_symbol.get(number)
        if bar is None:
            at = _at(begin + number * length + length // 2)
            of_symbol[number] = Bar(at=at, open=price, high=price, low=price, close=price)
        else:
            high, low = max(bar.high, price), min(bar.low, price)
            of_symbol[number] = replace(bar, high=high, low=low, close=price)
    return {symbol: tuple(found.values()) for symbol, found in sorted(bars.items())}


def said_of(holes: Sequence[Missing]) -> list[str]:
    """Say where a recording has holes, the longest first; there may be many."""
    longest = sorted(holes, key=lambda hole: -hole.candles)[:_HOLES_SAID]
    said = [
        f"{each.symbol} from {each.begin:%F %H:%M} to {each.end:%F %H:%M} UTC: "
        f"{each.said}; nothing was bridged, and nothing filled"
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
