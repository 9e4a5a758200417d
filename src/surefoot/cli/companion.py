"""Processes that `surefoot run` keeps beside the bots: started, started again, never waited for.

A companion is a session of its own: it outlives a server that is killed, and reports that. The
next server's companion takes its place. What a companion needs no key for, it is not given one.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Annotated, Final, TypeAlias

from cyclopts import Parameter

from surefoot.engine.clock import Clock
from surefoot.engine.voice import Log

# Which server started it; nobody else says so.
CompanionOf: TypeAlias = Annotated[int | None, Parameter(name="--companion-of", show=False)]
STEADY_S: Final = 60.0
BACK_OFF_MAX_S: Final = 60
_LOOK_S: Final = 0.5
# How much later than the server a companion gets the processor, when there is too little of it.
_BEHIND: Final = 5


@asynccontextmanager
async def accompanied(
    name: str, command: Sequence[str], *, secrets: Collection[str], clock: Clock, log: Log
) -> AsyncIterator[Companion]:
    """Keep a companion going while the body runs; a polite end ends it too."""
    companion = Companion(name, command, without(secrets, os.environ), clock=clock, log=log)
    async with asyncio.TaskGroup() as tasks:
        keeping = tasks.create_task(companion.keep())
        try:
            yield companion
        finally:
            keeping.cancel()
            companion.stop()


class Companion:
    """One process, again and again: after 1, 2, 4 … 60 s."""

    def __init__(
        self, name: str, command: Sequence[str], environment: Mapping[str, str], *, clock: Clock,
        log: Log,
    ) -> None:  # fmt: skip
        self._name = name
        self._command = command
        self._environment = environment
        self._clock = clock
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    async def keep(self) -> None:
        """Keep it going for ever."""
        failures = 0
        while True:
            started = self._clock.monotonic()
            why = self._start()
            while why is None:
                await self._clock.sleep(_LOOK_S)
                why = self._end()
            if self._clock.monotonic() - started >= STEADY_S:
                failures = 0
            wait = min(2**failures, BACK_OFF_MAX_S)
            failures = min(failures + 1, BACK_OFF_MAX_S)
            self._log.error("companion ended", name=self._name, why=why, again_in_s=wait)
            await self._clock.sleep(wait)

    @property
    def pid(self) -> int | None:
        """Return which process it is now."""
        return None if self._process is None else self._process.pid

    def stop(self) -> None:
        """Ask it to end; it is not waited for."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def _start(self) -> str | None:
        try:
            # Its own session: neither Ctrl-C nor the end of this process ends it.
            self._process = subprocess.Popen(  # noqa: S603 (our own program)
                self._command,
                env=dict(self._environment),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except OSError as error:
            return f"it cannot be started: {error}"
        return None

    def _end(self) -> str | None:
        code = None if self._process is None else self._process.poll()
        return None if code is None else f"it ended with {code}"


def program(*arguments: str, config: Path, log_format: str | None) -> Sequence[str]:
    """Return the command line of a companion, which takes the place of its predecessor."""
    ours = ("--take-over", "--companion-of", str(os.getpid()), "--config", str(config))
    log = () if log_format is None else ("--log", log_format)
    return (sys.executable, "-m", "surefoot", *arguments, *ours, *log)


def replaces(*, take_over: bool, companion_of: int | None) -> bool:
    """Tell whether a predecessor has to go.

    Not for the companion of a server that is gone: it came late, and whom it would replace may be
    the companion of the next one.
    """
    return take_over and companion_of in {None, os.getppid()}


def give_way() -> None:
    """Let the bots have the processor first: who looks and who is told can wait a little."""
    with suppress(OSError):
        os.nice(_BEHIND)


def without(secrets: Collection[str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables that hold a secret."""
    return {
        name: value
        for name, value in environment.items()
        if not any(secret in value for secret in secrets)
    }
