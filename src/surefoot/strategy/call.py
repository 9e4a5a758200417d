"""Asking a strategy, at arm's length.

A `Caller` asks the hooks of one bot's strategy, one at a time and in their order, in threads that
all bots share: plain hooks in `Workers`, what an `async` hook returns in the `SharedLoop`. Whatever
a hook does there, the engine's loop and the other bots go on: it may raise, exit, sleep or spin.
What comes back is either an answer that was checked, or `StrategyFailed` and no trace of the call.

A hook that is not back in time loses its thread, and this caller refuses every later call. Start
again with a new strategy and a new caller. What no thread can guard against is code that keeps
Python's global lock, such as a runaway regular expression.
"""

from __future__ import annotations

import asyncio
import inspect
import sys
import traceback
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from functools import partial
from inspect import CORO_CREATED
from typing import Any, Final, Literal, TypeAlias

from surefoot.core.errors import InvalidValue, SurefootError
from surefoot.strategy.candles import Candle
from surefoot.strategy.contract import Strategy
from surefoot.strategy.errors import StrategyFailed, StrategyNotLoaded
from surefoot.strategy.facts import Fill, Tick, View
from surefoot.strategy.inline import Inline, InlineLoop
from surefoot.strategy.memory import durable
from surefoot.strategy.shared_loop import Displaced, Owner, SharedLoop
from surefoot.strategy.signals import Add, Enter, Exit, Signal
from surefoot.strategy.workers import Abandoned, Crowded, Late, Say, Workers

Hook: TypeAlias = Literal["on_start", "on_tick", "on_candle", "on_fill"]
# What a hook is asked about; nothing but the view when it starts.
Event: TypeAlias = Tick | Candle | Fill | None
Loop: TypeAlias = SharedLoop | InlineLoop

REASON_MAX: Final = 300
# Importing a strategy takes this long at most, once others depend on this process.
LOAD_LIMIT_S: Final = 10.0
# A hook is asked again this often if others block the loop in which it waited.
DISPLACED_MAX: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a strategy wants, and its memory after the call: to be journaled together.

    `note` is what it said of itself, if it did.
    """

    signal: Signal | None
    memory: dict[str, Any]
    note: str | None = None


class Room:
    """Where the code of bot authors runs, for all bots of one process: threads, if nothing else."""

    def __init__(
        self, say: Say, *, workers: Workers | Inline | None = None, loop: Loop | None = None
    ) -> None:
        self.workers = workers or Workers(say)
        self.loop = loop or SharedLoop(say)

    async def load(self, work: Callable[[], Strategy], *, name: str) -> Strategy:
        """Import an author's file and make the strategy, where it can block nobody.

        Raises:
            StrategyNotLoaded: it is missing or broken, or was not back in time.
        """
        try:
            return await self.workers.do(work, name=name, limit_s=LOAD_LIMIT_S)
        except (Late, Crowded) as error:
            raise StrategyNotLoaded(f"importing it {error}") from error

    def close(self) -> None:
        """Let the threads end."""
        self.workers.close()
        self.loop.close()


class Caller:
    """Calls the hooks of one strategy, one at a time, each within its time."""

    def __init__(self, strategy: Strategy, *, name: str, room: Room) -> None:
        self._strategy = strategy
        self._title = type(strategy).__name__
        self._room = room
        self._owner = Owner(name=name)
        self._asking = False

    def listens(self, hook: Hook) -> bool:
        """Tell whether the author wrote this hook; asking another one would be for nothing."""
        return inspect.getattr_static(self._strategy, hook) is not vars(Strategy)[hook]

    async def consult(self, hook: Hook, event: Event, view: View, *, limit_s: float) -> Advice:
        """Ask one hook. The view's memory is left as it is; the new one is in the advice.

        Raises:
            StrategyFailed: it raised, answered nonsense, or did not answer in time.
        """
        if self._owner.closed is not None:
            raise self._failed(hook, f"not called: {self._owner.closed}", blocked=True)
        if self._asking:
            raise self._failed(hook, "not called: its last call is still running")
        self._asking = True
        try:
            outcome = await self._answer(hook, event, view, limit_s)
        except (Late, Crowded) as error:
            self._close("it blocked earlier")
            raise self._failed(hook, str(error), blocked=True) from None
        except asyncio.CancelledError:
            self._close("an earlier call was cancelled")
            raise
        finally:
            self._asking = False
        if isinstance(outcome, StrategyFailed):
            raise outcome
        return outcome

    def close(self) -> None:
        """Call nothing any more; what is out ends by itself."""
        self._close("it was closed")

    def _close(self, why: str) -> None:
        if self._owner.closed is None:
            self._owner.closed = why
        self._room.loop.end(self._owner)

    def _failed(self, hook: Hook, reason: str, *, blocked: bool = False) -> StrategyFailed:
        return StrategyFailed(self._title, hook, reason, blocked=blocked)

    async def _answer(
        self, hook: Hook, event: Event, view: View, limit_s: float
    ) -> Advice | StrategyFailed:
        for _ in range(DISPLACED_MAX):
            call = _Call(self._strategy, hook, event, view)
            outcome = await self._room.workers.do(
                call.begin, name=self._owner.name, limit_s=limit_s
            )
            if not isinstance(outcome, _Unfinished):
                return outcome
            finish = partial(call.finish, outcome)
            try:
                return await self._room.loop.do(finish, owner=self._owner, limit_s=limit_s)
            except Displaced:
                continue
            finally:
                outcome.forget()
        return self._failed(hook, f"other bots blocked its loop {DISPLACED_MAX} times")


@dataclass(frozen=True, slots=True)
class _Unfinished:
    """What an `async` hook returned: to be awaited, elsewhere."""

    result: Awaitable[object]

    def forget(self) -> None:
        """Close what was never begun; nothing of the author's runs by that."""
        result = self.result
        if inspect.iscoroutine(result) and inspect.getcoroutinestate(result) == CORO_CREATED:
            result.close()


class _Call:
    """One call, where the author's code runs: a checked answer, or what went wrong."""

    def __init__(self, strategy: Strategy, hook: Hook, event: Event, view: View) -> None:
        self._strategy = strategy
        self._hook = hook
        self._event = event
        self._given = view
        self._view = view

    def begin(self) -> Advice | _Unfinished | StrategyFailed:
        """Call the hook, with a memory of its own."""
        try:
            self._view = replace(self._given, memory=durable(self._given.memory), noted=[])
            hook = getattr(self._strategy, self._hook)
            event = () if self._hook == "on_start" else (self._event,)
            result = hook(*event, self._view)
            return _Unfinished(result) if inspect.isawaitable(result) else self._advice(result)
        except Abandoned:
            raise
        except BaseException as error:  # noqa: BLE001 (SystemExit too must end the call only)
            return self._failure(error)

    async def finish(self, unfinished: _Unfinished) -> Advice | StrategyFailed:
        """Await what an `async` hook returned."""
        try:
            return self._advice(await unfinished.result)
        except Abandoned:
            raise
        except BaseException as error:  # noqa: BLE001 (as above)
            return self._failure(error)

    def _advice(self, result: object) -> Advice:
        if self._hook == "on_start" and result is not None:
            raise InvalidValue("on_start prepares and answers nothing; enter in another hook")
        return Advice(
            signal=_signal(result),
            memory=durable(self._view.memory),
            note=self._view.noted[-1] if self._view.noted else None,
        )

    def _failure(self, error: BaseException) -> StrategyFailed:
        return StrategyFailed(
            type(self._strategy).__name__,
            self._hook,
            _reason(error, type(self._strategy)),
            details="".join(traceback.format_exception(error)),
        )


def _signal(result: object) -> Signal | None:
    if result is None or isinstance(result, Enter | Add | Exit):
        return result
    if isinstance(result, type) and issubclass(result, Enter | Add | Exit):
        raise InvalidValue(f"returned the class {result.__name__}; write {result.__name__}()")
    kind = type(result).__name__
    raise InvalidValue(f"returned a {kind}; return Enter(…), Add(…), Exit(…) or None")


def _reason(error: BaseException, strategy: type) -> str:
    """Say in one line what was raised, and where in the author's own file."""
    if isinstance(error, SurefootError):
        text = str(error)
    else:
        text = "".join(traceback.format_exception_only(error)).strip().partition("\n")[0]
    source = getattr(sys.modules.get(strategy.__module__), "__file__", None)
    frames = [each for each in traceback.extract_tb(error.__traceback__) if each.filename == source]
    place = f" ({frames[-1].filename}:{frames[-1].lineno})" if frames else ""
    return (" ".join(text.split())[:REASON_MAX] + place).encode("utf-8", "replace").decode()
