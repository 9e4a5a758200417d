"""The journal in one SQLite file: WAL, synchronous=FULL, one writer, many readers.

`SqliteJournal` is the server's: it holds the lease and the writer. Durability is not hoped for:
after opening, the settings are read back.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Final

import apsw
from typing_extensions import override

from surefoot.journal.errors import JournalUnusable
from surefoot.journal.gauges import GaugeFile, gauges_of
from surefoot.journal.inbox import Tray, inbox_of
from surefoot.journal.integrity import check_chain, check_schema
from surefoot.journal.lease import Lease
from surefoot.journal.opening import (
    check_version,
    claim,
    connect,
    create,
    draw,
    generation_of,
    make_durable,
    migrate,
    refuse_torn,
    refuse_traces,
    restored_at,
    unusable,
)
from surefoot.journal.outside import Outside
from surefoot.journal.port import Change, Receipt, Verdict
from surefoot.journal.reader import SqliteReader
from surefoot.journal.schema import MIGRATIONS
from surefoot.journal.writer import Writer

# How many of the newest rows have their hash chain walked at every start; `verify` walks all.
CHAIN_TAIL: Final = 200


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
        self.generation = outside.generation
        self._outside = outside
        self._writer = writer
        self._tray = Tray(inbox_of(path))
        self.gauges = GaugeFile(gauges_of(path))
        self._lease = lease
        self._writing = writing
        self._restored = restored_at(reading)

    async def commit(self, change: Change) -> Receipt:
        """Make a change durable."""
        return await self._writer.commit(change)

    async def take_commands(self, *, at: datetime) -> None:
        """Take what waits in the inbox into the journal, each command once."""
        new = self._tray.unknown(self._known)
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
        self.gauges.close()
        # Readers that stay cannot tidy up after us; whoever reads now is not waited for. After a
        # commit that failed, or on a full disk, tidying may fail as well: the next start does it.
        with suppress(apsw.Error):
            self._writing.set_busy_timeout(0)
            self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        self._writing.close()
        self._read.close()
        self._outside.close()
        self._lease.release()


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
