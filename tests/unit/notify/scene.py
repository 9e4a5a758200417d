"""A journal to read, a destination that can be told how to fail, and servers on loopback."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from aiohttp import web
from tests.builders import START, Life
from tests.memory_journal import MemoryJournal

from surefoot.core.account_records import BotStatusChanged, Record
from surefoot.core.values import BotName
from surefoot.journal.browse import Outcome
from surefoot.journal.port import Append, Change, Command, Holder, position_stream
from surefoot.notify.event import Event, EventKind, Weight


class Journal(MemoryJournal):
    """A journal on which a server runs since a time, or none."""

    def __init__(self, epoch: str = "abcdef0123456789") -> None:
        super().__init__(epoch)
        self.since: datetime | None = START
        self.posted: list[Command] = []
        self.closed: list[Outcome] = []

    def holder(self) -> Holder | None:  # type: ignore[override]
        return None if self.since is None else Holder(pid=1, host="here", since=self.since)

    async def add(self, stream: str, *records: Record) -> None:
        append = Append(stream=stream, expected=await self.version(stream), records=records)
        await self.commit(Change(at=START, appends=(append,)))

    async def keep(self, life: Life) -> None:
        """Write down what a position has lived through since it was last kept."""
        stream = position_stream(life.position.position_id)
        known = await self.version(stream)
        append = Append(
            stream=stream,
            expected=known,
            records=tuple(life.records[known:]),
            position=life.position,
            left=tuple(life.orders.values()),
        )
        await self.commit(Change(at=START, appends=(append,)))

    async def word(self, status: str, reason: str | None = None, bot: str = "dip-btc") -> None:
        record = BotStatusChanged(
            at=START, bot=BotName(bot), status=status, by="operator", reason=reason
        )
        await self.add(f"bot/{bot}", record)

    async def command(self, command_id: str) -> Command | None:
        return self._commands.get(command_id)

    async def outcomes(self, *, after: int, upto: int) -> tuple[Outcome, ...]:
        return tuple(each for each in self.closed if after < each.sequence <= upto)

    async def post(self, command: Command) -> bool:
        self.posted.append(command)
        return await super().post(command)


class Told:
    """A destination that remembers; `failing` is raised, once each, before it listens."""

    name = "told"

    def __init__(
        self, kinds: Collection[EventKind] = tuple(EventKind), least: Weight = Weight.INFO
    ) -> None:
        self.kinds = kinds
        self.least = least
        self.heard: list[Event] = []
        self.failing: list[Exception] = []
        self.refuses: Callable[[Event], Exception | None] = lambda _: None

    async def deliver(self, told: Sequence[Event]) -> None:
        if self.failing:
            raise self.failing.pop(0)
        for each in told:
            error = self.refuses(each)
            if error is not None:
                raise error
        self.heard += told

    @property
    def texts(self) -> list[str]:
        return [each.text for each in self.heard]


class Voice:
    """A log that remembers."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def info(self, event: str, **_: object) -> None:
        self.said.append(event)

    def warning(self, event: str, **_: object) -> None:
        self.said.append(event)


@asynccontextmanager
async def served(handle: Callable[[web.Request], Any]) -> AsyncIterator[str]:
    """Serve on loopback; yields the address."""
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}"
    finally:
        await runner.cleanup()


class BotApi:
    """Telegram's side of the Bot API: updates wait until a later offset is asked for."""

    def __init__(self) -> None:
        self.waiting: list[dict[str, Any]] = []
        self.said: list[dict[str, Any]] = []
        self.answers: list[web.Response] = []
        self.asked: list[str] = []
        self._number = 700

    def hear(
        self, text: str, *, user: int = 7, at: datetime = START, kind: str = "private"
    ) -> dict[str, Any]:
        """Let a user write something."""
        self._number += 1
        message = self._message(self._number, user, at, kind) | {"text": text}
        update = {"update_id": self._number, "message": message}
        self.waiting.append(update)
        return update

    def press(self, data: str, *, message: int = 5, user: int = 7, at: datetime = START) -> None:
        """Let a user press a button under a message that was sent at a time."""
        self._number += 1
        query = {
            "id": f"q{self._number}",
            "from": self._user(user),
            "chat_instance": "1",
            "data": data,
            "message": self._message(message, user, at, "private"),
        }
        self.waiting.append({"update_id": self._number, "callback_query": query})

    @property
    def texts(self) -> list[str]:
        return [each["text"] for each in self.said]

    async def handle(self, request: web.Request) -> web.Response:
        method = request.path.rpartition("/")[2]
        given = dict(await request.post())
        self.asked.append(method)
        if self.answers:
            return self.answers.pop(0)
        match method:
            case "getUpdates":
                offset = int(str(given.get("offset", 0)))
                self.waiting = [each for each in self.waiting if each["update_id"] >= offset]
                return web.json_response({"ok": True, "result": self.waiting})
            case "sendMessage":
                self.said.append(
                    given | {"reply_markup": json.loads(str(given.get("reply_markup", "{}")))}
                )
                sent = self._message(len(self.said), 7, START, "private") | {"text": given["text"]}
                return web.json_response({"ok": True, "result": sent})
            case _:
                return web.json_response({"ok": True, "result": True})

    def _message(self, number: int, user: int, at: datetime, kind: str) -> dict[str, Any]:
        return {
            "message_id": number,
            "date": int(at.timestamp()),
            "chat": {"id": user, "type": kind, "first_name": "T"},
            "from": self._user(user),
        }

    def _user(self, user: int) -> dict[str, Any]:
        return {"id": user, "is_bot": False, "first_name": "T"}


def refusal(status: int, text: str, **parameters: object) -> web.Response:
    """Return Telegram's way to say no."""
    body = {"ok": False, "error_code": status, "description": text}
    return web.json_response(
        body | ({"parameters": parameters} if parameters else {}), status=status
    )
