"""Rows of a journal database as values, held against what seals them."""

from __future__ import annotations

from typing import Any

from surefoot.core.evidence import Owned
from surefoot.core.position import Position
from surefoot.journal.codec import decode, decode_order, decode_position, seal, unstamp
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.integrity import REBUILD
from surefoot.journal.port import Entry


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Read a row of `records` as a value."""
    sequence, stream, version, at, data = row
    record = decode(data, sequence)
    try:
        moment = unstamp(at)
    except ValueError as error:
        raise JournalUnusable(f"journal row {sequence} has no time ({error})") from error
    return Entry(sequence=sequence, stream=stream, version=version, at=moment, record=record)


def position_of(row: tuple[Any, ...]) -> Position:
    """Read a row of `positions`, which must follow from the newest record of its stream (S8)."""
    *columns, data, sealed, newest, chain = row
    name = columns[0]
    if chain is None or seal(chain, columns, data) != sealed:
        raise JournalUnusable(
            f"{name} does not follow from its records: the row is {tuple(columns)}; {REBUILD}"
        )
    stored = decode_position(data, name)
    if stored.version != newest:
        raise JournalUnusable(f"{name} does not follow from its records; {REBUILD}")
    return stored


def owned_of(row: tuple[Any, ...]) -> Owned:
    """Read a row of `orders`, which must follow from its record (S8)."""
    *columns, data, sealed, chain, bot = row
    name, position_id, *_ = columns
    if seal(chain, columns, data) != sealed:
        raise JournalUnusable(f"{name} does not follow from its records; {REBUILD}")
    return Owned(position_id=position_id, bot=bot, order=decode_order(data, name))
