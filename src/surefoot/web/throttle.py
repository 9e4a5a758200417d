"""How often a wrong token may be tried: a few times a minute, by address and by all together."""

from __future__ import annotations

from collections import deque
from typing import Final

FAILURES_MAX: Final = 5
FAILURES_MAX_ALL: Final = 30
WINDOW_S: Final = 60.0
# Addresses that are remembered; beyond this the cap over all of them still holds.
_ADDRESSES_MAX: Final = 1_000


class Throttle:
    """Counts failures; who has failed too often waits, also with the right token."""

    def __init__(self) -> None:
        self._all: deque[float] = deque(maxlen=FAILURES_MAX_ALL)
        self._by_address: dict[str, deque[float]] = {}

    def wait_s(self, address: str, now: float) -> float:
        """Return how long this address has to wait before it may try; 0 if not at all."""
        own = self._by_address.get(address, deque[float]())
        return max(_wait(own, FAILURES_MAX, now), _wait(self._all, FAILURES_MAX_ALL, now))

    def failed(self, address: str, now: float) -> None:
        """Count a wrong token."""
        self._all.append(now)
        if address not in self._by_address and len(self._by_address) >= _ADDRESSES_MAX:
            self._by_address.pop(next(iter(self._by_address)))
        self._by_address.setdefault(address, deque(maxlen=FAILURES_MAX)).append(now)


def _wait(failures: deque[float], most: int, now: float) -> float:
    if len(failures) < most:
        return 0.0
    return max(0.0, failures[0] + WINDOW_S - now)
