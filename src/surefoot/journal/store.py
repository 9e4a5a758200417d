"""Where a journal URL leads: the port of a store; of SQLite a file, its lease, how it is opened."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Protocol

from surefoot.journal.browse import Browser, SqliteBrowser
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.lease import holder_of
from surefoot.journal.port import Client, Holder, Journal, Repair
from surefoot.journal.reader import open_sqlite_as, open_sqlite_reader
from surefoot.journal.repair import repair_sqlite
from surefoot.journal.sqlite import open_sqlite


class Store(Protocol):
    """One journal by its URL, perhaps not made yet."""

    @property
    def file(self) -> Path | None:
        """Return the file that it is; None: it is none."""
        ...

    def exists(self) -> bool:
        """Tell whether it is there."""
        ...

    def holder(self) -> Holder | None:
        """Return the server that runs on it now, or None."""
        ...

    def open(self, *, at: datetime) -> Journal:
        """Open or create it as its one writer.

        Raises:
            JournalLocked: another process runs on it.
            JournalUnusable: it cannot be trusted or understood; it is left untouched.
        """
        ...

    def repair(self, *, at: datetime) -> Repair:
        """Make what follows from records anew, where it does not.

        Raises:
            JournalLocked: a server runs on it.
            JournalUnusable: its records do not hold; nothing was changed.
        """
        ...

    def read(self) -> Client:
        """Open it to read it and to post commands.

        Raises:
            JournalUnusable: there is none, or it cannot be trusted or understood.
        """
        ...

    def browse(self) -> Browser:
        """Open it for a screen: to read it in pages and to post commands."""
        ...


class SqliteStore:
    """One file, perhaps not made yet."""

    def __init__(self, url: str, directory: Path) -> None:
        # What lies beside the journal lies beside the file, however it is reached.
        self.file = (directory / _file(url)).resolve()

    def exists(self) -> bool:
        """Tell whether the file is there."""
        return self.file.exists()

    def holder(self) -> Holder | None:
        """Return the server that runs on it now, or None."""
        return holder_of(self.file)

    def open(self, *, at: datetime) -> Journal:
        """Open or create the journal as its one writer."""
        return open_sqlite(self.file, at=at)

    def repair(self, *, at: datetime) -> Repair:
        """Make what follows from records anew, where it does not."""
        return repair_sqlite(self.file, at=at)

    def read(self) -> Client:
        """Open the journal to read it and to post commands."""
        return open_sqlite_reader(self.file)

    def browse(self) -> SqliteBrowser:
        """Open the journal for a screen: to read it in pages and to post commands."""
        return open_sqlite_as(SqliteBrowser, self.file)


def _file(url: str) -> str:
    rest = url.partition("://")[2]
    if not rest.startswith("/") or len(rest) < 2:  # noqa: PLR2004 (a slash and a name)
        raise JournalUnusable(
            "a journal url is sqlite:///FILE (relative) or sqlite:////PATH/FILE (absolute)",
        )
    return rest[1:]
