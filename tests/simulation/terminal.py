"""A terminal in a world: the shipped command line in this process, in the world's own time.

Commands are written for a process of their own, and run an event loop for each thing that takes
time. Here they sit in a thread that runs only while the world stands still, and whatever they would
have run in a loop of their own happens in the world's. So the same seed is answered the same.
"""

from __future__ import annotations

import asyncio
import getpass
import io
import json
import os
import socket
import sys
import traceback
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar, copy_context
from dataclasses import dataclass
from functools import partial
from queue import SimpleQueue
from threading import Thread
from typing import Any, Final, TypeAlias
from unittest.mock import patch

import structlog
from tests.simulation.world import World
from typing_extensions import override

from surefoot import config
from surefoot.cli import run as command_line
from surefoot.config.trial import Asked, Trial
from surefoot.engine.clock import SystemClock

# What is wrong with a command that its own exit codes do not tell.
CRASHED: Final = -1

Work: TypeAlias = Coroutine[Any, Any, Any]


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a command came to; `crash` is the traceback that its user would have seen."""

    words: tuple[str, ...]
    code: int
    out: str
    err: str
    crash: str | None = None

    @property
    def document(self) -> Any:
        """Return what `--json` printed."""
        return json.loads(self.out)


class _Screen(io.StringIO):
    """What one command prints; whoever else prints meanwhile prints where he would have."""

    def __init__(self, behind: Any) -> None:
        super().__init__()
        self._behind = behind

    @override
    def write(self, text: str) -> int:
        return super().write(text) if _TYPING.get() else int(self._behind.write(text))


_TYPING: ContextVar[bool] = ContextVar("typing", default=False)


class Terminal:
    """One at a time types here, and waits for the answer.

    Whoever holds `free` types several commands, and nobody types in between.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self.free = asyncio.Lock()

    async def type(self, *words: str) -> Answer:
        """Run one command to its end, when whoever types now has ended."""
        async with self.free:
            return await self.run(*words)

    async def run(self, *words: str) -> Answer:
        """Run one command of whoever holds the terminal; the configuration is the world's."""
        place = ("--config", str(self._world.directory / "surefoot.toml"))
        typing = _TYPING.set(True)
        try:
            with self._seated() as (out, err):
                code, crash = await _Sitting(partial(command_line, [*words, *place])).served()
        finally:
            _TYPING.reset(typing)
        return Answer(words=words, code=code, out=out.getvalue(), err=err.getvalue(), crash=crash)

    @contextmanager
    def _seated(self) -> Iterator[tuple[_Screen, _Screen]]:
        """Let whatever a command asks of its machine be the world's."""
        out, err = _Screen(sys.stdout), _Screen(sys.stderr)
        clock, logs = self._world.clock, structlog.get_config()
        with ExitStack() as stack:
            for thing, name, instead in (
                (sys, "stdout", out),
                (sys, "stderr", err),
                (SystemClock, "now", lambda _self: clock.now()),
                (SystemClock, "monotonic", lambda _self: clock.monotonic()),
                (getpass, "getuser", lambda: "somebody"),
                (socket, "gethostname", lambda: "somewhere"),
                (config, "tried", _tried),
            ):
                stack.enter_context(patch.object(thing, name, instead))
            stack.enter_context(patch.dict(os.environ, {"COLUMNS": "200"}))
            yield out, err
        structlog.configure(**logs)


def _tried(settings: config.Settings, **_rest: bool) -> Trial:
    """Make the strategies here: a process of their own would be of another world."""
    made = config.strategies(settings)
    return Trial(asked={bot: Asked(timeframe=each.timeframe) for bot, each in made.items()})


class _Sitting:
    """A command in its thread: it and the world take turns, and neither runs beside the other."""

    def __init__(self, command: Callable[[], int]) -> None:
        self._command = command
        # What is to be done in the world; None: the command has ended.
        self._asked: SimpleQueue[Work | None] = SimpleQueue()
        self._answered: SimpleQueue[Callable[[], Any]] = SimpleQueue()
        self._end: tuple[int, str | None] = (CRASHED, None)
        self._cancelled: asyncio.CancelledError | None = None

    async def served(self) -> tuple[int, str | None]:
        """Do in the world what the command asks for, until it has ended."""
        thread = Thread(target=copy_context().run, args=(self._sit,), daemon=True)
        thread.start()
        while (work := self._asked.get()) is not None:
            try:  # in this very task: what needs no time is told of one moment
                answer = partial(_same, await work)
            except asyncio.CancelledError as error:
                self._cancelled, answer = error, partial(_raised, error)
            except BaseException as error:  # noqa: BLE001 (it is raised where it was asked for)
                answer = partial(_raised, error)
            self._answered.put(answer)
        thread.join()
        if self._cancelled is not None:
            raise self._cancelled
        return self._end

    def _sit(self) -> None:
        try:
            with patch.object(asyncio, "run", self._ask):
                self._end = (self._command(), None)
        except BaseException:  # noqa: BLE001 (a process would end with it)
            self._end = (CRASHED, traceback.format_exc())
        finally:
            self._asked.put(None)

    def _ask(self, work: Work) -> Any:
        self._asked.put(work)
        return self._answered.get()()


def _same(result: Any) -> Any:
    return result


def _raised(error: BaseException) -> Any:
    raise error
