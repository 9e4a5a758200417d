"""Who is told that a stop is passed leaves: the exchange refuses it because it would trigger.

An exit is written down with the next breath, so at the next look it has to be there.
"""

from __future__ import annotations

import json

from tests.simulation.judge import DUST_WORTH, OVER, Judge
from tests.simulation.world import World


class Passed:
    """Reads such refusals from the journal as they come, and looks for the exit."""

    def __init__(self, judge: Judge, world: World) -> None:
        self._judge = judge
        self._world = world
        self._read_to = 0
        # Of each position that was told so: when, and how far the journal was.
        self._told: dict[str, tuple[float, int]] = {}

    def look(self) -> None:
        """Judge what was refused for long enough, and note what was refused since."""
        ((newest,),) = self._judge.rows("SELECT ifnull(max(sequence), 0) FROM records") or [(0,)]
        self._read_to = min(self._read_to, newest)  # files that were put back begin again
        for position, (at, sequence) in list(self._told.items()):
            if self._goes_on_since(at) and not self._left(position, sequence):
                self._judge.blame("held on to below its stop", f"{position} since {at:.0f} s")
            del self._told[position]
        for sequence, stream, data in self._judge.rows(
            "SELECT sequence, stream, data FROM records WHERE sequence > ? "
            "AND kind = 'order-refused'",
            self._read_to,
        ):
            if json.loads(data).get("grounds") == "passed":
                self._told[stream.partition("/")[2]] = (self._world.now, sequence)
        self._read_to = newest

    def _goes_on_since(self, at: float) -> bool:
        """Tell whether the same life could have asked for an exit ever since."""
        up_since = self._world.up_since
        return up_since is not None and up_since < at and self._judge.files_are_whole

    def _left(self, position: str, sequence: int) -> bool:
        """Tell whether something was to be sold since then, or there is nothing to sell.

        An exit that was turned away before waits for its next turn.
        """
        holding = self._judge.holdings.get(position)
        if holding is None or holding.declared or self._judge.worth(holding) <= DUST_WORTH:
            return True
        exits = self._judge.rows(
            "SELECT sequence, status FROM orders WHERE position_id = ? AND role = 'exit'", position
        )
        done = OVER - {"REJECTED"}
        return any(since > sequence or status not in done for since, status in exits)
