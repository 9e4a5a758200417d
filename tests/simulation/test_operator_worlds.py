"""One situation a world, and somebody at its terminal: what he says, reads, and finds on the disk.

`docket` names the mistake that each of them was seen to catch.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from typing import Any

import apsw
import pytest
from tests.simulation.arranged import FORGERIES
from tests.simulation.terminal import Answer, Terminal
from tests.simulation.test_situations import bot, by_hand, lived, ours
from tests.simulation.words import SECRETS
from tests.simulation.world import BEAT_S, ExchangeClock, World

from surefoot.simulator import Settings, Simulator, ccxt_settings

HOLDS = bot("bot")
ACCOUNT = """
[accounts.other]
exchange = "binance"
api_key = "other-key"
secret = "other-secret"
[accounts.other.ccxt]
verify = false
urls.api.public = {public}
urls.api.private = {private}
urls.api.ws.spot = {spot}
urls.api.ws.ws-api.spot = {api}
"""


def rows(world: World, query: str) -> list[tuple[Any, ...]]:
    """Return what the journal answers."""
    journal = str(world.directory / "surefoot.db")
    with closing(apsw.Connection(journal, flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        return list(connection.execute(query))


async def killed(world: World) -> None:
    world.kill()
    await world.sleep(0.5)


async def frozen(world: World, least: Decimal = Decimal("0.02")) -> None:
    """Let a bot enter, and somebody sell what it has, so that nobody can know whose that was."""
    exchange = world.simulator.exchange
    exchange.free["BTC"] = least
    world.start()
    await world.sleep(70)
    (stop,) = exchange.standing
    exchange.cancel(stop, "outside_cancel")
    by_hand(world, "SELL", stop.quantity)
    await world.sleep(60)
    assert rows(world, "SELECT position_id FROM frozen") == [("bot-1",)]


def tampered(world: World, statement: str) -> None:
    """Change a table by hand, past the guards, which are there again afterwards."""
    with closing(apsw.Connection(str(world.directory / "surefoot.db"))) as connection:
        guards = list(
            connection.execute("SELECT name, sql FROM sqlite_master WHERE type='trigger'")
        )
        for name, _ in guards:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(statement)
        for _, sql in guards:
            connection.execute(sql)


@pytest.mark.parametrize(
    "what",
    [name for name, statement in FORGERIES.items() if statement],
    ids=lambda each: each.replace(" ", "-"),
)
def test_what_was_forged_is_found_and_repaired_or_refused(what: str) -> None:
    """`check` is fine exactly when nobody forged; what `repair` leaves, the next life runs on."""
    answers: dict[str, Answer] = {}

    async def play(world: World) -> None:
        terminal = Terminal(world)
        await frozen(world)
        await killed(world)
        answers["sound"] = await terminal.type("check")
        tampered(world, FORGERIES[what])
        before = rows(world, "SELECT * FROM positions")
        for step in ("check", "repair", "again"):
            answers[step] = await terminal.type("check" if step == "again" else step)
        if answers["repair"].code == 0:
            (copy,) = world.directory.glob("surefoot.db.before-repair-*")
            with closing(apsw.Connection(str(copy))) as connection:
                assert list(connection.execute("SELECT * FROM positions")) == before
        world.start()
        await world.sleep(60)

    world = lived(HOLDS, play)
    recovered = world.recoveries
    assert answers["sound"].code == 0, answers["sound"]
    assert all(each.crash is None for each in answers.values()), answers
    assert answers["check"].code == 2, answers["check"]
    mended = answers["repair"].code == 0
    assert mended == (answers["again"].code == 0), answers
    assert recovered == (2 if mended else 1), world.story.lines[-40:]
    if not mended:
        assert len(answers["repair"].err.strip().splitlines()) == 1, answers["repair"]
    else:
        assert "kept in" in answers["repair"].out, answers["repair"]


def test_paper_and_real_money_share_no_journal() -> None:
    answers: list[Answer] = []

    async def play(world: World) -> None:
        world.configure(HOLDS, rest='[accounts.play]\nexchange = "binance"\npaper = true\n')
        answers.append(await Terminal(world).type("status"))
        world.start()
        await world.sleep(20)

    world = lived(HOLDS, play)
    assert answers[0].code == 2
    assert "on paper and" in answers[0].err
    assert world.recoveries == 0


def test_no_file_of_the_program_holds_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own configuration alone has one; `THE_SECRET` is what a service hands its program."""

    async def play(world: World) -> None:
        monkeypatch.setenv("THE_SECRET", "simulated-secret")
        monkeypatch.chdir(world.directory)
        arm = world.simulator.armory.arm
        arm("error_before", {"on": "*", "times": 3, "status": 500})
        world.start()
        await world.sleep(60)
        (world.directory / "surefoot.toml").unlink()
        for file in world.directory.rglob("*"):
            text = file.read_bytes()
            assert not any(secret.encode() in text for secret in SECRETS), file.name

    world = lived(HOLDS, play)
    assert not any(secret in line for line in world.story.lines for secret in SECRETS)


def test_what_cannot_be_reached_is_told_without_its_address() -> None:
    """The address of a request is signed: whoever has it can look at the account for a while."""
    answers: list[Answer] = []

    async def play(world: World) -> None:
        world.start()
        await world.sleep(20)
        arm = world.simulator.armory.arm
        arm("redirect", {"on": "*", "times": 0, "location": "https://evil.test/login"})
        await killed(world)
        world.start()
        await world.sleep(60)
        answers.append(await Terminal(world).type("status"))
        answers.append(await Terminal(world).type("log", "--all"))

    world = lived(HOLDS, play)
    assert "Redirect" in "".join(world.story.lines), "nothing failed: this proves nothing"
    told = "\n".join([*world.story.lines, *(each.out + each.err for each in answers)])
    assert "signature=" not in told
    assert "timestamp=" not in told
    assert "/api/v3/" not in told


def test_a_second_program_on_one_journal_is_refused() -> None:
    """Also when somebody has deleted the file that says who runs there."""
    recovered: list[int] = []

    async def play(world: World) -> None:
        first = world.start()
        await world.sleep(20)
        (world.directory / "surefoot.db.lock").unlink()
        world.start()
        await world.sleep(20)
        recovered.append(world.recoveries)
        world.loop.doom(first)

    world = lived(HOLDS, play)
    assert recovered == [1], world.story.lines[-20:]


def test_a_journal_trades_on_no_other_account() -> None:
    """Its keys were exchanged for another login's."""

    async def play(world: World) -> None:
        world.start()
        await world.sleep(20)
        await killed(world)
        sent = len(world.simulator.exchange.orders)
        world.simulator.armory.arm("wrong_uid", {"on": "account", "uid": 8, "times": 0})
        world.move("BTCUSDT", 0.9)
        world.start()
        await world.sleep(60)
        assert len(world.simulator.exchange.orders) == sent

    world = lived(bot("bot", stop_at="local"), play)
    assert world.recoveries == 1, world.story.lines[-20:]


def test_one_login_has_one_name() -> None:
    """Each of the two would take the orders of the other for orphans, and cancel them."""

    async def play(world: World) -> None:
        clock = ExchangeClock(world.loop)
        settings = Settings(beat_s=BEAT_S, key="other-key", secret="other-secret")
        async with Simulator(settings, clock) as same:
            urls = ccxt_settings(same.url)["urls"]["api"]
            told = {
                "public": urls["public"],
                "private": urls["private"],
                "spot": urls["ws"]["spot"],
                "api": urls["ws"]["ws-api"]["spot"],
            }
            other = ACCOUNT.format(**{name: json.dumps(url) for name, url in told.items()})
            twin = HOLDS.replace("bots.bot", "bots.twin").replace('"main"', '"other"')
            world.configure(HOLDS + twin, rest=other)
            world.start()
            await world.sleep(60)
            assert len(same.exchange.orders) == 0 or len(world.simulator.exchange.orders) == 0

    world = lived(HOLDS, play)
    assert "one login" in "".join(world.story.lines), world.story.lines[-20:]


def test_stopping_everything_answers_nothing_that_was_asked() -> None:
    """A bot that is in review is so again when everything may go on."""
    answers: list[Answer] = []

    async def play(world: World) -> None:
        terminal = Terminal(world)
        world.start()
        await world.sleep(20)
        await killed(world)
        rules = world.simulator.exchange.rules
        rules["BTCUSDT"] = replace(rules["BTCUSDT"], trading=False)
        world.start()
        await world.sleep(20)
        for word in ("status", "stop-all", "resume-all", "status"):
            answers.append(await terminal.type(word))
            await world.sleep(1)

    lived(HOLDS, play)
    assert [each.code for each in answers] == [3, 0, 0, 3], answers
    assert "bot is in review" in answers[3].out


def test_what_is_said_of_a_live_stop_is_not_booked() -> None:
    """It may still sell: booked now, it would be booked twice."""
    answers: list[Answer] = []

    async def play(world: World) -> None:
        terminal = Terminal(world)
        world.start()
        await world.sleep(20)
        (stop,) = world.simulator.exchange.standing
        said = ("--filled", f"{stop.quantity}@60000", "--order", stop.client_order_id, "--yes")
        answers.append(await terminal.type("resolve", "bot-1", *said))
        await world.sleep(20)
        assert rows(world, "SELECT state FROM positions") == [("OPEN",)]

    lived(HOLDS, play)
    assert answers[0].code == 1, answers


def test_nonsense_is_stored_nowhere() -> None:
    """Refused at once, by whoever was to store it; a server would leave it lying for ever."""
    answers: list[Answer] = []

    async def play(world: World) -> None:
        terminal = Terminal(world)
        world.start()
        await world.sleep(20)
        for order in ("a\nb", "a b", "\x1b[2J"):
            said = ("--filled", "0", "--order", order, "--yes")
            answers.append(await terminal.type("resolve", "bot-1", *said))
        assert rows(world, "SELECT command_id FROM commands") == []

    lived(HOLDS, play)
    assert [each.code for each in answers] == [2, 2, 2], answers


def test_a_bot_begins_nothing_anew_beside_what_is_frozen() -> None:
    """It was given another symbol while an older one waits for an answer."""

    async def play(world: World) -> None:
        await frozen(world)
        await killed(world)
        world.configure(again("ETH/USDT"), account='visibility = "5s"')
        world.start()
        await world.sleep(60)

    def again(symbol: str) -> str:
        return bot("bot", symbol, strategy="Shuttle", params="pause = 5.0, hold = 100000.0")

    world = lived(again("BTC/USDT"), play)
    assert {each.symbol for each in ours(world, "BUY")} == {"BTCUSDT"}, world.story.lines[-30:]
