"""The only place that reads a clock, sleeps or draws jitter.

Everything else is handed a `Clock`, so that tests own the time.
"""

from __future__ import annotations

import asyncio
import random
import time
from datetime import UTC, datetime
from typing import Final

from surefoot.journal.clock import Clock

__all__ = ["Clock", "SystemClock"]

# CLOCK_MONOTONIC stands still while the machine sleeps: a price from before would pass as fresh.
_BOOTTIME: Final[int | None] = getattr(time, "CLOCK_BOOTTIME", None)


class SystemClock:
    """The real one."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back; time asleep counts, where the system knows it."""
        return time.monotonic() if _BOOTTIME is None else time.clock_gettime(_BOOTTIME)

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    def jitter(self) -> float:
        """Return a number in [0, 1) that spreads retries apart."""
        return random.random()  # noqa: S311 (spreads retries; nothing secret)
