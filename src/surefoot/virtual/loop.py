"""An event loop whose time is virtual, and whose inhabitants can be killed.

Nothing here waits: when nothing is ready, time jumps to the next timer. Executors run their work
in the loop, after a delay that is drawn; sockets lead through memory (see `network`).

A `Life` is what a process would be: everything that is started inside of it, by whatever library,
belongs to it. Killed, it takes no further step, nothing that it still tries has any effect, and
its connections break. That is what SIGKILL looks like from outside, between any two steps.
"""

from __future__ import annotations

import asyncio
import heapq
import selectors
import socket
from asyncio import events
from collections import deque
from collections.abc import Callable, Coroutine, Mapping
from contextvars import Context, ContextVar, copy_context
from functools import partial
from itertools import count
from random import Random  # noqa: TID251 (seeded by whoever makes the loop)
from typing import Any, Final, TypeVar

from typing_extensions import override

from surefoot.virtual.network import Delay, Network, VirtualServer

# What a dead life may still do to let go of what it holds, without effect; then it is dropped.
_LAST_TURNS_MAX: Final = 2_000
_ASK_AGAIN_AFTER: Final = 20
_DELAY_S: Final = 0.001
_RESOLUTION_S: Final = 1e-6

T = TypeVar("T")


class Stuck(RuntimeError):
    """Nothing is ready, and no timer will ever ring."""


class Killed(Exception):
    """What is answered to a dead life."""


class Life:
    """What is born together, and dies together."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.steps = 0
        # It dies before its step of this number.
        self.dies_at: int | None = None
        self.doomed = False
        self.ended = False
        self.dying = False
        self.main: asyncio.Task[Any] | None = None
        self.tasks: dict[asyncio.Task[Any], None] = {}

    @override
    def __repr__(self) -> str:
        return f"<life {self.name}, step {self.steps}>"


_LIFE: ContextVar[Life | None] = ContextVar("life", default=None)


def life_now() -> Life | None:
    """Return whose step this is."""
    return _LIFE.get()


class _Handle(events.Handle):
    """A step of somebody, who may be dead when it comes to it."""

    __slots__ = ()

    @override
    def _run(self) -> None:
        if _may_step(self):
            super()._run()


class _TimerHandle(events.TimerHandle):
    __slots__ = ()

    @override
    def _run(self) -> None:
        if _may_step(self):
            super()._run()


def _may_step(handle: Any) -> bool:
    life: Life | None = handle._context.get(_LIFE)
    if life is None:
        return True
    if life.ended or life.doomed:
        return life.dying
    life.steps += 1
    if life.steps == life.dies_at:
        loop: VirtualLoop = handle._loop
        loop._ready.appendleft(handle)
        loop.kill(life)
        return False
    return True


class _Rest:
    """What is left to do of a life that is dying, taken out of its loop."""

    def __init__(self, life: Life) -> None:
        self._life = life
        self._ready: list[Any] = []
        self._timers: list[Any] = []

    def has(self, handle: Any) -> bool:
        """Tell whether a step is one of this life's."""
        return handle._context.get(_LIFE) is self._life

    def add(self, handle: Any) -> None:
        self._ready.append(handle)

    def add_timer(self, timer: Any) -> None:
        heapq.heappush(self._timers, timer)

    def take_timers(self, timers: list[Any]) -> list[Any]:
        """Take this life's timers; return the others."""
        others = []
        for timer in timers:
            if self.has(timer):
                timer._scheduled = False
                self._timers.append(timer)
            else:
                others.append(timer)
        heapq.heapify(self._timers)
        heapq.heapify(others)
        return others

    def next(self) -> list[Any]:
        """Return what is ready, or else, while a task waits, the next timer."""
        ready = [each for each in self._ready if not each.cancelled()]
        self._ready = []
        while not ready and self._timers and not all(each.done() for each in self._life.tasks):
            timer = heapq.heappop(self._timers)
            ready = [] if timer.cancelled() else [timer]
        return ready


class _Selector(selectors.BaseSelector):
    """Selects nothing, and moves the time instead."""

    def __init__(self) -> None:
        self.wait: Callable[[float | None], None] = lambda _timeout: None

    @override
    def register(self, fileobj: Any, events: int, data: Any = None) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, events, data)

    @override
    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return selectors.SelectorKey(fileobj, 0, 0, None)

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.wait(timeout)
        return []

    @override
    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return {}


class _Future(asyncio.Future[Any]):
    """A future that sets order by its number: by its address no world could be told twice."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._number = next(loop.numbers)
        super().__init__(loop=loop)

    @override
    def __hash__(self) -> int:
        return self._number


class _Task(asyncio.Task[Any]):
    """A task that sets order by its number."""

    def __init__(self, loop: VirtualLoop, work: Any, context: Context | None) -> None:
        self._number = next(loop.numbers)  # first: asyncio keeps a set of all tasks
        super().__init__(work, loop=loop, context=context)

    @override
    def __hash__(self) -> int:
        return self._number


class VirtualLoop(asyncio.SelectorEventLoop):
    """The loop; `luck` draws every delay in it."""

    # What asyncio's own loop keeps: steps that are ready, and a heap of timers.
    _ready: deque[Any]
    _scheduled: list[Any]
    _timer_cancelled_count: int

    def __init__(self, luck: Random) -> None:
        self._now = 0.0
        self.numbers = count()
        selector = _Selector()
        super().__init__(selector)
        selector.wait = self._wait
        self._clock_resolution = _RESOLUTION_S
        self._luck = luck
        self.network = Network(self, lambda: luck.uniform(0.2, 1.8) * _DELAY_S)
        # How long work takes that is done in an executor.
        self.work_takes: Delay = lambda: luck.expovariate(1 / _DELAY_S)
        self._connecting: dict[int, Any] = {}
        # What is left to do of the life that is being buried.
        self._rest: _Rest | None = None
        self.killed: Callable[[Life], None] = lambda _life: None
        self.set_task_factory(_task)

    # Time ----------------------------------------------------------------------------------------

    @override
    def time(self) -> float:
        """Return virtual seconds since this world began."""
        return self._now

    def _wait(self, timeout: float | None) -> None:
        if timeout is None:
            raise Stuck("nothing is ready, and nothing will ever be")
        if timeout > 0:
            self._now = max(self._now, min(self._scheduled[0].when(), self._now + timeout))

    # Steps ---------------------------------------------------------------------------------------

    @override
    def create_future(self) -> asyncio.Future[Any]:
        """Make a future."""
        return _Future(self)

    def _call_soon(
        self, callback: Callable[..., object], args: Any, context: Context | None
    ) -> asyncio.Handle:
        handle = _Handle(callback, args, self, context)
        if self._rest is not None and self._rest.has(handle):
            self._rest.add(handle)
        else:
            self._ready.append(handle)
        return handle

    @override
    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> asyncio.TimerHandle:
        """Ring at a virtual moment."""
        timer = _TimerHandle(when, callback, args, self, context)
        if self._rest is not None and self._rest.has(timer):
            self._rest.add_timer(timer)
            return timer
        heapq.heappush(self._scheduled, timer)
        timer._scheduled = True  # type: ignore[attr-defined]  # as what this replaces does
        return timer

    # Lives ---------------------------------------------------------------------------------------

    def begin(self, life: Life, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start a life: the work, and whatever is started by it, belong to it."""
        context = copy_context()
        context.run(_LIFE.set, life)
        life.main = task = self.create_task(work, name=life.name, context=context)
        return task

    def kill(self, life: Life) -> None:
        """End a life between two steps. Never called by a step of a task: see `doom`."""
        if life.ended:
            return
        life.ended = True
        self.network.cut(life)
        self._bury(life)
        self.killed(life)

    def doom(self, life: Life) -> None:
        """Let a life take no further step; it is buried before anybody else's next one."""
        life.doomed = True
        self._ready.appendleft(_Handle(self.kill, (life,), self, Context()))

    def _bury(self, life: Life) -> None:
        """Let a dead life let go of what it holds in this process, which takes no time.

        Its steps would otherwise be taken when the garbage collector finds them, at any moment.
        """
        life.dying = True
        rest = self._rest = _Rest(life)
        for handle in self._ready:  # it stays where it is: the loop counts what it has begun
            if rest.has(handle):
                rest.add(handle)
        self._timer_cancelled_count -= sum(each.cancelled() for each in self._scheduled)
        self._scheduled = rest.take_timers([t for t in self._scheduled if not t.cancelled()])
        for turn in range(_LAST_TURNS_MAX):
            if turn % _ASK_AGAIN_AFTER == 0:
                for task in list(life.tasks):
                    task.cancel()
            last = rest.next()
            if not last:
                break
            for handle in last:
                again = _Handle(handle._callback, handle._args, self, handle._context)
                handle.cancel()
                again._run()
        life.dying = False
        self._rest = None
        life.tasks.clear()

    # Executors -----------------------------------------------------------------------------------

    @override
    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        """Do the work in the loop, some time later; a life that is over gets none done."""
        future: asyncio.Future[T] = self.create_future()
        life = life_now()
        if life is not None and life.ended:
            future.set_exception(Killed(f"{life.name} is dead"))
        else:
            self.call_later(self.work_takes(), self._do, future, func, args)
        return future

    def _do(self, future: asyncio.Future[Any], func: Callable[..., Any], args: Any) -> None:
        life = life_now()
        if future.done() or (life is not None and life.ended):
            future.cancel()
            return
        try:
            future.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 (it is raised again where it is awaited)
            future.set_exception(error)

    # Sockets -------------------------------------------------------------------------------------

    @override
    async def getaddrinfo(self, host: Any, port: Any, **_hints: Any) -> Any:
        """Resolve to the host itself: names are addresses here."""
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, port))]

    @override
    async def sock_connect(self, sock: socket.socket, address: Any) -> None:
        """Connect in memory; the socket is only a token for it."""
        self._connecting[sock.fileno()] = address
        await self.network.reach(address)

    @override
    async def create_connection(
        self, protocol_factory: Callable[[], Any], *where: Any, sock: Any = None, **_rest: Any
    ) -> Any:
        """Connect in memory."""
        if sock is None:
            address = where[:2]
            await self.network.reach(address)
        else:
            address = self._connecting.pop(sock.fileno())
            sock.close()
        protocol = protocol_factory()
        return self.network.connect(address, protocol, life_now()), protocol

    @override
    async def create_server(  # type: ignore[override]
        self, protocol_factory: Callable[[], Any], host: Any = None, port: Any = 0, **_rest: Any
    ) -> VirtualServer:
        """Listen in memory."""
        return self.network.listen(protocol_factory, str(host), port, life_now())


def _task(loop: Any, work: Any, context: Context | None = None) -> asyncio.Task[Any]:
    life = _LIFE.get() if context is None else context.get(_LIFE)
    task = _Task(loop, work, context)
    if life is not None:
        life.tasks[task] = None
        task.add_done_callback(partial(life.tasks.pop), context=Context())
    return task
