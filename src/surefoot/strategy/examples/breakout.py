"""Follow the breakout: a market that leaves its range tends to keep going for a while."""

# mypy: disable-error-code="explicit-override"
# Written as a bot author would: nothing to import but the words of `surefoot.strategy`.

from __future__ import annotations

from surefoot.strategy import Candle, Enter, Exit, Signal, Strategy, View


class Breakout(Strategy):
    """Enter long when a candle closes above the highest high of the candles before it.

    Leave when one closes under the lowest low of the last `exit_length` candles: the range that
    the market made since has broken the other way.
    """

    timeframe: str | None = "1m"  # the candles to watch
    length: int = 20  # how many candles make the range to break out of
    exit_length: int = 10  # how many candles make the range to fall out of

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        if min(self.length, self.exit_length) < 1:
            raise ValueError("length and exit_length must be 1 or more")

    def on_candle(self, candle: Candle, view: View) -> Signal | None:
        """Compare a close with the range before it, then make it part of the range."""
        at = candle.at.isoformat()
        # A candle may be delivered again after a restart; counted twice it would narrow the range.
        if at <= view.memory.get("newest", ""):
            return None
        highs: list[float] = view.memory.get("highs", [])
        lows: list[float] = view.memory.get("lows", [])
        view.memory.update(
            newest=at,
            highs=[*highs, candle.high][-self.length :],
            lows=[*lows, candle.low][-self.exit_length :],
        )
        if view.position is None:
            # Until the range is complete anything would be a breakout.
            if len(highs) >= self.length and candle.close > max(highs):
                return Enter(long=True, reason=f"{candle.close} is over {max(highs)}")
        elif len(lows) >= self.exit_length and candle.close < min(lows):
            return Exit(reason=f"{candle.close} is under {min(lows)}")
        return None
