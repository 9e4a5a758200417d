"""What is served beside the journal of a play, and how to ask it."""

from __future__ import annotations

import os
import secrets
import signal
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp
from tests.process.play import Play

from surefoot.demo.stage import Server
from surefoot.journal.tenancy import Tenancy

# Below what systems give to whoever wants any port: nobody gets one of these by chance while the
# dashboard is not up yet, or dead for a while (a stranger's server once answered in its place).
PORTS = range(20_000, 30_000)


def free_port() -> int:
    """Return a port that nobody listens at, and that nobody is given who asks for any."""
    while True:
        port = secrets.choice(PORTS)
        with socket.socket() as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with suppress(OSError):
                listener.bind(("127.0.0.1", port))
                return port


class Dashboard:
    """What is served beside the journal of a play."""

    def __init__(self, play: Play) -> None:
        self.play = play
        self.port = free_port()

    @property
    def settings(self) -> str:
        return f'[web]\nenabled = true\nlisten = "127.0.0.1:{self.port}"\n'

    @property
    def pid(self) -> int | None:
        tenant = Tenancy(self.play.stage.journal, "web").tenant()
        return None if tenant is None else tenant.pid

    def accompanies(self, server: Server) -> bool:
        """Tell whether this server started it: what a dead one left behind may serve as well."""
        try:
            stat = Path(f"/proc/{self.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return int(stat.rpartition(")")[2].split()[1]) == server.pid

    async def ask(self, path: str) -> tuple[int, Any]:
        """Ask with the token, if there is one yet; 0 if nobody answers."""
        token = self.play.stage.directory / "surefoot.token"
        text = token.read_text().strip() if token.exists() else ""
        try:
            async with (
                aiohttp.ClientSession() as client,
                client.get(
                    f"http://127.0.0.1:{self.port}{path}",
                    headers={"Authorization": f"Bearer {text}"},
                ) as answer,
            ):
                return answer.status, await answer.json()
        except aiohttp.ClientError:
            return 0, None

    async def serves(self, *, engine: bool) -> bool:
        """Tell whether it serves, and says that the engine is up, or down."""
        code, status = await self.ask("/api/v1/status")
        return code == 200 and (status["server"] is not None) == engine

    def kill(self) -> None:
        """Kill it with SIGKILL, if it is served at all."""
        self._kill("web")

    def end(self) -> None:
        """Kill whoever serves or tells: both outlive a server, also that of a test that failed."""
        for each in ("web", "notify"):
            self._kill(each)

    def _kill(self, what: str) -> None:
        tenant = Tenancy(self.play.stage.journal, what).tenant()
        if tenant is not None:
            with suppress(ProcessLookupError):
                os.kill(tenant.pid, signal.SIGKILL)
