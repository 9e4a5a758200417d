"""A few threads for code that is not ours, shared by everybody who has some.

One worker serves while it gets on: hooks are short, and two threads would only fight over
Python's global lock. When one piece of work lasts, another worker joins; so what blocks costs the
others at most two looks of the watch, however many they are. Work has its time from the moment a
worker takes it. Past that its thread is told to stop, abandoned and replaced: a spinning one ends
at once, a sleeping one when it wakes, and until then it counts against a bound.
"""

from __future__ import annotations

import asyncio
import ctypes
import queue
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from surefoot.core.errors import SurefootError

WORKERS_MAX: Final = 32
# Threads that never came back; with more than these, nothing is replaced any more.
ABANDONED_MAX: Final = 32
LOOK_EVERY_S: Final = 0.02

T = TypeVar("T")


class Say(Protocol):
    """A log's way to say one event with its fields."""

    def __call__(self, event: str, **fields: Any) -> Any:
        """Say it."""
        ...


class Late(SurefootError):
    """The work did not come back in time; its thread is abandoned, and its answer is void."""


class Crowded(SurefootError):
    """Too many threads never came back; nothing more is started in this process."""


class Abandoned(BaseException):
    """Raised inside a thread whose work did not come back in time."""


@dataclass(slots=True, kw_only=True, eq=False)
class _Job:
    work: Callable[[], Any]
    name: str
    limit_s: float
    outcome: asyncio.Future[tuple[Any, Exception | None]]
    # When the watch first saw a worker have it.
    since: float | None = None


@dataclass(slots=True, eq=False)
class _Worker:
    thread: threading.Thread | None = None
    wake: queue.SimpleQueue[None] = field(default_factory=queue.SimpleQueue)
    job: _Job | None = None
    idle: bool = False
    slow: bool = False
    abandoned: bool = False


class Workers:
    """Does work in threads, each piece within its time. Serves one event loop."""

    def __init__(self, say: Say) -> None:
        self._say = say
        # No Condition: an abandoned thread may be stopped inside whatever is written in Python.
        self._lock = threading.Lock()
        self._waiting: deque[_Job] = deque()
        self._workers: list[_Worker] = []
        self._abandoned: list[threading.Thread] = []
        self._done: deque[tuple[_Job, tuple[Any, Exception | None]]] = deque()
        self._told = False
        self._closed = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._watch: asyncio.TimerHandle | None = None

    async def do(self, work: Callable[[], T], *, name: str, limit_s: float) -> T:
        """Return what the work returns, or raise what it raises.

        Raises:
            Late: it was not back in time.
            Crowded: no thread is left for it.
        """
        self._loop = loop = asyncio.get_running_loop()
        job = _Job(work=work, name=name, limit_s=limit_s, outcome=loop.create_future())
        with self._lock:
            self._waiting.append(job)
            self._bring_worker()
        self._keep_watch(loop)
        try:
            value, error = await job.outcome
        except asyncio.CancelledError:
            self._drop(job)
            raise
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]

    def close(self) -> None:
        """Let the threads end, each after the work that it has."""
        with self._lock:
            self._closed = True
            for worker in self._workers:
                worker.wake.put(None)

    # In the threads ------------------------------------------------------------------------------

    def _serve(self, worker: _Worker) -> None:
        with suppress(Abandoned):
            while (job := self._next(worker)) is not None:
                if not self._finish(worker, job, _outcome(job.work)):
                    return

    def _next(self, worker: _Worker) -> _Job | None:
        while True:
            with self._lock:
                if self._waiting:
                    worker.job = self._waiting.popleft()
                    return worker.job
                if self._closed:
                    return None
                worker.idle = True
            worker.wake.get()

    def _finish(self, worker: _Worker, job: _Job, outcome: tuple[Any, Exception | None]) -> bool:
        """Hand an answer over; several that come quickly cost the loop one waking."""
        with self._lock:
            if worker.abandoned:
                return False
            worker.job, worker.slow = None, False
            self._done.append((job, outcome))
            first, self._told = not self._told, True
        if first and self._loop is not None:
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                self._loop.call_soon_threadsafe(self._deliver)
        return True

    # In the loop ---------------------------------------------------------------------------------

    def _deliver(self) -> None:
        self._told = False
        while self._done:
            job, outcome = self._done.popleft()
            _settle(job, outcome)

    def _keep_watch(self, loop: asyncio.AbstractEventLoop) -> None:
        if self._watch is None:
            self._watch = loop.call_later(LOOK_EVERY_S, self._look, loop)

    def _look(self, loop: asyncio.AbstractEventLoop) -> None:
        """See who does not get on; while anything is out, look again soon."""
        self._watch = None
        now = loop.time()
        late: list[_Job] = []
        with self._lock:
            for worker in list(self._workers):
                job = worker.job
                if job is None:
                    continue
                worker.slow = job.since is not None
                job.since = now if job.since is None else job.since
                if now - job.since >= job.limit_s:
                    self._abandon(worker)
                    late.append(job)
            self._bring_worker()
            busy = bool(self._waiting) or any(worker.job for worker in self._workers)
        for job in late:
            self._tell_late(job)
        if busy:
            self._keep_watch(loop)

    def _tell_late(self, job: _Job) -> None:
        _settle(job, (None, Late(f"blocked: no answer in {job.limit_s:g} s")))
        self._say(
            "strategy thread abandoned",
            bot=job.name,
            abandoned=len(self._abandoned),
            most=ABANDONED_MAX,
        )

    def _drop(self, job: _Job) -> None:
        """Give up on work that nobody waits for any more."""
        with self._lock:
            with suppress(ValueError):
                self._waiting.remove(job)
            for worker in list(self._workers):
                if worker.job is job:
                    self._abandon(worker)
            self._bring_worker()

    # With the lock held --------------------------------------------------------------------------

    def _bring_worker(self) -> None:
        """Wake or start a worker if work waits and nobody who gets on is there for it."""
        if not self._waiting or any(not (each.idle or each.slow) for each in self._workers):
            return
        resting = next((each for each in self._workers if each.idle), None)
        if resting is not None:
            resting.idle = False
            resting.wake.put(None)
        elif not self._start_worker() and not self._workers:
            for job in self._waiting:
                error = Crowded(f"not called: {len(self._abandoned)} strategies never came back")
                _settle(job, (None, error))
            self._waiting.clear()

    def _start_worker(self) -> bool:
        self._abandoned = [thread for thread in self._abandoned if thread.is_alive()]
        if len(self._workers) >= WORKERS_MAX or len(self._abandoned) >= ABANDONED_MAX:
            return False
        worker = _Worker()
        worker.thread = threading.Thread(
            target=self._serve, args=(worker,), name="strategies", daemon=True
        )
        try:
            worker.thread.start()
        except RuntimeError:  # the system has no thread for us
            return False
        self._workers.append(worker)
        return True

    def _abandon(self, worker: _Worker) -> None:
        worker.abandoned = True
        self._workers.remove(worker)
        if worker.thread is not None:
            self._abandoned.append(worker.thread)
            stop_thread(worker.thread)


def stop_thread(thread: threading.Thread) -> None:
    """Raise `Abandoned` in a thread, as soon as it runs any Python."""
    ident = ctypes.c_ulong(thread.ident or 0)
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ident, ctypes.py_object(Abandoned))


def _outcome(work: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return work(), None
    except Abandoned:
        raise
    except Exception as error:  # noqa: BLE001 (it is raised again where it is awaited)
        return None, error
    except BaseException as error:  # noqa: BLE001 (leaving the program ends the work only)
        return None, RuntimeError(f"{type(error).__name__}: {error}")


def _settle(job: _Job, outcome: tuple[Any, Exception | None]) -> None:
    if not job.outcome.done():
        job.outcome.set_result(outcome)
