"""The journal: the append-only record that is the authority, and what keeps it.

This is its door. Everybody else knows the port, and a journal by its URL; only the table here
knows which kinds of journal there are.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from surefoot.journal.browse import Browser
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.port import Client, Holder, Journal, Repair
from surefoot.journal.store import SqliteStore, Store

__all__ = [
    "journal_exists",
    "journal_file",
    "journal_holder",
    "open_browser",
    "open_journal",
    "open_reader",
    "repair_journal",
]

# A journal of another kind is a file beside these and one row here.
_STORES: Final[Mapping[str, Callable[[str, Path], Store]]] = {
    "sqlite": SqliteStore,
}


def journal_exists(url: str, directory: Path) -> bool:
    """Tell whether the journal that a URL names is there."""
    return _store(url, directory).exists()


def journal_file(url: str, directory: Path) -> Path | None:
    """Return the file that a URL names, or None if such a journal is no file."""
    kind = _STORES.get(url.partition("://")[0])
    return None if kind is None else kind(url, directory).file


def journal_holder(url: str, directory: Path) -> Holder | None:
    """Return the server that runs on a journal now, or None, also if there is no journal."""
    return _store(url, directory).holder()


def open_journal(url: str, directory: Path, *, at: datetime) -> Journal:
    """Open or create a journal as its one writer."""
    return _store(url, directory).open(at=at)


def open_reader(url: str, directory: Path) -> Client:
    """Open an existing journal to read it and to post commands."""
    return _store(url, directory).read()


def open_browser(url: str, directory: Path) -> Browser:
    """Open an existing journal for a screen: to read it in pages and to post commands."""
    return _store(url, directory).browse()


def repair_journal(url: str, directory: Path, *, at: datetime) -> Repair:
    """Make what follows from a journal's records anew, where it does not."""
    return _store(url, directory).repair(at=at)


def _store(url: str, directory: Path) -> Store:
    """Return the store of a journal URL; relative files start at `directory`.

    Raises:
        JournalUnusable: this version has no journals of that kind.
    """
    scheme = url.partition("://")[0]
    if scheme not in _STORES:
        raise JournalUnusable(
            f"journal url {scheme}://… is not supported by this version; "
            f"use sqlite:///FILE (relative) or sqlite:////PATH/FILE (absolute)",
        )
    return _STORES[scheme](url, directory)
