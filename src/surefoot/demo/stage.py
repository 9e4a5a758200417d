"""The processes: an exchange on this machine, a server on it, and how to kill them.

Everything is the shipped program, started as a user would start it: nothing is patched, nothing
is shared but files, sockets and signals.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from inspect import isawaitable
from pathlib import Path
from socket import socket
from tempfile import TemporaryFile
from typing import IO, Any, Final, Protocol

from surefoot.core.errors import SurefootError
from surefoot.core.position import Position
from surefoot.core.state import fold
from surefoot.core.values import AccountName, PositionId
from surefoot.engine.clock import SystemClock
from surefoot.journal import open_reader
from surefoot.journal.port import Reader, account_stream, position_stream
from surefoot.simulator import Control

_STEP_S: Final = 0.05
_JOURNAL: Final = "sqlite:///surefoot.db"
# Nothing of the caller's own configuration may leak into the processes.
_KEPT: Final = ("SUREFOOT_", "BINANCE_")


class StageFailed(SurefootError):
    """A process did not do in time what it had to; the message says which and where its log is."""


class Process(Protocol):
    """A process that was started, as asyncio shows one."""

    @property
    def pid(self) -> int:
        """Return its id."""
        ...

    @property
    def returncode(self) -> int | None:
        """Return how it ended (minus the signal's number), or None while it lives."""
        ...

    def send_signal(self, signal: int, /) -> None:
        """Send it a signal."""

    def terminate(self) -> None:
        """Send it SIGTERM."""

    def kill(self) -> None:
        """Send it SIGKILL."""

    async def wait(self) -> int:
        """Wait for its end and return its exit code."""
        ...


class Server:
    """One life of `surefoot run`."""

    def __init__(self, process: Process, log: Path) -> None:
        self._process = process
        self.log = log

    @property
    def pid(self) -> int:
        """Return the process id."""
        return self._process.pid

    @property
    def exit_code(self) -> int | None:
        """Return how it ended (minus the signal's number), or None while it lives."""
        return self._process.returncode

    @property
    def killed(self) -> bool:
        """Tell whether SIGKILL ended it."""
        return self.exit_code == -signal.SIGKILL

    def signal(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    async def kill(self) -> None:
        """Kill it with SIGKILL: no goodbye, no handler, no flush."""
        with suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()

    async def stop(self) -> int:
        """Stop it with SIGTERM and return its exit code."""
        with suppress(ProcessLookupError):
            self._process.terminate()
        return await self._process.wait()

    async def wait(self) -> int:
        """Wait for its end and return its exit code."""
        return await self._process.wait()


class Stage:
    """A directory with a configuration, a simulated exchange, and servers that come and go."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.clock = SystemClock()
        self._exchange: asyncio.subprocess.Process | None = None
        self._control: Control | None = None
        self._servers: list[Server] = []

    @property
    def control(self) -> Control:
        """Return the way to the exchange's other side."""
        if self._control is None:
            raise StageFailed("the exchange is not open yet")
        return self._control

    @property
    def journal(self) -> Path:
        """Return the journal's file."""
        return self.directory / "surefoot.db"

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Reader]:
        """Open the journal, also while a server runs and after it was killed."""
        reader = open_reader(_JOURNAL, self.directory)
        try:
            yield reader
        finally:
            await reader.close()

    async def open_exchange(self, *arguments: str) -> Control:
        """Start the simulated exchange."""
        with (self.directory / "exchange.log").open("ab") as log:
            self._exchange = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "surefoot.simulator",
                *arguments,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
            )
        if self._exchange.stdout is None:
            raise StageFailed("the exchange has no output")
        line = await self._exchange.stdout.readline()
        if not line:
            raise StageFailed(f"the exchange did not start; see {self.directory}/exchange.log")
        self._control = Control(json.loads(line)["url"])
        return self._control

    def configure(self, account: Mapping[str, Any], bots: str, rest: str = "") -> None:
        """Write surefoot.toml for one account at the exchange of this stage."""
        settings = self.control.ccxt()
        urls = settings["urls"]["api"]
        lines = [
            f'[journal]\nurl = "{_JOURNAL}"\n[accounts.main]\nexchange = "binance"',
            *(f"{key} = {json.dumps(value)}" for key, value in account.items()),
            "[accounts.main.ccxt]",
            f"urls.api.public = {json.dumps(urls['public'])}",
            f"urls.api.private = {json.dumps(urls['private'])}",
            f"urls.api.sapi = {json.dumps(urls['sapi'])}",
            f"urls.api.ws.spot = {json.dumps(urls['ws']['spot'])}",
            f"urls.api.ws.ws-api.spot = {json.dumps(urls['ws']['ws-api']['spot'])}",
            rest,
            bots,
        ]
        (self.directory / "surefoot.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

    async def open_dashboard(self) -> str:
        """Serve the dashboard beside all servers that come and go; return the way in."""
        with socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = taken.getsockname()[1]
        with (self.directory / "surefoot.toml").open("a", encoding="utf-8") as file:
            file.write(f'[web]\nlisten = "127.0.0.1:{port}"\n')
        await self.start("web")
        _, link, _ = await self.run("token", "--link")
        return link.strip()

    async def start(
        self,
        what: str = "run",
        *,
        crash_at: str | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> Server:
        """Start `surefoot run`, or another server; with `crash_at` it dies by SIGKILL there."""
        log = self.directory / f"server-{len(self._servers) + 1}.log"
        words = (what, "--log", "json") if what == "run" else (what,)
        with log.open("ab") as output:
            process = await self.begin(
                words, clean(environment or {}, crash_at), output=output, errors=output
            )
        server = Server(process, log)
        self._servers.append(server)
        return server

    async def run(
        self, *arguments: str, environment: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        """Run any other command to its end; return its exit code, stdout and stderr."""
        with TemporaryFile() as output, TemporaryFile() as errors:
            process = await self.begin(
                arguments, clean(environment or {}, None), output=output, errors=errors
            )
            try:
                code = await process.wait()
            finally:
                if process.returncode is None:  # whoever waited was told to stop
                    process.kill()
                    await process.wait()
            return code, _written(output), _written(errors)

    async def begin(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        output: IO[bytes],
        errors: IO[bytes],
    ) -> Process:
        """Start the program in this directory."""
        return await asyncio.create_subprocess_exec(
            *command(*arguments),
            cwd=self.directory,
            env=environment,
            stdout=output,
            stderr=errors,
            stdin=asyncio.subprocess.DEVNULL,
        )

    async def until(
        self, condition: Callable[[], object | Awaitable[object]], seconds: float
    ) -> bool:
        """Wait for a fact; False if it has not come true in time."""
        end = self.clock.monotonic() + seconds
        while True:
            found = condition()
            if isawaitable(found):
                found = await found
            if found:
                return True
            if self.clock.monotonic() >= end:
                return False
            await self.clock.sleep(_STEP_S)

    async def last_recovery(self) -> int:
        """Return the sequence number of the newest recovery report, or 0."""
        if not self.journal.exists():
            return 0
        async with self.reading() as reader:
            report = await reader.last(account_stream(AccountName("main")), "recovery-finished")
        return 0 if report is None else report.sequence

    async def position(self, position_id: PositionId) -> Position:
        """Return one position as its records add up."""
        async with self.reading() as reader:
            entries = await reader.entries(stream=position_stream(position_id), limit=1_000_000)
        position = fold(entry.record for entry in entries)  # type: ignore[misc]
        if position is None:
            raise StageFailed(f"the journal has no position {position_id}")
        return position

    async def close(self) -> None:
        """Kill whatever still runs."""
        for server in self._servers:
            if server.exit_code is None:
                await server.kill()
        await self.close_exchange()

    async def close_exchange(self) -> None:
        """Kill the simulated exchange."""
        if self._exchange is not None and self._exchange.returncode is None:
            self._exchange.kill()
            await self._exchange.wait()


def _written(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


def command(*arguments: str) -> Sequence[str]:
    """Return the command line of the shipped program."""
    return (sys.executable, "-m", "surefoot", *arguments)


def clean(extra: Mapping[str, str], crash_at: str | None) -> dict[str, str]:
    """Return the environment of a process: the caller's, without what is meant for Surefoot."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_KEPT)}
    kept |= extra
    if crash_at is not None:
        kept["SUREFOOT_CRASH_AT"] = crash_at
    return kept
