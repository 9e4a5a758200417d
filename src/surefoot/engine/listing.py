"""What the venue lets be traded, while the program runs: steps and minimums change at times.

An order that is refused for them proves that they are others than were read. An exit of an old size
would be refused for ever: so they are read again, and the next try has the right one. And so they
are every hour: an exit should not have to be refused first.
"""

from __future__ import annotations

import asyncio
from typing import Final

from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.keeper import Keeper
from surefoot.engine.login import Login
from surefoot.engine.supervision import Supervision
from surefoot.exchange.errors import Banned, Misconfigured, ReadFailed

# Refusals that no reading helps come again and again, of many bots: it costs weight.
PAUSE_S: Final = 30.0
EVERY_S: Final = 3600.0


class Listing:
    """The instruments of one account's bots, as the venue has them now."""

    def __init__(self, login: Login, keepers: BySymbol[Keeper], supervision: Supervision) -> None:
        self._login = login
        self._keepers = keepers
        self._supervision = supervision
        self._asked_at: float | None = None
        self._reading = asyncio.Lock()

    async def keep(self) -> None:
        """Read it again and again: what nothing is refused for may have changed as well."""
        while True:
            await self._login.clock.sleep(EVERY_S)
            self.doubt()

    def doubt(self) -> None:
        """Read it again, unless that was done just now: an order did not fit it."""
        if self._is_due:
            self._supervision.attend(self.settle)

    async def settle(self) -> None:
        """Read it again before anything is concluded from what did not fit it.

        Whoever comes while it is being read waits for that, and asks no more if it fails.
        """
        begun = self._reading.locked()
        async with self._reading:
            if self._is_due and not begun:
                self._asked_at = self._login.clock.monotonic()
                await self._read()

    @property
    def _is_due(self) -> bool:
        now = self._login.clock.monotonic()
        return self._asked_at is None or now - self._asked_at >= PAUSE_S

    async def _read(self) -> None:
        try:
            await self._login.exchange.connect()
        except (ReadFailed, Misconfigured) as error:
            self._asked_at = None  # The next refusal asks again.
            if isinstance(error, Banned):
                await self._login.note_ban(error.until)
            self._login.log.warning("read failed", why=str(error))
            return
        self.adopt()

    def adopt(self) -> None:
        """Let every bot trade under what was read last; a symbol that is gone keeps what it had."""
        for symbol in self._keepers.symbols:
            try:
                instrument = self._login.exchange.instrument(symbol)
            except Misconfigured as error:
                self._login.log.warning("read failed", why=str(error))
                continue
            changed = [each.adopt(instrument) for each in self._keepers.of(symbol)]
            if any(changed):
                self._login.log.warning("the venue's filters changed", symbol=symbol)
