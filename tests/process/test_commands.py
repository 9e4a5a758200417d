"""The operator's commands: durable rows, done once, and void after their time."""

from __future__ import annotations

import csv
import io
import json

from tests.process.play import Play, log_of


async def test_pause_and_resume(play: Play) -> None:
    await play.open()
    server = await play.start()
    await play.recovered(server)
    assert (await play.stage.run("pause", "bot"))[0] == 0
    play.say("enter")
    await play.until(lambda: "the bot is PAUSED" in log_of(server), server)
    await server.kill()
    server = await play.start()
    await play.recovered(server)
    assert (await play.status())["bots"][0]["status"] == "PAUSED"
    code, output, _ = await play.stage.run("resume", "bot")
    assert (code, output.strip()) == (0, "Done: bot is RUNNING.")
    play.say("enter")
    await play.state_is("OPEN", server=server)
    await server.stop()
    play.judge()


SECOND = """
[bots.second]
account = "main"
symbol = "ETH/USDT"
strategy = "surefoot.strategy.examples:DipBuyer"
notional = 100
"""


async def test_stop_all_holds_over_a_restart_and_only_its_own_are_resumed(play: Play) -> None:
    """The one button of a bad day, pressed while the exchange cannot even be reached."""
    await play.open(bots=SECOND)
    server = await play.start()
    await play.recovered(server)
    assert (await play.stage.run("pause", "second"))[0] == 0
    await server.kill()
    play.control.arm("outage", times=0)
    server = await play.start()
    await play.until(lambda: '"started"' in log_of(server), server)
    code, output, _ = await play.stage.run("stop-all")
    assert code == 0
    assert "nothing is entered any more (1 bot paused; 1 entered nothing before)" in output
    code, output, _ = await play.stage.run("resume-all")
    assert code == 1
    assert "bot cannot run before its account is recovered" in output
    await server.kill()
    play.control.disarm()
    server = await play.start()
    await play.recovered(server)
    play.say("enter")
    await play.until(lambda: "the bot is PAUSED: stop-all" in log_of(server), server)
    code, output, _ = await play.stage.run("resume-all")
    assert (code, output.strip()) == (0, "Done: 1 bot may enter again.")
    play.say("enter")
    await play.state_is("OPEN", server=server)
    statuses = {each["bot"]: each["status"] for each in (await play.status())["bots"]}
    assert statuses == {"bot": "RUNNING", "second": "PAUSED"}
    await server.stop()
    play.judge()


async def test_close_is_refused_without_a_position_and_done_with_one(play: Play) -> None:
    await play.open()
    server = await play.start()
    await play.recovered(server)
    code, output, _ = await play.stage.run("close", "bot")
    assert code == 1
    assert "bot-1 is FLAT: there is nothing to close" in output
    play.say("enter")
    await play.state_is("OPEN", server=server)
    assert (await play.stage.run("close", "bot"))[0] == 0
    await play.state_is("CLOSED", server=server)
    await server.stop()
    play.judge()


async def test_a_command_posted_while_nobody_runs_is_carried_out_at_the_start(play: Play) -> None:
    await play.open()
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await server.kill()
    code, output, _ = await play.stage.run("close", "bot")
    assert code == 1  # Only stored: nothing is closed yet.
    assert "no server runs" in output
    server = await play.start()
    await play.state_is("CLOSED", server=server)
    await server.stop()
    play.judge()


async def test_an_old_command_is_void(play: Play) -> None:
    """A "close" from yesterday must not close today's position."""
    await play.open()
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await server.stop()
    await play.stage.run("close", "bot")
    play.write_inbox(
        "UPDATE commands SET posted_at = '2025-12-31T23:59:00.000000Z', "
        "expires_at = '2026-01-01T00:00:00.000000Z'"
    )
    server = await play.start()
    await play.until(lambda: '"event": "command"' in log_of(server), server)
    assert "it was void after 2026-01-01" in log_of(server)
    assert (await play.position()).state == "OPEN"
    await server.stop()


async def test_a_frozen_position_is_resolved(play: Play) -> None:
    """What was withdrawn is not sold: frozen, with the reason; --flat writes it off."""
    await play.open()
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await server.stop()
    play.control.do("balance", asset="BTC", free="0")
    server = await play.start()
    await play.until(lambda: '"position-frozen"' in log_of(server), server)
    code, output, _ = await play.stage.run("status")
    assert code == 3
    assert "bot-1 is frozen: the account holds 0.00161838 BTC less" in output
    code, output, _ = await play.stage.run("resolve", "bot-1", "--flat")
    assert code == 0, output
    position = await play.state_is("CLOSED", server=server)
    assert position.quantity == 0
    assert str(position.written_off) == "0.00161838"
    await server.stop()


async def test_explain_log_export_and_backup(play: Play) -> None:
    await play.open()
    play.say("buy", "sell")
    server = await play.start()
    await play.state_is("CLOSED", server=server)
    code, story, _ = await play.stage.run("explain", "bot-1")
    assert code == 0
    for sentence in (
        "bot-1 begins, FLAT, on BTC/USDT.",
        "Written down before it is sent: buy 0.00162 at the market, to enter",
        "0.00162 bought at 61685.99 (trade 3700000000, fee 0.00000162 BTC)",
        "The position is CLOSED",
    ):
        assert sentence in story
    code, trail, _ = await play.stage.run("log", "--bot", "bot", "--last", "3", "--json")
    assert [json.loads(line)["stream"] for line in trail.splitlines()] == ["position/bot-1"] * 2 + [
        "position/bot-2"
    ] or len(trail.splitlines()) == 3
    code, text, _ = await play.stage.run("export", "fills", "--format", "csv")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [row["side"] for row in rows] == ["buy", "sell"]
    code, text, _ = await play.stage.run("export")
    assert sorted(json.loads(text)) == ["fills", "orders", "positions"]
    assert (await play.stage.run("backup", "copy.db"))[0] == 0
    code, _, errors = await play.stage.run("backup", "copy.db")
    assert code == 2
    assert "a backup never overwrites" in errors
    await server.stop()


async def test_check_and_init(play: Play) -> None:
    await play.open()
    code, output, errors = await play.stage.run("check")
    assert code == 0, errors
    assert "SIMULATED" in output
    assert not play.stage.journal.exists()
    play.control.do("account", withdraws=True)
    code, output, _ = await play.stage.run("check")
    assert code == 1
    assert "these keys may withdraw" in " ".join(output.split())
    code, output, _ = await play.stage.run("init", "new")
    assert code == 0
    assert (play.stage.directory / "new" / "my_bots.py").exists()
    code, _, errors = await play.stage.run("init", "new")
    assert code == 1
    assert "nothing was written" in errors


async def test_a_pause_that_was_posted_while_nobody_ran_beats_the_first_tick(play: Play) -> None:
    """The strategy wants to enter at once; the operator said pause before the start."""
    await play.open()
    server = await play.start()
    await play.recovered(server)
    await server.stop()
    await play.stage.run("pause", "bot")
    play.say("enter", "enter", "enter")
    server = await play.start()
    await play.until(lambda: "the bot is PAUSED" in log_of(server), server)
    assert play.sends() == []
    await server.stop()
