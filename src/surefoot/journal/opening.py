"""How the file of a journal is made, opened, recognised and copied."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import apsw
import msgspec
from typing_extensions import override

from surefoot.crashpoint import crashpoint
from surefoot.journal.codec import encode_json, stamp, unstamp
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.lease import Lease
from surefoot.journal.outside import read_bound
from surefoot.journal.port import Setback
from surefoot.journal.schema import APPLICATION_ID

BUSY_TIMEOUT_MS: Final = 5_000
_COPIED: Final = (
    "the journal is a copy that was put here: what happened after it was made is not in it"
)
_MAGIC: Final = b"SQLite format 3\0"


def copy(source: apsw.Connection, destination: Path) -> None:
    """Copy a database while it is in use; whoever runs on the copy is told that it is one.

    Raises:
        JournalUnusable: it exists, or cannot be written; nothing is left of it then.
    """
    if destination.exists():
        raise JournalUnusable(f"{destination} exists; a backup never overwrites")
    if not destination.parent.is_dir():
        raise JournalUnusable(f"the folder {destination.parent} does not exist; create it first")
    with unusable(destination):
        os.close(os.open(destination, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        target = apsw.Connection(str(destination))
        try:
            with target.backup("main", source, "main") as copying:
                while not copying.done:
                    copying.step(1000)
            target.execute("PRAGMA journal_mode = DELETE")
            target.execute("UPDATE meta SET value = 'restored' WHERE key = 'file'")
        except BaseException:
            destination.unlink(missing_ok=True)
            raise
        finally:
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


def create(path: Path, migrations: tuple[str, ...]) -> None:
    """Make a new journal. It is there with its whole schema, or not at all: its name comes last."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    os.close(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    new.chmod(0o600)
    connection = connect(new)
    try:
        migrate(connection, new, 0, migrations)
    finally:
        connection.close()
    crashpoint("creation.before-rename")
    new.rename(path)
    folder = os.open(path.parent, os.O_RDONLY | os.O_CLOEXEC)
    os.fsync(folder)
    os.close(folder)


def refuse_traces(path: Path) -> None:
    """Refuse to begin where a journal was: whoever removes all of it says that it is to be anew.

    Raises:
        JournalUnusable: something is left of a former journal; it is named.
    """
    traces = [f"{path.name}{suffix}" for suffix in (".bound", "-wal", ".inbox", ".gauges")]
    beside = [(name, path.with_name(name)) for name in traces]
    left = [name for name, file in beside if file.exists() and file.stat().st_size]
    if left:
        raise JournalUnusable(
            f"{path} is gone, but {' and '.join(left)} beside it tell of a journal: restore a "
            f"backup, or remove all of {path.name}* to begin a new one, which knows of no order "
            f"and no holding",
        )


def refuse_torn(path: Path) -> None:
    """Refuse a file that is no database: a new journal is never made in its place.

    Raises:
        JournalUnusable: it is empty, or begins as no database does.
    """
    with path.open("rb") as file:
        if file.read(len(_MAGIC)) != _MAGIC:
            raise JournalUnusable(
                f"{path} is no journal, so whatever was in it is lost: restore a backup, or remove "
                f"it, with all that is beside it, to begin a new one",
            )


def migrate(
    connection: apsw.Connection, path: Path, version: int, migrations: tuple[str, ...]
) -> None:
    """Bring the schema up to date, one transaction a step, the version number last."""
    if 0 < version < len(migrations):
        _keep_copy(connection, path.with_name(f"{path.name}.v{version}.bak"))
    for number in range(version + 1, len(migrations) + 1):
        connection.execute("BEGIN EXCLUSIVE")
        connection.execute(migrations[number - 1])
        if number == 1:
            _remember(connection, "epochs", encode_json([draw()]))
            _remember(connection, "file", _identity(path))
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.execute(f"PRAGMA user_version = {number}")
        crashpoint("migration.before-commit")
        connection.execute("COMMIT")
        crashpoint("migration.after-commit")


def _keep_copy(connection: apsw.Connection, copy: Path) -> None:
    copy.unlink(missing_ok=True)
    connection.execute("VACUUM INTO ?", (str(copy),))
    copy.chmod(0o600)


def claim(connection: apsw.Connection, path: Path, lease: Lease, *, at: datetime) -> None:
    """Draw a new epoch if this file is not what the journal had become when it was last run.

    A restored backup or a copied file may know less than the exchange does: under a new epoch no
    name is ever used twice, and the former epochs' orders are still recognised as ours. The file
    is known by its inode, by the generation that every life leaves in it and beside it, and by the
    bound beside it, which may prove that records are lost. Either is remembered as a setback. The
    bound stays until something is committed: whoever loses that log as well is told again.
    """
    bound = read_bound(path)
    lost = None if bound is None else bound.lost(connection)
    identity = _identity(path)
    former = generation_of(connection)
    if meta(connection, "file") != identity or lost or not lease.recognises(former):
        with connection:
            _remember(connection, "epochs", encode_json([draw(), *epochs(connection)]))
            _remember(connection, "file", identity)
            _remember(connection, "restored", stamp(at))
            rows: int = connection.execute("SELECT max(sequence) FROM records").get or 0
            setback = Setback(at=at, sequence=rows, why=lost or _COPIED, lost=lost is not None)
            _remember(connection, "setback", encode_json(setback))


def generation_of(connection: apsw.Connection) -> str:
    """Return the generation of the life that wrote last, or nothing."""
    return _find(connection, "generation") or ""


def restored_at(connection: apsw.Connection) -> datetime | None:
    """Return when this journal was last found to be a copy, or put back; None if never."""
    text = _find(connection, "restored")
    return None if text is None else unstamp(text)


def setback_of(connection: apsw.Connection) -> Setback | None:
    """Return what was last found to be lost, or None."""
    text = _find(connection, "setback")
    try:
        return None if text is None else msgspec.json.decode(text, type=Setback)
    except msgspec.DecodeError as error:
        raise JournalUnusable(f"the journal's setback cannot be read ({error})") from error


def _remember(connection: apsw.Connection, key: str, value: str) -> None:
    connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (key, value))


def _identity(path: Path) -> str:
    return f"inode {path.stat().st_ino}"


def draw() -> str:
    """Draw the name of an epoch or of a generation: 128 bits."""
    return secrets.token_hex(16)


def meta(connection: apsw.Connection, key: str) -> str:
    """Return what a journal knows of itself."""
    value = _find(connection, key)
    if value is None:
        raise JournalUnusable(f"the journal has no {key}; restore a backup")
    return value


def _find(connection: apsw.Connection, key: str) -> str | None:
    found = connection.execute("SELECT value FROM meta WHERE key = ?", (key,)).get
    return None if found is None else str(found)


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


# The file system will not have it: missing, write-protected, or failing.
_CLOSED: Final = (
    apsw.CantOpenError,
    apsw.ReadOnlyError,
    apsw.PermissionsError,
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
    except apsw.FullError as error:
        # While it copies SQLite raises the right class, and words of its own: "not an error".
        raise JournalUnusable(f"{path} cannot be written: the disk is full") from error
    except (*_CLOSED, OSError) as error:
        raise JournalUnusable(f"{path} cannot be opened: {_line(error)}") from error
