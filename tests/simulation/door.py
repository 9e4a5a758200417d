"""The dashboard's door in a world: its application in this process, asked as from the network.

No socket: a request is handed to what would have got it from the server. Its clock is the world's,
so that sessions end, and guesses are forgotten, in virtual time.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Final

from tests.simulation.world import World

from surefoot.journal import open_browser
from surefoot.web import Keys, Scope, WebSettings
from surefoot.web.answers import SettingsAnswer
from surefoot.web.application import application
from surefoot.web.board import Board
from surefoot.web.server import names

PORT: Final = 8770
HOST: Final = f"127.0.0.1:{PORT}"
ORIGIN: Final = f"http://{HOST}"
_SHOWN: Final = SettingsAnswer(
    versions={}, journal="surefoot.db", listen="", exposure=None, accounts=[], bots=[], doctor=[]
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Reply:
    """What the door answered."""

    status: int
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def document(self) -> Any:
        return json.loads(self.body)


class Door:
    """The application over the journal of a world, and the keys that it was given."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.keys = Keys(world.directory / "surefoot.token")
        browse = partial(open_browser, "sqlite:///surefoot.db", world.directory)
        self.board = Board(browse, world.clock)
        settings = WebSettings(enabled=True, host="127.0.0.1", port=PORT)
        self._app: Any = application(
            board=self.board,
            keys=self.keys,
            names=names(settings),
            settings=lambda: _SHOWN,
            clock=world.clock,
        )

    @asynccontextmanager
    async def open(self) -> AsyncIterator[Door]:
        """Follow the journal, and answer."""
        self.keys.ensure()
        following = asyncio.create_task(self.board.run())
        try:
            yield self
        finally:
            following.cancel()

    async def ask(
        self,
        path: str,
        method: str = "GET",
        *,
        headers: Mapping[str, str] | None = None,
        given: Any = None,
        body: bytes | None = None,
        address: str = "127.0.0.1",
    ) -> Reply:
        """Hand a request over, and return what is answered."""
        content = json.dumps(given).encode() if body is None and given is not None else body or b""
        said = {"host": HOST, "content-length": str(len(content))} | {
            name.lower(): value for name, value in (headers or {}).items()
        }
        if given is not None:
            said.setdefault("content-type", "application/json")
        where, _, query = path.partition("?")
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": where,
            "raw_path": where.encode(),
            "query_string": query.encode(),
            "root_path": "",
            "headers": [(k.encode(), v.encode()) for k, v in said.items() if v],
            "client": (address, 50_000),
            "server": ("127.0.0.1", PORT),
        }
        return await self._answered(scope, content)

    async def _answered(self, scope: dict[str, Any], content: bytes) -> Reply:
        begun: dict[str, Any] = {}
        parts: list[bytes] = []
        asked = iter([{"type": "http.request", "body": content, "more_body": False}])

        async def receive() -> dict[str, Any]:
            return next(asked, {"type": "http.disconnect"})

        async def send(message: dict[str, Any]) -> None:
            begun.update(message if message["type"] == "http.response.start" else {})
            parts.append(message.get("body", b""))

        await self._app(scope, receive, send)
        headers = {k.decode().lower(): v.decode() for k, v in begun["headers"]}
        return Reply(status=begun["status"], headers=headers, body=b"".join(parts))

    # Who has a token -----------------------------------------------------------------------------

    def bearer(self, scope: Scope = Scope.ADMIN) -> dict[str, str]:
        """Return what a script sends that has a token."""
        return {"Authorization": f"Bearer {self.keys.token(scope)}"}

    async def log_in(self, scope: Scope = Scope.ADMIN) -> tuple[dict[str, str], str, str]:
        """Return what a browser that has logged in sends, its proof, and the whole cookie."""
        reply = await self.ask(
            "/api/v1/session",
            "POST",
            headers={"Origin": ORIGIN},
            given={"token": self.keys.token(scope)},
        )
        cookie = reply.headers["set-cookie"]
        browser = {"Origin": ORIGIN, "Cookie": cookie.partition(";")[0]}
        return browser, reply.document["proof"], cookie
