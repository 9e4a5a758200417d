"""What everybody behind one address shares: the request weight, who waits for it, and a ban.

Only who stands first in the line looks whether there is room, and waits for it; everybody else
waits to be first. So what is most urgent goes next however late it came, and what is large is not
overtaken for ever by what is small.
"""

from __future__ import annotations

import asyncio
from bisect import insort
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from itertools import count
from math import inf
from typing import Final, Protocol

from surefoot.exchange.budget import WEIGHT_SHARES, Ledger, Ticket, Urgency, Window
from surefoot.exchange.errors import ReadFailed

# A window of a minute and a little: who has waited longer asks anew, for fresh reasons.
PATIENCE_S: Final = 65.0


class Sleeper(Protocol):
    """A clock that can wait."""

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...


@dataclass(order=True, slots=True)
class _Place:
    urgency: Urgency
    number: int
    first: asyncio.Event = field(default_factory=asyncio.Event, compare=False)


class Address:
    """One machine, as a venue sees it."""

    def __init__(self, window: Window, time: Sleeper) -> None:
        self.weight = Ledger([window], WEIGHT_SHARES)
        self._time = time
        self._line: list[_Place] = []
        self._numbers = count()
        self._banned_until = -inf

    def note_ban(self, until: float) -> None:
        """Keep away until then, in seconds that never go back; of two bans the longer one counts.

        No other clock tells when it ends: an exchange's is known only once it has answered, and by
        one that is set right then a ban of seconds would hold again for as long as it was wrong.
        """
        self._banned_until = max(until, self._banned_until)

    def ban(self) -> float | None:
        """Return until when the venue wants to hear nothing from here; None: it does."""
        return self._banned_until if self._time.monotonic() < self._banned_until else None

    async def turn(self, urgency: Urgency, weight: int, now: Callable[[], datetime]) -> Ticket:
        """Return when it is our turn and there is room; the weight is spent then.

        Raises:
            ReadFailed: that did not come in time.
        """
        place = _Place(urgency, next(self._numbers))
        insort(self._line, place)
        try:
            async with asyncio.timeout(PATIENCE_S):
                return await self._served(place, weight, now)
        except TimeoutError as error:
            raise ReadFailed("the weight of this minute is used up; asking again") from error
        finally:
            self._line.remove(place)
            if self._line:
                self._line[0].first.set()

    async def _served(self, place: _Place, weight: int, now: Callable[[], datetime]) -> Ticket:
        while True:
            if self._line[0] is not place:
                place.first.clear()
                await place.first.wait()
                continue
            # What is larger than its share goes when nothing else does: it would wait for ever.
            needed = min(weight, self.weight.most(place.urgency))
            at = self.weight.later(place.urgency, needed, now())
            if at is None:
                return self.weight.spend(weight, now())
            await self._time.sleep((at - now()).total_seconds())
