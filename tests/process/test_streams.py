"""Streams that repeat, reorder, lose, delay and replay: each fill once."""

from __future__ import annotations

import pytest
from tests.process.play import Play, log_of

FAULTS = {
    "stream_duplicate": {"times": 0},
    "stream_reorder": {"times": 3},
    "stream_drop": {"times": 0},
    "stream_replay": {"times": 0},
    "stream_delay": {"times": 4, "seconds": 2},
    "stream_disconnect": {"times": 1},
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_fill_is_booked_once(play: Play, fault: str) -> None:
    """Two whole trades, in and out, with four fills each, while the user stream misbehaves."""
    await play.open("--slices", "4")
    play.control.arm(fault, on="user", **FAULTS[fault])
    play.say("buy", "sell")
    server = await play.start()
    await play.state_is("CLOSED", server=server)
    play.say("buy", "sell")
    await play.state_is("CLOSED", 2, server=server)
    assert len(play.rows("SELECT 1 FROM fills")) == 16
    await server.stop()
    play.judge()


async def test_a_fill_while_the_stream_is_down_is_read_after_the_reconnect(play: Play) -> None:
    """The order filled while no socket was open; nobody ever tells; the sweep finds it."""
    await play.open()
    play.say("enter limit=60000")
    server = await play.start()
    await play.until(lambda: play.rows("SELECT 1 FROM orders WHERE status = 'WORKING'"), server)
    play.control.arm("outage")
    await play.until(lambda: "account stream broken" in log_of(server), server)
    play.control.price("BTCUSDT", 59000)
    play.control.disarm()
    await play.state_is("OPEN", server=server)
    await server.stop()
    play.judge()
