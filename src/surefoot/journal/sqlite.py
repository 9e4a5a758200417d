"""The journal in one SQLite file: WAL, synchronous=FULL, one writer, many readers.

`SqliteReader` is what a command line needs: it opens the journal for reading only, works while the
server runs and while it does not, and posts commands to the inbox. `SqliteJournal` is the
server's: it holds the lease and the writer. Durability is not hoped for: after opening, the
settings are read back.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec
from typing_extensions import override

from surefoot.core.evidence import Owned
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.records import RecoveryFinished
from surefoot.core.values import (
    AccountName,
    BotName,
    ClientOrderId,
    ExchangeOrderId,
    PositionId,
    Symbol,
    TradeId,
)
from surefoot.crashpoint import crashpoint
from surefoot.journal import rows
from surefoot.journal.codec import encode_json
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.gauges import GaugeFile, gauges_of, read_marks, read_signs
from surefoot.journal.inbox import Tray, inbox_of, post
from surefoot.journal.lease import Lease, holder_of
from surefoot.journal.port import (
    BotRow,
    Change,
    Command,
    Entry,
    Gauges,
    Holder,
    Marks,
    Receipt,
    Signs,
)
from surefoot.journal.schema import APPLICATION_ID, MIGRATIONS
from surefoot.journal.writer import Writer

BUSY_TIMEOUT_MS: Final = 5_000
# How many of the newest rows have their hash chain walked at every start; `verify` walks all.
CHAIN_TAIL: Final = 200


class SqliteReader:
    """Reads a journal, and posts commands to its inbox."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.path = path
        self._read = connection
        self._epochs: tuple[str, ...] = tuple(
            msgspec.json.decode(_meta(connection, "epochs"), type=list[str]),
        )

    @property
    def epoch(self) -> str:
        """Return the epoch drawn when this journal was created or restored."""
        return self._epochs[0]

    @property
    def epochs(self) -> tuple[str, ...]:
        """Return every epoch this journal has had, newest first."""
        return self._epochs

    async def entries(
        self, *, stream: str | None = None, after: int = 0, limit: int = 1000
    ) -> tuple[Entry, ...]:
        """Read rows in order, after a sequence number, optionally of one stream only."""
        return tuple(rows.entries(self._read, stream=stream, after=after, limit=limit))

    async def newest(self, count: int, *, bot: BotName | None = None) -> tuple[Entry, ...]:
        """Read the newest rows, oldest first, optionally of one bot and its positions only."""
        return rows.newest(self._read, bot, count)

    async def last(self, stream: str, kind: str) -> Entry | None:
        """Read the newest row of one kind in one stream."""
        return rows.last(self._read, stream, kind)

    async def records(self) -> int:
        """Return how many records there are."""
        # Sequence numbers have no gaps (the chain is checked for that), and counting reads all.
        newest: int | None = self._read.execute("SELECT max(sequence) FROM records").get
        return newest or 0

    async def positions(
        self, *, bot: BotName | None = None, current_only: bool = False
    ) -> tuple[Position, ...]:
        """Read positions, each held against the newest record that it must follow from."""
        with self._snapshot():
            return tuple(rows.positions(self._read, bot=bot, current_only=current_only))

    async def position(self, name: str) -> Position | None:
        """Read the position of this id, or else the newest one of the bot of this name."""
        with self._snapshot():
            return rows.position(self._read, name)

    async def position_ids(self) -> tuple[PositionId, ...]:
        """Return the names of all positions, by bot and oldest first."""
        found = self._read.execute("SELECT position_id FROM positions ORDER BY bot, number")
        return tuple(PositionId(name) for (name,) in found)

    async def known_orders(self, names: Collection[ClientOrderId]) -> frozenset[ClientOrderId]:
        """Return which of these client order ids this journal has written down, ever."""
        return rows.known_orders(self._read, names)

    async def orders_of(
        self, positions: Collection[PositionId]
    ) -> Mapping[PositionId, tuple[Order, ...]]:
        """Return all orders that these positions ever had, in the order of their attempts."""
        return rows.orders_of(self._read, positions)

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

    async def bots(self) -> tuple[BotRow, ...]:
        """Read every bot that the journal has heard of."""
        with self._snapshot():
            return tuple(rows.bots(self._read))

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Answer several questions from one state; the writer goes on meanwhile."""
        with self._read:
            yield

    async def version(self, stream: str) -> int:
        """Return how many records a stream has."""
        version: int | None = self._read.execute(
            "SELECT max(version) FROM records WHERE stream = ?", (stream,)
        ).get
        return version or 0

    async def memory(self, bot: BotName) -> dict[str, Any]:
        """Return what a strategy last remembered; empty if nothing."""
        data = self._read.execute("SELECT data FROM memories WHERE bot = ?", (bot,)).get
        return {} if data is None else msgspec.json.decode(data, type=dict[str, Any])

    async def watermark(
        self, account: AccountName, symbol: Symbol, *, before: datetime | None = None
    ) -> TradeId | None:
        """Return the last trade up to which fills are proven read, now or at an earlier time."""
        return rows.watermark(self._read, account, symbol, before)

    async def booked(
        self, account: AccountName, symbol: Symbol, trades: Collection[TradeId]
    ) -> frozenset[TradeId]:
        """Return which of these trades are booked, by whatever position."""
        found = self._read.execute(
            "SELECT trade_id FROM fills WHERE account = ? AND symbol = ? "
            "AND trade_id IN (SELECT value FROM json_each(?))",
            (account, symbol, encode_json(list(trades))),
        )
        return frozenset(TradeId(trade) for (trade,) in found)

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
        _quick_check(self._read, self.path)
        rows.check_chain(self._read)
        rows.check_positions(self._read)
        return await self.records()

    async def backup(self, to: Path) -> int:
        """Copy the journal while it is in use, and verify the copy.

        It draws a new epoch when it is first run.

        Raises:
            JournalUnusable: the destination exists, or the copy does not hold.
        """
        _copy(self._read, to)
        copy = open_sqlite_reader(to)
        try:
            return await copy.verify()
        finally:
            await copy.close()


class SqliteJournal(SqliteReader):
    """The server's journal: the lease, the writer, and a reading connection beside them."""

    def __init__(
        self,
        path: Path,
        reading: apsw.Connection,
        writer: Writer,
        lease: Lease,
        writing: apsw.Connection,
    ) -> None:
        super().__init__(path, reading)
        self._writer = writer
        self._tray = Tray(inbox_of(path))
        self._gauges = GaugeFile(gauges_of(path))
        self._lease = lease
        self._writing = writing

    @property
    def gauges(self) -> Gauges:
        """Return where prices are noted."""
        return self._gauges

    @property
    def commits(self) -> int:
        """Return how many database commits there were; group commit makes them few."""
        return self._writer.commits

    async def commit(self, change: Change) -> Receipt:
        """Make a change durable."""
        return await self._writer.commit(change)

    async def take_commands(self, *, at: datetime) -> None:
        """Take what waits in the inbox into the journal, each command once."""
        new = self._tray.unknown(partial(rows.known_commands, self._read))
        if new:
            await self.commit(Change(at=at, commands=new))

    @override
    async def close(self) -> None:
        """Commit what is queued, close both connections, release the lease."""
        self._writer.stop()
        self._tray.close()
        self._gauges.close()
        # Readers that stay cannot tidy up after us; whoever reads now is not waited for. After a
        # commit that failed, or on a full disk, tidying may fail as well: the next start does it.
        with suppress(apsw.Error):
            self._writing.set_busy_timeout(0)
            self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._writing.close()
        self._read.close()
        self._lease.release()


def open_sqlite_reader(path: Path) -> SqliteReader:
    """Open an existing journal to read it and to post commands.

    Raises:
        JournalUnusable: there is none, or it cannot be trusted or understood.
    """
    if not path.exists():
        raise JournalUnusable(f"there is no journal at {path}; `surefoot run` creates it")
    with _unusable(path):
        connection = _connect(path, apsw.SQLITE_OPEN_READONLY)
        _check_schema(connection, path, len(MIGRATIONS), oldest=len(MIGRATIONS))
        return SqliteReader(path, connection)


def open_sqlite(
    path: Path, *, at: datetime, migrations: tuple[str, ...] = MIGRATIONS
) -> SqliteJournal:
    """Open or create a journal as its one writer.

    Raises:
        JournalLocked: another process runs on it.
        JournalUnusable: it cannot be trusted or understood; it is left untouched.
    """
    if not path.parent.is_dir():
        raise JournalUnusable(f"the folder {path.parent} does not exist; create it first")
    lease = Lease(path.with_name(f"{path.name}.lock"))
    lease.take(at)
    try:
        return _open_locked(path, lease, migrations)
    except BaseException:
        lease.release()
        raise


def _open_locked(path: Path, lease: Lease, migrations: tuple[str, ...]) -> SqliteJournal:
    with _unusable(path):
        if not path.exists():
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
        elif path.stat().st_size == 0 and not _has_log(path):
            _refuse_empty(path)
        path.chmod(0o600)
        writing = _connect(path)
        version = _check_schema(writing, path, len(migrations))
        _make_durable(writing)
        _migrate(writing, path, version, migrations)
        mark = _claim(writing, path, lease)
        chain = rows.check_chain(writing, newest=CHAIN_TAIL)
        reading = _connect(path, apsw.SQLITE_OPEN_READONLY)
        writer = Writer(writing, chain, mark, lambda: lease.leave(mark, former=None))
        return SqliteJournal(path, reading, writer, lease, writing)


def _copy(source: apsw.Connection, destination: Path) -> None:
    if destination.exists():
        raise JournalUnusable(f"{destination} exists; a backup never overwrites")
    os.close(os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    target = apsw.Connection(str(destination))
    with target.backup("main", source, "main") as copy:
        while not copy.done:
            copy.step(1000)
    target.execute("PRAGMA journal_mode = DELETE")
    target.execute("UPDATE meta SET value = 'restored' WHERE key = 'file'")
    target.close()


def _connect(path: Path, mode: int = apsw.SQLITE_OPEN_READWRITE) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=mode)
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _make_durable(connection: apsw.Connection) -> None:
    """Set and read back what durability rests on; a setting that did not take is a refusal."""
    connection.execute("PRAGMA journal_mode = WAL")
    wanted = {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    for name, value in wanted.items():
        found = connection.execute(f"PRAGMA {name}").get
        if found != value:
            raise JournalUnusable(
                f"SQLite did not accept {name} = {value} (it says {found}): this file system "
                f"cannot keep a journal safely; use a local disk",
            )


def _check_schema(connection: apsw.Connection, path: Path, newest: int, *, oldest: int = 0) -> int:
    version: int = connection.execute("PRAGMA user_version").get
    application: int = connection.execute("PRAGMA application_id").get
    tables: int = connection.execute("SELECT count(*) FROM sqlite_schema").get
    if application != APPLICATION_ID and tables:
        raise JournalUnusable(f"{path} is a database, but not a Surefoot journal")
    if version > newest:
        raise JournalUnusable(
            f"{path} has schema version {version}; this program knows up to {newest}. "
            f"Use the newer version that wrote it; nothing was changed",
        )
    if version < oldest:
        raise JournalUnusable(f"{path} has an older schema; `surefoot run` brings it up to date")
    return version


def _migrate(
    connection: apsw.Connection, path: Path, version: int, migrations: tuple[str, ...]
) -> None:
    """Bring the schema up to date, one transaction a step, the version number last."""
    if 0 < version < len(migrations):
        _keep_copy(connection, path.with_name(f"{path.name}.v{version}.bak"))
    for number in range(version + 1, len(migrations) + 1):
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute(migrations[number - 1])
        if number == 1:
            epochs = encode_json([_draw_epoch()])
            connection.execute("INSERT INTO meta VALUES ('epochs', ?)", (epochs,))
            connection.execute("INSERT INTO meta VALUES ('file', ?)", (_identity(path),))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        crashpoint("migration.before-commit")
        connection.execute("COMMIT")
        crashpoint("migration.after-commit")


def _keep_copy(connection: apsw.Connection, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o600)


def _claim(connection: apsw.Connection, path: Path, lease: Lease) -> str:
    """Draw a new epoch if this file is not the one that the journal was last run in.

    A restored backup or a copied file may know less than the exchange does: under a new epoch no
    name is ever used twice, and the former epochs' orders are still recognised as ours. The file
    is known by its inode, and by a mark that every life leaves both in it and beside it. Returns
    the mark of this life.
    """
    identity, mark = _identity(path), _draw_epoch()
    found = str(connection.execute("SELECT value FROM meta WHERE key = 'mark'").get or "")
    if _meta(connection, "file") != identity or not lease.recognises(found):
        epochs = msgspec.json.decode(_meta(connection, "epochs"), type=list[str])
        with connection:
            _remember(connection, "epochs", encode_json([_draw_epoch(), *epochs]))
            _remember(connection, "file", identity)
    lease.leave(mark, former=found)
    return mark


def _remember(connection: apsw.Connection, key: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _identity(path: Path) -> str:
    return f"inode {path.stat().st_ino}"


def _draw_epoch() -> str:
    return secrets.token_hex(16)


def _meta(connection: apsw.Connection, key: str) -> str:
    value = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).get
    if value is None:
        raise JournalUnusable(f"the journal has no {key}; restore a backup")
    return str(value)


def _quick_check(connection: apsw.Connection, path: Path) -> None:
    answer = connection.execute("PRAGMA quick_check(1)").get
    if answer != "ok":
        raise JournalUnusable(f"{path} is damaged ({answer}); restore a backup")


def _has_log(path: Path) -> bool:
    """Tell whether the write-ahead log holds something; readers may leave an empty one."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def _refuse_empty(path: Path) -> None:
    raise JournalUnusable(
        f"{path} is empty, so whatever was in it is lost: restore a backup, or remove the file "
        f"to start a new journal",
    )


@contextmanager
def _unusable(path: Path) -> Iterator[None]:
    """Translate what SQLite says of a bad file."""
    try:
        yield
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise JournalUnusable(
            f"{path} is damaged or no journal ({error}); restore a backup"
        ) from error
    except (apsw.CantOpenError, apsw.ReadOnlyError, apsw.PermissionsError, OSError) as error:
        raise JournalUnusable(f"{path} cannot be opened: {error}") from error
