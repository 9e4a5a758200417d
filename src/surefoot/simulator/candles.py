"""Candles from trades, closed on time also when nothing is traded.

What lies before the start is a seeded walk that ends at the first price. Each symbol and time frame
has its own, which is made when somebody first asks for it, and the same whoever asks first.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice
from random import Random  # noqa: TID251 (seeded by the settings)
from typing import Any, Final

from surefoot.simulator.model import ZERO, Rules
from surefoot.simulator.wire import amount

FRAMES_MS: Final = {
    "1s": 1_000,
    "1m": 60_000,
    "3m": 180_000,
    "5m": 300_000,
    "15m": 900_000,
    "30m": 1_800_000,
    "1h": 3_600_000,
    "4h": 14_400_000,
    "1d": 86_400_000,
}
KEPT: Final = 1_500
_HISTORY: Final = 600
_STEP: Final = Decimal("0.0005")


@dataclass(slots=True)
class Candle:
    """One candle; times are milliseconds."""

    open_ms: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


class Candles:
    """The candles of every symbol and time frame; the last of each is still open."""

    def __init__(self, rules: Iterable[Rules], now_ms: int, seed: int) -> None:
        self._seed = seed
        self._kept: dict[tuple[str, str], deque[Candle]] = {}
        self._closed: list[tuple[str, str, Candle]] = []
        # Those before whose first candle nothing is kept yet.
        self._bare: dict[tuple[str, str], Rules] = {}
        for each in rules:
            for frame, length in FRAMES_MS.items():
                price = each.price
                first = Candle(now_ms - now_ms % length, price, price, price, price, ZERO)
                self._kept[each.symbol, frame] = deque([first], maxlen=KEPT)
                self._bare[each.symbol, frame] = each

    def trade(self, symbol: str, price: Decimal, quantity: Decimal, now_ms: int) -> None:
        """Count one trade in every time frame."""
        for frame, length in FRAMES_MS.items():
            self._advance(symbol, frame, length, now_ms)
            candle = self._kept[symbol, frame][-1]
            candle.high, candle.low = max(candle.high, price), min(candle.low, price)
            candle.close, candle.volume = price, candle.volume + quantity

    def catch_up(self, now_ms: int) -> None:
        """Close what is over; whoever rolls next is still told of it."""
        for symbol, frame in self._kept:
            self._advance(symbol, frame, FRAMES_MS[frame], now_ms)

    def roll(self, now_ms: int) -> list[tuple[str, str, Candle]]:
        """Close what is over, and return every candle closed since the last call."""
        self.catch_up(now_ms)
        closed, self._closed = self._closed, []
        return closed

    def _advance(self, symbol: str, frame: str, length: int, now_ms: int) -> None:
        kept = self._kept[symbol, frame]
        if now_ms - kept[-1].open_ms > KEPT * length:  # the clock was moved by days
            kept[-1].open_ms = now_ms - now_ms % length - KEPT * length
        while kept[-1].open_ms + length <= now_ms:
            last = kept[-1]
            self._closed.append((symbol, frame, last))
            close = last.close
            kept.append(Candle(last.open_ms + length, close, close, close, close, ZERO))

    def klines(self, symbol: str, frame: str, start_ms: int | None, limit: int) -> list[list[Any]]:
        """Return rows as the REST API shows them."""
        kept, length = self._with_past(symbol, frame), FRAMES_MS[frame]
        if start_ms is None:
            chosen = islice(kept, max(len(kept) - limit, 0), None)
        else:
            chosen = islice((candle for candle in kept if candle.open_ms >= start_ms), limit)
        return [_row(candle, length) for candle in chosen]

    def _with_past(self, symbol: str, frame: str) -> deque[Candle]:
        """Return what is kept, with what lies before the start as far as there is room for it."""
        key = symbol, frame
        kept, rules = self._kept[key], self._bare.pop(key, None)
        if rules is not None:
            luck = Random(f"{self._seed} {symbol} {frame}")  # noqa: S311 (no secret hangs on it)
            before = _before(rules, kept[0].open_ms, FRAMES_MS[frame], luck)
            kept.extendleft(islice(before, min(_HISTORY, KEPT - len(kept))))
        return kept

    def event(
        self, symbol: str, frame: str, candle: Candle, now_ms: int, *, closed: bool
    ) -> dict[str, Any]:
        """Return one kline event."""
        return {
            "e": "kline",
            "E": now_ms,
            "s": symbol,
            "k": {
                "t": candle.open_ms,
                "T": candle.open_ms + FRAMES_MS[frame] - 1,
                "s": symbol,
                "i": frame,
                "o": amount(candle.open),
                "h": amount(candle.high),
                "l": amount(candle.low),
                "c": amount(candle.close),
                "v": amount(candle.volume),
                "n": 1,
                "x": closed,
                "q": amount(candle.volume * candle.close),
            },
        }


def _before(rules: Rules, start_ms: int, length: int, luck: Random) -> Iterator[Candle]:
    """Walk backwards from the first price, for ever."""
    price = rules.price
    while True:
        start_ms -= length
        drift = Decimal(luck.randint(-100, 100)) / 100 * _STEP
        before = (price * (1 + drift)).quantize(rules.tick)
        low, high = min(before, price), max(before, price)
        yield Candle(start_ms, before, high, low, price, Decimal(1))
        price = before


def _row(candle: Candle, length: int) -> list[Any]:
    return [
        candle.open_ms,
        amount(candle.open),
        amount(candle.high),
        amount(candle.low),
        amount(candle.close),
        amount(candle.volume),
        candle.open_ms + length - 1,
        amount(candle.volume * candle.close),
        1,
        "0.00000000",
        "0.00000000",
        "0",
    ]
