"""Where prices come from: a recorded tape, a seeded random walk, or whoever moves them by hand.

The tape is played forwards, then backwards, and so on: prices stay continuous for as long as it
runs. Times on the wire are the exchange's own clock, not the tape's. A market that is somebody
else's is in `mirror`.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random  # noqa: TID251 (seeded by the settings)
from typing import Any, Final, Literal, Protocol, TypeAlias

from typing_extensions import override

from surefoot.simulator.candles import FRAMES_MS, Candles
from surefoot.simulator.clock import Clock
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.floor import Floor, Levels
from surefoot.simulator.model import ApiError, MarketMode, Settings
from surefoot.simulator.parameters import Params, integer, needed, rows

TAPE: Final = Path(__file__).parent / "tapes" / "binance-spot-2024-08-09.jsonl.gz"
History: TypeAlias = Literal["klines", "aggTrades", "depth"]
Row: TypeAlias = list[Any]

_QUIET_BEATS: Final = 4  # a symbol that nobody moves repeats its price this often
_SIGMA: Final = 0.0003


class Market(Protocol):
    """What moves the prices, and remembers them."""

    mode: MarketMode

    @property
    def stale(self) -> str | None:
        """Say why its prices are not to be believed now; None: they are."""
        ...

    def blind(self, symbol: str) -> str | None:
        """Say why one symbol's prices are not to be believed now; None: they are."""
        ...

    async def prepare(self) -> None:
        """Learn what has to be known before anybody may ask."""
        ...

    async def run(self) -> None:
        """Drive the market for ever."""
        ...

    async def read(self, what: History, params: Params) -> Any:
        """Answer a question about what was, as the REST API does.

        Raises:
            ApiError: it cannot be answered.
        """
        ...

    def move(self, symbol: str, price: Decimal, spread: Decimal) -> None:
        """Bring a market to a price by hand.

        Raises:
            ValueError: its prices are somebody else's.
        """
        ...

    def book(self, symbol: str, bids: Levels, asks: Levels) -> None:
        """Set the levels of a book by hand.

        Raises:
            ValueError: its prices are somebody else's.
        """
        ...


class PlayedMarket(Market):
    """A market that exists here only."""

    def __init__(
        self, exchange: Exchange, candles: Candles, floor: Floor, clock: Clock, settings: Settings
    ) -> None:
        self.mode = settings.market
        self._exchange = exchange
        self._candles = candles
        self._floor = floor
        self._clock = clock
        self._speed = settings.speed
        self._beat_s = settings.beat_s
        self._luck = Random(settings.seed)  # noqa: S311 (no secret hangs on it)
        self._tape = settings.tape or TAPE
        self._rows: Iterator[Row] | None = None
        if self.mode == "tape":
            self._rows = _there_and_back(_read(self._tape))  # a bad tape fails before the start

    @property
    @override
    def stale(self) -> str | None:
        return None

    @override
    def blind(self, symbol: str) -> str | None:
        return None

    @override
    async def prepare(self) -> None:
        pass  # everything is known

    @override
    def move(self, symbol: str, price: Decimal, spread: Decimal) -> None:
        self._floor.move(symbol, price, spread)

    @override
    def book(self, symbol: str, bids: Levels, asks: Levels) -> None:
        if not bids or not asks:
            raise ValueError("a book has two sides")
        self._floor.book(symbol, bids[0].price, asks[0].price, bids, asks)

    @override
    async def read(self, what: History, params: Params) -> Any:
        symbol = self._exchange.rules_of(needed(params, "symbol")).symbol
        match what:
            case "depth":
                return self._floor.depth(symbol, rows(params))
            case "aggTrades":
                first, since = _maybe(params, "fromId"), _maybe(params, "startTime")
                return self._floor.trades(symbol, first, since, rows(params))
            case "klines":
                frame = needed(params, "interval")
                if frame not in FRAMES_MS:
                    raise ApiError(-1120, "Invalid interval.")
                self._candles.catch_up(self._clock.now_ms())
                return self._candles.klines(
                    symbol, frame, _maybe(params, "startTime"), rows(params)
                )

    # Driving -------------------------------------------------------------------------------------

    @override
    async def run(self) -> None:
        next_row: Row | None = None
        played_ms = 0.0
        last = self._clock.monotonic()
        beats = 0
        while True:
            now = self._clock.monotonic()
            elapsed, last = now - last, now
            if self.mode == "tape":
                played_ms += elapsed * 1000 * self._speed
                rows = self._playing()
                next_row = next_row or next(rows)
                while next_row[0] <= played_ms:
                    self._play(next_row)
                    next_row = next(rows)
            beats += 1
            self._beat(beats)
            await self._clock.sleep(self._beat_s / 5 if self.mode == "tape" else self._beat_s)

    def _playing(self) -> Iterator[Row]:
        """Return the tape, which is read when it is first wanted."""
        if self._rows is None:
            self._rows = _there_and_back(_read(self._tape))
        return self._rows

    def _play(self, row: Row) -> None:
        _, symbol, kind, first, second = row
        if symbol not in self._exchange.rules:
            return
        if kind == "t":
            self._floor.trade(symbol, Decimal(first), Decimal(second))
        else:
            self._floor.book(symbol, Decimal(first), Decimal(second))

    def _beat(self, beats: int) -> None:
        quiet = beats % _QUIET_BEATS == 0
        for symbol in self._exchange.rules:
            if self.mode == "random":
                self._walk(symbol)
            elif quiet:
                self._floor.repeat(symbol)
        self._roll()

    def _roll(self) -> None:
        """Tell of every candle that is over."""
        now = self._clock.now_ms()
        for symbol, frame, candle in self._candles.roll(now):
            make = partial(self._candles.event, symbol, frame, candle, now, closed=True)
            self._floor.publish(symbol, f"kline_{frame}", make)

    def _walk(self, symbol: str) -> None:
        tick = self._exchange.rules[symbol].tick
        factor = Decimal(repr(1 + self._luck.gauss(0, _SIGMA)))
        price = (self._exchange.quotes[symbol].last * factor).quantize(tick)
        self._floor.move(symbol, max(price, tick * 10), tick)


def _maybe(params: Params, name: str) -> int | None:
    return integer(params[name]) if params.get(name) else None


def _read(path: Path) -> list[Row]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        next(file)  # the first line says where the tape comes from
        rows: list[Row] = [json.loads(line) for line in file]
    if not rows or rows[-1][0] <= 0:
        raise ValueError(f"{path} has no trades to play")
    return rows


def _there_and_back(rows: list[Row]) -> Iterator[Row]:
    """Play the rows for ever: forwards, then backwards; times go on counting."""
    end = rows[-1][0]
    turn = 0
    while True:
        for row in rows if turn % 2 == 0 else reversed(rows):
            at = row[0] if turn % 2 == 0 else end - row[0]
            yield [turn * end + at, *row[1:]]
        turn += 1
