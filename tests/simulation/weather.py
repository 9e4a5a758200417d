"""Since when nothing has kept the program from running, hearing and being heard.

What may last for a moment after a fault is judged only where nothing went wrong for longer than
that. Prices of which the market stream does not tell are no excuse: they are asked for.
"""

from __future__ import annotations

from typing import Any, Final

from tests.simulation.world import World

# What lasts when it strikes, or changes what the program has to do, is over so much later.
_LASTS_S: Final = {
    "latency": 90.0, "break": 30.0, "expire": 60.0, "owner": 60.0, "operator": 60.0, "types": 60.0,
    "restore": 60.0, "deleted": 90.0, "log-lost": 60.0, "snapshot": 60.0,
    "moved": 60.0, "forged": 60.0, "unlock": 60.0, "hush": 60.0,
}  # fmt: skip
# What a fault has hit is tried again within so long.
_AGAIN_S: Final = 60.0
# These are met, and nothing waits for it to be tried again.
_HARMLESS: Final = frozenset(
    {"partial_fill", "ack_without_id", "stream_duplicate", "stream_reorder", "stream_replay"}
)


class Weather:
    """Notices what was done to the program, again and again."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._armory = world.simulator.armory
        self._foul_until = 0.0
        self._looked_at = -1.0
        self._struck: dict[str, int] = {}
        # Faults that may yet hit, and how often they had when that was last looked at.
        self._pending: dict[int, tuple[Any, int]] = {}
        self._known = 0

    @property
    def fair_since(self) -> float:
        """Return since when the same life has gone on undisturbed; later than now: it has not.

        Whoever judges an order when it comes must not be told how it was some seconds ago.
        """
        if self._world.now > self._looked_at:
            self.look()
        up_since = self._world.up_since
        return max(self._foul_until, self._world.now if up_since is None else up_since)

    def lasts(self, since: float) -> float:
        """Return for how long something that is so since then was so in fair weather."""
        return self._world.now - max(since, self.fair_since)

    def look(self) -> None:
        """Notice what has struck since the last look."""
        now = self._looked_at = self._world.now
        if self._armory.outage:
            self._soil(now + _AGAIN_S)
        for kind, lasts_s in _LASTS_S.items():
            times = self._world.story.counts.get(f"trouble {kind}", 0)
            if times > self._struck.get(kind, 0):
                self._struck[kind] = times
                self._soil(now + lasts_s)
        self._look_at_faults()

    def _look_at_faults(self) -> None:
        for fault in self._armory.history[self._known :]:
            if fault.name not in _HARMLESS and fault.operation != "market":
                self._pending[fault.fault_id] = (fault, 0)
        self._known = len(self._armory.history)
        for name, (fault, hits) in list(self._pending.items()):
            if fault.hits > hits:
                self._pending[name] = (fault, fault.hits)
                self._soil(self._world.now + fault.number("seconds", 0) + _AGAIN_S)
            if name not in self._armory.faults:
                del self._pending[name]

    def _soil(self, until: float) -> None:
        self._foul_until = max(self._foul_until, until)
