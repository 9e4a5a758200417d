"""How long whoever failed waits before the next try: 1, 2, 4 … 60 s, or what it was told."""

from __future__ import annotations

from typing import Final

from surefoot.journal.clock import Clock
from surefoot.notify.errors import Later, NotDelivered

_FIRST_S: Final = 1.0
_MOST_S: Final = 60.0
# Several that wait for the same are spread over a tenth of the time.
_SPREAD: Final = 0.1


class BackOff:
    """Counts failures in a row."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._failures = 0

    def fails(self) -> bool:
        """Note a failure; True if it is the first one in a row."""
        self._failures += 1
        return self._failures == 1

    def succeeds(self) -> bool:
        """Note a success; True if it ends a row of failures."""
        failed, self._failures = self._failures > 0, 0
        return failed

    async def wait(self, error: NotDelivered) -> None:
        """Wait as long as so many failures ask for, or the one that refused."""
        pause = min(_FIRST_S * 2 ** min(self._failures - 1, 10), _MOST_S)
        if isinstance(error, Later) and error.after_s is not None:
            pause = error.after_s
        await self._clock.sleep(pause * (1 + self._clock.jitter() * _SPREAD))
