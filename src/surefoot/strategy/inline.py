"""Strategies in the engine's own loop: for simulation and replay, where nobody may block anybody.

What a thread would take of real time is drawn in virtual time instead. There is no guard here
against code that blocks or spins.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from surefoot.strategy.shared_loop import Owner

T = TypeVar("T")
Pause = Callable[[], Awaitable[None]]


class Inline:
    """Does work of both kinds, one piece after a pause of its own."""

    def __init__(self, pause: Pause) -> None:
        self._pause = pause

    async def do(
        self,
        work: Callable[[], T],
        *,
        name: str,  # noqa: ARG002 (threads are named by it)
        limit_s: float,  # noqa: ARG002 (nobody is late here)
    ) -> T:
        """Return what the work returns, or raise what it raises."""
        await self._pause()
        return work()

    def close(self) -> None:
        """Let go of nothing."""


class InlineLoop:
    """Awaits what `async` hooks return."""

    async def do(
        self,
        work: Callable[[], Awaitable[T]],
        *,
        owner: Owner,  # noqa: ARG002 (whose loop it would block)
        limit_s: float,
    ) -> T:
        """Return what the coroutine returns, or raise what it raises."""
        async with asyncio.timeout(limit_s):
            return await work()

    def end(self, owner: Owner) -> None:
        """End nothing: what was out was awaited."""

    def close(self) -> None:
        """Let go of nothing."""
