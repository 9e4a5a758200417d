"""A market that has been: recorded prices, played once, each at its own time.

Candles tell less than trades. Inside of one, the price is taken to go to the end that is farther
from its close first, so that a stop is met before a target. Behind the best bid and ask, a spread
apart, there is as much as anybody wants: a recording of candles has no book.

A hole in a recording is not bridged: it has no candles, and nothing is filled in it.
"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Final

from typing_extensions import override

from surefoot.simulator.candle_files import Unreadable, opened
from surefoot.simulator.candles import FRAMES_MS, KEPT, Candle, Candles
from surefoot.simulator.clock import Clock
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.floor import Floor
from surefoot.simulator.market import PlayedMarket
from surefoot.simulator.model import (
    ZERO,
    Hole,
    Level,
    RecordedCandle,
    Recording,
    Rules,
    Settings,
    Tick,
)

_MS: Final = 1_000
_PLENTY: Final = Decimal(10**12)
_PARTS: Final = 4
_LITTLE: Final = Decimal("0.001")
_HALF: Final = Decimal("0.5")
# A quiet market says its price again before anybody takes the silence for a broken stream.
_QUIET_S: Final = 20.0
NOTHING: Final = Recording(ticks=(), spread=ZERO)


class RecordedMarket(PlayedMarket):
    """Plays a recording, and then falls silent."""

    def __init__(
        self, exchange: Exchange, candles: Candles, floor: Floor, clock: Clock, settings: Settings
    ) -> None:
        super().__init__(exchange, candles, floor, clock, settings)
        self._recording = settings.recording or NOTHING
        self.over = asyncio.Event()
        self.played = 0

    @override
    async def run(self) -> None:
        try:
            for each in self._recording.ticks:
                await self._until(each.at_ms)
                self._roll()
                self._show(each)
                self.played += 1
        finally:
            self.over.set()  # or whoever waits for its end would wait for ever

    async def _until(self, at_ms: int) -> None:
        """Wait for a moment; whoever listens meanwhile hears that the market is quiet."""
        while (left_s := (at_ms - self._clock.now_ms()) / _MS) > 0:
            await self._clock.sleep(min(left_s, _QUIET_S))
            if left_s > _QUIET_S:
                self._roll()
                for symbol, quote in self._exchange.quotes.items():
                    known = not self._in_a_hole(symbol)
                    bids, asks = (quote.bids, quote.asks) if known else ((), ())
                    self._floor.book(symbol, quote.bid, quote.ask, bids, asks)

    def _in_a_hole(self, symbol: str) -> bool:
        now = self._clock.now_ms()
        holes = self._recording.holes
        return any(each.symbol == symbol and each.begin_ms <= now < each.end_ms for each in holes)

    def _show(self, each: Tick) -> None:
        tick = self._exchange.rules[each.symbol].tick
        half = (each.price * self._recording.spread * _HALF // tick + 1) * tick
        bid, ask = each.price - half, each.price + half
        self._floor.book(each.symbol, bid, ask, (Level(bid, _PLENTY),), (Level(ask, _PLENTY),))
        self._floor.trade(each.symbol, each.price, each.quantity)


class RecordedCandles(Candles):
    """Candles as they were: nothing is invented before, between or after.

    Only a recording of trades has candles in which nothing was traded: there that is known.
    """

    def __init__(self, rules: Iterable[Rules], recording: Recording) -> None:
        super().__init__((), 0, seed=0)
        self._lengths = recording.lengths
        # Those whose newest candle is over, and has been told.
        self._over: set[tuple[str, str]] = set()
        for each in rules:
            before = recording.before.get(each.symbol, ())
            for frame, length in FRAMES_MS.items():
                kept = deque(_joined(before, length), maxlen=KEPT)
                if length < recording.lengths.get(each.symbol, 0):
                    kept.clear()  # nothing is known of what is shorter
                self._kept[each.symbol, frame] = kept

    @override
    def _advance(self, symbol: str, frame: str, length: int, now_ms: int) -> None:
        key = symbol, frame
        if not self._kept[key] or key in self._over:
            return
        if symbol not in self._lengths:
            super()._advance(symbol, frame, length, now_ms)
        elif self._kept[key][-1].open_ms + length <= now_ms:
            self._closed.append((symbol, frame, self._kept[key][-1]))
            self._over.add(key)

    @override
    def trade(self, symbol: str, price: Decimal, quantity: Decimal, now_ms: int) -> None:
        for frame, length in FRAMES_MS.items():
            if length < self._lengths.get(symbol, 0):
                continue
            key = symbol, frame
            self._advance(symbol, frame, length, now_ms)
            kept = self._kept[key]
            if not kept or key in self._over:
                self._over.discard(key)
                kept.append(Candle(now_ms - now_ms % length, price, price, price, price, ZERO))
            candle = kept[-1]
            if not candle.volume:  # the first in it
                candle.open = candle.high = candle.low = price
            candle.high, candle.low = max(candle.high, price), min(candle.low, price)
            candle.close, candle.volume = price, candle.volume + quantity


def _joined(rows: Sequence[RecordedCandle], length: int) -> Iterator[Candle]:
    """Make longer candles of shorter ones."""
    joined: Candle | None = None
    for row in rows:
        opened_ms = row.at_ms - row.at_ms % length
        if joined is None or joined.open_ms != opened_ms:
            if joined is not None:
                yield joined
            joined = Candle(opened_ms, row.open, row.high, row.low, row.close, row.volume)
            continue
        joined.high, joined.low = max(joined.high, row.high), min(joined.low, row.low)
        joined.close, joined.volume = row.close, joined.volume + row.volume
    if joined is not None:
        yield joined


# Recordings --------------------------------------------------------------------------------------


def prices(symbol: str, rows: Iterable[RecordedCandle], length: int) -> Iterator[Tick]:
    """Yield four prices of each candle, the end that is farther from its close before the other."""
    for row in rows:
        ends = (row.low, row.high) if row.close >= row.open else (row.high, row.low)
        quantity = row.volume / _PARTS or _LITTLE
        for part, price in enumerate((row.open, *ends, row.close)):
            yield Tick(row.at_ms + part * (length - 1) // (_PARTS - 1), symbol, price, quantity)


def tape(path: Path, begin_ms: int) -> Iterator[Tick]:
    """Read the trades of a simulator's tape.

    Raises:
        Unreadable: it is none.
    """
    with opened(path) as file:
        next(file, None)  # the first line says where it comes from
        try:
            for line in file:
                at_ms, symbol, kind, price, quantity = json.loads(line)
                if kind == "t":
                    at = begin_ms + int(at_ms)
                    yield Tick(at, str(symbol), Decimal(price), Decimal(quantity))
        except (ValueError, TypeError, ArithmeticError) as error:
            raise Unreadable(f"{path} is no tape: {error}") from error


def holes_in(symbol: str, rows: Sequence[RecordedCandle], length: int) -> Iterator[Hole]:
    """Yield every time of which a recording of candles says nothing."""
    for before, after in pairwise(rows):
        end_ms = before.at_ms + length
        if after.at_ms > end_ms:
            yield Hole(symbol, end_ms, after.at_ms, -(-(after.at_ms - end_ms) // length))
