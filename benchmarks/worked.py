"""A virtual world in which the program's steps take as long as they take of a processor.

Everybody else's steps take no time. So what is measured in such a world is what an undisturbed
processor of this machine would show, however busy the machine is.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import Context
from random import Random
from typing import Any

from typing_extensions import override

from surefoot.virtual import VirtualLoop
from surefoot.virtual.loop import life_now


class WorkedLoop(VirtualLoop):
    """A virtual loop whose time goes on while a life works.

    Asking how much was worked is dear, so steps of a life that follow each other are one stretch;
    time stands while it lasts, but for who asks `exactly`.
    """

    def __init__(self, luck: Random) -> None:
        self._began: float | None = None
        # Processor time that lives have used, and the longest stretch of it.
        self.worked = 0.0
        self.longest = 0.0
        super().__init__(luck)

    def exactly(self) -> float:
        """Return the time in the middle of a step."""
        return self._now if self._began is None else self._now + time.thread_time() - self._began

    @override
    def _wait(self, timeout: float | None) -> None:
        self._settle()
        super()._wait(timeout)

    @override
    def _call_soon(
        self, callback: Callable[..., object], args: Any, context: Context | None
    ) -> Any:
        return super()._call_soon(self._step, (callback, *args), context)

    @override
    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., object], *args: Any, context: Any = None
    ) -> Any:
        return super().call_at(when, self._step, callback, *args, context=context)

    def _step(self, callback: Callable[..., object], *args: Any) -> None:
        if life_now() is None:
            self._settle()
        elif self._began is None:
            self._began = time.thread_time()
        callback(*args)

    def _settle(self) -> None:
        if self._began is None:
            return
        took = time.thread_time() - self._began
        self._began = None
        self._now += took
        self.worked += took
        self.longest = max(self.longest, took)
