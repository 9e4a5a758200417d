"""Buy the dip: what fell a little from its high may come back."""

# mypy: disable-error-code="explicit-override"
# Written as a bot author would: nothing to import but the words of `surefoot.strategy`.

from __future__ import annotations

from surefoot.strategy import Enter, Signal, Strategy, Tick, View


class DipBuyer(Strategy):
    """Enter long when the price is a fraction under the highest price seen.

    It never sells by itself: the bot's stop-loss and take-profit do. The high never falls, so in
    a falling market it enters again after every stop; give it a `stop_loss` that you can bear.
    """

    dip: float = 0.003  # how far under the high to buy: 0.3 %

    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        """Remember the high; enter under it."""
        high = max(view.memory.get("high", 0.0), tick.price)
        view.memory["high"] = high
        if view.position is None and tick.price < high * (1 - self.dip):
            return Enter(long=True, reason=f"{tick.price} is {self.dip:.1%} under {high}")
        return None
