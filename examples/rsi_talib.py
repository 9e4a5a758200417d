"""An indicator of TA-Lib, warm from the first candle on (`pip install TA-Lib`).

`history` closed candles are there before the first question; the indicator is computed from them
anew for each candle, so that nothing has to be kept.
"""

from __future__ import annotations

import numpy as np
import talib

from surefoot.strategy import Candle, Enter, Exit, Signal, Strategy, View


class RsiFromArrays(Strategy):
    """Buy what is oversold, by TA-Lib's RSI; leave when it is not any more."""

    timeframe: str | None = "5m"
    history: int = 200
    length: int = 14
    low: float = 30.0
    high: float = 60.0

    def on_candle(self, candle: Candle, view: View) -> Signal | None:
        """Compute the RSI of the whole window; the last value is that of this candle."""
        rsi = talib.RSI(view.candles.to_arrays()["close"], timeperiod=self.length)[-1]
        if np.isnan(rsi):  # too few candles so far; memory holds numbers, and this is none
            return None
        view.memory["rsi"] = rsi  # NumPy's numbers are taken as the numbers that they are
        view.note(f"RSI {rsi:.1f}, waiting for {self.low:g}")
        if view.position is None and rsi < self.low:
            return Enter(reason=f"RSI {rsi:.1f} at {candle.close}")
        if view.position is not None and rsi > self.high:
            return Exit(reason=f"RSI {rsi:.1f}")
        return None
