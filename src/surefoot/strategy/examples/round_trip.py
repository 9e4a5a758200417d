"""Buy, hold, sell: a trade from one end to the other, to see that everything works."""

# mypy: disable-error-code="explicit-override"
# Written as a bot author would: nothing to import but the words of `surefoot.strategy`.

from __future__ import annotations

from datetime import datetime, timedelta

from surefoot.strategy import Enter, Exit, Signal, Strategy, Tick, View


class RoundTrip(Strategy):
    """Enter at the first trade, leave after `hold`, wait as long, and do so again.

    It has no opinion and earns nothing: every round costs the spread and two fees. So it makes a
    few and then rests; put a strategy of your own in its place.
    """

    rounds: int = 3  # how often
    hold: timedelta = timedelta(seconds=30)  # how long

    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        """Enter, or leave, when it is time."""
        memory, position = view.memory, view.position
        if position is not None and position.opened_at is not None:
            opened = position.opened_at.isoformat()
            # A round counts once it is there: an entry that the market refused is none.
            if memory.get("opened") != opened:
                memory.update(opened=opened, rounds=memory.get("rounds", 0) + 1)
            if position.state == "OPEN" and tick.at - position.opened_at >= self.hold:
                return Exit(reason=f"held for {self.hold.total_seconds():g} s")
        elif position is None and memory.get("rounds", 0) >= self.rounds:
            view.note("nothing more: its rounds are made; write a strategy of your own")
        elif position is None and self._rested(tick, memory.get("opened")):
            return Enter(reason=f"round {memory.get('rounds', 0) + 1} of {self.rounds}")
        return None

    def _rested(self, tick: Tick, opened: str | None) -> bool:
        return opened is None or tick.at - datetime.fromisoformat(opened) >= 2 * self.hold
