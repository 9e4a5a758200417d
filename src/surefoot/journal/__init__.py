"""The journal: the append-only record that is the authority, and what keeps it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

from surefoot.journal.errors import JournalUnusable
from surefoot.journal.sqlite import SqliteJournal, SqliteReader, open_sqlite, open_sqlite_reader

__all__ = ["journal_path", "open_journal", "open_reader"]


def journal_path(url: str, directory: Path) -> Path:
    """Return the file that a journal URL names; relative ones start at `directory`.

    Raises:
        JournalUnusable: this version keeps journals in SQLite only.
    """
    scheme, separator, rest = url.partition("://")
    if scheme != "sqlite" or not separator or not rest.startswith("/") or len(rest) < 2:  # noqa: PLR2004
        raise JournalUnusable(
            f"journal url {scheme}://… is not supported by this version; "
            f"use sqlite:///FILE (relative) or sqlite:////PATH/FILE (absolute)",
        )
    return directory / rest[1:]


def open_journal(url: str, directory: Path, *, at: datetime) -> SqliteJournal:
    """Open or create a journal as its one writer."""
    return open_sqlite(journal_path(url, directory), at=at)


def open_reader(url: str, directory: Path) -> SqliteReader:
    """Open an existing journal to read it and to post commands."""
    return open_sqlite_reader(journal_path(url, directory))
