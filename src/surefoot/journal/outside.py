"""What is kept beside a journal to know it again: how far it had come, and which files it is.

The database cannot tell that it went back in time: an older copy is as sound as the newer one was.
So every commit notes outside how many rows there are, and the chain value of the newest. Fewer rows
than that, or another row in that place, is a journal that was put back. The note costs the commit
no wait: it is written after it and not flushed, so it says too little at worst.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

import apsw
import msgspec
from msgspec import Struct

from surefoot.journal.codec import Tip
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.lease import Lease

_BYTES: Final = 128


class Bound(Struct, frozen=True, kw_only=True):
    """How many rows a journal had at least, and the chain value of the newest of them."""

    sequence: int
    chain: bytes

    def lost(self, connection: apsw.Connection) -> str | None:
        """Return what a database lacks of this, in one sentence; None if nothing."""
        rows = connection.execute("SELECT max(sequence) FROM records").get or 0
        if rows < self.sequence:
            return (
                f"the journal went back in time: it had {self.sequence} records and has {rows}; "
                f"an older copy was put back, or its log was lost"
            )
        question = "SELECT chain FROM records WHERE sequence = ?"
        if self.sequence and connection.execute(question, (self.sequence,)).get != self.chain:
            return (
                f"the journal is not the one that was here: its record {self.sequence} is another; "
                f"a copy was put back that had gone its own way"
            )
        return None


def bound_of(journal: Path) -> Path:
    """Return the file in which the bound of a journal is kept."""
    return journal.with_name(f"{journal.name}.bound")


def read_bound(journal: Path) -> Bound | None:
    """Return the bound of a journal, or None if there is none that can be read."""
    try:
        return msgspec.json.decode(bound_of(journal).read_bytes(), type=Bound)
    except (OSError, msgspec.DecodeError):
        return None


class Outside:
    """One life's view: the writer asks before and after each commit, and notes what is durable."""

    def __init__(self, journal: Path, generation: str, lease: Lease) -> None:
        self._journal = journal
        self._log = journal.with_name(f"{journal.name}-wal")
        self.generation = generation
        self._lease = lease
        self._bound: int | None = None
        self._database = _seen(journal)
        self._written: tuple[int, int, int] | None = None
        self.began = False

    def check(self) -> None:
        """Make sure that what is written is still what its name leads to.

        Raises:
            JournalUnusable: the journal or its log was moved away, replaced or cut.
        """
        database, log = _seen(self._journal), _seen(self._log)
        if not _grown(self._database, database):
            raise JournalUnusable(f"{self._journal} was moved away, replaced or cut")
        if self._written is not None and not _grown(self._written, log):
            raise JournalUnusable(f"{self._log} was moved away, replaced or cut")
        self._database = database

    def committed(self, tip: Tip) -> None:
        """Note what is durable now.

        Raises:
            JournalUnusable: it went into a file that has no name any more.
        """
        if not self.began:
            self._written = _seen(self._log)
        self.check()
        self._written = _seen(self._log)
        self.note(tip)
        if not self.began:
            self.began = True
            self._lease.leave(self.generation, former=None)

    def note(self, tip: Tip) -> None:
        """Write the bound."""
        if self._bound is None or not os.fstat(self._bound).st_nlink:
            self.close()
            flags = os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC
            self._bound = os.open(bound_of(self._journal), flags, 0o600)
            os.fchmod(self._bound, 0o600)
        text = msgspec.json.encode(Bound(sequence=tip.sequence, chain=tip.chain))
        os.pwrite(self._bound, text.ljust(_BYTES), 0)

    def close(self) -> None:
        """Let go of the file."""
        if self._bound is not None:
            os.close(self._bound)
            self._bound = None


def _seen(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size


def _grown(before: tuple[int, int, int] | None, now: tuple[int, int, int] | None) -> bool:
    return before is not None and now is not None and before[:2] == now[:2] and before[2] <= now[2]
