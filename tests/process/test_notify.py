"""Messengers of the shipped program, killed at every step: each event told, each command once."""

from __future__ import annotations

import json
import signal
from collections.abc import AsyncIterator
from itertools import groupby

import pytest
import pytest_asyncio
from aiohttp import web
from tests.process.outside import TOKENS, Outside
from tests.process.play import Play, log_of

pytest.importorskip("telegram", reason="python-telegram-bot is an extra")


@pytest_asyncio.fixture
async def outside(play: Play) -> AsyncIterator[Outside]:
    it = Outside(play)
    async with it.listening():
        yield it


@pytest.mark.parametrize(
    "point",
    ["notify.before-delivery", "notify.after-delivery", "notify.after-cursor:2"],
)
async def test_killed_while_telling_everything_is_told(
    play: Play, outside: Outside, point: str
) -> None:
    server = await outside.engine()
    first = await outside.messengers()
    await play.until(lambda: outside.pid == first.pid, first)
    await play.until(outside.knows_everybody, first)
    await first.kill()
    play.say("buy")
    await play.state_is("OPEN", server=server)
    await play.die(await outside.messengers(crash_at=point))
    last = await outside.messengers()
    await play.until(lambda: outside.pid == last.pid, last)
    await play.until(lambda: "entry" in {each["kind"] for each in outside.events}, last)
    await play.until(lambda: any("is open" in text for text in outside.api.texts), last)
    outside.judge()
    state = json.loads((play.stage.directory / "open_positions.json").read_text())
    assert [each["bot"] for each in state["positions"]] == ["bot"]
    assert await last.stop() == 0
    assert await server.stop() == 0


@pytest.mark.parametrize(
    "point", ["telegram.before-command", "telegram.after-command", "telegram.after-answer"]
)
async def test_killed_while_obeying_a_command_is_done_once(
    play: Play, outside: Outside, point: str
) -> None:
    server = await outside.engine()
    await outside.write("/pause bot")
    await play.die(await outside.messengers(crash_at=point))
    last = await outside.messengers()
    await play.until(lambda: any("Done: bot is PAUSED" in each for each in outside.api.texts), last)
    await play.until(lambda: not outside.api.waiting, last)
    words = [
        row[0] for row in play.rows("SELECT data FROM records WHERE kind = 'bot-status-changed'")
    ]
    statuses = [status for status, _ in groupby(json.loads(each)["status"] for each in words)]
    assert statuses.count("PAUSED") == 1
    assert play.rows("SELECT count(*) FROM commands") == [(1,)]
    await last.stop()
    await server.stop()


async def test_the_server_starts_them_and_they_report_its_death(
    play: Play, outside: Outside
) -> None:
    await play.open(bots=outside.settings)
    server = await play.stage.start(environment=TOKENS)
    await play.recovered(server)
    await play.until(lambda: outside.pid is not None, server)
    await play.until(outside.knows_everybody, server)
    first = outside.pid
    await server.kill()
    await play.until(
        lambda: any("The server is down" in text for text in outside.api.texts), server
    )
    again = await play.stage.start(environment=TOKENS)
    await play.until(lambda: outside.pid not in {None, first}, again)
    await play.until(lambda: "recovery" in {each["kind"] for each in outside.events}, again)
    told = [each["details"].get("server") for each in outside.events if each["kind"] == "server"]
    assert [each for each, _ in groupby(told)] == ["down", "up"]
    assert await again.stop() == 0
    await play.until(lambda: outside.pid is None, again)


async def test_stopped_in_the_middle_they_cost_the_server_nothing(
    play: Play, outside: Outside
) -> None:
    """SIGSTOP with a cursor half written, or anything held: the engine's commits go on."""
    server = await outside.engine()
    messengers = await outside.messengers()
    await play.until(outside.knows_everybody, messengers)
    messengers.signal(signal.SIGSTOP)
    play.say("buy")
    await play.state_is("OPEN", server=server)
    messengers.signal(signal.SIGCONT)
    await play.until(lambda: any("is open" in text for text in outside.api.texts), messengers)
    await messengers.stop()
    await server.stop()


async def test_tokens_are_nowhere_but_where_they_belong(play: Play, outside: Outside) -> None:
    await play.open(bots=outside.settings)
    server = await play.stage.start(environment=TOKENS)
    await play.recovered(server)
    await play.until(lambda: outside.pid is not None, server)
    outside.api.answers = [web.Response(status=401, text='{"ok":false,"description":"no"}')] * 2
    await play.until(lambda: "telegram is not heard" in log_of(server), server)
    await server.stop()
    written = [path.read_bytes() for path in play.stage.directory.rglob("*") if path.is_file()]
    assert not any(b"canary" in content for content in written)


async def test_nobody_to_tell_is_a_usage_error_and_a_test_says_who_is_reached(
    play: Play, outside: Outside
) -> None:
    await play.open()
    code, _, errors = await play.stage.run("notify")
    assert (code, "nobody is to be told" in errors) == (2, True)
    await play.open(bots=outside.settings)
    code, output, _ = await play.stage.run("notify", "--test", environment=TOKENS)
    assert code == 0
    assert output.splitlines()[0].startswith("webhook-")
    assert "telegram-7: reached" in output
    assert outside.api.texts[0].startswith("Surefoot can reach you here.")
    outside.api.answers = [web.Response(status=403, text='{"ok":false,"description":"blocked"}')]
    code, output, _ = await play.stage.run("notify", "--test", environment=TOKENS)
    assert code == 1
    assert "telegram-7: blocked" in output
