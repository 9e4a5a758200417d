"""A phone and a webhook receiver outside, and the messengers of a play that reach them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from aiohttp import web
from tests.process.play import Play
from tests.unit.notify.scene import BotApi, served

from surefoot.demo.stage import Server
from surefoot.journal.tenancy import Tenancy

TOKENS = {"TELEGRAM_TOKEN": "12:canary-token", "HOOK_SECRET": "canary-hook"}


class Outside:
    """A phone and a webhook receiver, and the messengers of a play's journal."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.api = BotApi()
        self.events: list[dict[str, Any]] = []
        self.settings = ""

    async def handle(self, request: web.Request) -> web.Response:
        self.events += json.loads(await request.read())["events"]
        return web.Response()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[None]:
        async with served(self.api.handle) as api, served(self.handle) as hook:
            self.settings = f"""
[telegram]
token = "env:TELEGRAM_TOKEN"
allow = [7]
api = "{api}"

[[webhooks]]
url = "{hook}/hook"
secret = "env:HOOK_SECRET"

[state]
file = "open_positions.json"
"""
            yield

    async def messengers(self, crash_at: str | None = None) -> Server:
        """Start `surefoot notify`, which dies at a point if it is told to."""
        return await self.play.stage.start("notify", crash_at=crash_at, environment=TOKENS)

    async def engine(self) -> Server:
        """Start the server without messengers of its own: the test starts them."""
        await self.play.open()
        server = await self.play.start()
        await self.play.recovered(server)
        with (self.play.stage.directory / "surefoot.toml").open("a") as file:
            file.write(self.settings)
        return server

    async def write(self, text: str) -> None:
        self.api.hear(text, at=datetime.now(UTC))

    @property
    def pid(self) -> int | None:
        tenant = Tenancy(self.play.stage.journal, "notify").tenant()
        return None if tenant is None else tenant.pid

    def knows_everybody(self) -> bool:
        """Tell whether every destination has its place in the journal."""
        return len(list(self.play.stage.directory.glob("surefoot.db.outbox/*.json"))) == 2

    @property
    def sequences(self) -> list[int]:
        """Return the numbers of the records that were told of, in the order of telling."""
        parts = [each["id"].split("-") for each in self.events]
        return [int(each[1]) for each in parts if len(each) == 2]

    def judge(self) -> None:
        """Every record that is told at all was told, in order; a repeat is a repeat."""
        firsts = list(dict.fromkeys(self.sequences))
        assert firsts == sorted(firsts), "told out of order"
        kinds = [each["kind"] for each in self.events]
        assert "entry" in kinds
        assert "fill" in kinds
        fills = [each for each in self.events if each["kind"] == "fill"]
        booked = self.play.rows("SELECT count(*) FROM fills")[0][0]
        assert len({each["id"] for each in fills}) == booked
