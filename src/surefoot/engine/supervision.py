"""Works that go on for ever: one that fails is said, and started again; the others never notice.

A loop, a timer and a stream each have a failure of their own. Only the journal's word ends the
process: when nobody knows what is durable, nothing here may go on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, TypeAlias

from surefoot.engine.clock import Clock
from surefoot.engine.voice import Log
from surefoot.journal.errors import JournalError, RecordRefused

BACK_OFF_MAX_S: Final = 60
# A work that went on for this long before it failed begins again with the shortest wait.
STEADY_S: Final = 60.0

Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], None]
Work: TypeAlias = Callable[[], Awaitable[None]]
Attend: TypeAlias = Callable[[Work], None]
Told: TypeAlias = Callable[[str], Awaitable[None]]


class Supervision:
    """Starts works, and starts those again that fail: after 1, 2, 4 … 60 s."""

    def __init__(self, spawn: Spawn, clock: Clock, log: Log) -> None:
        self._spawn = spawn
        self._clock = clock
        self._log = log

    def keep(self, name: str, work: Work, *, failed: Told | None = None) -> None:
        """Keep a work going until it returns; `failed` hears of every failure before the wait."""
        self._spawn(self._keep(name, work, failed))

    def attend(self, work: Work) -> None:
        """Do a work once; it is never done again, because it may have been done."""
        self._spawn(self._attend(work))

    async def _keep(self, name: str, work: Work, failed: Told | None) -> None:
        failures = 0
        while True:
            started = self._clock.monotonic()
            why = await self._failure(work())
            if why is None:
                return
            if self._clock.monotonic() - started >= STEADY_S:
                failures = 0
            wait = min(2**failures, BACK_OFF_MAX_S)
            failures = min(failures + 1, BACK_OFF_MAX_S)
            self._log.error("loop failed", loop=name, why=why, again_in_s=wait)
            if failed is not None:
                await failed(why)
            await self._clock.sleep(wait)

    async def _attend(self, work: Work) -> None:
        why = await self._failure(work())
        if why is not None:
            name = getattr(getattr(work, "func", work), "__qualname__", None)
            self._log.error("work failed", work=name, why=why)

    async def _failure(self, work: Awaitable[None]) -> str | None:
        """Do a work, and return why it failed, or None.

        Raises:
            JournalError: this process must not go on.
        """
        why = None
        try:
            await work
        except* RecordRefused as refusals:
            why = "; ".join(_described(refusals))
        except* JournalError:
            raise
        except* Exception as failures:  # noqa: BLE001 (L6: one failure stays one failure)
            why = "; ".join(_described(failures))
        return why


def _described(error: BaseException) -> list[str]:
    if isinstance(error, BaseExceptionGroup):
        return [each for inner in error.exceptions for each in _described(inner)]
    return [f"{type(error).__name__}: {error}"]
