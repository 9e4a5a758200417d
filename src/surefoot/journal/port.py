"""The durable record: what may be asked of a journal, whatever keeps it.

A `Change` is all or nothing. Each of its appends is conditional on the stream standing at the
version that the writer has seen; a stale or repeated append changes nothing and says so. What
`commit` has returned for is on disk; a commit that failed in any other way poisons the journal,
because nobody can know whether it happened: the process must exit and come back through recovery.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Protocol

from msgspec import Struct

from surefoot.core.account_records import Record, RecoveryFinished
from surefoot.core.evidence import Owned
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.records import OrderIntended
from surefoot.core.values import (
    AccountName,
    Asset,
    BotName,
    ClientOrderId,
    ExchangeOrderId,
    PositionId,
    Symbol,
    TradeId,
)
from surefoot.journal.cursors import Aside
from surefoot.journal.signs import Gauges, Marks, Signs

# Whoever reads everything reads this many rows at a time.
PAGE: Final = 1_000


class Append(Struct, frozen=True, kw_only=True):
    """Records for one stream, valid only if it stands at `expected` (records so far).

    A stream is a position ("position/dip-btc-1"), a bot ("bot/dip-btc") or an account
    ("account/main"). `position` is the projection after the records, for position streams; `left`
    are the orders that these records let go of, as they were.
    """

    stream: str
    expected: int
    records: tuple[Record, ...]
    position: Position | None = None
    left: tuple[Order, ...] = ()


class Memory(Struct, frozen=True, kw_only=True):
    """A strategy's memory as it stands: replaced, not appended."""

    bot: BotName
    data: dict[str, Any]


class Verdict(Struct, frozen=True, kw_only=True):
    """What became of an operator's command: "done" or "refused", and why."""

    command_id: str
    status: str
    result: str


class Command(Struct, frozen=True, kw_only=True):
    """An operator's wish as a row: durable, done at most once, and void after `expires_at`.

    In a change it is taken into the journal; one whose id is there already is left alone.

    `target` is a bot or a position id; `kind` one of pause, resume, close, recover, resolve.
    """

    command_id: str
    kind: str
    target: str
    actor: str
    posted_at: datetime
    expires_at: datetime
    arguments: dict[str, str] = {}
    status: str = "posted"
    result: str | None = None

    @property
    def begins(self) -> bool:
        """Whether `done` tells a beginning: what was wished for takes its time."""
        return self.kind in {"close", "recover"}


class Change(Struct, frozen=True, kw_only=True):
    """One transaction: everything in it becomes durable together, or nothing does."""

    at: datetime
    appends: tuple[Append, ...] = ()
    memories: tuple[Memory, ...] = ()
    commands: tuple[Command, ...] = ()
    verdicts: tuple[Verdict, ...] = ()


class Receipt(Struct, frozen=True, kw_only=True):
    """Proof that a change is durable. Only a journal makes these; a send requires one.

    `intents` are the client order ids of the orders whose intent this change made durable.
    """

    sequence: int
    intents: frozenset[ClientOrderId]


class Entry(Struct, frozen=True, kw_only=True):
    """One row of the journal, as it was written."""

    sequence: int
    stream: str
    version: int
    at: datetime
    record: Record


class BotRow(Struct, frozen=True, kw_only=True):
    """What the journal knows of one bot: its last status and its newest position.

    `frozen` names older positions of it that are frozen.
    """

    bot: BotName
    status: str
    reason: str | None
    position: Position | None
    frozen: tuple[PositionId, ...] = ()


class Setback(Struct, frozen=True, kw_only=True):
    """A journal was found to have gone back in time: since when, after which row, and why.

    What positions of then hold is not proven by it. If it is proven that records are `lost`, bots
    without a word of an operator after that row enter nothing; if not, it may be a copy that knows
    everything.
    """

    at: datetime
    sequence: int
    why: str
    lost: bool


class Holder(Struct, frozen=True, kw_only=True):
    """The server that runs on a journal: a process, on a host, since a time."""

    pid: int
    host: str
    since: datetime


class Reader(Protocol):
    """Questions to the journal. They see only what is durable."""

    @property
    def epoch(self) -> str:
        """Return the epoch drawn when this journal was created or restored."""
        ...

    @property
    def epochs(self) -> tuple[str, ...]:
        """Return every epoch this journal has had, newest first."""
        ...

    @property
    def setback(self) -> Setback | None:
        """Return how this journal last went back in time, or None if it never did."""
        ...

    async def entries(
        self, *, stream: str | None = None, after: int = 0, limit: int = 1000
    ) -> tuple[Entry, ...]:
        """Read rows in order, after a sequence number, optionally of one stream only."""
        ...

    async def newest(self, count: int, *, bot: BotName | None = None) -> tuple[Entry, ...]:
        """Read the newest rows, oldest first, optionally of one bot and its positions only."""
        ...

    async def last(self, stream: str, kind: str, *, before: int | None = None) -> Entry | None:
        """Read the newest row of one kind in one stream, perhaps before a sequence number."""
        ...

    async def positions(self, *, bot: BotName | None = None) -> tuple[Position, ...]:
        """Read positions, by bot and oldest first.

        Each is held against the newest record of its stream, by the chain; `verify` replays.
        """
        ...

    async def unsettled(self, now: datetime) -> tuple[Position, ...]:
        """Read the positions that are not settled at this time, by bot and oldest first."""
        ...

    async def position(self, name: str) -> Position | None:
        """Read the position of this id, or else the newest one of the bot of this name."""
        ...

    async def position_ids(self) -> tuple[PositionId, ...]:
        """Return the names of all positions, by bot and oldest first."""
        ...

    async def orders_of(
        self, positions: Collection[PositionId], *, newest: int | None = None
    ) -> Mapping[PositionId, tuple[Order, ...]]:
        """Return the orders that these positions had, all or so many, in order of attempts."""
        ...

    async def find_orders(
        self,
        account: AccountName,
        symbol: Symbol,
        *,
        names: Collection[ClientOrderId] = (),
        numbers: Collection[ExchangeOrderId] = (),
    ) -> tuple[Owned, ...]:
        """Return our orders with one of these names or of the exchange's numbers, of any age."""
        ...

    async def written(self, bot: BotName, since: datetime) -> tuple[datetime, ...]:
        """Return when this bot's entry and exit orders were written down, since a time."""
        ...

    async def fees(self, account: AccountName, asset: Asset, since: datetime) -> Decimal:
        """Return what fills since a time took of an asset, other than of what they bought."""
        ...

    async def bot_names(self) -> frozenset[BotName]:
        """Return the name of every bot that the journal has heard of."""
        ...

    async def words(self) -> Mapping[BotName, Entry]:
        """Return the newest word on the status of every bot."""
        ...

    async def bots(self) -> tuple[BotRow, ...]:
        """Read every bot that the journal has heard of."""
        ...

    async def accounts(self) -> tuple[AccountName, ...]:
        """Return every account that has a record of its own."""
        ...

    async def version(self, stream: str) -> int:
        """Return how many records a stream has."""
        ...

    async def records(self) -> int:
        """Return how many records there are."""
        ...

    async def memory(self, bot: BotName) -> dict[str, Any]:
        """Return what a strategy last remembered; empty if nothing."""
        ...

    async def watermark(
        self, account: AccountName, symbol: Symbol, *, before: datetime | None = None
    ) -> TradeId | None:
        """Return the last trade up to which fills are proven read; None before the first.

        With `before`: where it stood then, or the first one that there ever was.
        """
        ...

    async def last_recovery(self) -> tuple[datetime, RecoveryFinished] | None:
        """Return the newest recovery report."""
        ...

    async def commands(self, *, status: str | None = None) -> tuple[Command, ...]:
        """Read the operator commands that were taken into the journal, oldest first."""
        ...

    async def marks(self) -> Marks:
        """Return the last known prices. They are gauges: nothing is decided by them."""
        ...

    async def signs(self) -> Signs:
        """Return the last signs of life. They are gauges, like prices."""
        ...

    async def parked(self) -> Mapping[str, tuple[Aside, ...]]:
        """Return the messages that each destination refused for good, oldest first."""
        ...

    def holder(self) -> Holder | None:
        """Return the server that runs on this journal now, or None."""
        ...

    async def verify(self) -> int:
        """Check everything that can be checked; return how many records there are.

        Raises:
            JournalUnusable: something does not hold; the message says what.
        """
        ...

    async def backup(self, to: Path) -> int:
        """Copy the journal while it is in use, verify the copy, return how many records it has.

        Raises:
            JournalUnusable: the destination exists, or the copy does not hold.
        """
        ...

    async def close(self) -> None:
        """Let go of everything; whoever writes finishes first, and gives the lease back."""
        ...


class Operators(Protocol):
    """All that a command line, a dashboard or a messenger may write."""

    async def post(self, command: Command) -> bool:
        """Put a command into the inbox; False if this id was posted before (nothing changed).

        It never touches the journal, so that no client can make the server wait.

        Raises:
            InboxHeld | InboxFull | JournalUnusable: it was not stored.
            InvalidValue: it is no command.
        """
        ...


class Client(Reader, Operators, Protocol):
    """The view of a command line, a dashboard or a messenger."""


class Journal(Client, Protocol):
    """The one writer's view."""

    @property
    def generation(self) -> str:
        """Return what was drawn for this life alone; it goes into every id that this life makes."""
        ...

    @property
    def gauges(self) -> Gauges:
        """Return where prices are noted."""
        ...

    async def commit(self, change: Change) -> Receipt:
        """Make a change durable.

        Raises:
            StaleAppend: a stream has moved on; nothing was written.
            DuplicateFill: a fill in it is booked already; nothing was written.
            JournalPoisoned: the outcome is unknown, now or at an earlier commit.
        """
        ...

    async def take_commands(self, *, at: datetime) -> None:
        """Take what waits in the inbox into the journal, each command once, by its id.

        An inbox that cannot be read holds nothing new.
        """
        ...


class Repair(Struct, frozen=True, kw_only=True):
    """What a repair found and made anew, and where the journal is kept as it was before."""

    records: int
    mended: tuple[str, ...]
    copy: Path | None


async def entries_of(reader: Reader, stream: str) -> AsyncIterator[Entry]:
    """Read a whole stream, a page at a time."""
    after = 0
    while page := await reader.entries(stream=stream, after=after, limit=PAGE):
        for entry in page:
            yield entry
        after = page[-1].sequence


def position_stream(position_id: PositionId) -> str:
    """Return the name of a position's stream."""
    return f"position/{position_id}"


def bot_stream(bot: BotName) -> str:
    """Return the name of a bot's stream."""
    return f"bot/{bot}"


def account_stream(account: AccountName) -> str:
    """Return the name of an account's stream."""
    return f"account/{account}"


def intents_in(appends: Sequence[Append]) -> frozenset[ClientOrderId]:
    """Return the client order ids that these appends would make durable."""
    return frozenset(
        record.order.client_order_id
        for append in appends
        for record in append.records
        if isinstance(record, OrderIntended)
    )
