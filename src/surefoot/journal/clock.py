"""Time as whoever reads or writes a journal is handed it; only `engine/clock.py` has a real one."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The wall, durations, waiting, and a number that spreads retries apart."""

    def now(self) -> datetime:
        """Return the wall clock, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back, for durations."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    def jitter(self) -> float:
        """Return a number in [0, 1) that spreads retries apart."""
        ...
