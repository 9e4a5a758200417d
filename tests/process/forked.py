"""Processes of the program that were forked with everything read in (`warm.py` says why)."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from array import array
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final

from typing_extensions import override

from surefoot.demo import Stage
from surefoot.demo.stage import Process

WARM: Final = Path(__file__).with_name("warm.py")
_DEAD: Final = "the process that forks has died"


class Forked:
    """One of them, as asyncio shows a process that it started."""

    def __init__(self, hears: int) -> None:
        said = os.read(hears, 4)
        if not said:
            os.close(hears)
            raise RuntimeError(_DEAD)  # as process 0 it would be everything that started it
        self.pid = int.from_bytes(said, "little")
        self.returncode: int | None = None
        self._hears = hears
        self._over = asyncio.Event()
        asyncio.get_running_loop().add_reader(hears, self._ended)

    def send_signal(self, number: int) -> None:
        if self.returncode is not None:
            raise ProcessLookupError(self.pid)
        os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)

    async def wait(self) -> int:
        await self._over.wait()
        if self.returncode is None:
            raise RuntimeError(_DEAD)
        return self.returncode

    def _ended(self) -> None:
        asyncio.get_running_loop().remove_reader(self._hears)
        said = os.read(self._hears, 4)
        os.close(self._hears)
        self.returncode = int.from_bytes(said, "little", signed=True) if said else None
        self._over.set()


class Forker:
    """The process that forks them: one for all tests of this process, begun by the first."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._control: socket.socket | None = None

    def fork(
        self,
        arguments: Sequence[str],
        *,
        directory: Path,
        environment: Mapping[str, str],
        output: int,
        errors: int,
    ) -> Forked:
        """Start the program with these arguments."""
        request = {
            "arguments": list(arguments),
            "directory": str(directory),
            "environment": dict(environment),
        }
        hears, says = os.pipe()
        files = array("i", [output, errors, says])
        beside = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)]
        self._begun().sendmsg([json.dumps(request).encode()], beside)
        os.close(says)
        return Forked(hears)

    def end(self) -> None:
        """Let it go, once nobody will ask any more."""
        if self._control is not None and self._process is not None:
            self._control.close()
            self._process.wait()
            self._control = self._process = None

    def _begun(self) -> socket.socket:
        if self._control is None:
            self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self._process = subprocess.Popen(
                [sys.executable, str(WARM), str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )
            theirs.close()
        return self._control


FORKER: Final = Forker()


class ForkedStage(Stage):
    """A stage whose programs are forked, unless a test wants them to start from nothing."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.cold = False

    @override
    async def begin(
        self,
        arguments: Sequence[str],
        environment: Mapping[str, str],
        *,
        output: IO[bytes],
        errors: IO[bytes],
    ) -> Process:
        if self.cold:
            return await super().begin(arguments, environment, output=output, errors=errors)
        return FORKER.fork(
            arguments,
            directory=self.directory,
            environment=environment,
            output=output.fileno(),
            errors=errors.fileno(),
        )
