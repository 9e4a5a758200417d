"""How everything stands, read once for all who look: the journal is followed by its sequence.

Ten thousand tabs cost what one costs. A reader keeps its own cursor and version and asks for what
is newer, so nothing is buffered for it: one that is slow only falls behind, and catches up from
the journal. What could not be read stays as it was, with its age, and says why.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime
from typing import Final

import msgspec

from surefoot.core.errors import SurefootError
from surefoot.core.records import FillBooked
from surefoot.journal.browse import Browser
from surefoot.journal.clock import Clock
from surefoot.journal.port import Entry
from surefoot.journal.signs import Marks
from surefoot.journal.status import BotStatus, StatusDocument
from surefoot.web.answers import RecordAnswer, record_answer
from surefoot.web.candles import Candles
from surefoot.web.figures import Figures
from surefoot.web.profit import ProfitBook

# How often the journal is asked whether there is more: while somebody looks, and while nobody does.
TICK_S: Final = 0.02
IDLE_TICK_S: Final = 0.2
# Somebody looks if a reader has waited for news so lately.
LOOKS_S: Final = 5.0
# Without a new record the figures (ages, prices) are read again after this long.
REFRESH_S: Final = 1.0
# After figures were read, this many times as long nothing is read.
REST: Final = 4
# Newest records that are kept in memory; who is further behind reads the journal.
KEPT: Final = 2_000
PAGE: Final = 500


class Unreadable(SurefootError):
    """The journal cannot be read now; the message says why."""


class News(msgspec.Struct, frozen=True, kw_only=True):
    """What is newer than a reader has seen; `status` is everything of it but the bots."""

    cursor: int
    version: int
    records: list[RecordAnswer]
    status: msgspec.Raw | None
    bots: list[msgspec.Raw]


class Board:
    """Follows one journal; `run` does, everything else only looks."""

    def __init__(self, open_journal: Callable[[], Browser], clock: Clock) -> None:
        self._open = open_journal
        self._clock = clock
        self._opened: Browser | None = None
        self._moved = asyncio.Event()
        self._looked = 0.0
        self._cost_s = 0.0
        self._recent: deque[RecordAnswer] = deque(maxlen=KEPT)
        self._bots: dict[str, tuple[int, bytes]] = {}
        self._rest: tuple[int, bytes] = (0, b"null")
        self._looked_for = -LOOKS_S
        self.figures = Figures(clock)
        self.candles = Candles()
        self.profit = ProfitBook()
        self.cursor = 0
        self.version = 0
        self.read_at: datetime | None = None
        self.turned_at: datetime | None = None
        self.problem: str | None = "the journal has not been read yet"

    @property
    def journal(self) -> Browser:
        """Return the journal, to ask it something.

        Raises:
            Unreadable: there is none now.
        """
        if self._opened is None:
            raise Unreadable(self.problem or "there is no journal")
        return self._opened

    @property
    def status(self) -> StatusDocument:
        """Return the newest status document, if it is no older than what the journal says.

        Raises:
            Unreadable: the journal cannot be read now.
        """
        if self.figures.document is None or self.problem is not None:
            raise Unreadable(self.problem or "the journal has not been read yet")
        return self.figures.document

    async def run(self) -> None:
        """Follow the journal for ever; what goes wrong is said, and tried again."""
        while True:
            try:
                await self._look()
            except Exception as error:  # noqa: BLE001 (the page must say it, not go away)
                self._trouble(str(error) or type(error).__name__)
                self.figures.lose()
                await self._close()
            looked_at = self._clock.monotonic() - self._looked_for < LOOKS_S
            await self._clock.sleep(TICK_S if looked_at else IDLE_TICK_S)

    async def moved(self, cursor: int, version: int) -> None:
        """Wait until there is something newer than a reader has seen, or some trouble to tell."""
        self._looked_for = self._clock.monotonic()
        if cursor >= self.cursor and version >= self.version:
            await self._moved.wait()

    async def news(self, cursor: int, version: int) -> News:
        """Return what is newer, at most a page of records; the caller asks again."""
        upto = self.cursor
        records = await self._records(cursor) if cursor < upto else []
        rest, status = self._rest
        return News(
            cursor=records[-1].sequence if records else upto,
            version=self.version,
            records=records,
            status=msgspec.Raw(status) if rest > version else None,
            bots=[*self._changed(version)],
        )

    def _changed(self, version: int) -> Iterator[msgspec.Raw]:
        """Yield the bots that changed after a version; the newest changes stand last."""
        for since, row in reversed(self._bots.values()):
            if since <= version:
                return
            yield msgspec.Raw(row)

    async def _records(self, after: int) -> list[RecordAnswer]:
        if self._recent and self._recent[0].sequence <= after + 1:
            newest = self._recent[-1].sequence
            start = len(self._recent) - (newest - after)
            return [self._recent[at] for at in range(start, min(start + PAGE, len(self._recent)))]
        entries = await self.journal.entries(after=after, limit=PAGE)
        return [record_answer(entry, whole=False) for entry in entries]

    # Looking -------------------------------------------------------------------------------------

    async def _look(self) -> None:
        journal = await self._current()
        await self._keep_up(journal)
        counted = await self._count(journal)
        if self._is_due():
            await self._read(journal)
            self.problem = None if counted else self.problem
            self._tell()

    async def _keep_up(self, journal: Browser) -> None:
        """Tell what was written since, with the bots that it moved."""
        followed = await self._follow(journal, await journal.records())
        if followed or self.figures.behind:
            self._show(await self.figures.read_moved(journal))
            self._tell()

    async def _count(self, journal: Browser) -> bool:
        """Count results up to what is known; False if there is more to count."""
        known = self.cursor
        return self.profit.upto == known or await self.profit.follow(journal, known)

    def _is_due(self) -> bool:
        """Tell whether all is put together now: at once if it should, but in a share of the time.

        Records are told as they come, with their bots. What a thousand bots add up to takes a
        while, and this process has no more than its share of the machine that the bots run on.
        """
        waited = self._clock.monotonic() - self._looked
        hurry = self.figures.urgent or self.problem is not None
        return waited >= max(0.0 if hurry else REFRESH_S, self._cost_s * REST)

    async def _read(self, journal: Browser) -> None:
        began = self._clock.monotonic()
        before, read_at = self.figures.marks, self._clock.now()

        async def between() -> None:
            await self._keep_up(journal)
            await self._clock.sleep(0)

        await self.figures.read(journal, between)
        self._note_marks(before)
        self.turned_at = (await journal.signs()).turned
        self.read_at = read_at
        document = self.figures.document
        if document is not None:
            self._show(document.bots, document)
        self._looked = self._clock.monotonic()
        self._cost_s = self._looked - began

    async def _current(self) -> Browser:
        if self._opened is not None and not self._opened.is_current():
            await self._close()
        if self._opened is None:
            self._opened = self._open()
            if self._opened.epoch != self.figures.epoch:
                self._forget(max(0, await self._opened.records() - KEPT))
        return self._opened

    def _forget(self, cursor: int) -> None:
        """Begin anew: this is another journal, or another life of it."""
        self._recent.clear()
        self._bots.clear()
        self.profit = ProfitBook()
        self.figures = Figures(self._clock)
        self.cursor = cursor

    async def _follow(self, journal: Browser, count: int) -> bool:
        """Take in what was written since; True if there was something."""
        before = self.cursor
        while self.cursor < count:
            entries = await journal.entries(after=self.cursor, limit=PAGE)
            if not entries:
                break
            for entry in entries:
                self._note(entry)
            self.cursor = entries[-1].sequence
        return self.cursor != before

    def _note(self, entry: Entry) -> None:
        self._recent.append(record_answer(entry, whole=False))
        self.figures.note(entry)
        if isinstance(entry.record, FillBooked):
            fill = entry.record.fill
            self.candles.add(fill.symbol, fill.price, fill.at)

    def _note_marks(self, before: Marks) -> None:
        for (account, symbol), mark in self.figures.marks.items():
            known = before.get((account, symbol))
            if known is None or known.at < mark.at:
                self.candles.add(symbol, mark.price, mark.at)

    def _show(self, bots: Iterable[BotStatus], document: StatusDocument | None = None) -> None:
        """Keep what changed of these bots, and of the rest of the document if it was made anew."""
        self.version += 1
        for bot in bots:
            row = msgspec.json.encode(bot)
            if self._bots.get(bot.bot, (0, b""))[1] != row:
                self._bots.pop(bot.bot, None)
                self._bots[bot.bot] = (self.version, row)
        if document is None:
            return
        encoded = msgspec.json.encode(msgspec.structs.replace(document, bots=[]))
        if encoded != self._rest[1]:
            self._rest = (self.version, encoded)

    def _trouble(self, why: str) -> None:
        if why != self.problem:
            self.problem = why
            self._tell()

    def _tell(self) -> None:
        self._moved.set()
        self._moved = asyncio.Event()

    async def _close(self) -> None:
        if self._opened is not None:
            opened, self._opened = self._opened, None
            await opened.close()
