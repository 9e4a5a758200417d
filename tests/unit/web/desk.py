"""A dashboard's server on a real socket, over a real journal, asked as a browser would."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final

import aiohttp
import uvicorn
from fastapi import FastAPI
from tests.builders import START, Life, fill, report

from surefoot.core.account_records import BotStatusChanged, RecoveryFinished
from surefoot.core.signals import Close
from surefoot.core.values import AccountName, BotName
from surefoot.engine.clock import SystemClock
from surefoot.journal import open_browser
from surefoot.journal.port import Append
from surefoot.web import Keys, Scope, WebSettings
from surefoot.web.answers import SettingsAnswer
from surefoot.web.application import application
from surefoot.web.board import Board
from surefoot.web.live import Readers
from surefoot.web.server import _config, listening, names

URL: Final = "sqlite:///surefoot.db"


class HandClock(SystemClock):
    """Moves by hand; only waiting is real."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    def monotonic(self) -> float:
        return super().monotonic() + self.ahead.total_seconds()


class Desk:
    """The server, and a client without credentials beside it."""

    def __init__(self, directory: Path, clock: HandClock) -> None:
        self.directory = directory
        self.clock = clock
        self.keys = Keys(directory / "surefoot.token")
        self.keys.ensure()
        self.board = Board(partial(open_browser, URL, directory), clock)
        self.settings = WebSettings(enabled=True, host="127.0.0.1", port=0)
        self.client = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
        self.port = 0
        self.shown = SettingsAnswer(
            versions={}, journal="surefoot.db", listen="", exposure=None,
            accounts=[], bots=[], doctor=[],
        )  # fmt: skip
        self.app: Any = None

    @property
    def journal_file(self) -> Path:
        return self.directory / "surefoot.db"

    @property
    def readers(self) -> Readers:
        found: Readers = self.board_app.state.readers
        return found

    @property
    def board_app(self) -> FastAPI:
        """Return the application behind the guard."""
        found: FastAPI = self.app._app
        return found

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.port}"

    @property
    def origin(self) -> str:
        return f"http://{self.host}"

    def bearer(self, scope: Scope = Scope.ADMIN) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.keys.token(scope)}"}

    async def ask(
        self, path: str, method: str = "GET", *, scope: Scope | None = Scope.ADMIN, **more: Any
    ) -> tuple[int, Any]:
        """Ask with a bearer token, and return the status and what was answered."""
        headers = ({} if scope is None else self.bearer(scope)) | more.pop("headers", {})
        async with self.client.request(
            method, f"{self.origin}{path}", headers=headers, **more
        ) as answer:
            is_json = answer.content_type == "application/json"
            return answer.status, await (answer.json() if is_json else answer.text())

    async def log_in(self, scope: Scope = Scope.ADMIN) -> dict[str, str]:
        """Return the headers of a browser that has logged in: its cookie and its origin."""
        headers = {"Origin": self.origin}
        async with self.client.post(
            f"{self.origin}/api/v1/session",
            json={"token": self.keys.token(scope)},
            headers=headers,
        ) as answer:
            assert answer.status == 200, await answer.text()
            self.proof = (await answer.json())["proof"]
            cookie = answer.headers["Set-Cookie"].partition(";")[0]
        return headers | {"Cookie": cookie}

    async def seen(self, records: int) -> None:
        """Wait until the board has read so far."""
        async with asyncio.timeout(30):
            while self.board.cursor < records or self.board.problem is not None:
                await asyncio.sleep(0.02)

    @asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        with listening(self.settings) as listener:
            self.port = listener.getsockname()[1]
            settings = WebSettings(enabled=True, host="127.0.0.1", port=self.port)
            self.app = application(
                board=self.board, keys=self.keys, names=names(settings), clock=self.clock,
                settings=lambda: self.shown,
            )  # fmt: skip
            server = uvicorn.Server(_config(self.app))
            async with asyncio.TaskGroup() as tasks:
                following = tasks.create_task(self.board.run())
                running = tasks.create_task(server.serve(sockets=[listener]))
                try:
                    yield
                finally:
                    server.should_exit = True
                    following.cancel()
                    with suppress(asyncio.CancelledError):
                        await running
                    await self.client.close()


def status(bot: str, *, expected: int = 0, reason: str | None = None) -> Append:
    record = BotStatusChanged(at=START, bot=BotName(bot), status="RUNNING", by="run", reason=reason)
    return Append(stream=f"bot/{bot}", expected=expected, records=(record,))


def recovery() -> Append:
    record = RecoveryFinished(
        at=START, account=AccountName("main"), outcome="complete",
        positions={"opened": 1}, orders_cancelled=0, fills_booked=2, bots_restarted=1,
        bots_in_review={}, requests=9, weight=120, seconds=Decimal("0.8"),
    )  # fmt: skip
    return Append(stream="account/main", expected=0, records=(record,))


def lived(life: Life) -> Append:
    stream = f"position/{life.position.position_id}"
    return Append(stream=stream, expected=0, records=tuple(life.records), position=life.position)


def closed_life() -> Life:
    life = Life(bot="dip-btc")
    life.opened("50000")
    life.tell(Close(by="operator"))
    order = life.order
    life.tell(report(order, "FILLED", order.quantity), fill(order, "51000", trade="2"))
    return life


def open_life() -> Life:
    life = Life(bot="dip-eth")
    order = life.enter()
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="7"))
    return life
