"""Buy again as the price falls, and leave all of it at a gain over the average price (DCA).

    [bots.dca-btc]
    account = "main"
    symbol = "BTC/USDT"
    strategy = "dca.py:BuyTheFall"
    notional = 50                             # each buy
    take_profit = "1%"                        # over the average: it follows with every buy
    stop_loss = "15%"                         # under the first buy: a stop never goes down
    params = { step = 0.02, additions = 4 }
    limits = { position_notional = 260 }      # what all buys together may cost

Nothing has to be remembered: what was bought, at what average and how often is the position itself,
so a restart between two buys goes on where it was.
"""

from __future__ import annotations

from surefoot.strategy import Add, Enter, Signal, Strategy, Tick, View


class BuyTheFall(Strategy):
    """Open at once; add whenever the price is a step under the average."""

    step: float = 0.02  # how far under the average price the next buy is
    additions: int = 4  # how many buys follow the first one at most

    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        """Compare a price with the average."""
        position = view.position
        if position is None:
            return Enter(reason="the first of a series")
        if position.state != "OPEN" or position.adding or position.entry_price is None:
            return None
        if position.entries > self.additions:
            view.note("all buys are made; waiting for the take-profit or the stop")
            return None
        below = position.entry_price * (1 - self.step)
        view.note(f"buy {position.entries + 1} of {self.additions + 1} at {below:.2f}")
        if tick.price > below:
            return None
        return Add(reason=f"{tick.price} is {self.step:.1%} under {position.entry_price:.2f}")
