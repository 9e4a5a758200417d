"""A market that has been: recorded prices, played once, each at its own time.

Candles tell less than trades. Inside of one, the price is taken to go to the end that is farther
from its close first, so that a stop is met before a target. Behind the best bid and ask, a spread
apart, there is as much as anybody wants: a recording of candles has no book.
"""

from __future__ import annotations

import asyncio
import csv
import gzip
import json
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from heapq import merge
from itertools import pairwise
from pathlib import Path
from typing import Final, TextIO

from typing_extensions import override

from surefoot.simulator.candles import Candles
from surefoot.simulator.clock import Clock
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.floor import Floor
from surefoot.simulator.market import PlayedMarket
from surefoot.simulator.model import Level, Recording, Settings, Tick

_MS: Final = 1_000
# A number of seconds since 1970 is below this, of milliseconds above.
_SECONDS_MAX: Final = 10**11
_PLENTY: Final = Decimal(10**12)
_COLUMNS: Final = 5
_HALF: Final = Decimal("0.5")
# A quiet market says its price again before anybody takes the silence for a broken stream.
_QUIET_S: Final = 20.0


class Unreadable(ValueError):
    """A recording is not what it should be; the message names the line."""


class RecordedMarket(PlayedMarket):
    """Plays a recording, and then falls silent."""

    def __init__(
        self, exchange: Exchange, candles: Candles, floor: Floor, clock: Clock, settings: Settings
    ) -> None:
        super().__init__(exchange, candles, floor, clock, settings)
        self._recording: Recording = settings.recording or Recording(ticks=(), spread=Decimal(0))
        self.over = asyncio.Event()
        self.played = 0

    @override
    async def run(self) -> None:
        for each in self._recording.ticks:
            await self._until(each.at_ms)
            self._roll()
            self._show(each)
            self.played += 1
        self.over.set()

    async def _until(self, at_ms: int) -> None:
        """Wait for a moment; whoever listens meanwhile hears that the market is quiet."""
        while (left_s := (at_ms - self._clock.now_ms()) / _MS) > 0:
            await self._clock.sleep(min(left_s, _QUIET_S))
            if left_s > _QUIET_S:
                self._roll()
                for symbol, quote in self._exchange.quotes.items():
                    self._floor.book(symbol, quote.bid, quote.ask, quote.bids, quote.asks)

    def _show(self, each: Tick) -> None:
        tick = self._exchange.rules[each.symbol].tick
        half = (each.price * self._recording.spread * _HALF // tick + 1) * tick
        bid, ask = each.price - half, each.price + half
        self._floor.book(each.symbol, bid, ask, (Level(bid, _PLENTY),), (Level(ask, _PLENTY),))
        self._floor.trade(each.symbol, each.price)


def candles(path: Path, symbol: str) -> Iterator[Tick]:
    """Read candles from a CSV file: time, open, high, low, close, and whatever follows.

    Raises:
        Unreadable: it is none.
    """
    with _opened(path) as file:
        rows = [row for row in csv.reader(file) if row]
    if rows and not _is_price(rows[0][1:2]):
        rows = rows[1:]  # the names of the columns
    if not rows:
        raise Unreadable(f"{path} has no candles")
    times = [_time(row[0], path, number) for number, row in enumerate(rows, start=1)]
    length = min((b - a for a, b in pairwise(times)), default=60_000)
    if length <= 0:
        raise Unreadable(f"{path}: its times do not go up")
    for number, (at, row) in enumerate(zip(times, rows, strict=True), start=1):
        if len(row) < _COLUMNS or not _is_price(row[1:_COLUMNS]):
            raise Unreadable(f"{path}, row {number}: expected time, open, high, low and close")
        first, high, low, last = (Decimal(cell) for cell in row[1:_COLUMNS])
        path_taken = (first, low, high, last) if last >= first else (first, high, low, last)
        for part, price in enumerate(path_taken):
            yield Tick(at + part * (length - 1) // 3, symbol, price)


def tape(path: Path, begin_ms: int) -> Iterator[Tick]:
    """Read the trades of a simulator's tape.

    Raises:
        Unreadable: it is none.
    """
    with _opened(path) as file:
        next(file, None)  # the first line says where it comes from
        try:
            for line in file:
                at_ms, symbol, kind, price, _ = json.loads(line)
                if kind == "t":
                    yield Tick(begin_ms + int(at_ms), str(symbol), Decimal(price))
        except (ValueError, TypeError, ArithmeticError) as error:
            raise Unreadable(f"{path} is no tape: {error}") from error


def recording(sources: Iterable[Iterable[Tick]], spread: Decimal) -> Recording:
    """Bring several recordings into one order of time."""
    return Recording(ticks=tuple(merge(*sources)), spread=spread)


def _opened(path: Path) -> TextIO:
    try:
        if path.suffix == ".gz":
            return gzip.open(path, "rt", encoding="utf-8")
        return path.open(encoding="utf-8")
    except OSError as error:
        raise Unreadable(f"{path} cannot be read: {error.strerror}") from error


def _is_price(cells: list[str]) -> bool:
    with suppress(InvalidOperation):
        return bool(cells) and all(
            Decimal(cell).is_finite() and Decimal(cell) > 0 for cell in cells
        )
    return False


def _time(text: str, path: Path, number: int) -> int:
    """Return milliseconds of a number or of a date, which is UTC unless it says otherwise."""
    try:
        if text.strip().isdigit():
            value = int(text)
            return value * _MS if value < _SECONDS_MAX else value
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Unreadable(f"{path}, row {number}: {text[:40]!r} is no time") from None
    return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * _MS)
