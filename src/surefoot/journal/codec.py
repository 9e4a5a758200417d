"""Records as JSON text and back, and the chain that ties each row to all before it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Final

import msgspec
from msgspec import Struct

from surefoot.core.account_records import Record
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.values import plain
from surefoot.journal.errors import JournalUnusable

_encoder: Final = msgspec.json.Encoder(decimal_format="string", order="sorted")
_decoder: Final = msgspec.json.Decoder(Record)
_positions: Final = msgspec.json.Decoder(Position)
_orders: Final = msgspec.json.Decoder(Order)
CHAIN_START: Final = b"\x00" * 16


def encode(value: Record | Position | Order) -> str:
    """Write a record or what follows from records as JSON; the same gives the same bytes."""
    return _encoder.encode(value).decode()


def decode(data: bytes, sequence: int) -> Record:
    """Read a record back.

    Raises:
        JournalUnusable: the row is damaged, or from a newer version of the program.
    """
    try:
        return _decoder.decode(data)  # type: ignore[no-any-return]
    except msgspec.DecodeError as error:
        raise JournalUnusable(
            f"journal row {sequence} cannot be read ({error}); it is damaged or newer than this "
            f"program: restore a backup, or use the version that wrote it",
        ) from error


def decode_position(data: str, name: str) -> Position:
    """Read a stored position back.

    Raises:
        JournalUnusable: the row is damaged, or from a newer version of the program.
    """
    try:
        return _positions.decode(data)
    except msgspec.DecodeError as error:
        raise JournalUnusable(f"{name} cannot be read ({error}); restore a backup") from error


def decode_order(data: str, name: str) -> Order:
    """Read a stored order back.

    Raises:
        JournalUnusable: the row is damaged, or from a newer version of the program.
    """
    try:
        return _orders.decode(data)
    except msgspec.DecodeError as error:
        raise JournalUnusable(f"{name} cannot be read ({error}); restore a backup") from error


def encode_json(value: Any) -> str:
    """Write plain data as JSON."""
    return msgspec.json.encode(value).decode()


class Tip(Struct, frozen=True):
    """The newest row there is: its number, and the chain value that covers it and all before it."""

    sequence: int = 0
    chain: bytes = CHAIN_START


def link(tip: Tip, version: int, *texts: bytes) -> Tip:
    """Return the tip after one more row: it depends on every column, and on all rows before it.

    `texts` are its stream, time, kind and data, as they are stored.
    """
    sequence = tip.sequence + 1
    content = b"\n".join((f"{sequence}\n{version}".encode(), *texts))
    return Tip(sequence, blake2b(tip.chain + content, digest_size=16).digest())


def seal(chain: bytes, columns: Sequence[str | int | bytes | None], data: str) -> bytes:
    """Return what ties a derived row to the record it follows from, and so to all before that.

    Every column of it: none has to be worked out again from the data to be believed.
    """
    content = chain + msgspec.json.encode(columns) + data.encode()
    return blake2b(content, digest_size=16, person=b"seal").digest()


def stamp(at: datetime) -> str:
    """Write a UTC time so that text order is time order."""
    return f"{at.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"


def unstamp(text: str) -> datetime:
    """Read a time back.

    Raises:
        ValueError: it is none, or does not say where on earth it is meant.
    """
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text} says no zone")
    return moment


def amount(value: Decimal | None) -> str | None:
    """Write an amount as plain digits, or NULL."""
    return None if value is None else plain(value)
