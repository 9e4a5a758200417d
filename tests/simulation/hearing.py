"""What a life can have heard of the account: answers that nothing kept from it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from tests.simulation.judge import Judge
from tests.simulation.world import BEGINNING, World

# What was decided on an older answer may be on its way for so long after a newer one.
IN_FLIGHT_S: Final = 30.0


class Hearing:
    """Reads from the exchange's own list which of its answers reached the program."""

    def __init__(self, judge: Judge, world: World, visibility_s: float) -> None:
        self._judge = judge
        self._world = world
        self._visibility_s = visibility_s

    def knows(self, since: float, symbol: str) -> bool:
        """Tell whether this life has been told how the account stands since then, and may act.

        Once is a question only: what lacks may still be a fill that is not shown. It is asked
        again when nothing can be hidden any more. As long as an order is in doubt, that may be
        what took it; and what moves meanwhile is of another moment than the answer.
        """
        since = max(since, self._world.births[-1], self._moved_at(symbol))
        told = self._answers(since)
        if not told or self._world.now < self._world.slow_until:
            return False
        proven = (at for at in told if at >= told[0] + self._visibility_s)
        return next(proven, self._world.now) + IN_FLIGHT_S < self._world.now

    def _moved_at(self, symbol: str) -> float:
        """Return when a doubt about a symbol's orders began or ended last, or a fill was booked."""
        ((at,),) = self._judge.rows(
            "SELECT max(at) FROM records WHERE kind IN ('order-doubted', 'order-never', "
            "'fill-booked') AND stream IN (SELECT 'position/' || position_id FROM positions "
            "WHERE replace(symbol, '/', '') = ?)",
            symbol,
        )
        return (datetime.fromisoformat(at) - BEGINNING).total_seconds() if at else 0.0

    def _answers(self, since: float) -> list[float]:
        """Return when balances were told since then, the first one first."""
        found = []
        for request in reversed(self._world.simulator.requests):
            at = request["at_ms"] / 1000 - BEGINNING.timestamp()
            if at < since:
                break
            if request["operation"] == "account" and request["done"] and "faults" not in request:
                found.append(at)
        return found[::-1]
