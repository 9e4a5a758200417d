"""One dashboard and one messenger per journal: locks that a process loses however it dies.

They are not the server's lease. A companion outlives its server to report that it is down; the
one of the next server asks it to leave, waits until it has, and takes its place.
"""

from __future__ import annotations

import fcntl
import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import Final

import msgspec

from surefoot.core.errors import SurefootError
from surefoot.journal.clock import Clock

# How long a predecessor may take to say goodbye; then it is ended.
GOODBYE_S: Final = 4.0
_KILLED_S: Final = 2.0
_STEP_S: Final = 0.05


class Occupied(SurefootError):
    """Another process does this for this journal."""


class Tenant(msgspec.Struct, frozen=True, kw_only=True):
    """Which process it is, and how it can be reached."""

    pid: int
    url: str


class Tenancy:
    """Held from `take` until `leave` or the death of the process."""

    def __init__(self, journal: Path, what: str) -> None:
        self._path = journal.with_name(f"{journal.name}.{what}")
        self._what = what
        self._file: int | None = None

    def tenant(self) -> Tenant | None:
        """Return who it is now, or None; changes nothing."""
        try:
            file = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            return None
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _read(file)
        else:
            return None
        finally:
            os.close(file)

    async def take(self, url: str, clock: Clock, *, over: bool) -> None:
        """Become the one; with `over`, whoever is it now has to go.

        Raises:
            Occupied: somebody is, and stays.
        """
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if not _locked(file):
                await self._inherit(file, clock, over=over)
        except BaseException:
            os.close(file)
            raise
        self._file = file
        self.tell(url)

    def tell(self, url: str) -> None:
        """Write down where this process can be reached; it has to be the tenant."""
        if self._file is None:
            raise Occupied(f"{self._what}: nobody has taken it yet")
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, msgspec.json.encode(Tenant(pid=os.getpid(), url=url)), 0)

    async def _inherit(self, file: int, clock: Clock, *, over: bool) -> None:
        tenant = _read(file)
        if tenant is None or not over:
            where = "" if tenant is None else f" at {tenant.url} (process {tenant.pid})"
            raise Occupied(f"{self._what}: it is done for this journal already{where}")
        for how, patience_s in ((signal.SIGTERM, GOODBYE_S), (signal.SIGKILL, _KILLED_S)):
            # The lock is held, so this process lives and is what it wrote down.
            with suppress(ProcessLookupError):
                os.kill(tenant.pid, how)
            until = clock.monotonic() + patience_s
            while clock.monotonic() < until:
                if _locked(file):
                    return
                await clock.sleep(_STEP_S)
        raise Occupied(f"process {tenant.pid} at {tenant.url} does not let go of {self._what}")

    def leave(self) -> None:
        """Let go; harmless if not held."""
        if self._file is not None:
            os.close(self._file)
            self._file = None


def _locked(file: int) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _read(file: int) -> Tenant | None:
    try:
        return msgspec.json.decode(os.pread(file, 1000, 0), type=Tenant)
    except msgspec.DecodeError:
        return None
