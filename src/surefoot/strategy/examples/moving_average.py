"""Follow the trend: the recent average crossing the longer one says that it has turned."""

# mypy: disable-error-code="explicit-override"
# Written as a bot author would: nothing to import but the words of `surefoot.strategy`.

from __future__ import annotations

from statistics import fmean

from surefoot.strategy import Candle, Enter, Exit, Signal, Strategy, View


class MovingAverageCross(Strategy):
    """Enter long when the fast average crosses over the slow one; leave when it crosses under.

    Only the crossing counts, not the order of the averages. So after a stop-loss it waits for
    the next turn instead of entering the same trend again.
    """

    timeframe: str | None = "1m"  # the candles whose closes are averaged
    fast: int = 9  # how many closes make the fast average
    slow: int = 21  # how many closes make the slow average; more than `fast`

    def __init__(self, **params: object) -> None:
        super().__init__(**params)
        if not 0 < self.fast < self.slow:
            raise ValueError("fast must be 1 or more, and slow more than fast")

    def on_candle(self, candle: Candle, view: View) -> Signal | None:
        """Average the closes up to the last candle and up to this one; compare."""
        at = candle.at.isoformat()
        # A candle may be delivered again after a restart; counted twice it would bend the averages.
        if at <= view.memory.get("newest", ""):
            return None
        # One more than the slow average needs, to know where it stood one candle ago.
        closes = [*view.memory.get("closes", []), candle.close][-(self.slow + 1) :]
        view.memory.update(newest=at, closes=closes)
        if len(closes) <= self.slow:
            return None
        before, now = self._lead(closes[:-1]), self._lead(closes[1:])
        if view.position is None and before <= 0 < now:
            return Enter(long=True, reason=f"the {self.fast} average rose over the {self.slow}")
        if view.position is not None and before >= 0 > now:
            return Exit(reason=f"the {self.fast} average fell under the {self.slow}")
        return None

    def _lead(self, closes: list[float]) -> float:
        """Return how far the fast average is over the slow one."""
        return fmean(closes[-self.fast :]) - fmean(closes)
