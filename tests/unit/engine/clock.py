"""Time that only the test moves, and a way to let tasks run without any passing."""

from __future__ import annotations

import asyncio
from collections.abc import Generator, Sized
from datetime import datetime, timedelta
from typing import Final

from tests.builders import START

# More turns than any chain of tasks here needs to come to rest.
TURNS: Final = 60
# So often in a row nobody else was ready: all are at rest, or wait for what takes real time.
IDLE_TURNS: Final = 3


class _Turn:
    """Give way once."""

    def __await__(self) -> Generator[None, None, None]:
        yield


async def turns(count: int = TURNS) -> None:
    """Let everybody else run until nothing is left to do."""
    waiting: Sized = asyncio.get_running_loop()._ready  # type: ignore[attr-defined]
    idle = 0
    for _ in range(count):
        await _Turn()
        idle = 0 if waiting else idle + 1
        if idle == IDLE_TURNS:
            break


class HandClock:
    """A clock whose sleepers wake when the test says so; every sleep is noted."""

    def __init__(self) -> None:
        self.elapsed = 0.0
        self.slept: list[float] = []
        self.hurried = False
        self._sleepers: list[tuple[float, asyncio.Event]] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.elapsed)

    def monotonic(self) -> float:
        return 1_000.0 + self.elapsed

    def jitter(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        """Wait for the test; `hurried` clocks jump instead, for code that only waits in line."""
        self.slept.append(seconds)
        if self.hurried:
            self.elapsed += seconds
            await turns(1)
            return
        woken = asyncio.Event()
        self._sleepers.append((self.elapsed + seconds, woken))
        await woken.wait()

    async def advance(self, seconds: float) -> None:
        """Move on, waking sleepers in their order and letting each one finish its turn."""
        await turns()
        end = self.elapsed + seconds
        while due := [each for each in self._sleepers if each[0] <= end]:
            first = min(due, key=lambda each: each[0])
            self._sleepers.remove(first)
            self.elapsed = max(self.elapsed, first[0])
            first[1].set()
            await turns()
        self.elapsed = end
