"""A grid in one position: buy a unit at every step down, sell one at every step up.

    [bots.grid-btc]
    account = "main"
    symbol = "BTC/USDT"
    strategy = "grid.py:Grid"
    notional = 50                             # each unit
    stop_loss = "12%"                         # under the whole grid
    params = { step = 0.01, units = 8 }
    limits = { position_notional = 410 }      # what all units together may cost

The first unit is bought where the price is: that is the top of the grid. What was bought at one
step is sold a step above it. When the last unit is sold the grid begins anew, higher up. How many
units are held follows from what they cost, so that nothing is counted twice: a buy that was refused
or filled in part is seen as what it is.
"""

from __future__ import annotations

from surefoot.strategy import Add, Enter, Exit, Signal, Strategy, Tick, View


class Grid(Strategy):
    """Hold a unit more for every step under the top."""

    step: float = 0.01  # how far the steps are apart, as a part of the top's price
    units: int = 8  # how many are held at most

    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        """Compare how deep the price is with how much is held."""
        position, memory = view.position, view.memory
        if position is None:
            memory.clear()
            return Enter(reason="the top of a new grid")
        if position.state != "OPEN" or position.adding or position.entry_price is None:
            return None
        cost = position.quantity * position.entry_price
        if "unit" not in memory:
            memory.update(top=position.entry_price, unit=cost)
        held = max(1, round(cost / memory["unit"]))
        depth = (memory["top"] - tick.price) / (memory["top"] * self.step)
        view.note(f"{held} of {self.units} units, {depth:.1f} steps under {memory['top']:.2f}")
        if depth >= held < self.units:
            return Add(reason=f"{held} steps under {memory['top']:.2f}")
        if depth <= held - 2:
            part = 1 / held if held > 1 else None
            return Exit(fraction=part, reason=f"a step over where unit {held} was bought")
        return None
