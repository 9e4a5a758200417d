"""How everything stands, kept up to date: a record moves its own bot at once, the rest in time.

A thousand bots take a while to read; one takes none. What is not a bot's own (health, review,
prices, ages) is put together anew from time to time, from bots that are known already.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import islice
from typing import Final

from msgspec.structs import replace

from surefoot.core.account_records import (
    BotStatusChanged,
    HealthChanged,
    RecoveryFinished,
    StuckChanged,
)
from surefoot.core.order import Order
from surefoot.core.records import PositionFrozen, PositionResolved, PositionThawed
from surefoot.core.values import BotName, PositionId, natural
from surefoot.journal.browse import Browser
from surefoot.journal.clock import Clock
from surefoot.journal.port import BotRow, Entry
from surefoot.journal.signs import Marks
from surefoot.journal.status import (
    BotStatus,
    Ground,
    StatusDocument,
    bot_status,
    orders_of,
    put_together,
    read_ground,
)

# Bots that are read, or described, between two looks at what has been written meanwhile.
AT_ONCE: Final = 25
# Bots that nothing moved are read again within so many readings all the same.
ROUND: Final = 60
# What changes more than its own bot: health, or what wants somebody.
_WIDER: Final = (
    BotStatusChanged, HealthChanged, PositionFrozen, PositionResolved, PositionThawed,
    RecoveryFinished, StuckChanged,
)  # fmt: skip


class Figures:
    """Every bot of one journal as it was last read, and which have moved since."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rows: dict[BotName, BotRow] = {}
        self._orders: dict[PositionId, Sequence[Order]] = {}
        self._bots: dict[BotName, BotStatus] = {}
        self._ground: Ground | None = None
        self._rest: StatusDocument | None = None
        self._moved: set[BotName] = set()
        self._readings = 0
        # Whether something was written that the document as a whole should say at once.
        self.urgent = True

    @property
    def document(self) -> StatusDocument | None:
        """Return how everything stood when it was last read; None before the first time."""
        if self._rest is None:
            return None
        return replace(
            self._rest, bots=[self._bots[name] for name in sorted(self._bots, key=natural)]
        )

    @property
    def epoch(self) -> str | None:
        """Return of which journal this is."""
        return None if self._rest is None else self._rest.journal.epoch

    @property
    def marks(self) -> Marks:
        """Return the prices that the bots are described with."""
        return {} if self._ground is None else self._ground.marks

    def note(self, entry: Entry) -> None:
        """Note a record: its bot has moved, and perhaps more than that."""
        room, _, name = entry.stream.partition("/")
        if room == "bot":
            self._moved.add(BotName(name))
        elif room == "position":
            self._moved.add(BotName(name.rpartition("-")[0]))
        self.urgent = self.urgent or isinstance(entry.record, _WIDER)

    def lose(self) -> None:
        """Note that a read failed: what it was about is not known, so all is read again."""
        self._ground = None
        self.urgent = True

    @property
    def behind(self) -> bool:
        """Tell whether bots have moved that were not read since."""
        return bool(self._moved) and self._ground is not None

    async def read_moved(self, journal: Browser) -> list[BotStatus]:
        """Read some of the bots that moved, and describe them."""
        if self._ground is None:
            return []
        moved = {*islice(self._moved, AT_ONCE)}
        self._moved -= moved
        rows = await journal.bot_rows(moved)
        for row in rows:
            before = self._rows.get(row.bot)
            if before is not None and before.position is not None:
                self._orders.pop(before.position.position_id, None)
            self._rows[row.bot] = row
        self._orders |= await orders_of(journal, rows)
        return self._describe(rows, self._ground)

    async def read(self, journal: Browser, between: Callable[[], Awaitable[None]]) -> None:
        """Put everything together anew; `between` bots, who waits for news is served."""
        now = self._clock.now()
        await self._read_rows(journal)
        self._ground = ground = await read_ground(journal, self._rows.values(), now)
        names = sorted(self._rows)
        for start in range(0, len(names), AT_ONCE):
            self._describe([self._rows[name] for name in names[start : start + AT_ONCE]], ground)
            await between()
        rows = [self._rows[name] for name in sorted(self._rows, key=natural)]
        self._rest = await put_together(journal, rows, [], ground, now)
        self.urgent = False

    def _describe(self, rows: Iterable[BotRow], ground: Ground) -> list[BotStatus]:
        found = [bot_status(row, self._orders, ground) for row in rows]
        self._bots |= {BotName(each.bot): each for each in found}
        return found

    async def _read_rows(self, journal: Browser) -> None:
        """Read everything at first; later let a few that nothing moved be read, in turn."""
        if self._ground is not None:
            self._readings += 1
            self._moved |= {*sorted(self._rows)[self._readings % ROUND :: ROUND]}
            return
        self._moved.clear()
        rows = await journal.bots()
        self._rows = {row.bot: row for row in rows}
        self._orders = {**await orders_of(journal, rows)}
