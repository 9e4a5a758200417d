"""One wish through every door at once, and the server killed before it has taken it.

The command line, the API and Telegram post to a server that stands still, which is then killed and
started again. What was posted is carried out once, and each door says what became of its own.
"""

from __future__ import annotations

import asyncio
import signal
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from tests.process.dashboard import Dashboard
from tests.process.outside import TOKENS, Outside
from tests.process.play import Play, log_of

from surefoot.demo.stage import Server

pytest.importorskip("telegram", reason="python-telegram-bot is an extra")
pytestmark = pytest.mark.slow

KEY = "one-and-only"


class Doors:
    """The three ways in, to one play."""

    def __init__(self, play: Play, dashboard: Dashboard, outside: Outside) -> None:
        self.play = play
        self.dashboard = dashboard
        self.outside = outside

    async def open(self) -> Server:
        await self.play.open(bots=self.dashboard.settings + self.outside.settings)
        server = await self.start()
        await self.play.until(lambda: self.dashboard.serves(engine=True), server)
        await self.play.until(self.outside.knows_everybody, server)
        return server

    async def start(self) -> Server:
        """Start a server, and wait until what it starts beside itself is its own."""
        before = self.dashboard.pid, self.outside.pid
        server = await self.play.stage.start(environment=TOKENS)
        await self.play.recovered(server)
        await self.play.until(lambda: self.dashboard.pid not in {None, before[0]}, server)
        await self.play.until(lambda: self.outside.pid not in {None, before[1]}, server)
        return server

    async def by_api(self, kind: str) -> dict[str, Any] | None:
        """Post a wish under the one key; None if nobody answers to the end."""
        token = (self.play.stage.directory / "surefoot.token").read_text().strip()
        wish = {"kind": kind, "target": "bot"} | ({"confirm": "bot"} if kind == "close" else {})
        try:
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as client,
                client.post(
                    f"http://127.0.0.1:{self.dashboard.port}/api/v1/commands",
                    json=wish,
                    headers={"Authorization": f"Bearer {token}", "Idempotency-Key": KEY},
                ) as answer,
            ):
                assert answer.status == 200, await answer.text()
                found: dict[str, Any] = await answer.json()
                return found
        except (aiohttp.ClientError, TimeoutError):
            return None

    async def by_telegram(self, kind: str) -> None:
        """Write it, or press the button that `/close` answers with; twice, as thumbs do."""
        if kind == "close":
            for _ in range(2):
                self.outside.api.press("close bot-1", at=datetime.now(UTC))
        else:
            await self.outside.write(f"/{kind} bot")

    def waiting(self) -> list[str]:
        """Return who has posted what the server has not taken."""
        inbox = self.play.stage.journal.with_name("surefoot.db.inbox")
        if not inbox.exists():
            return []
        with closing(sqlite3.connect(inbox, timeout=30)) as connection:
            try:
                return [row[0] for row in connection.execute("SELECT actor FROM commands")]
            except sqlite3.OperationalError:  # not made yet
                return []

    async def answered(self, kind: str) -> dict[str, Any]:
        """Repeat it over the API under its key until the answer is final."""
        found: dict[str, Any] = {}

        async def final() -> bool:
            found.update(await self.by_api(kind) or {})
            return found.get("status") in {"done", "refused"}

        await self.play.until(final)
        return found

    async def post_and_kill(self, server: Server, kind: str) -> tuple[asyncio.Task[Any], Server]:
        """Post through all doors, kill the server before it takes any, and start it again."""
        server.signal(signal.SIGSTOP)
        line = asyncio.create_task(self.play.stage.run(kind, "bot"))
        api = asyncio.create_task(self.by_api(kind))
        await self.by_telegram(kind)
        await self.play.until(lambda: len(self.waiting()) >= 3, server)
        assert len(self.waiting()) == 3
        early = await api
        assert early is not None
        assert early["status"] == "posted"
        await server.kill()
        assert self.play.rows("SELECT count(*) FROM commands") == [(0,)], "one was taken before"
        return line, await self.start()

    async def judge(self, line: asyncio.Task[Any]) -> None:
        """Each door has said what the journal says of its own, or that nobody had answered yet."""
        found = self.play.rows("SELECT actor, status, kind, result FROM commands")
        sayings = {actor: saying(*what) for actor, *what in found}
        assert len(sayings) == 3
        (own,) = [said for actor, said in sayings.items() if "@" in actor]
        code, output, errors = await line
        # The command line waits until a close is over, which has only begun.
        told = output.startswith("Done: bot-1 is closed." if own.startswith("Begun") else own)
        assert told or "NOT done yet" in output, (output, errors, own)
        assert (code == 0) == output.startswith("Done")
        await self.play.until(lambda: sayings["telegram:7"] in self.outside.api.texts)


def saying(status: str, kind: str, result: str) -> str:
    """Return the words for what the journal says of a command."""
    if status == "refused":
        return f"Refused: {result}"
    return f"{'Begun' if kind == 'close' else 'Done'}: {result}."


@pytest_asyncio.fixture
async def doors(play: Play) -> AsyncIterator[Doors]:
    dashboard, outside = Dashboard(play), Outside(play)
    async with outside.listening():
        yield Doors(play, dashboard, outside)
        dashboard.end()


def words(play: Play, status: str) -> int:
    """Count how often the bot was given a status, by its records."""
    found = play.rows(
        "SELECT 1 FROM records WHERE kind = 'bot-status-changed' "
        "AND json_extract(data, '$.status') = ?",
        status,
    )
    return len(found)


async def test_a_pause_through_three_doors_is_one_pause(play: Play, doors: Doors) -> None:
    """Seen red: with a repeat of a key that is a new command, the last one paused it once more."""
    line, server = await doors.post_and_kill(await doors.open(), "pause")
    assert (await doors.answered("pause"))["result"] == "bot is PAUSED"
    await doors.judge(line)
    assert play.rows("SELECT DISTINCT status, result FROM commands") == [("done", "bot is PAUSED")]
    assert words(play, "PAUSED") == 1
    # Nor does one that is repeated later, or that a third life finds, undo what came after it.
    assert (await play.stage.run("resume", "bot"))[0] == 0
    assert (await doors.answered("pause"))["status"] == "done"
    await server.kill()
    last = await doors.start()
    assert (await play.status())["bots"][0]["status"] == "RUNNING"
    assert words(play, "PAUSED") == 1
    assert await last.stop() == 0


async def test_a_close_through_three_doors_is_one_sale(play: Play, doors: Doors) -> None:
    server = await doors.open()
    play.say("enter")
    await play.state_is("OPEN", server=server)
    line, server = await doors.post_and_kill(server, "close")
    await play.state_is("CLOSED", server=server)
    answer = await doors.answered("close")
    await doors.judge(line)
    outcomes = sorted(status for (status,) in play.rows("SELECT status FROM commands"))
    assert outcomes == ["done", "refused", "refused"], answer
    refusals = play.rows("SELECT result FROM commands WHERE status = 'refused'")
    assert all("is being closed already" in why or "nothing to close" in why for (why,) in refusals)
    assert len(play.orders("SELL")) == 1
    await server.kill()
    last = await doors.start()
    assert await last.stop() == 0
    assert len(play.orders("SELL")) == 1
    play.judge()


async def test_what_telegram_posted_is_void_when_the_next_server_comes_too_late(
    play: Play, doors: Doors
) -> None:
    """The same wish from the command line still stands then: each door has its own time."""
    server = await doors.open()
    await server.kill()
    await doors.by_telegram("pause")
    await play.until(lambda: any("server is down" in text for text in doors.outside.api.texts))
    await play.until(lambda: doors.waiting() == ["telegram:7"])
    play.write_inbox(
        "UPDATE commands SET posted_at = '2025-12-31T23:59:00.000000Z', "
        "expires_at = '2026-01-01T00:00:00.000000Z'"
    )
    server = await doors.start()
    await play.until(lambda: "it was void after 2026-01-01" in log_of(server), server)
    assert (await play.status())["bots"][0]["status"] == "RUNNING"
    assert words(play, "PAUSED") == 0
    assert await server.stop() == 0
