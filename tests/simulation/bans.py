"""Who was asked to stay away does so, and so does every life after that one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from tests.simulation.judge import Judge
from tests.simulation.world import BEGINNING

# What was on its way when the ban was noted may arrive for so long.
ON_ITS_WAY_S: Final = 10.0
# Where a ban ends is told in whole seconds, and the program's idea of the time may be off a little.
_ABOUT_S: Final = 2.0
# What a start asks before it has a journal to read a ban in.
_ASKED_AT_START: Final = frozenset({"time", "account", "restrictions", "exchangeInfo"})


class Bans:
    """Compares what the exchange was asked with the bans that the journal tells of."""

    def __init__(
        self, judge: Judge, requests: Sequence[Mapping[str, Any]], now: Callable[[], float]
    ) -> None:
        self._judge = judge
        self._requests = requests
        self._now = now
        self._seen: dict[str, float] = {}
        self._looked_at = 0.0

    def look(self) -> None:
        """Judge what was asked since the last look."""
        if not self._judge.files_are_whole:
            return
        for until in self._judge.bans():
            self._seen.setdefault(until, self._now() + ON_ITS_WAY_S)
        held = [(since, _second_of(until) - _ABOUT_S) for until, since in self._seen.items()]
        for request in reversed(self._requests):
            at = request["at_ms"] / 1000 - BEGINNING.timestamp()
            if at < self._looked_at:
                break
            banned = any(since < at < until for since, until in held)
            if banned and request["operation"] not in _ASKED_AT_START:
                self._judge.blame("asked through a ban", f"{request['operation']} at {at:.3f} s")
                break
        self._looked_at = self._now()


def _second_of(moment: str) -> float:
    return datetime.fromisoformat(moment).timestamp() - BEGINNING.timestamp()
