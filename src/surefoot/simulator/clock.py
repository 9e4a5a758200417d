"""The simulated exchange's time: the wall clock, moved by as much as a test asks for."""

from __future__ import annotations

import asyncio
import time
from typing import Final

_MS: Final = 1000


class Clock:
    """Milliseconds since 1970, as the exchange would say them."""

    def __init__(self) -> None:
        self.offset_ms = 0

    def now_ms(self) -> int:
        """Return the exchange's time."""
        return round(time.time() * _MS) + self.offset_ms

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def advance(self, seconds: float) -> None:
        """Move the exchange's time; three days pass in a moment."""
        self.offset_ms += round(seconds * _MS)

    async def sleep(self, seconds: float) -> None:
        """Wait in real time."""
        await asyncio.sleep(seconds)
