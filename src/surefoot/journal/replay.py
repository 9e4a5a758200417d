"""Positions as their records add up, and which rows of the tables say something else.

What is acted upon is read sealed and is not replayed; whoever has the time replays everything
(`check`), and makes the tables anew where they strayed (`repair`). Nothing here writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any, Final

import apsw

from surefoot.core.account_records import Record
from surefoot.core.errors import IllegalTransition, InvalidValue
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.records import FillBooked, PositionRecord
from surefoot.core.state import evolve
from surefoot.core.values import ClientOrderId
from surefoot.journal.codec import Tip, decode, seal
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.projection import (
    FILL_COLUMNS,
    ORDER_COLUMNS,
    ORDER_OF,
    POSITION_COLUMNS,
    Row,
    fill_row,
    order_row,
    orders_in,
    sealed_position,
)

_STREAMS: Final = """
SELECT stream, sequence, chain, CAST(data AS BLOB) FROM records
WHERE stream >= 'position/' AND stream < 'position0' ORDER BY stream, version"""
_POSITION: Final = f"SELECT {POSITION_COLUMNS}, seal FROM positions WHERE position_id = ?"  # noqa: S608
_ORDERS: Final = f"""
SELECT {ORDER_OF}, seal, chain FROM orders LEFT JOIN records USING (sequence)
WHERE position_id = ?"""  # noqa: S608
_FILLS: Final = f"""
SELECT {FILL_COLUMNS} FROM fills WHERE client_order_id IN
    (SELECT client_order_id FROM orders WHERE position_id = ?)"""  # noqa: S608


class Replay:
    """One stream, added up: the position, every order that it ever had, and its fills.

    Of an order it keeps the row that changed it last, which its seal is made with.
    """

    def __init__(self, stream: str) -> None:
        self.stream = stream
        self.tip = Tip()
        self.orders: dict[ClientOrderId, tuple[Order, Tip]] = {}
        self.fills: list[Row] = []
        self._position: Position | None = None

    def add(self, record: Record, tip: Tip) -> None:
        """Apply one record.

        Raises:
            JournalUnusable: it contradicts those before it.
        """
        if not isinstance(record, PositionRecord):
            raise JournalUnusable(
                f"journal row {tip.sequence} is no record of {self.stream}; restore a backup"
            )
        try:
            position = evolve(self._position, record)
        except (InvalidValue, IllegalTransition) as error:
            raise JournalUnusable(
                f"journal row {tip.sequence} contradicts the rows of {self.stream} before it "
                f"({error}); restore a backup",
            ) from error
        for name in orders_in(record, position.find):
            if (order := position.find(name)) is not None:
                self.orders[name] = (order, tip)
        if isinstance(record, FillBooked):
            self.fills.append(fill_row(position, record))
        self._position, self.tip = position, tip

    @property
    def position(self) -> Position:
        """Return what all records add up to.

        Raises:
            JournalUnusable: it is not the position that the stream is named after.
        """
        if self._position is None or self.stream != f"position/{self._position.position_id}":
            raise JournalUnusable(f"{self.stream} holds another position; restore a backup")
        return self._position


def replays(connection: apsw.Connection) -> Iterator[Replay]:
    """Add up every position there is, one after the other."""
    for stream, rows in groupby(connection.execute(_STREAMS), lambda row: str(row[0])):
        result = Replay(stream)
        for _, sequence, chain, data in rows:
            result.add(decode(data, sequence), Tip(sequence, chain))
        yield result


def differences(connection: apsw.Connection) -> Iterator[str]:
    """Replay every position there is, and yield what the tables say otherwise."""
    counts = {"positions": 0, "orders": 0, "fills": 0}
    frozen: set[str] = set()
    for each in replays(connection):
        yield from _differences(connection, each)
        if each.position.frozen is not None:
            frozen.add(each.position.position_id)
        counts["positions"] += 1
        counts["orders"] += len(each.orders)
        counts["fills"] += len(each.fills)
    for table, wanted in counts.items():
        found: int = connection.execute(f"SELECT count(*) FROM {table}").get  # noqa: S608
        if found != wanted:
            yield f"{table} has {found} rows, and the records make {wanted}"
    listed = {str(name) for (name,) in connection.execute("SELECT position_id FROM frozen")}
    yield from (f"frozen is wrong about {name}" for name in sorted(frozen ^ listed))


def _differences(connection: apsw.Connection, replayed: Replay) -> Iterator[str]:
    position = replayed.position
    which = (position.position_id,)
    sealed = {position.position_id: sealed_position(position, replayed.tip)}
    found = connection.execute(_POSITION, which)
    yield from _compare("positions", f"{POSITION_COLUMNS}, seal", found, sealed)
    orders = {
        key: order_row(position.position_id, order) for key, (order, _) in replayed.orders.items()
    }
    stored: list[Any] = connection.execute(_ORDERS, which).fetchall()
    yield from _compare("orders", ORDER_COLUMNS, (row[:-2] for row in stored), orders)
    for *columns, data, sealed_with, chain in stored:
        if chain is None or seal(chain, columns, data) != sealed_with:
            yield f"orders has a wrong seal of {columns[0]}"
    fills = {_key(row, 2): row for row in replayed.fills}
    yield from _compare("fills", FILL_COLUMNS, connection.execute(_FILLS, which), fills, keys=2)


def _compare(
    table: str, columns: str, found: Iterable[Row], wanted: Mapping[Any, Row], *, keys: int = 1
) -> Iterator[str]:
    names = columns.split(", ")
    seen = set()
    for row in found:
        key = _key(row, keys)
        seen.add(key)
        if key not in wanted:
            yield f"{table} has {key}, which no record explains"
        elif row != wanted[key]:
            pairs = zip(names, row, wanted[key], strict=True)
            told = [f"{name} {has!r}, not {needs!r}" for name, has, needs in pairs if has != needs]
            yield f"{table} says of {key} {told[0]}"
    yield from (f"{table} lacks {key}" for key in wanted if key not in seen)


def _key(row: Row, columns: int) -> str:
    return " ".join(str(each) for each in row[:columns])
