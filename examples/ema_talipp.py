"""Indicators of talipp, fed candle by candle (`pip install talipp`).

What is kept on `self` does not survive a restart: `on_start` fills it with the candles that closed
before, and `on_candle` is shown every one after those exactly once.
"""

from __future__ import annotations

from statistics import fmean

from talipp.indicators import EMA

from surefoot.strategy import Candle, Enter, Exit, Signal, Strategy, View


class EmaTrend(Strategy):
    """Follow talipp's fast average over its slow one, while the hourly trend agrees."""

    timeframe: str | None = "5m"
    timeframes = ("1h",)
    history: int = 200
    fast: int = 9
    slow: int = 21
    trend: int = 50

    def on_start(self, view: View) -> None:
        """Fill the averages with what closed before; `on_candle` goes on from there."""
        self._fast = EMA(self.fast, input_values=view.candles.close)
        self._slow = EMA(self.slow, input_values=view.candles.close)

    def on_candle(self, candle: Candle, view: View) -> Signal | None:
        """Feed the averages; enter and leave when they cross."""
        before = self._lead()
        self._fast.add(candle.close)
        self._slow.add(candle.close)
        now, hours = self._lead(), view.candles_of("1h").close[-self.trend :]
        rising = bool(hours) and candle.close > fmean(hours)
        view.note(f"lead {now:.4f}, the hours are {'rising' if rising else 'falling'}")
        if view.position is None and before <= 0 < now and rising:
            return Enter(reason=f"the {self.fast} average rose over the {self.slow}")
        if view.position is not None and now < 0:
            return Exit(reason=f"the {self.fast} average fell under the {self.slow}")
        return None

    def _lead(self) -> float:
        """Return how far the fast average is over the slow one; 0 while one is not complete."""
        fast, slow = self._fast, self._slow
        return 0.0 if not slow or slow[-1] is None else fast[-1] - slow[-1]
