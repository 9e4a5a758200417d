"""Mistakes at the edge: a clear sentence, the right exit code, nothing touched, no stack trace."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.process.play import Play, log_of

# What is changed in the configuration, and what must be said. None removes the line.
MISTAKES = {
    "unknown key": ("notional = 100", "notonal = 100", "notonal is not a known key; did you mean"),
    "wrong type": ("notional = 100", 'notional = "lots"', "bots.bot.notional: expected a number"),
    "unknown strategy": ("acts.py:Scripted", "acts.py:Scriptd", "has no strategy Scriptd; did you"),
    "no such file": ("acts.py:Scripted", "gone.py:Scripted", "gone.py does not exist"),
    "unknown parameter": ('stop_at = "local"', "params = { dip = 1 }", "there is no parameter dip"),
    "missing variable": ('"simulated-key"', '"env:NO_SUCH"', "variable NO_SUCH is not set"),
    "unknown exchange": (
        'exchange = "binance"',
        'exchange = "binanc"',
        '"binanc" is not supported',
    ),
    "unknown account": ('account = "main"', 'account = "mian"', 'no account "mian"; did you mean'),
    "unknown symbol": ('"BTC/USDT"', '"BTC/USTD"', "does not list BTC/USTD; it lists BTC/USDT"),
    "too little": ("notional = 100", "notional = 4", "raise the bot's notional"),
    "over the cap": (
        "notional = 100",
        "notional = 100\nlimits = { order_notional = 50 }",
        "bots.bot.notional: 100 is over the cap order_notional of 50",
    ),
    "a bad lifetime": ("= 2000", "= 90000", "recvWindow: expected milliseconds, more than 0"),
    "other keys": ('"simulated-key"', '"someone-elses"', "does not accept these keys"),
}


def change(play: Play, old: str, new: str) -> None:
    file = play.stage.directory / "surefoot.toml"
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def contents(directory: Path) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes()
        for path in sorted(directory.iterdir())
        if path.is_file() and not path.name.endswith((".log", ".lock", "-shm", "-wal"))
    }


async def refused(play: Play, *command: str, code: int = 2) -> str:
    """Run a command that must fail and leave everything as it was; return what it said."""
    before, orders = contents(play.stage.directory), play.orders()
    result, output, errors = await play.stage.run(*command)
    assert result == code, output + errors
    assert "Traceback" not in output + errors
    assert contents(play.stage.directory) == before
    assert play.orders() == orders
    return errors


@pytest.mark.parametrize("mistake", MISTAKES)
async def test_a_mistake_in_the_configuration(play: Play, mistake: str) -> None:
    await play.open()
    old, new, said = MISTAKES[mistake]
    change(play, old, new)
    assert said in await refused(play, "run")


async def test_a_literal_key_for_the_real_exchange(play: Play) -> None:
    """Without the simulated urls the same file would trade for real, with a key in plain sight."""
    await play.open()
    file = play.stage.directory / "surefoot.toml"
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("\n".join(each for each in lines if not each.startswith("urls.")), "utf-8")
    said = await refused(play, "run")
    assert "a key must not be written here" in said
    assert "simulated-secret" not in said


async def test_no_configuration_at_all(play: Play) -> None:
    await play.open()
    (play.stage.directory / "surefoot.toml").unlink()
    said = await refused(play, "run")
    assert "there is no such file; `surefoot init` writes one" in said


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rnu",), "rnu"),
        (("status", "--jsn"), "--jsn"),
        (("resolve", "bot-1"), "say one of --adopt, --flat, --filled and --ignore"),
        (("resolve", "bot-1", "--filled", "3"), "--filled is QUANTITY@PRICE"),
        (("recover", "nobody"), "there is no bot nobody"),
        (("demo", "--kills", "0"), "kills"),
        (("status",), "there is no journal at"),
    ],
)
async def test_a_mistake_on_the_command_line(
    play: Play, arguments: tuple[str, ...], said: str
) -> None:
    await play.open()
    assert said in await refused(play, *arguments)


async def run_once(play: Play) -> None:
    await play.open()
    server = await play.start()
    await play.recovered(server)
    await server.stop()


async def test_a_journal_of_another_account(play: Play) -> None:
    await run_once(play)
    play.control.do("account", uid=42)
    said = await refused(play, "run")
    assert "this journal belongs to binance account 354937868 (simulated)" in said
    assert "but the keys of accounts.main are of binance account 42" in said


async def test_keys_that_were_wrong_are_read_again_when_an_operator_says_recover(
    play: Play,
) -> None:
    """The server runs on with them, and needs no restart once they are corrected."""
    await run_once(play)
    change(play, '"simulated-key"', '"someone-elses"')
    server = await play.start()
    await play.until(lambda: "does not accept these keys" in log_of(server), server)
    code, _, _ = await play.stage.run("recover", "bot")
    assert code != 0
    change(play, '"someone-elses"', '"simulated-key"')
    code, output, errors = await play.stage.run("recover", "bot")
    assert code == 0, output + errors
    (health,) = (await play.status())["health"]
    assert health["state"] == "ok"
    await server.stop()


async def test_a_truncated_journal(play: Play) -> None:
    await run_once(play)
    file = play.stage.journal
    os.truncate(file, file.stat().st_size // 2)
    assert "is damaged" in await refused(play, "run")


async def test_an_empty_journal(play: Play) -> None:
    await run_once(play)
    os.truncate(play.stage.journal, 0)
    assert "is no journal, so whatever was in it is lost" in await refused(play, "run")


async def test_a_newer_journal(play: Play) -> None:
    await run_once(play)
    play.write("PRAGMA user_version = 99")
    assert "newer" in await refused(play, "run")
    assert "newer" in await refused(play, "status")


async def test_a_file_that_is_no_journal(play: Play) -> None:
    await play.open()
    play.stage.journal.write_bytes(b"this is no database, it only has its name" * 100)
    assert "is no journal, so whatever was in it is lost" in await refused(play, "run")


@pytest.mark.parametrize(
    ("strategy", "said"),
    [
        ("Raises", "KeyError: 'no such key'"),
        ("Nonsense", "returned a str; return Enter(…), Add(…), Exit(…) or None"),
        ("Blocks", "blocked: no answer in 5 s"),
    ],
)
async def test_a_strategy_that_fails_stops_itself_only(
    play: Play, strategy: str, said: str
) -> None:
    """Its entries stop, it is shown, and the bot beside it trades."""
    await play.open(
        bots=f"""
[bots.broken]
account = "main"
symbol = "ETH/USDT"
strategy = "acts.py:{strategy}"
notional = 100
""",
    )
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await play.until(lambda: '"status": "REVIEW"' in log_of(server), server)
    bots = {bot["bot"]: bot for bot in (await play.status())["bots"]}
    assert said in bots["broken"]["reason"]
    assert bots["bot"]["status"] == "RUNNING"
    play.say("exit")
    await play.state_is("CLOSED", server=server)
    await server.stop()
    play.judge()


async def test_what_init_writes_for_the_simulator_runs(play: Play) -> None:
    """Three commands from nothing to a trade; pasting an account was a TOML error."""
    await play.open()
    stage = play.stage
    stage.cold = True
    code, _, errors = await stage.run("init", "--sim", "https://api.binance.com")
    assert (code, "that `surefoot sim` prints" in errors) == (2, True)
    for name in ("surefoot.toml", "acts.py"):
        (stage.directory / name).unlink()
    code, output, _ = await stage.run("init", "--sim", stage.control.url)
    assert (code, "surefoot check" in output) == (0, True)
    code, _, errors = await stage.run("check")
    assert code == 0, errors
    stage.control.price("BTCUSDT", "60000")  # one that fell after the first would be the stop's
    server = await play.start()
    await play.recovered(server)

    async def held() -> bool:
        stage.control.price("BTCUSDT", "60000")
        return (await play.position(bot="my-bot")).state == "OPEN"

    await play.until(held, server)  # what it writes trades at the first price that it sees
    _, output, _ = await stage.run("explain", "my-bot")
    assert "my-bot-1" in output
    await server.stop()


async def test_a_terminal_that_goes_away_is_a_polite_stop_and_said(play: Play) -> None:
    await play.open()
    server = await play.start()
    await play.recovered(server)
    server.signal(signal.SIGHUP)
    assert await server.wait() == 0
    assert '"because": "SIGHUP"' in log_of(server)


async def test_csv_of_everything_is_refused_and_nothing_left_out_in_silence(play: Play) -> None:
    await play.open()
    code, output, errors = await play.stage.run("export", "--format", "csv")
    assert (code, output) == (2, "")
    assert "CSV is one table" in errors
