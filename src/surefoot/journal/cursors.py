"""How far each destination has been told: a small file each, beside the journal.

The records themselves are the outbox, so nothing is stored twice. A cursor is durable before the
next message goes out; a kill in between tells the last message again, under the same number.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from surefoot.crashpoint import crashpoint

# A destination that refuses everything must not fill the disk; the newest are kept.
PARKED_MAX: Final = 50


class Aside(msgspec.Struct, frozen=True, kw_only=True):
    """A message that a destination refused for good."""

    id: str
    at: datetime
    text: str
    why: str


class Cursor(msgspec.Struct, frozen=True, kw_only=True):
    """Everything up to `sequence` of this epoch is told or put aside.

    `server` is what was last told of the server: the start of the life that ran, or None if it
    was told that none runs.
    """

    epoch: str
    sequence: int
    server: datetime | None = None
    parked: tuple[Aside, ...] = ()


def outbox_of(journal: Path) -> Path:
    """Return the folder of a journal's cursors."""
    return journal.with_name(f"{journal.name}.outbox")


class Cursors:
    """The folder of them; one process at a time moves them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def read(self, destination: str) -> Cursor | None:
        """Return where a destination stands; None if it is new, or its file says nothing."""
        try:
            return msgspec.json.decode(self._file(destination).read_bytes(), type=Cursor)
        except (OSError, msgspec.DecodeError):
            return None

    def all(self) -> dict[str, Cursor]:
        """Return where every destination stands that was ever told anything."""
        names = sorted(each.stem for each in self._folder.glob("*.json"))
        found = ((name, self.read(name)) for name in names)
        return {name: cursor for name, cursor in found if cursor is not None}

    def is_noted(self, destination: str) -> bool:
        """Tell whether something was ever noted of a destination, readable or not."""
        return self._file(destination).exists()

    def write(self, destination: str, cursor: Cursor) -> None:
        """Move a destination's cursor, durably."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        file = self._file(destination)
        new = file.with_suffix(".new")
        handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as output:
            output.write(msgspec.json.encode(cursor))
            output.flush()
            os.fsync(output.fileno())
        crashpoint("cursor.before-replace")
        new.replace(file)
        folder = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)

    def _file(self, destination: str) -> Path:
        return self._folder / f"{destination}.json"
