"""Who was asked to stay away does so, and so does every life after that one."""

from __future__ import annotations

from typing import Any, Final

from tests.simulation.judge import Judge
from tests.simulation.world import BEGINNING, World

# What was on its way when the ban was told may arrive for so long.
ON_ITS_WAY_S: Final = 10.0
# A life that died sooner may not have written it down yet.
NOTED_S: Final = 5.0
# Where a ban ends is told in whole seconds, and the program's idea of the time may be off a little.
_ABOUT_S: Final = 2.0
# What a start asks to learn the time and the account.
_ASKED_AT_START: Final = frozenset({"time", "account", "restrictions", "exchangeInfo"})


class Bans:
    """Compares what the exchange was asked with what it had answered before."""

    def __init__(self, judge: Judge, world: World) -> None:
        self._judge = judge
        self._world = world
        # When a ban was told, and when it ends.
        self._told: list[tuple[float, float]] = []
        self._struck: set[int] = set()
        self._looked_at = 0.0

    def look(self) -> None:
        """Judge what was asked since the last look."""
        fresh = []
        for request in reversed(self._world.simulator.requests):
            at = request["at_ms"] / 1000 - BEGINNING.timestamp()
            if at < self._looked_at:
                break
            fresh.append((at, request))
        self._looked_at = self._world.now
        lasts_s = self._shortest_of_late()
        for at, request in reversed(fresh):
            if self._holds(at) and request["operation"] not in _ASKED_AT_START:
                self._judge.blame("asked through a ban", f"{request['operation']} at {at:.3f} s")
                break
            heard = at > self._world.slow_until
            if heard and "rate_limit" in request.get("faults", ()):
                self._told.append((at, at + lasts_s - _ABOUT_S))

    @property
    def kept_over_a_restart(self) -> int:
        """Return how many lives began while they were to stay away."""
        return sum(
            any(told + NOTED_S < birth < until for told, until in self._told)
            for birth in self._world.births
        )

    def _holds(self, at: float) -> bool:
        return self._judge.files_are_whole and any(
            told + ON_ITS_WAY_S < at < until and not self._died_after(told)
            for told, until in self._told
        )

    def _died_after(self, told: float) -> bool:
        return any(told < birth < told + NOTED_S for birth in self._world.births)

    def _shortest_of_late(self) -> float:
        """Return how long the shortest ban lasts that has struck since the last look."""
        history: list[Any] = self._world.simulator.armory.history
        struck = {f.fault_id: f for f in history if f.name == "rate_limit" and f.hits}
        late = struck.keys() - self._struck
        self._struck |= late
        return min((struck[each].number("seconds", 5) for each in late), default=0.0)
