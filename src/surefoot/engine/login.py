"""One exchange login: the exchange that its keys open, its clock, its ban, its own records.

The account is the unit of ownership: one process at a time holds it, and what it may ask of the
exchange is one budget. Who trades on it, and what is believed of it, is others' business.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Final

from surefoot.core.account_records import AccountRecord, BanNoted
from surefoot.core.values import AccountName
from surefoot.engine.capacity import Capacity
from surefoot.engine.clock import Clock
from surefoot.engine.dispatch import Dispatch
from surefoot.engine.senses import Senses
from surefoot.engine.specs import AccountSpec
from surefoot.engine.tempo import Tempo
from surefoot.engine.voice import Log
from surefoot.exchange.errors import Banned, ReadFailed
from surefoot.exchange.port import Exchange, Identity
from surefoot.journal.port import Append, Change, Journal, account_stream

# For so long what an exchange said of markets, clock and keys need not be asked again.
SERVES_S: Final = 30.0
# A clock that answers deny is measured so often at most.
CLOCK_AGAIN_S: Final = 1.0


def still_banned(noted: BanNoted, now: datetime) -> datetime:
    """Return until when a ban holds for who reads of it now, by a clock that may be another.

    The clock of the life that noted it may have been ahead, and a ban of seconds would hold for as
    long as that: it lasts no longer from now than it did then.
    """
    return min(noted.until, now + (noted.until - noted.at))


class Login:
    """What the keys of one account open, and what the journal says of the account itself."""

    def __init__(
        self,
        spec: AccountSpec,
        *,
        exchange: Exchange,
        journal: Journal,
        clock: Clock,
        log: Log,
        tempo: Tempo | None = None,
    ) -> None:
        self.spec = spec
        self.exchange = exchange
        self.dispatch = Dispatch(exchange)
        self.clock = clock
        self.tempo = tempo or Tempo()
        self.log = log.bind(account=spec.account)
        self.capacity = Capacity(exchange, self.log)
        self.senses = Senses(self.now)
        self._journal = journal
        self._introduced: tuple[Identity, float] | None = None
        self._measuring = asyncio.Lock()
        self._has_heeded = False
        self._stream = asyncio.Lock()  # its version is read before it is written

    @property
    def name(self) -> AccountName:
        """Return what the configuration calls it."""
        return self.spec.account

    def now(self) -> datetime:
        """Return exchange time."""
        return self.exchange.now()

    @property
    def serving(self) -> datetime:
        """Return since when what the exchange said need not be asked again."""
        return self.now() - timedelta(seconds=SERVES_S)

    def introduce(self, identity: Identity) -> None:
        """Note that the exchange is connected, and has just said whose the keys are."""
        self._introduced = (identity, self.clock.monotonic())

    async def arrive(self) -> Identity:
        """Connect, and ask whose the keys are; what was asked a moment ago serves once.

        A start looks at its settings first and recovers then: that would pay for both twice.
        """
        introduced, self._introduced = self._introduced, None
        if introduced is not None and self.clock.monotonic() - introduced[1] < SERVES_S:
            return introduced[0]
        await self.exchange.connect()
        return await self.exchange.identify()

    async def note(self, *records: AccountRecord) -> None:
        """Write records of the account itself."""
        async with self.appending(records) as appends:
            await self._journal.commit(Change(at=self.now(), appends=tuple(appends)))

    @asynccontextmanager
    async def appending(self, records: Iterable[AccountRecord]) -> AsyncIterator[list[Append]]:
        """Keep the account's stream, while records of it are committed with something else."""
        records = tuple(records)
        stream = account_stream(self.name)
        async with self._stream:
            if not records:
                yield []
                return
            version = await self._journal.version(stream)
            yield [Append(stream=stream, expected=version, records=records)]

    async def note_ban(self, until: datetime) -> None:
        """Write a ban down, once: a restart must not forget it."""
        noted = await self._noted_ban()
        if noted is None or until > noted:
            await self.note(BanNoted(at=self.now(), account=self.name, until=until))

    async def _noted_ban(self) -> datetime | None:
        entry = await self._journal.last(account_stream(self.name), "ban-noted")
        noted = None if entry is None else entry.record
        return still_banned(noted, self.now()) if isinstance(noted, BanNoted) else None

    async def heed_ban(self) -> None:
        """Keep a ban that was noted before this process was born.

        Raises:
            Banned: it still holds, or one that was met since.
        """
        if not self._has_heeded:
            self._has_heeded, noted = True, await self._noted_ban()
            if noted is not None:
                self.exchange.note_ban(noted)
        until = self.exchange.banned_until()
        if until is not None:
            raise Banned(until, "the exchange asked us to stay away")

    async def follow_clock(self) -> None:
        """Measure the exchange's clock again and again."""
        while True:
            await self.clock.sleep(self.tempo.clock_s)
            await self.measure_clock()

    async def mend_clock(self) -> None:
        """Measure the exchange's clock as soon as an answer denies ours, whatever was asked."""
        while True:
            await self.exchange.clock_denied()
            await self.measure_clock()
            await self.clock.sleep(CLOCK_AGAIN_S)

    async def measure_clock(self) -> None:
        """Measure the exchange's clock now, unless somebody is about it."""
        if self._measuring.locked():
            return
        async with self._measuring:
            try:
                offset = await self.exchange.measure_clock()
            except ReadFailed as error:
                self.log.debug("clock not measured", why=str(error))
                return
        self.log.debug("clock measured", offset_seconds=str(offset))
