"""Web and messengers die or stand still at every write they make: the engine's commits go on."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

import aiohttp
import pytest
import pytest_asyncio
from tests.process.dashboard import Dashboard
from tests.process.play import Play

from surefoot.demo.stage import Server
from surefoot.journal.tenancy import Tenancy

WRITES: Final = {
    "inbox.before-commit": "web",
    "inbox.after-commit": "web",
    "cursor.before-replace": "notify",
    "state.before-replace": "notify",
}
# A receiver that is not there, so that nothing is ever delivered.
NOTIFY: Final = """
[[webhooks]]
url = "http://127.0.0.1:9/hook"
[state]
file = "open_positions.json"
"""


class Client:
    """`surefoot web` or `surefoot notify`, started alone beside an engine."""

    def __init__(self, play: Play, dashboard: Dashboard, what: str) -> None:
        self.play = play
        self.dashboard = dashboard
        self.what = what

    async def start(self, variable: str | None = None, point: str = "") -> Server:
        environment = {} if variable is None else {variable: point}
        return await self.play.stage.start(self.what, environment=environment)

    def is_there(self) -> bool:
        return Tenancy(self.play.stage.journal, self.what).tenant() is not None

    async def write(self) -> str | None:
        """Have it write, if it does not do so by itself; return the command's status."""
        if self.what != "web":
            return None
        token = (self.play.stage.directory / "surefoot.token").read_text().strip()
        with suppress(aiohttp.ClientError, TimeoutError):
            async with (
                aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=6)) as client,
                client.post(
                    f"http://127.0.0.1:{self.dashboard.port}/api/v1/commands",
                    json={"kind": "resume", "target": "bot"},
                    headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "only-once"},
                ) as answer,
            ):
                found: dict[str, Any] = await answer.json()
                return found.get("status")
        return None


@pytest_asyncio.fixture
async def dashboard(play: Play) -> AsyncIterator[Dashboard]:
    made = Dashboard(play)
    yield made
    made.end()


def stands_still(pid: int) -> bool:
    """Tell whether a process is stopped, or gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except FileNotFoundError:
        return True
    return stat.rpartition(")")[2].split()[0] in {"T", "Z", "X"}


@pytest.mark.parametrize("variable", ["SUREFOOT_CRASH_AT", "SUREFOOT_STOP_AT"])
@pytest.mark.parametrize("point", WRITES)
async def test_it_costs_the_engine_nothing_and_a_command_is_done_once(
    play: Play, dashboard: Dashboard, point: str, variable: str
) -> None:
    """What it holds meanwhile (a lock, a half-written file) is in nobody's way."""
    await play.open(bots=dashboard.settings.replace("enabled = true", "enabled = false"))
    server = await play.start()
    await play.recovered(server)
    with (play.stage.directory / "surefoot.toml").open("a", encoding="utf-8") as file:
        file.write(NOTIFY)
    client = Client(play, dashboard, WRITES[point])
    dying = await client.start(variable, point)
    if client.what == "web":
        await play.until(lambda: dashboard.serves(engine=True), dying)
    asking = asyncio.create_task(client.write())
    await play.until(lambda: stands_still(dying.pid), dying)
    play.say("buy", "sell")
    await play.state_is("CLOSED", server=server)
    if variable == "SUREFOOT_CRASH_AT":
        assert dying.killed or await dying.wait() == -signal.SIGKILL
        dying = await client.start()
    else:
        os.kill(dying.pid, signal.SIGCONT)
    await asking
    await play.until(client.is_there, dying)
    if client.what == "web":
        await play.until(lambda: dashboard.serves(engine=True), dying)
        assert await client.write() == "done"
        assert play.rows("SELECT kind, status FROM commands") == [("resume", "done")]
    else:
        state = play.stage.directory / "open_positions.json"
        await play.until(state.exists, dying)
    await dying.stop()
    await server.stop()
    play.judge()
