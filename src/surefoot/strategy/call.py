"""Asking a strategy, at arm's length.

A `Caller` is one bot's own thread, with its own event loop for `async` hooks. Whatever a hook
does there, the engine's loop and the other bots go on: it may raise, exit, sleep or spin. What
comes back is either an answer that was checked, or `StrategyFailed` and no trace of the call.

A hook that is not back in time loses its thread: the thread is told to stop (a sleeping one
notices late, a spinning one at once) and this caller refuses every later call. Start again with
a new strategy and a new caller. What no thread can guard against is code that keeps Python's
global lock, such as a runaway regular expression.
"""

from __future__ import annotations

import asyncio
import ctypes
import queue
import sys
import threading
import traceback
from collections.abc import Awaitable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass, replace
from inspect import isawaitable
from typing import Any, Final, Literal, TypeAlias

from surefoot.core.errors import InvalidValue, SurefootError
from surefoot.strategy.contract import Strategy
from surefoot.strategy.errors import StrategyFailed
from surefoot.strategy.facts import Candle, Fill, Tick, View
from surefoot.strategy.memory import durable
from surefoot.strategy.signals import Enter, Exit, Signal

Hook: TypeAlias = Literal["on_tick", "on_candle", "on_fill"]
Event: TypeAlias = Tick | Candle | Fill

REASON_MAX: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What a strategy wants, and its memory after the call: to be journaled together."""

    signal: Signal | None
    memory: dict[str, Any]


class _Abandoned(BaseException):
    """Raised inside a thread whose call did not come back in time."""


@dataclass(frozen=True, slots=True)
class _Question:
    hook: Hook
    event: Event
    view: View
    answer: Future[Advice | StrategyFailed]


class Caller:
    """Calls the hooks of one strategy, one at a time, each within its time."""

    def __init__(self, strategy: Strategy, *, name: str) -> None:
        self._strategy = strategy
        self._title = type(strategy).__name__
        # One: the runner of a bot waits for each answer before it asks again.
        self._questions: queue.Queue[_Question | None] = queue.Queue(maxsize=1)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._closed: str | None = None
        self._thread = threading.Thread(target=self._serve, name=f"strategy {name}", daemon=True)
        self._thread.start()

    async def consult(self, hook: Hook, event: Event, view: View, *, limit_s: float) -> Advice:
        """Ask one hook. The view's memory is left as it is; the new one is in the advice.

        Raises:
            StrategyFailed: it raised, answered nonsense, or did not answer in time.
        """
        answer: Future[Advice | StrategyFailed] = Future()
        self._put(_Question(hook, event, view, answer))
        try:
            async with asyncio.timeout(limit_s):
                outcome = await asyncio.wrap_future(answer)
        except TimeoutError:
            # The engine's loop may be what was late: an answer that is here counts.
            if not answer.done():
                self._abandon("it blocked earlier")
                raise StrategyFailed(
                    self._title, hook, f"blocked: no answer in {limit_s:g} s", blocked=True
                ) from None
            outcome = answer.result()
        except asyncio.CancelledError:
            self._abandon("an earlier call was cancelled")
            raise
        if isinstance(outcome, StrategyFailed):
            raise outcome
        return outcome

    def close(self) -> None:
        """Let the thread end, after the call that is out, if any."""
        if self._closed is None:
            self._closed = "it was closed"
            with suppress(queue.Full):
                self._questions.put_nowait(None)

    def _put(self, question: _Question) -> None:
        if self._closed is not None:
            raise StrategyFailed(
                self._title, question.hook, f"not called: {self._closed}", blocked=True
            )
        try:
            self._questions.put_nowait(question)
        except queue.Full:
            raise StrategyFailed(
                self._title, question.hook, "not called: its last call is still running"
            ) from None

    def _abandon(self, why: str) -> None:
        self._closed = why
        thread = ctypes.c_ulong(self._thread.ident or 0)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread, ctypes.py_object(_Abandoned))
        # An `async` hook may be asleep in its loop, and notices only when that wakes.
        if (loop := self._loop) is not None:
            with suppress(RuntimeError):  # it closed in this moment, so it is awake
                loop.call_soon_threadsafe(lambda: None)

    def _serve(self) -> None:
        with suppress(_Abandoned), asyncio.Runner() as runner:
            self._loop = runner.get_loop()
            while (question := self._questions.get()) is not None:
                if question.answer.set_running_or_notify_cancel():
                    question.answer.set_result(self._answer(question, runner))

    def _answer(self, question: _Question, runner: asyncio.Runner) -> Advice | StrategyFailed:
        try:
            view = replace(question.view, memory=durable(question.view.memory))
            result = getattr(self._strategy, question.hook)(question.event, view)
            if isawaitable(result):
                result = runner.run(_settled(result))
            return Advice(signal=_signal(result), memory=durable(view.memory))
        except _Abandoned:
            raise
        except BaseException as error:  # noqa: BLE001 (SystemExit too must end the call only)
            return StrategyFailed(
                self._title,
                question.hook,
                _reason(error, type(self._strategy)),
                details="".join(traceback.format_exception(error)),
            )


async def _settled(result: Awaitable[object]) -> object:
    return await result


def _signal(result: object) -> Signal | None:
    if result is None or isinstance(result, Enter | Exit):
        return result
    if isinstance(result, type) and issubclass(result, Enter | Exit):
        raise InvalidValue(f"returned the class {result.__name__}; write {result.__name__}()")
    raise InvalidValue(f"returned a {type(result).__name__}; return Enter(…), Exit(…) or None")


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
