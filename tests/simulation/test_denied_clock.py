"""An exchange whose clock runs away from ours: every order is refused for its time, and then none.

Broken on purpose, and red here: a denial that nobody hears (it was over after a minute); a try that
waits for its time by a clock that was ahead.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest
from tests.simulation.test_left_account import BOT
from tests.simulation.world import BEAT_S, World

from surefoot.simulator import Settings


@pytest.mark.parametrize("moved_s", [30.0, -30.0])
def test_what_is_refused_for_its_time_is_sent_again_within_seconds(moved_s: float) -> None:
    """A level that is watched here is passed just then."""

    async def play(world: World) -> None:
        world.configure(BOT.format(name="swing", account="main"))
        world.start()
        await world.sleep(62)  # the clock was measured just now, and is again in a minute
        world.simulator.clock.advance(moved_s)
        world.move("BTCUSDT", 0.9)
        await world.sleep(20)
        with closing(sqlite3.connect(world.directory / "surefoot.db")) as journal:
            states.extend(journal.execute("SELECT position_id, state FROM positions"))

    states: list[tuple[str, str]] = []
    world = World(1, Settings(beat_s=BEAT_S))
    world.run(play)
    refused = [line for line in world.story.lines if "-1021" in line]
    sold = [line for line in world.story.lines if "exchange TRADE" in line and "side=SELL" in line]
    assert refused, "it was never refused: the test shows nothing"
    assert len(sold) == 1
    assert ("swing-1", "CLOSED") in states
