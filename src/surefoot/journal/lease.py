"""One server per journal: a lock that the operating system lets go of when a process dies."""

from __future__ import annotations

import fcntl
import os
import socket
import sys
from datetime import datetime
from pathlib import Path

import msgspec

from surefoot.journal.errors import JournalLocked
from surefoot.journal.port import Holder


class Life(Holder, frozen=True, kw_only=True):
    """Who runs on a journal, or ran on it last; `mark` is what that life leaves in the database.

    If the database carries another mark, it is not the file that was last run: somebody put an
    older one in its place. `former` is what it carried before, until the mark is durable there.
    """

    mark: str | None = None
    former: str | None = None


class Lease:
    """Held from `take` until `release` or the death of the process, however it dies."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: int | None = None
        self._journal: int | None = None
        self._holder: Life | None = None
        self._before: Life | None = None

    def take(self, at: datetime) -> None:
        """Become the one writer.

        Raises:
            JournalLocked: somebody else is; the message names the process.
        """
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        os.fchmod(file, 0o600)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = _read(file)
            os.close(file)
            raise JournalLocked(_refusal(self._path, holder)) from None
        self._before = _read(file)
        self._file = file
        marks = {} if self._before is None else {"mark": self._before.mark}
        if self._before is not None:
            marks["former"] = self._before.former
        self._holder = Life(pid=os.getpid(), host=socket.gethostname(), since=at, **marks)
        self._write(self._holder)

    def hold(self, journal: Path) -> None:
        """Lock the journal itself as well: the lock file has a name, and can be deleted.

        Elsewhere such a lock would keep SQLite out; there the lock file has to do.

        Raises:
            JournalLocked: somebody else has it open as its writer.
        """
        if sys.platform != "linux":
            return
        # Closing any handle on a database gives up the locks that SQLite has there for this
        # process, so this one stays open until SQLite has closed its own.
        self._journal = os.open(journal, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise JournalLocked(_refusal(self._path, None)) from None

    def recognises(self, mark: str) -> bool:
        """Tell whether a database with this mark ("" without) may be the one last run here."""
        before = self._before
        return before is None or before.mark is None or mark in {before.mark, before.former}

    def leave(self, mark: str, *, former: str | None) -> None:
        """Write down which mark this life leaves in the database, and which one is still there."""
        if self._holder is not None:
            self._write(msgspec.structs.replace(self._holder, mark=mark, former=former))

    def _write(self, holder: Life) -> None:
        if self._file is not None:
            # Over what was there: a kill or a full disk in between must not leave it empty.
            text = msgspec.json.encode(holder).ljust(os.fstat(self._file).st_size)
            os.pwrite(self._file, text, 0)

    def release(self) -> None:
        """Let go; harmless if not held."""
        for file in (self._file, self._journal):
            if file is not None:
                os.close(file)
        self._file = self._journal = None


def holder_of(journal: Path) -> Holder | None:
    """Return who runs on a journal now, or None; changes nothing."""
    try:
        file = os.open(journal.with_name(f"{journal.name}.lock"), os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    try:
        holder = _read(file)
        if holder is None or not _holds(holder, file):
            return None
        return Holder(pid=holder.pid, host=holder.host, since=holder.since)
    finally:
        os.close(file)


def _holds(holder: Holder, file: int) -> bool:
    # Asking for the lock could refuse a server that starts just now, so only if one seems up.
    if not _alive(holder.pid):
        return False
    try:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    return False


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _read(file: int) -> Life | None:
    try:
        return msgspec.json.decode(os.pread(file, 1000, 0), type=Life)
    except msgspec.DecodeError:
        return None


def _refusal(path: Path, holder: Holder | None) -> str:
    journal = path.name.removesuffix(".lock")
    if holder is None:
        return f"another Surefoot runs on {journal}; stop it first"
    return (
        f"another Surefoot runs on {journal}: process {holder.pid} on {holder.host} since "
        f"{holder.since:%Y-%m-%d %H:%M:%S} UTC; stop it first, or use another journal"
    )
