"""Prices as candles, for the chart: what the server noted while somebody followed, and fills.

They are for the eye and may be lost; a chart begins where the following began.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime
from decimal import Decimal
from typing import Final

from surefoot.web.answers import CandleAnswer

# Seconds of a candle, and how many of each are kept.
SPANS: Final = (1, 5, 60, 900)
KEPT: Final = 600
# Symbols that are followed; beyond this the oldest one is forgotten.
SYMBOLS_MAX: Final = 1_000


class Candles:
    """Candles of every symbol, in a few lengths."""

    def __init__(self) -> None:
        self._kept: dict[str, dict[int, deque[CandleAnswer]]] = {}

    def add(self, symbol: str, price: Decimal, at: datetime) -> None:
        """Note a price; one that is older than the newest candle is left out."""
        if symbol not in self._kept:
            if len(self._kept) >= SYMBOLS_MAX:
                self._kept.pop(next(iter(self._kept)))
            self._kept[symbol] = {span: deque(maxlen=KEPT) for span in SPANS}
        seconds, value = int(at.timestamp()), float(price)
        for span, candles in self._kept[symbol].items():
            start = seconds - seconds % span
            last = candles[-1] if candles else None
            if last is None or last.at < start:
                opened = value if last is None else last.close
                candles.append(_candle(start, opened, value))
            elif last.at == start:
                candles[-1] = CandleAnswer(
                    at=start, open=last.open, close=value,
                    high=max(last.high, value), low=min(last.low, value),
                )  # fmt: skip

    def of(self, symbol: str, span: int) -> list[CandleAnswer]:
        """Return the candles of a symbol, oldest first; none if it was never heard of."""
        return list(self._kept.get(symbol, {}).get(span, ()))


def _candle(start: int, opened: float, value: float) -> CandleAnswer:
    return CandleAnswer(
        at=start, open=opened, close=value, high=max(opened, value), low=min(opened, value)
    )
