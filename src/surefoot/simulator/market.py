"""Where prices come from: a recorded tape, a seeded random walk, or whoever moves them by hand.

The tape is played forwards, then backwards, and so on: prices stay continuous for as long as it
runs. Times on the wire are the exchange's own clock, not the tape's.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from random import Random  # noqa: TID251 (seeded by the settings)
from typing import Any, Final, TypeAlias

from surefoot.simulator.candles import Candles
from surefoot.simulator.clock import Clock
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.model import MarketMode, Quote, Settings
from surefoot.simulator.wire import amount

TAPE: Final = Path(__file__).parent / "tapes" / "binance-spot-2024-08-09.jsonl.gz"
Publish: TypeAlias = Callable[[str, str, dict[str, Any]], None]
Row: TypeAlias = list[Any]

_QUIET_BEATS: Final = 4  # a symbol that nobody moves repeats its price this often
_SIGMA: Final = 0.0003
_LITTLE: Final = Decimal("0.001")


class Market:
    """Moves prices and tells everyone: matching, candles, streams."""

    def __init__(
        self,
        exchange: Exchange,
        candles: Candles,
        publish: Publish,
        clock: Clock,
        settings: Settings,
    ) -> None:
        self.mode: MarketMode = settings.market
        self._exchange = exchange
        self._candles = candles
        self._publish = publish
        self._clock = clock
        self._speed = settings.speed
        self._beat_s = settings.beat_s
        self._luck = Random(settings.seed)  # noqa: S311 (no secret hangs on it)
        self._tape = settings.tape or TAPE
        self._rows: Iterator[Row] | None = None
        if self.mode == "tape":
            self._rows = _there_and_back(_read(self._tape))  # a bad tape fails before the start
        self._trade_id = 1_000
        self._book_id = 1_000

    # One door for prices -------------------------------------------------------------------------

    def trade(self, symbol: str, price: Decimal, quantity: Decimal = _LITTLE) -> None:
        """Report a trade between others."""
        now = self._clock.now_ms()
        quote = self._exchange.quotes[symbol]
        self._candles.trade(symbol, price, quantity, now)
        self._exchange.price(symbol, Quote(last=price, bid=quote.bid, ask=quote.ask))
        self._trade_id += 1
        self._publish(
            symbol,
            "trade",
            {
                "e": "trade",
                "E": now,
                "s": symbol,
                "t": self._trade_id,
                "p": amount(price),
                "q": amount(quantity),
                "T": now,
                "m": False,
                "M": True,
            },
        )

    def book(self, symbol: str, bid: Decimal, ask: Decimal) -> None:
        """Set the best bid and ask."""
        quote = self._exchange.quotes[symbol]
        self._exchange.price(symbol, Quote(last=quote.last, bid=bid, ask=ask))
        self._book_id += 1
        self._publish(
            symbol,
            "bookTicker",
            {
                "u": self._book_id,
                "s": symbol,
                "b": amount(bid),
                "B": "1.00000000",
                "a": amount(ask),
                "A": "1.00000000",
            },
        )

    def move(self, symbol: str, price: Decimal, spread: Decimal) -> None:
        """Bring book and last trade to a price, in one step for matching."""
        self._exchange.quotes[symbol] = Quote(last=price, bid=price - spread, ask=price + spread)
        self.book(symbol, price - spread, price + spread)
        self.trade(symbol, price)

    # Driving -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Drive the market for ever."""
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
            self.trade(symbol, Decimal(first), Decimal(second))
        else:
            self.book(symbol, Decimal(first), Decimal(second))

    def _beat(self, beats: int) -> None:
        quiet = beats % _QUIET_BEATS == 0
        for symbol in self._exchange.rules:
            if self.mode == "random":
                self._walk(symbol)
            elif quiet:
                self._repeat(symbol)
        now = self._clock.now_ms()
        for symbol, frame, candle in self._candles.roll(now):
            event = self._candles.event(symbol, frame, candle, now, closed=True)
            self._publish(symbol, f"kline_{frame}", event)

    def _walk(self, symbol: str) -> None:
        tick = self._exchange.rules[symbol].tick
        factor = Decimal(repr(1 + self._luck.gauss(0, _SIGMA)))
        price = (self._exchange.quotes[symbol].last * factor).quantize(tick)
        self.move(symbol, max(price, tick * 10), tick)

    def _repeat(self, symbol: str) -> None:
        quote = self._exchange.quotes[symbol]
        self.book(symbol, quote.bid, quote.ask)
        self.trade(symbol, quote.last)


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
