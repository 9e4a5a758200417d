"""How the file of a journal is made, opened, recognised and copied."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec
from typing_extensions import override

from surefoot.crashpoint import crashpoint
from surefoot.journal.codec import encode_json
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.lease import Lease
from surefoot.journal.schema import APPLICATION_ID

BUSY_TIMEOUT_MS: Final = 5_000


def copy(source: apsw.Connection, destination: Path) -> None:
    """Copy a database while it is in use; whoever runs on the copy is told that it is one."""
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


class Cursor(apsw.Cursor):
    """A cursor whose rows may be damaged: what SQLite says of them becomes one sentence."""

    @override
    def execute(self, *arguments: Any, **named: Any) -> apsw.Cursor:
        with _readable(self.connection):
            return super().execute(*arguments, **named)

    @override
    def __next__(self) -> Any:
        try:
            return super().__next__()
        except _DAMAGE as error:
            raise _damaged(self.connection, error) from error

    @override
    def fetchone(self) -> Any:
        with _readable(self.connection):
            return super().fetchone()

    @override
    def fetchall(self) -> list[Any]:
        with _readable(self.connection):
            return super().fetchall()

    @property
    @override
    def get(self) -> Any:
        with _readable(self.connection):
            return super().get


# Bytes that are no page, no row or no text.
_DAMAGE: Final = (apsw.CorruptError, apsw.NotADBError, apsw.IOError, UnicodeDecodeError)


def _line(said: object) -> str:
    """Return what SQLite says in one line: it may quote a whole schema."""
    return " ".join(str(said).split())


def _damaged(connection: apsw.Connection, error: Exception) -> JournalUnusable:
    return JournalUnusable(
        f"{connection.filename} is damaged ({_line(error)}); `surefoot check` looks "
        f"for the row, a backup has it"
    )


@contextmanager
def _readable(connection: apsw.Connection) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise _damaged(connection, error) from error


def connect(path: Path, mode: int = apsw.SQLITE_OPEN_READWRITE) -> apsw.Connection:
    """Connect to a file that is there."""
    connection = apsw.Connection(str(path), flags=mode)
    connection.cursor_factory = Cursor
    connection.set_busy_timeout(BUSY_TIMEOUT_MS)
    connection.execute("PRAGMA foreign_keys = ON; PRAGMA trusted_schema = OFF")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def make_durable(connection: apsw.Connection) -> None:
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


def check_version(connection: apsw.Connection, path: Path, newest: int, *, oldest: int = 0) -> int:
    """Return the version of the schema, if it is one that this program knows."""
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


def migrate(
    connection: apsw.Connection, path: Path, version: int, migrations: tuple[str, ...]
) -> None:
    """Bring the schema up to date, one transaction a step, the version number last."""
    if 0 < version < len(migrations):
        _keepcopy(connection, path.with_name(f"{path.name}.v{version}.bak"))
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


def _keepcopy(connection: apsw.Connection, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o600)


def claim(connection: apsw.Connection, path: Path, lease: Lease) -> str:
    """Draw a new epoch if this file is not the one that the journal was last run in.

    A restored backup or a copied file may know less than the exchange does: under a new epoch no
    name is ever used twice, and the former epochs' orders are still recognised as ours. The file
    is known by its inode, and by a mark that every life leaves both in it and beside it. Returns
    the mark of this life.
    """
    identity, mark = _identity(path), _draw_epoch()
    found = str(connection.execute("SELECT value FROM meta WHERE key = 'mark'").get or "")
    if meta(connection, "file") != identity or not lease.recognises(found):
        with connection:
            _remember(connection, "epochs", encode_json([_draw_epoch(), *epochs(connection)]))
            _remember(connection, "file", identity)
    lease.leave(mark, former=found)
    return mark


def _remember(connection: apsw.Connection, key: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _identity(path: Path) -> str:
    return f"inode {path.stat().st_ino}"


def _draw_epoch() -> str:
    return secrets.token_hex(16)


def meta(connection: apsw.Connection, key: str) -> str:
    """Return what a journal knows of itself."""
    value = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).get
    if value is None:
        raise JournalUnusable(f"the journal has no {key}; restore a backup")
    return str(value)


def epochs(connection: apsw.Connection) -> tuple[str, ...]:
    """Return every epoch that a journal has had, newest first.

    Raises:
        JournalUnusable: they are damaged.
    """
    try:
        found = msgspec.json.decode(meta(connection, "epochs"), type=tuple[str, ...])
    except msgspec.DecodeError as error:
        raise JournalUnusable(f"the journal's epochs cannot be read ({error})") from error
    if not found:
        raise JournalUnusable("the journal has no epochs; restore a backup")
    return found


def quick_check(connection: apsw.Connection, path: Path) -> None:
    """Ask SQLite whether every page is sound."""
    answer = connection.execute("PRAGMA quick_check(1)").get
    if answer != "ok":
        raise JournalUnusable(f"{path} is damaged ({_line(answer)}); restore a backup")


def has_log(path: Path) -> bool:
    """Tell whether the write-ahead log holds something; readers may leave an empty one."""
    log = path.with_name(f"{path.name}-wal")
    return log.exists() and log.stat().st_size > 0


def refuse_empty(path: Path) -> None:
    """Refuse to take a file without a journal for a new one."""
    raise JournalUnusable(
        f"{path} is empty, so whatever was in it is lost: restore a backup, or remove the file "
        f"to start a new journal",
    )


# The file system will not have it: missing, write-protected, full, or failing.
_CLOSED: Final = (
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.PermissionsError,
    apsw.FullError,
    apsw.IOError,
    apsw.BusyError,
)


@contextmanager
def unusable(path: Path) -> Iterator[None]:
    """Translate what SQLite says of a bad file."""
    try:
        yield
    except (apsw.NotADBError, apsw.CorruptError) as error:
        raise JournalUnusable(
            f"{path} is damaged or no journal ({_line(error)}); restore a backup"
        ) from error
    except (*_CLOSED, OSError) as error:
        raise JournalUnusable(f"{path} cannot be opened: {_line(error)}") from error
