"""The journal in one SQLite file: WAL, synchronous=FULL, one writer, many readers.

`SqliteReader` is what a command line needs: it opens the journal for reading only, works while the
server runs and while it does not, and posts commands to the inbox. `SqliteJournal` is the
server's: it holds the lease and the writer. Durability is not hoped for: after opening, the
settings are read back.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any, Final, TypeVar

import apsw
from typing_extensions import override

from surefoot.core.account_records import RecoveryFinished
from surefoot.core.evidence import Owned
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.values import (
    AccountName,
    Asset,
    BotName,
    ClientOrderId,
    ExchangeOrderId,
    PositionId,
    Symbol,
    TradeId,
    natural,
)
from surefoot.journal import rows
from surefoot.journal.cursors import Aside, Cursors, outbox_of
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.gauges import GaugeFile, gauges_of, read_marks, read_signs
from surefoot.journal.inbox import Tray, inbox_of, post
from surefoot.journal.integrity import REBUILD, check_chain, check_schema
from surefoot.journal.lease import Lease, holder_of
from surefoot.journal.opening import (
    check_version,
    claim,
    connect,
    copy,
    create,
    draw,
    epochs,
    generation_of,
    make_durable,
    migrate,
    quick_check,
    refuse_torn,
    refuse_traces,
    restored_at,
    setback_of,
    unusable,
)
from surefoot.journal.outside import Outside
from surefoot.journal.port import BotRow, Change, Command, Entry, Holder, Receipt, Setback, Verdict
from surefoot.journal.replay import differences
from surefoot.journal.schema import MIGRATIONS
from surefoot.journal.signs import Gauges, Marks, Signs
from surefoot.journal.writer import Writer

R = TypeVar("R", bound="SqliteReader")

# How many of the newest rows have their hash chain walked at every start; `verify` walks all.
CHAIN_TAIL: Final = 200


class SqliteReader:
    """Reads a journal, and posts commands to its inbox."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.path = path
        self._read = connection
        self._epochs = epochs(connection)
        self._setback = setback_of(connection)

    @property
    def epoch(self) -> str:
        """Return the epoch drawn when this journal was created or restored."""
        return self._epochs[0]

    @property
    def epochs(self) -> tuple[str, ...]:
        """Return every epoch this journal has had, newest first."""
        return self._epochs

    @property
    def setback(self) -> Setback | None:
        """Return how this journal last went back in time, or None if it never did."""
        return self._setback

    async def entries(
        self, *, stream: str | None = None, after: int = 0, limit: int = 1000
    ) -> tuple[Entry, ...]:
        """Read rows in order, after a sequence number, optionally of one stream only."""
        return tuple(rows.entries(self._read, stream=stream, after=after, limit=limit))

    async def newest(self, count: int, *, bot: BotName | None = None) -> tuple[Entry, ...]:
        """Read the newest rows, oldest first, optionally of one bot and its positions only."""
        return rows.newest(self._read, bot, count)

    async def last(self, stream: str, kind: str, *, before: int | None = None) -> Entry | None:
        """Read the newest row of one kind in one stream, perhaps before a sequence number."""
        return rows.last(self._read, stream, kind, before)

    async def records(self) -> int:
        """Return how many records there are."""
        # Sequence numbers have no gaps (the chain is checked for that), and counting reads all.
        newest: int | None = self._read.execute("SELECT max(sequence) FROM records").get
        return newest or 0

    async def positions(self, *, bot: BotName | None = None) -> tuple[Position, ...]:
        """Read positions, each held against the newest record that it must follow from."""
        with self._snapshot():
            return tuple(rows.positions(self._read, bot))

    async def unsettled(self, now: datetime) -> tuple[Position, ...]:
        """Read the positions that are not settled at this time, also those that a table hides."""
        with self._snapshot():
            return rows.unsettled(self._read, now)

    async def position(self, name: str) -> Position | None:
        """Read the position of this id, or else the newest one of the bot of this name."""
        with self._snapshot():
            return rows.position(self._read, name)

    async def position_ids(self) -> tuple[PositionId, ...]:
        """Return the names of all positions, by bot and oldest first."""
        found = self._read.execute("SELECT position_id FROM positions ORDER BY bot, number")
        return tuple(PositionId(name) for (name,) in found)

    async def orders_of(
        self, positions: Collection[PositionId], *, newest: int | None = None
    ) -> Mapping[PositionId, tuple[Order, ...]]:
        """Return the orders that these positions had, all or so many, in order of attempts."""
        return rows.orders_of(self._read, positions, newest)

    async def find_orders(
        self,
        account: AccountName,
        symbol: Symbol,
        *,
        names: Collection[ClientOrderId] = (),
        numbers: Collection[ExchangeOrderId] = (),
    ) -> tuple[Owned, ...]:
        """Return our orders with one of these names or of the exchange's numbers, of any age."""
        return rows.find_orders(self._read, account, symbol, names, numbers)

    async def written(self, bot: BotName, since: datetime) -> tuple[datetime, ...]:
        """Return when this bot's entry and exit orders were written down, since a time."""
        return rows.written(self._read, bot, since)

    async def fees(self, account: AccountName, asset: Asset, since: datetime) -> Decimal:
        """Return what fills since a time took of an asset, other than of what they bought."""
        return rows.fees(self._read, account, asset, since)

    async def bot_names(self) -> frozenset[BotName]:
        """Return the name of every bot that the journal has heard of."""
        return rows.bot_names(self._read)

    async def words(self) -> Mapping[BotName, Entry]:
        """Return the newest word on the status of every bot."""
        return rows.words(self._read)

    async def bots(self) -> tuple[BotRow, ...]:
        """Read every bot that the journal has heard of."""
        with self._snapshot():
            return tuple(sorted(rows.bots(self._read), key=lambda row: natural(row.bot)))

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Answer several questions from one state; the writer goes on meanwhile.

        The garbage collector rests: it would walk all that is being read, again and again.
        """
        collecting = gc.isenabled()
        if collecting:  # only who will wake it puts it to rest
            gc.disable()
        try:
            with self._read:
                yield
        finally:
            if collecting:
                gc.enable()

    async def version(self, stream: str) -> int:
        """Return how many records a stream has."""
        version: int | None = self._read.execute(
            "SELECT max(version) FROM records WHERE stream = ?", (stream,)
        ).get
        return version or 0

    async def memory(self, bot: BotName) -> dict[str, Any]:
        """Return what a strategy last remembered; empty if nothing."""
        return rows.memory(self._read, bot)

    async def watermark(
        self, account: AccountName, symbol: Symbol, *, before: datetime | None = None
    ) -> TradeId | None:
        """Return the last trade up to which fills are proven read, now or at an earlier time."""
        return rows.watermark(self._read, account, symbol, before)

    async def last_recovery(self) -> tuple[datetime, RecoveryFinished] | None:
        """Return the newest recovery report."""
        entry = rows.last_recovery(self._read)
        if entry is None or not isinstance(entry.record, RecoveryFinished):
            return None
        return entry.at, entry.record

    async def commands(self, *, status: str | None = None) -> tuple[Command, ...]:
        """Read operator commands, oldest first."""
        return tuple(rows.commands(self._read, status))

    async def post(self, command: Command) -> bool:
        """Put a command into the inbox; False if this id was posted before."""
        if rows.known_commands(self._read, [command.command_id]):
            return False
        return post(inbox_of(self.path), command, partial(rows.known_commands, self._read))

    async def close(self) -> None:
        """Let go of the file."""
        self._read.close()

    async def marks(self) -> Marks:
        """Return the last known prices."""
        return read_marks(gauges_of(self.path))

    async def signs(self) -> Signs:
        """Return the last signs of life."""
        return read_signs(gauges_of(self.path))

    async def parked(self) -> Mapping[str, tuple[Aside, ...]]:
        """Return the messages that each destination refused for good."""
        cursors = Cursors(outbox_of(self.path)).all()
        return {name: cursor.parked for name, cursor in cursors.items() if cursor.parked}

    async def accounts(self) -> tuple[AccountName, ...]:
        """Return every account that has a record of its own."""
        return rows.accounts(self._read)

    def holder(self) -> Holder | None:
        """Return the server that runs on this journal now, or None."""
        return holder_of(self.path)

    async def verify(self) -> int:
        """Check everything: pages, the whole hash chain, every fold. Return the record count.

        Raises:
            JournalUnusable: something does not hold; the message says what.
        """
        quick_check(self._read, self.path)
        check_schema(self._read, MIGRATIONS)
        tip = check_chain(self._read)
        for wrong in differences(self._read):
            raise JournalUnusable(f"{wrong}; {REBUILD}")
        return tip.sequence

    async def backup(self, to: Path) -> int:
        """Copy the journal while it is in use, and verify the copy.

        It draws a new epoch when it is first run.

        Raises:
            JournalUnusable: the destination exists, or the copy does not hold.
        """
        copy(self._read, to)
        made = open_sqlite_reader(to)
        try:
            return await made.verify()
        finally:
            await made.close()


class SqliteJournal(SqliteReader):
    """The server's journal: the lease, the writer, and a reading connection beside them."""

    def __init__(
        self,
        path: Path,
        reading: apsw.Connection,
        writer: Writer,
        lease: Lease,
        writing: apsw.Connection,
        outside: Outside,
    ) -> None:
        super().__init__(path, reading)
        self._outside = outside
        self._writer = writer
        self._tray = Tray(inbox_of(path))
        self._gauges = GaugeFile(gauges_of(path))
        self._lease = lease
        self._writing = writing
        self._restored = restored_at(reading)

    @property
    def generation(self) -> str:
        """Return what was drawn for this life alone."""
        return self._outside.generation

    @property
    def gauges(self) -> Gauges:
        """Return where prices are noted."""
        return self._gauges

    async def commit(self, change: Change) -> Receipt:
        """Make a change durable."""
        return await self._writer.commit(change)

    async def take_commands(self, *, at: datetime) -> None:
        """Take what waits in the inbox into the journal, each command once."""
        new = self._tray.unknown(partial(rows.known_commands, self._read))
        if not new:
            return
        # A journal that was put back does not know what it has carried out since.
        stale = [each for each in new if self._restored and each.posted_at <= self._restored]
        why = "it was posted before the journal was restored; post it again if it still holds"
        verdicts = tuple(
            Verdict(command_id=each.command_id, status="refused", result=why) for each in stale
        )
        await self.commit(Change(at=at, commands=new, verdicts=verdicts))

    @override
    async def close(self) -> None:
        """Commit what is queued, close both connections, release the lease."""
        try:
            await self._writer.stop()
        finally:
            self._let_go()

    def _let_go(self) -> None:
        self._tray.close()
        self._gauges.close()
        # Readers that stay cannot tidy up after us; whoever reads now is not waited for. After a
        # commit that failed, or on a full disk, tidying may fail as well: the next start does it.
        with suppress(apsw.Error):
            self._writing.set_busy_timeout(0)
            self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._writing.close()
        self._read.close()
        self._outside.close()
        self._lease.release()


def open_sqlite_reader(path: Path) -> SqliteReader:
    """Open an existing journal to read it and to post commands.

    Raises:
        JournalUnusable: there is none, or it cannot be trusted or understood.
    """
    return open_sqlite_as(SqliteReader, path)


def open_sqlite_as(kind: Callable[[Path, apsw.Connection], R], path: Path) -> R:
    """Open an existing journal for reading, with these questions to it.

    Raises:
        JournalUnusable: there is none, or it cannot be trusted or understood.
    """
    path = path.resolve()
    if not path.exists():
        raise JournalUnusable(f"there is no journal at {path}; `surefoot run` creates it")
    with unusable(path):
        refuse_torn(path)
        connection = connect(path, apsw.SQLITE_OPEN_READONLY)
        check_version(connection, path, len(MIGRATIONS), oldest=len(MIGRATIONS))
        check_schema(connection, MIGRATIONS)
        return kind(path, connection)


def open_sqlite(
    path: Path, *, at: datetime, migrations: tuple[str, ...] = MIGRATIONS
) -> SqliteJournal:
    """Open or create a journal as its one writer.

    Raises:
        JournalLocked: another process runs on it.
        JournalUnusable: it cannot be trusted or understood; it is left untouched.
    """
    path = path.resolve()
    if not path.parent.is_dir():
        raise JournalUnusable(f"the folder {path.parent} does not exist; create it first")
    lease = Lease(path.with_name(f"{path.name}.lock"))
    try:
        with unusable(path):
            lease.take(at)
        return _open_locked(path, lease, migrations, at)
    except BaseException:
        lease.release()
        raise


def _open_locked(
    path: Path, lease: Lease, migrations: tuple[str, ...], at: datetime
) -> SqliteJournal:
    with unusable(path):
        new = not path.exists()
        if new:
            refuse_traces(path)
            create(path, migrations)
        refuse_torn(path)
        path.chmod(0o600)
        lease.hold(path)
        writing = connect(path)
        version = check_version(writing, path, len(migrations), oldest=1)
        make_durable(writing)
        migrate(writing, path, version, migrations)
        check_schema(writing, migrations)
        tip = check_chain(writing, newest=CHAIN_TAIL)
        outside = Outside(path, draw(), lease)
        if not new:  # the lock file of a former one may be left: that makes this one no copy
            claim(writing, path, lease, at=at)
        lease.leave(outside.generation, former=generation_of(writing))
        reading = connect(path, apsw.SQLITE_OPEN_READONLY)
        writer = Writer(writing, tip, outside)
        return SqliteJournal(path, reading, writer, lease, writing, outside)
