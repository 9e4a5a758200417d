"""The exchange is down, or a part of it is: patience, a report, and a way back."""

from __future__ import annotations

from tests.process.play import Play, events, log_of

GIVE_UP = '[recovery]\ngive_up_after = "8s"'


def waits(log: list[dict[str, object]]) -> list[object]:
    return [each["retry_in_s"] for each in log if each.get("event") == "exchange unreachable"]


async def test_down_at_start_then_given_up_then_recovered(play: Play) -> None:
    """1, 2, 4 s; then the server lives on, the bot in REVIEW, until `recover` brings it back."""
    await play.open(rest=GIVE_UP)
    play.say("enter")
    play.control.arm("outage")
    server = await play.start()
    await play.until(lambda: '"recovery failed"' in log_of(server), server)
    assert waits(events(server)) == [1, 2, 4]
    assert server.exit_code is None
    code, output, _ = await play.stage.run("status")
    assert code == 3, output
    document = await play.status()
    assert document["bots"][0]["status"] == "REVIEW"
    assert "the exchange cannot be reached" in document["bots"][0]["reason"]
    assert document["recovery"]["outcome"] == "failed"
    play.control.disarm()
    code, output, errors = await play.stage.run("recover", "bot")
    assert code == 0, output + errors
    await play.state_is("OPEN", server=server)
    assert (await play.status())["bots"][0]["status"] == "RUNNING"
    await server.stop()
    play.judge()


async def test_a_short_outage_costs_time_only(play: Play) -> None:
    await play.open()
    play.say("enter")
    play.control.arm("outage")
    server = await play.start()
    await play.until(lambda: "exchange unreachable" in log_of(server), server)
    play.control.disarm()
    await play.state_is("OPEN", server=server)
    await server.stop()
    play.judge()


async def test_a_paused_bot_is_still_paused_after_an_outage(play: Play) -> None:
    """Giving up must not turn an operator's pause into a REVIEW that the next start lifts."""
    await play.open(rest=GIVE_UP)
    server = await play.start()
    await play.recovered(server)
    code, output, _ = await play.stage.run("pause", "bot")
    assert code == 0, output
    await server.stop()
    play.control.arm("outage")
    server = await play.start()
    await play.until(lambda: '"recovery failed"' in log_of(server), server)
    play.control.disarm()
    code, output, _ = await play.stage.run("recover", "bot")
    assert code == 0, output
    await play.until(lambda: '"recovery finished"' in log_of(server), server)
    play.say("enter")
    await play.until(lambda: "the bot is PAUSED" in log_of(server), server)
    assert play.sends() == []
    await server.stop()


ETH = """
[bots.other]
account = "main"
symbol = "ETH/USDT"
strategy = "acts.py:Scripted"
notional = 100
params = { script = "other" }
"""


async def test_a_symbol_that_stopped_trading_never_stops_another_bot(play: Play) -> None:
    """Both bots are known; then one symbol is halted. That bot is in REVIEW, the other trades."""
    await play.open(bots=ETH)
    server = await play.start()
    await play.recovered(server)
    await server.stop()
    play.control.do("rules", symbol="ETHUSDT", trading=False)
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    bots = {bot["bot"]: bot for bot in (await play.status())["bots"]}
    assert bots["other"]["status"] == "REVIEW"
    assert "ETH/USDT is not trading" in bots["other"]["reason"]
    assert bots["bot"]["status"] == "RUNNING"
    assert (await play.status())["recovery"]["outcome"] == "partial"
    await server.stop()


async def test_reads_of_one_symbol_that_fail_never_stop_another_bot(play: Play) -> None:
    """Its fills cannot be read, again and again: after three tries the others go on without it.

    They are asked for because coins lie there: a lost journal may have bought them.
    """
    await play.open(bots=ETH)
    play.control.do("balance", asset="ETH", free="1", locked="0")
    play.control.arm("error_before", on="myTrades", symbol="ETHUSDT", times=0)
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    bots = {bot["bot"]: bot for bot in (await play.status())["bots"]}
    assert bots["other"]["status"] == "REVIEW"
    assert bots["bot"]["status"] == "RUNNING"
    await server.stop()


async def test_a_ban_is_remembered_by_the_next_process(play: Play) -> None:
    """429 with Retry-After: nothing is asked before it is over, also after a restart."""
    await play.open()
    server = await play.start()
    await play.recovered(server)
    play.control.arm("rate_limit", on="order.query", seconds=1000, status=418, times=0)
    play.control.arm("rate_limit", on="openOrders", seconds=25, status=418, times=1)
    await server.kill()
    server = await play.start()
    await play.until(lambda: "exchange unreachable" in log_of(server), server)
    await server.kill()
    before = play.control.state()["requests"]
    server = await play.start()
    await play.until(lambda: "asked us to stay away" in log_of(server), server)
    # Only what finds out the time and the account before the journal is open for business.
    asked = play.control.ledger()["requests"][before:]
    assert "openOrders" not in {each["operation"] for each in asked}
    play.control.disarm()
    await play.recovered(server)
    await server.stop()


HEALTH = "SELECT data ->> '$.health.state' FROM records WHERE kind = 'health-changed'"


async def test_an_outage_while_running_is_said_once_and_never_green(play: Play) -> None:
    """It was green with exit code 0, and 45 lines in 30 s."""
    await play.open(bot='stop_loss = "2%"')
    play.say("buy")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await play.until(lambda: play.rows(HEALTH)[-1:] == [("ok",)], server)
    code, output, _ = await play.stage.run("status")
    assert code == 0, output
    lines = len(events(server))
    play.control.arm("outage")
    await play.until(lambda: play.rows(HEALTH)[-1:] == [("unreachable",)], server)
    code, output, _ = await play.stage.run("status")
    assert code == 3
    assert "main is unreachable: " in output
    assert "NOT WATCHED" in output
    play.control.disarm()
    await play.until(lambda: play.rows(HEALTH)[-1:] == [("ok",)], server)
    code, output, _ = await play.stage.run("status")
    assert code == 0, output
    loud = [e["event"] for e in events(server)[lines:] if e["level"] in {"warning", "error"}]
    assert loud.count("account health") <= 2  # degraded, and then unreachable
    assert len(loud) <= 4, loud
    assert "never retrieved" not in log_of(server)
    await server.stop()
    play.judge()
