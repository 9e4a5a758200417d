"""Where operators' commands wait: a file of its own beside the journal.

Clients write here and the server only reads, so whatever a client holds, for however long, costs
the server no commit: at worst it hears of no new command meanwhile. The server takes commands into
the journal by their id; a client that posts another one removes those that were taken.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import apsw

from surefoot.core.errors import InvalidValue
from surefoot.crashpoint import crashpoint
from surefoot.journal.commands import COLUMNS, read_row, row_of, validate
from surefoot.journal.errors import InboxFull, InboxHeld, JournalUnusable
from surefoot.journal.port import Command

APPLICATION_ID: Final = 0x53464942  # "SFIB"
# Commands that wait for a server; beyond this nobody seems to take them, and posting is refused.
WAITING_MAX: Final = 1_000
# How long a client waits for another client.
PATIENCE_MS: Final = 5_000

_SCHEMA: Final = f"""
CREATE TABLE IF NOT EXISTS commands (
    command_id TEXT PRIMARY KEY,
    kind       TEXT NOT NULL,
    target     TEXT NOT NULL,
    actor      TEXT NOT NULL,
    posted_at  TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    arguments  TEXT NOT NULL
) STRICT, WITHOUT ROWID;
PRAGMA application_id = {APPLICATION_ID};
"""

Known = Callable[[Collection[str]], frozenset[str]]


def inbox_of(journal: Path) -> Path:
    """Return the inbox of a journal."""
    return journal.with_name(f"{journal.name}.inbox")


def post(inbox: Path, command: Command, known: Known) -> bool:
    """Store a command; False if it waits here already. Remove those that the journal knows.

    Raises:
        InboxHeld: another client is writing, and did not finish.
        InboxFull: too many commands wait already.
        JournalUnusable: the file is damaged or something else.
        InvalidValue: it is no command.
    """
    validate(command)
    with _said(inbox), _transaction(inbox) as connection:
        waiting = [name for (name,) in connection.execute("SELECT command_id FROM commands")]
        for name in known(waiting):
            connection.execute("DELETE FROM commands WHERE command_id = ?", (name,))
        if command.command_id in waiting:
            return False
        if connection.execute("SELECT count(*) FROM commands").get >= WAITING_MAX:
            raise InboxFull(f"{WAITING_MAX} commands wait in {inbox.name}, and nobody takes them")
        connection.execute(
            f"INSERT INTO commands ({COLUMNS}) VALUES (?,?,?,?,?,?,?)",  # noqa: S608
            row_of(command),
        )
        return True


@contextmanager
def _transaction(inbox: Path) -> Iterator[apsw.Connection]:
    os.close(os.open(inbox, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600))
    inbox.chmod(0o600)
    connection = _connect(inbox, PATIENCE_MS)
    try:
        # A command that was accepted survives a power cut; without WAL that takes the folder too.
        connection.execute("PRAGMA synchronous = EXTRA")
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA application_id").get not in {0, APPLICATION_ID}:
            raise JournalUnusable(f"{inbox} is a database, but not an inbox; move it away")
        for statement in _SCHEMA.split(";"):
            connection.execute(statement)
        yield connection
        crashpoint("inbox.before-commit")
        _commit(inbox, connection)
        crashpoint("inbox.after-commit")
    finally:
        connection.close()  # takes back what was not committed


def _commit(inbox: Path, connection: apsw.Connection) -> None:
    try:
        connection.execute("COMMIT")
    except (apsw.IOError, apsw.FullError) as error:
        raise JournalUnusable(
            f"{inbox} could not be written to the end: {error}; nobody knows whether the command "
            f"is stored: look whether it is carried out before you post it again"
        ) from error


@contextmanager
def _said(inbox: Path) -> Iterator[None]:
    """Translate what SQLite says of the file."""
    try:
        yield
    except apsw.BusyError as error:
        raise InboxHeld(
            f"another command line holds {inbox.name} and does not finish; the command was not "
            f"stored, try again",
        ) from error
    except (apsw.NotADBError, apsw.CorruptError, apsw.SQLError) as error:
        raise JournalUnusable(
            f"{inbox} is damaged ({error}): remove it, and post again; the journal is not "
            f"concerned",
        ) from error
    except (apsw.Error, OSError) as error:  # a full disk, or one that fails, or is read-only
        raise JournalUnusable(
            f"{inbox} cannot be written: {error}; the command was not stored"
        ) from error


def _connect(inbox: Path, patience_ms: int) -> apsw.Connection:
    connection = apsw.Connection(str(inbox), flags=apsw.SQLITE_OPEN_READWRITE)
    connection.set_busy_timeout(patience_ms)
    connection.execute("PRAGMA trusted_schema = OFF")
    return connection


class Tray:
    """The server's view of an inbox: it never writes, never waits, and never fails.

    A file that is held, missing or damaged holds nothing new; a client that posts to it is told.
    """

    def __init__(self, inbox: Path) -> None:
        self._path = inbox
        self._connection: apsw.Connection | None = None
        self._inode: int | None = None

    def unknown(self, known: Known) -> tuple[Command, ...]:
        """Return the commands that wait, oldest first, without those that are known."""
        try:
            found = self._rows()
        except (apsw.Error, OSError):
            self.close()
            return ()
        old = known([row[0] for row in found]) if found else frozenset()
        commands = [_command(row) for row in found if row[0] not in old]
        readable = [command for command in commands if command is not None]
        return tuple(sorted(readable, key=lambda each: each.posted_at))

    def _rows(self) -> list[tuple[Any, ...]]:
        inode = self._path.stat().st_ino if self._path.exists() else None
        if inode != self._inode or self._connection is None:
            self.close()
            if inode is None:
                return []
            # Not a read-only connection: it must be able to undo what a killed client left half.
            self._connection, self._inode = _connect(self._path, 0), inode
            self._connection.execute("PRAGMA query_only = ON")
        return self._connection.execute(
            f"SELECT {COLUMNS} FROM commands LIMIT ?",  # noqa: S608
            (WAITING_MAX,),
        ).fetchall()

    def close(self) -> None:
        """Let go of the file."""
        if self._connection is not None:
            self._connection.close()
        self._connection = self._inode = None


def _command(row: tuple[Any, ...]) -> Command | None:
    """Read a row, or None if it is nonsense: the file is no authority."""
    try:
        return read_row(row)
    except InvalidValue:
        return None
