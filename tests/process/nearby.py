"""The simulated exchange of a test, in a thread beside it.

A process of its own cost each test half a second before anything happened. It is the program under
test that is started, killed and looked at as a process; what it trades on listens on a socket.
"""

from __future__ import annotations

import asyncio
import os
import signal
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Final

from tests.process.forked import ForkedStage
from typing_extensions import override

from surefoot.simulator import Control, Simulator
from surefoot.simulator.__main__ import settings_of
from surefoot.simulator.model import Settings

PATIENCE_S: Final = 60
# A market that nobody moves says its price again at every fourth; a strategy waits for the first.
BEAT_S: Final = 0.1


class NearbyExchange:
    """One simulated exchange, listening until it is closed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._address: Future[str] = Future()
        self._closing = asyncio.Event()
        self._loop = asyncio.new_event_loop()
        self._thread = Thread(target=self._run, name="simulated exchange", daemon=True)

    def open(self) -> str:
        """Listen, and return the address."""
        self._thread.start()
        return self._address.result(PATIENCE_S)

    def close(self) -> None:
        """Hang up on everybody."""
        self._loop.call_soon_threadsafe(self._closing.set)
        self._thread.join(PATIENCE_S)
        assert not self._thread.is_alive(), "the simulated exchange does not end"

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async with Simulator(self._settings) as simulator:
            self._address.set_result(simulator.url)
            await self._closing.wait()


class NearbyStage(ForkedStage):
    """A stage for one test, its exchange in a thread; nothing of it outlives the test."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self._nearby: NearbyExchange | None = None

    @override
    async def open_exchange(self, *arguments: str) -> Control:
        settings = settings_of(arguments)
        if settings.market == "manual":
            settings = replace(settings, beat_s=BEAT_S)
        self._nearby = NearbyExchange(settings)
        self._control = Control(await asyncio.to_thread(self._nearby.open))
        return self._control

    @override
    async def close_exchange(self) -> None:
        if self._nearby is not None:
            await asyncio.to_thread(self._nearby.close)
            self._nearby = None

    @override
    async def close(self) -> None:
        await super().close()
        # What outlives a server, as it should: its dashboard and its messengers.
        for each in Path("/proc").glob("[0-9]*"):
            with suppress(OSError):
                if (each / "cwd").readlink() == self.directory and int(each.name) != os.getpid():
                    os.kill(int(each.name), signal.SIGKILL)
