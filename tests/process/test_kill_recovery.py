"""SIGKILL at each step of recovery, with something to recover; and recovery twice."""

from __future__ import annotations

import pytest
from tests.process.play import Play

STEPS = [
    "recovery.after-bind",
    "recovery.after-load",
    "recovery.after-orders",
    "recovery.after-fills",
    "recovery.before-commit",
    "recovery.after-commit",
    "recovery.before-orphans",
    "recovery.before-report",
    "recovery.after-report",
]


async def leave_unknown(play: Play, side: str) -> None:
    """Leave an order behind that is in at the exchange and unknown here."""
    await play.open()
    play.say("enter")
    server = await play.start()
    if side == "SELL":
        await play.state_is("OPEN", server=server)
        play.say("exit")
    play.control.arm("stream_drop", on="user", times=0)
    play.control.arm("slow_response", on="order.send", side=side, seconds=60)
    await play.until(lambda: play.orders(side), server)
    await server.kill()
    play.control.disarm()


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize(
    ("side", "ending"),
    [("BUY", "OPEN"), pytest.param("SELL", "CLOSED", marks=pytest.mark.slow)],
)
async def test_killed_inside_recovery(play: Play, step: str, side: str, ending: str) -> None:
    """Twice at the same step, then let go: as if it had never been killed (S9)."""
    await leave_unknown(play, side)
    await play.die(await play.start(crash_at=step))
    # What was committed before the first death may leave the second nothing to commit.
    again = await play.start(crash_at=step)
    if step not in {"recovery.before-commit", "recovery.after-commit"}:
        await play.die(again)
    else:
        await play.stage.until(lambda: again.exit_code is not None, 4)
        await again.kill()
    server = await play.start()
    await play.state_is(ending, server=server)
    assert len(play.orders(side)) == 1
    await server.stop()
    play.judge()


async def test_recovering_again_changes_nothing(play: Play) -> None:
    """Two more recoveries of a known state write reports, and not one record of a position."""
    await leave_unknown(play, "BUY")
    code, _, errors = await play.stage.run("recover", "--json")
    assert code == 0, errors
    position = await play.position()
    assert position.state == "OPEN"
    before = play.rows("SELECT count(*) FROM records WHERE stream LIKE 'position/%'")
    orders = play.orders()
    for _ in range(2):
        code, _, errors = await play.stage.run("recover", "--json")
        assert code == 0, errors
    assert play.rows("SELECT count(*) FROM records WHERE stream LIKE 'position/%'") == before
    assert play.orders() == orders
    play.judge()


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(play: Play) -> None:
    await leave_unknown(play, "BUY")
    journal = play.rows("SELECT count(*) FROM records")
    orders = play.orders()
    code, output, errors = await play.stage.run("recover", "--dry-run")
    assert code == 0, errors
    assert "order-over" in output
    assert "bot-1 would be written" in output
    assert "Nothing was written and nothing was sent" in output
    assert play.rows("SELECT count(*) FROM records") == journal
    assert play.orders() == orders
