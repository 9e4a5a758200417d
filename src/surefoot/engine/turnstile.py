"""A few at a time, so that what many want to do leaves the loop free for what comes in.

With a thousand strategies to be asked, prices once waited for all of them, and each was asked about
the price that was the newest when the round began.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Final

# So many pass in one turn of the loop: a millisecond or two of work.
A_TURN: Final = 16


class Turnstile:
    """Lets a few pass in each turn of the loop, in the order in which they came.

    Whoever has passed holds nothing: one that lasts keeps nobody else waiting.
    """

    def __init__(self) -> None:
        self._left = A_TURN
        self._turning = False
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def come(self) -> None:
        """Wait until there is a place in a turn."""
        if self._left and not self._waiting:
            self._left -= 1
            self._turn_soon()
            return
        place = asyncio.get_running_loop().create_future()
        self._waiting.append(place)
        self._turn_soon()
        await place

    def _turn_soon(self) -> None:
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._turn)

    def _turn(self) -> None:
        self._turning, self._left = False, A_TURN
        while self._left and self._waiting:
            place = self._waiting.popleft()
            if not place.done():  # who was waiting for it may be gone
                place.set_result(None)
                self._left -= 1
        if self._left < A_TURN:
            self._turn_soon()
