"""One change as SQL: append the records, then bring the derived tables up to date.

Runs inside a savepoint of the writer's transaction, so that a change which is refused leaves no
trace and the others in the same commit are not disturbed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import apsw

from surefoot.core.order import Order
from surefoot.core.position import Position, State
from surefoot.core.records import (
    BotStatusChanged,
    FillBooked,
    PositionStarted,
    Record,
    StateChanged,
    WatermarkMoved,
    kind_of,
)
from surefoot.journal.codec import amount, encode, encode_json, link, seal, stamp
from surefoot.journal.errors import DuplicateFill, IllegalUpdate, StaleAppend
from surefoot.journal.port import Append, Change, Command

_INSERT_POSITION: Final = """
INSERT INTO positions (position_id, bot, account, symbol, number, version, state, phase, quantity,
    realized_pnl, past)
VALUES (?, ?, ?, ?, ?, 1, 'FLAT', 'MONITORING', '0', '0', 0)"""
_UPDATE_POSITION: Final = """
UPDATE positions SET version = ?, phase = ?, frozen = ?, quantity = ?, entry_price = ?,
    realized_pnl = ?, stop = ?, take_profit = ?, past = ?, data = ?, seal = ?
WHERE position_id = ?"""
_UPSERT_ORDER: Final = """
INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (client_order_id) DO UPDATE SET status = excluded.status,
    exchange_order_id = excluded.exchange_order_id, filled = excluded.filled,
    sequence = excluded.sequence, data = excluded.data, seal = excluded.seal"""
_UPSERT_BOT: Final = """
INSERT INTO bots VALUES (?, ?, ?, ?) ON CONFLICT (bot) DO UPDATE SET
    version = excluded.version, status = excluded.status, reason = excluded.reason"""
_UPSERT_WATERMARK: Final = """
INSERT INTO watermarks VALUES (?, ?, ?)
ON CONFLICT (account, symbol) DO UPDATE SET trade_id = excluded.trade_id"""
_UPSERT_MEMORY: Final = """
INSERT INTO memories VALUES (?, ?) ON CONFLICT (bot) DO UPDATE SET data = excluded.data"""


def apply_change(connection: apsw.Connection, change: Change, chain: bytes) -> bytes:
    """Write one change; return the chain value after it.

    Raises:
        StaleAppend | DuplicateFill | IllegalUpdate: refused; the caller rolls the savepoint back.
    """
    for append in change.appends:
        chain = _append(connection, append, chain)
    for memory in change.memories:
        connection.execute(_UPSERT_MEMORY, (memory.bot, encode_json(memory.data)))
    for command in change.commands:
        _take(connection, command)
    for verdict in change.verdicts:
        connection.execute(
            "UPDATE commands SET status = ?, result = ? WHERE command_id = ? AND status = 'posted'",
            (verdict.status, verdict.result, verdict.command_id),
        )
    return chain


def _take(connection: apsw.Connection, command: Command) -> None:
    connection.execute(
        "INSERT INTO commands VALUES (?,?,?,?,?,?,?,'posted',NULL) ON CONFLICT DO NOTHING",
        (
            command.command_id,
            command.kind,
            command.target,
            command.actor,
            stamp(command.posted_at),
            stamp(command.expires_at),
            encode_json(command.arguments),
        ),
    )


def _append(connection: apsw.Connection, append: Append, chain: bytes) -> bytes:
    stands = connection.execute(
        "SELECT max(version) FROM records WHERE stream = ?", (append.stream,)
    ).get
    if (stands or 0) != append.expected:
        raise StaleAppend(
            f"{append.stream} stands at version {stands or 0}, not {append.expected}; "
            f"nothing was written",
        )
    for offset, record in enumerate(append.records, start=1):
        version = append.expected + offset
        data = encode(record)
        chain = link(chain, append.stream, version, data)
        connection.execute(
            "INSERT INTO records (stream, version, at, kind, data, chain) VALUES (?,?,?,?,?,?)",
            (append.stream, version, stamp(record.at), kind_of(record), data, chain),
        )
    _project(connection, append, chain)
    return chain


def _project(connection: apsw.Connection, append: Append, chain: bytes) -> None:
    sequence = connection.last_insert_rowid()
    position = append.position
    for record in append.records:
        if isinstance(record, PositionStarted):
            connection.execute(
                _INSERT_POSITION,
                (
                    record.position_id,
                    record.bot,
                    record.account,
                    record.symbol,
                    record.number,
                ),
            )
    if position is not None:
        for order in _touched(position, append.records):
            row = _order_row(position, order)
            connection.execute(_UPSERT_ORDER, (*row, sequence, *_sealed(chain, order)))
    for offset, record in enumerate(append.records, start=1):
        _project_record(connection, position, record, append.expected + offset)
    if position is not None:
        row = projected(position)
        sealed = _sealed(chain, position)
        connection.execute(_UPDATE_POSITION, (*row, *sealed, position.position_id))


def _sealed(chain: bytes, value: Position | Order) -> tuple[str, bytes]:
    data = encode(value)
    return data, seal(chain, name_of(value), data)


def name_of(value: Position | Order) -> str:
    """Return the name under which a position or an order is sealed."""
    return value.position_id if isinstance(value, Position) else value.client_order_id


def _project_record(
    connection: apsw.Connection, position: Position | None, record: Record, version: int
) -> None:
    match record:
        case StateChanged() if position is not None:
            _move(connection, position, record.target)
        case FillBooked() if position is not None:
            _book(connection, position, record)
        case BotStatusChanged():
            row = (record.bot, version, record.status, record.reason)
            connection.execute(_UPSERT_BOT, row)
        case WatermarkMoved():
            connection.execute(_UPSERT_WATERMARK, (record.account, record.symbol, record.trade_id))
        case _:
            pass


def _move(connection: apsw.Connection, position: Position, target: State) -> None:
    """Move one edge at a time, so that the trigger sees every one of them."""
    try:
        connection.execute(
            "UPDATE positions SET state = ? WHERE position_id = ?", (target, position.position_id)
        )
    except apsw.ConstraintError as error:
        raise IllegalUpdate(f"{position.position_id}: {error}") from error


def _book(connection: apsw.Connection, position: Position, record: FillBooked) -> None:
    fill = record.fill
    row = (
        position.account,
        fill.symbol,
        fill.trade_id,
        record.client_order_id,
        fill.side,
        amount(fill.price),
        amount(fill.quantity),
        amount(fill.fee),
        fill.fee_asset,
        stamp(fill.at),
    )
    try:
        connection.execute("INSERT INTO fills VALUES (?,?,?,?,?,?,?,?,?,?)", row)
    except apsw.ConstraintError as error:
        raise DuplicateFill(
            f"trade {fill.trade_id} of {fill.symbol} is booked already; nothing was written",
        ) from error


def _touched(position: Position, records: Sequence[Record]) -> Iterator[Order]:
    touched = {_names(record) for record in records}
    return (order for order in position.orders if order.client_order_id in touched)


def _names(record: Any) -> str | None:
    order = getattr(record, "order", None)
    if isinstance(order, Order):
        return order.client_order_id
    name: str | None = getattr(record, "client_order_id", None)
    return name


def _order_row(position: Position, order: Order) -> tuple[str | int | None, ...]:
    return (
        order.client_order_id,
        position.position_id,
        order.role,
        order.attempt,
        order.side,
        amount(order.quantity),
        amount(order.limit),
        amount(order.trigger),
        order.status,
        order.exchange_order_id,
        amount(order.filled),
        stamp(order.not_after),
    )


def projected(position: Position) -> tuple[str | int | None, ...]:
    """Return the derived columns of a position, as they must stand in its row."""
    return (
        position.version,
        position.levels.phase,
        position.frozen,
        amount(position.quantity),
        amount(position.entry_price),
        amount(position.realized_pnl),
        amount(position.levels.stop),
        amount(position.levels.take_profit),
        int(position.past),
    )
