"""One event loop, in one thread, for every `async` hook: shared, and watched from outside.

A coroutine that blocks it is noticed because the loop stops answering. Whose it is, is known,
because every step of every task there says so first. That owner is closed, the thread is
abandoned, and a new loop takes its place; whoever only waited on the old one is `Displaced` and
asks again. A closed owner's tasks end at their next step, whatever they catch.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable, Coroutine, Generator
from contextlib import suppress
from contextvars import Context, ContextVar
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

from typing_extensions import override

from surefoot.core.errors import SurefootError
from surefoot.strategy.workers import (
    ABANDONED_MAX,
    LOOK_EVERY_S,
    Abandoned,
    Crowded,
    Late,
    Say,
    stop_thread,
)

# A loop that answers nothing for this long is taken for blocked.
BLOCKED_AFTER_S: Final = 1.0

T = TypeVar("T")


class Displaced(SurefootError):
    """Somebody else blocked the shared loop: the work did not end, and may be done again."""


@dataclass(slots=True, kw_only=True, eq=False)
class Owner:
    """Whose code it is; `closed` says why nothing of it may run any more."""

    name: str
    closed: str | None = None


_OWNER: ContextVar[Owner | None] = ContextVar("owner", default=None)


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    owner: Owner
    limit_s: float
    outcome: asyncio.Future[tuple[Any, Exception | None]]
    started: bool = False
    # When the watch first saw it started: waiting for a turn is nobody's fault.
    since: float | None = None


class SharedLoop:
    """Runs coroutines of many owners, each within its time. Serves one event loop."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._life: _Life | None = None
        self._abandoned: list[threading.Thread] = []
        self._out: set[_Job] = set()
        self._watch: asyncio.TimerHandle | None = None
        # The step at which the loop stands without answering, and since when.
        self._stands: tuple[int, float] | None = None

    async def do(self, work: Callable[[], Awaitable[T]], *, owner: Owner, limit_s: float) -> T:
        """Return what the coroutine returns, or raise what it raises.

        Raises:
            Late: it was not back in time, or blocked the loop: its owner is closed.
            Displaced: somebody else blocked the loop.
            Crowded: no thread is left for a loop.
        """
        loop = asyncio.get_running_loop()
        life = self._living()
        job = _Job(owner=owner, limit_s=limit_s, outcome=loop.create_future())
        self._out.add(job)

        def begin() -> Awaitable[T]:
            job.started = True
            return work()

        def answer(outcome: tuple[Any, Exception | None]) -> None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(_settle, job, outcome)

        life.begin(begin, owner, answer)
        self._keep_watch(loop)
        try:
            value, error = await job.outcome
        finally:
            self._out.discard(job)
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]

    def end(self, owner: Owner) -> None:
        """End what runs of an owner that is closed; what waits is woken for it."""
        if self._life is not None:
            self._life.end(owner)

    def close(self) -> None:
        """Let the loop end."""
        if self._life is not None:
            self._life.leave()
            self._life = None

    def _living(self) -> _Life:
        if self._life is None:
            self._abandoned = [thread for thread in self._abandoned if thread.is_alive()]
            if len(self._abandoned) >= ABANDONED_MAX:
                raise Crowded(f"not called: {len(self._abandoned)} strategies never came back")
            self._life = _Life()
            self._stands = None
        return self._life

    def _keep_watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._watch is None:
            self._watch = loop.call_later(LOOK_EVERY_S, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        self._watch = None
        life, now = self._life, loop.time()
        if life is None or not self._out:
            return
        if life.answered:
            self._stands = None
            self._end_late(life, now)
            life.ask()
        elif self._stands is None or self._stands[0] != life.steps:
            self._stands = (life.steps, now)
        else:
            culprit = life.stepping
            mine = next((job.limit_s for job in self._out if job.owner is culprit), BLOCKED_AFTER_S)
            if now - self._stands[1] >= min(mine, BLOCKED_AFTER_S):
                self._replace(life, culprit)
        if self._out:
            self._keep_watch(loop)

    def _end_late(self, life: _Life, now: float) -> None:
        """End what waits too long, in a loop that gets on."""
        for job in list(self._out):
            if job.since is None:
                job.since = now if job.started else None
            elif now - job.since >= job.limit_s:
                job.owner.closed = "it blocked earlier"
                life.end(job.owner)
                self._out.discard(job)
                _settle(job, (None, Late(f"blocked: no answer in {job.limit_s:g} s")))

    def _replace(self, life: _Life, culprit: Owner | None) -> None:
        self._life = None
        life.abandon()
        self._abandoned.append(life.thread)
        if culprit is not None:
            culprit.closed = "it blocked earlier"
        self._say(
            "strategies' loop abandoned",
            bot=None if culprit is None else culprit.name,
            abandoned=len(self._abandoned),
            most=ABANDONED_MAX,
        )
        for job in self._out:
            if job.owner is culprit:
                late = Late(f"blocked: no answer in {job.limit_s:g} s, and nobody else could run")
                _settle(job, (None, late))
            else:
                _settle(job, (None, Displaced("somebody else blocked the loop")))
        self._out.clear()


class _Life:
    """One loop in its thread, until somebody blocks it."""

    def __init__(self) -> None:
        self.stepping: Owner | None = None
        self.steps = 0
        self.answered = True
        self._over = False
        self._loop = asyncio.new_event_loop()
        self._loop.set_task_factory(self._task)  # type: ignore[arg-type]
        # What becomes of an author's background task is the author's business.
        self._loop.set_exception_handler(lambda _loop, _context: None)
        self._owners: WeakKeyDictionary[asyncio.Task[Any], Owner | None] = WeakKeyDictionary()
        self.thread = threading.Thread(target=self._serve, name="strategies' loop", daemon=True)
        self.thread.start()

    def begin(
        self,
        work: Callable[[], Awaitable[Any]],
        owner: Owner,
        answer: Callable[[tuple[Any, Exception | None]], None],
    ) -> None:
        context = Context()
        context.run(_OWNER.set, owner)
        self._loop.call_soon_threadsafe(
            lambda: self._loop.create_task(_answered(work, answer), context=context)
        )

    def ask(self) -> None:
        """Put a question that a loop which gets on answers at once."""
        self.answered = False
        self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        self.answered = True

    def end(self, owner: Owner) -> None:
        self._loop.call_soon_threadsafe(self._end, owner)

    def _end(self, owner: Owner) -> None:
        for task, its in list(self._owners.items()):
            if its is owner:
                task.cancel()

    def leave(self) -> None:
        self._over = True
        self._loop.call_soon_threadsafe(self._loop.stop)

    def abandon(self) -> None:
        self.leave()
        stop_thread(self.thread)

    def _may_step(self, owner: Owner | None) -> bool:
        return not self._over and (owner is None or owner.closed is None)

    def _serve(self) -> None:
        asyncio.set_event_loop(self._loop)
        while not self._over:
            with suppress(BaseException):  # what a callback of an author's raises ends nothing
                self._loop.run_forever()
        with suppress(BaseException):
            self._loop.close()

    def _task(
        self, loop: asyncio.AbstractEventLoop, work: Coroutine[Any, Any, Any], **rest: Any
    ) -> asyncio.Task[Any]:
        context: Context | None = rest.get("context")
        owner = _OWNER.get() if context is None else context.get(_OWNER)
        task = asyncio.Task(_Steps(self, owner, work), loop=loop, **rest)
        self._owners[task] = owner
        return task

    def step(
        self,
        owner: Owner | None,
        work: Coroutine[Any, Any, Any],
        step: Callable[[], Any],
    ) -> Any:
        """Take one step, in the owner's name."""
        self.steps += 1
        self.stepping = owner
        try:
            if not self._may_step(owner):
                with suppress(BaseException):
                    work.close()
                raise Abandoned
            return step()
        finally:
            self.stepping = None


class _Steps(Coroutine[Any, Any, Any]):
    """A coroutine whose every step is taken by its life, in its owner's name."""

    def __init__(self, life: _Life, owner: Owner | None, work: Coroutine[Any, Any, Any]) -> None:
        self._life = life
        self._owner = owner
        self._work = work

    @override
    def send(self, value: Any, /) -> Any:
        return self._step(partial(self._work.send, value))

    @override
    def throw(self, *error: Any) -> Any:
        return self._step(partial(self._work.throw, *error))

    @override
    def close(self) -> None:
        with suppress(BaseException):
            self._work.close()

    @override
    def __await__(self) -> Generator[Any, Any, Any]:
        return self._work.__await__()

    def __del__(self) -> None:
        self.close()

    def _step(self, step: Callable[[], Any]) -> Any:
        try:
            return self._life.step(self._owner, self._work, step)
        except (SystemExit, KeyboardInterrupt) as error:
            # As it is, it would end the loop for everybody.
            raise RuntimeError(f"{type(error).__name__}: {error}") from error


async def _answered(
    work: Callable[[], Awaitable[Any]],
    answer: Callable[[tuple[Any, Exception | None]], None],
) -> None:
    try:
        outcome: tuple[Any, Exception | None] = (await work(), None)
    except Abandoned:
        raise
    except Exception as error:  # noqa: BLE001 (it is raised again where it is awaited)
        outcome = (None, error)
    except BaseException as error:  # noqa: BLE001 (leaving the program ends the work only)
        outcome = (None, RuntimeError(f"{type(error).__name__}: {error}"))
    answer(outcome)


def _settle(job: _Job, outcome: tuple[Any, Exception | None]) -> None:
    if not job.outcome.done():
        job.outcome.set_result(outcome)
