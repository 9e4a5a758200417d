"""Signals that must send nothing, and seconds that must not start."""

from __future__ import annotations

import pytest
from tests.process.play import Play, events, log_of

from surefoot.core.values import PositionId
from surefoot.demo import Server

EAGER = 'strategy = "acts.py:Eager"'


def eager(play: Play) -> None:
    """Give the bot the strategy that wants to enter and to leave at every tick."""
    file = play.stage.directory / "surefoot.toml"
    text = file.read_text(encoding="utf-8")
    file.write_text(text.replace('strategy = "acts.py:Scripted"', EAGER), encoding="utf-8")


def refusals(server: Server) -> set[str]:
    return {
        f"{event['signal']}: {event['why']}"
        for event in events(server)
        if event.get("event") == "signal refused"
    }


@pytest.mark.parametrize("liar", [None, "empty_list", "omit_row"])
async def test_nothing_more_is_sent_while_an_entry_is_out(play: Play, liar: str | None) -> None:
    """OPENING: entries and exits are refused, also while the exchange's own lists are wrong."""
    await play.open(visibility="60s")
    eager(play)
    play.control.arm("slow_response", on="order.send", seconds=4)
    play.control.arm("stream_drop", on="user", times=0)
    play.control.arm("hide_order", on="order.send", seconds=8)
    if liar is not None:
        for operation in ("openOrders", "myTrades"):
            play.control.arm(liar, on=operation, times=0)
    server = await play.start()
    await play.until(play.sends, server)
    await play.stage.clock.sleep(3)
    assert len(play.sends()) == 1
    assert (await play.position()).state == "OPENING"
    await server.kill()
    said = refusals(server)
    assert "Enter: no entry while the position is OPENING" in said
    assert "Exit: no exit while the position is OPENING" in said


async def test_nothing_more_is_sent_while_an_exit_is_out(play: Play) -> None:
    """CLOSING: neither an entry nor a second exit."""
    await play.open(visibility="60s")
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    play.control.arm("slow_response", on="order.send", seconds=5)
    play.control.arm("hide_order", on="order.send", seconds=8)
    play.control.arm("stream_drop", on="user", times=0)
    play.say("exit", "exit", "enter", "exit")
    await play.until(lambda: len(play.sends()) == 2, server)
    await play.stage.clock.sleep(3)
    assert len(play.sends()) == 2
    assert (await play.position()).state == "CLOSING"
    said = refusals(server)
    assert "Exit: no exit while the position is CLOSING" in said
    assert "Enter: no entry while the position is CLOSING" in said
    await server.stop()


async def test_an_entry_while_open_and_an_exit_while_flat_send_nothing(play: Play) -> None:
    await play.open()
    play.say("exit", "enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    play.say("enter", "enter")
    await play.until(lambda: log_of(server).count("no entry while the position is OPEN"), server)
    assert "Exit: no exit while the position is FLAT" in refusals(server)
    assert len(play.sends()) == 1
    await server.stop()
    play.judge()


async def test_caps_hold_whatever_the_strategy_wants(play: Play) -> None:
    """A limit far from the market, and more orders a minute than allowed."""
    await play.open(bot='limits = { orders_per_minute = 2, price_band = "1%" }')
    play.say("enter limit=50000", "buy", "sell")
    server = await play.start()
    await play.state_is("CLOSED", server=server)
    play.say("buy")
    await play.until(lambda: "cap orders_per_minute is 2" in log_of(server), server)
    assert "more than 1 % from the last trade" in log_of(server)
    assert len(play.sends()) == 2
    await server.stop()
    play.judge()


async def test_entries_are_blocked_and_exits_are_not_while_the_market_is_silent(play: Play) -> None:
    """The stream says nothing for 30 s: it is taken for dead, and no price is fresh."""
    await play.open()
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    play.control.arm("stream_silence", on="market", seconds=600, times=1)
    await play.until(lambda: "nothing was heard for 30 s" in log_of(server), server)
    code, output, _ = await play.stage.run("close", "bot")
    assert code == 0, output
    await play.state_is("CLOSED", server=server)
    await server.stop()
    play.judge()


async def test_a_second_server_is_refused_at_once(play: Play) -> None:
    """It names the first one; and the first one's death lets the next one in."""
    await play.open()
    first = await play.start()
    await play.recovered(first)
    code, _, errors = await play.stage.run("run")
    assert code == 1
    assert f"another Surefoot runs on surefoot.db: process {first.pid} on " in errors
    assert " since 2" in errors
    await first.kill()
    second = await play.start()
    await play.recovered(second)
    await second.stop()


async def test_an_illegal_transition_is_refused_by_the_database(play: Play) -> None:
    """Tried with raw SQL on the journal of a real run."""
    await play.open()
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await server.stop()
    illegal = {"FLAT", "OPENING", "CLOSED"}
    for state in illegal:
        with pytest.raises(Exception, match="illegal transition"):
            play.write("UPDATE positions SET state = ? WHERE position_id = 'bot-1'", state)
    with pytest.raises(Exception, match="records are never changed"):
        play.write("UPDATE records SET data = '{}'")
    with pytest.raises(Exception, match="fills are never replaced"):
        play.write("INSERT INTO fills SELECT * FROM fills")
    assert (await play.stage.position(PositionId("bot-1"))).state == "OPEN"


async def test_a_commit_that_fails_ends_the_process_and_the_next_one_asks(play: Play) -> None:
    """Nobody knows whether it happened: exit 1, send nothing more, come back through recovery."""
    await play.open()
    server = await play.start()
    await play.recovered(server)
    play.write(
        "CREATE TRIGGER full BEFORE INSERT ON records BEGIN SELECT RAISE(FAIL, 'disk full'); END"
    )
    play.say("buy")
    await play.until(lambda: server.exit_code is not None, server)
    assert server.exit_code == 1
    assert "a commit failed" in log_of(server)
    assert "Traceback" not in log_of(server)
    assert play.sends() == []
    play.write("DROP TRIGGER full")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await server.stop()
    play.judge()
