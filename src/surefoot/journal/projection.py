"""One change as SQL: append the records, then bring the derived tables up to date.

Runs inside a savepoint of the writer's transaction, so that a change which is refused leaves no
trace and the others in the same commit are not disturbed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import apsw

from surefoot.core.account_records import Record, kind_of
from surefoot.core.order import Order
from surefoot.core.position import Position, State
from surefoot.core.records import (
    FillBooked,
    OrderIntended,
    OrderNever,
    OrderRefused,
    PositionStarted,
    StateChanged,
)
from surefoot.core.state import evolve
from surefoot.core.values import ClientOrderId, PositionId
from surefoot.journal.codec import Tip, amount, encode, encode_json, link, seal, stamp
from surefoot.journal.commands import row_of
from surefoot.journal.errors import DuplicateFill, IllegalUpdate, StaleAppend
from surefoot.journal.port import Append, Change, Command

POSITION_COLUMNS: Final = (
    "position_id, bot, account, symbol, number, version, state, phase, frozen, quantity, "
    "entry_price, realized_pnl, stop, take_profit, settled_at, data"
)
ORDER_COLUMNS: Final = (
    "client_order_id, position_id, role, attempt, side, quantity, limit_price, trigger_price, "
    "status, exchange_order_id, filled, not_after, data"
)
FILL_COLUMNS: Final = (
    "client_order_id, trade_id, account, symbol, side, price, quantity, fee, fee_asset, at"
)
INSERT_POSITION: Final = f"""
INSERT INTO positions ({POSITION_COLUMNS}, seal) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"""  # noqa: S608
INSERT_ORDER: Final = f"""
INSERT INTO orders ({ORDER_COLUMNS}, sequence, seal) VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"""  # noqa: S608
INSERT_FILL: Final = f"INSERT INTO fills ({FILL_COLUMNS}) VALUES (?,?,?,?,?,?,?,?,?,?)"  # noqa: S608
_INSERT_RECORD: Final = """
INSERT INTO records (sequence, version, stream, at, kind, data, chain) VALUES (?,?,?,?,?,?,?)"""
_UPDATE_POSITION: Final = """
UPDATE positions SET version = ?, phase = ?, frozen = ?, quantity = ?, entry_price = ?,
    realized_pnl = ?, stop = ?, take_profit = ?, settled_at = ?, data = ?, seal = ?
WHERE position_id = ?"""
_UPSERT_ORDER: Final = f"""{INSERT_ORDER}
ON CONFLICT (client_order_id) DO UPDATE SET quantity = excluded.quantity,
    status = excluded.status, exchange_order_id = excluded.exchange_order_id,
    filled = excluded.filled,
    data = excluded.data, sequence = excluded.sequence, seal = excluded.seal"""
_UPSERT_MEMORY: Final = """
INSERT INTO memories VALUES (?, ?) ON CONFLICT (bot) DO UPDATE SET data = excluded.data"""

# The same, for questions to several tables at once.
POSITION_OF: Final = ", ".join(f"positions.{each}" for each in POSITION_COLUMNS.split(", "))
ORDER_OF: Final = ", ".join(f"orders.{each}" for each in ORDER_COLUMNS.split(", "))

# What the database says of a fill that it has: its trigger, or the key of the table.
_TWICE: Final = {apsw.SQLITE_CONSTRAINT_TRIGGER, apsw.SQLITE_CONSTRAINT_PRIMARYKEY}

Row: TypeAlias = tuple[str | int | bytes | None, ...]


def apply_change(connection: apsw.Connection, change: Change, tip: Tip) -> Tip:
    """Write one change; return the newest row after it.

    Raises:
        StaleAppend | DuplicateFill | IllegalUpdate: refused; the caller rolls the savepoint back.
    """
    for append in change.appends:
        tip = _append(connection, append, tip)
    for memory in change.memories:
        connection.execute(_UPSERT_MEMORY, (memory.bot, encode_json(memory.data)))
    for command in change.commands:
        _take(connection, command)
    for verdict in change.verdicts:
        connection.execute(
            "UPDATE commands SET status = ?, result = ? WHERE command_id = ? AND status = 'posted'",
            (verdict.status, verdict.result, verdict.command_id),
        )
    return tip


def _take(connection: apsw.Connection, command: Command) -> None:
    connection.execute(
        "INSERT INTO commands VALUES (?,?,?,?,?,?,?,'posted',NULL) ON CONFLICT DO NOTHING",
        row_of(command),
    )


def _append(connection: apsw.Connection, append: Append, tip: Tip) -> Tip:
    stands = connection.execute(
        "SELECT max(version) FROM records WHERE stream = ?", (append.stream,)
    ).get
    if (stands or 0) != append.expected:
        raise StaleAppend(
            f"{append.stream} stands at version {stands or 0}, not {append.expected}; "
            f"nothing was written",
        )
    rows: list[tuple[Record, Tip]] = []
    for version, record in enumerate(append.records, start=append.expected + 1):
        texts = (append.stream, stamp(record.at), kind_of(record), encode(record))
        tip = link(tip, version, *(text.encode() for text in texts))
        connection.execute(_INSERT_RECORD, (tip.sequence, version, *texts, tip.chain))
        rows.append((record, tip))
    if append.position is not None and rows:
        _project(connection, append.position, append.left, rows)
    return tip


def _project(
    connection: apsw.Connection,
    position: Position,
    left: Sequence[Order],
    rows: Sequence[tuple[Record, Tip]],
) -> None:
    newest: dict[ClientOrderId, Tip] = {}
    named = {order.client_order_id: order for order in (*left, *position.orders)}
    for record, tip in rows:
        newest |= dict.fromkeys(orders_in(record, named.get), tip)
        if isinstance(record, PositionStarted):
            connection.execute(INSERT_POSITION, sealed_position(evolve(None, record), tip))
    for order in named.values():
        if (last := newest.get(order.client_order_id)) is not None:
            row = order_row(position.position_id, order)
            connection.execute(_UPSERT_ORDER, sealed_order(row, last))
    for record, _ in rows:
        if isinstance(record, StateChanged):
            _move(connection, position, record.target)
        elif isinstance(record, FillBooked):
            _book(connection, position, record)
    _, _, _, _, _, version, _, *derived = sealed_position(position, rows[-1][1])
    connection.execute(_UPDATE_POSITION, (version, *derived, position.position_id))


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
    try:
        connection.execute(INSERT_FILL, fill_row(position, record))
    except apsw.ConstraintError as error:
        if getattr(error, "extendedresult", None) not in _TWICE:
            what = f"trade {fill.trade_id} of {fill.symbol} cannot be booked"
            raise IllegalUpdate(f"{what}: {error}; nothing was written") from error
        raise DuplicateFill(
            f"trade {fill.trade_id} of {fill.symbol} is booked already; nothing was written",
        ) from error


def orders_in(
    record: Record, find: Callable[[ClientOrderId], Order | None]
) -> tuple[ClientOrderId, ...]:
    """Return the orders that a record changes: its own, and the one which that is to replace."""
    order: Order | None = getattr(record, "order", None)
    name: ClientOrderId | None = getattr(record, "client_order_id", None)
    if order is None and name is not None:
        order = find(name)
    if order is None:
        return ()
    both = isinstance(record, OrderIntended | OrderRefused | OrderNever)
    names = (order.client_order_id, order.replaces if both else None)
    return tuple(each for each in names if each is not None)


# Rows, as they follow from records --------------------------------------------------------------


def position_columns(position: Position) -> Row:
    """Return what can be asked of a position's row: all but the position itself and its seal."""
    settled_at = position.settled_at
    return (
        position.position_id,
        position.bot,
        position.account,
        position.symbol,
        position.number,
        position.version,
        position.state.value,
        position.levels.phase.value,
        position.frozen,
        amount(position.claim),
        amount(position.entry_price),
        amount(position.realized_pnl),
        amount(position.levels.stop),
        amount(position.levels.take_profit),
        None if settled_at is None else stamp(settled_at),
    )


def sealed_position(position: Position, tip: Tip) -> Row:
    """Return the whole row of a position that the newest record of its stream made so."""
    columns, data = position_columns(position), encode(position)
    return (*columns, data, seal(tip.chain, columns, data))


def order_columns(position_id: PositionId, order: Order) -> Row:
    """Return what can be asked of an order's row: all but the order itself and its seal."""
    return (
        order.client_order_id,
        position_id,
        order.role.value,
        order.attempt,
        order.side.value,
        amount(order.quantity),
        amount(order.limit),
        amount(order.trigger),
        order.status.value,
        order.exchange_order_id,
        amount(order.filled),
        stamp(order.not_after),
    )


def order_row(position_id: PositionId, order: Order) -> Row:
    """Return the row of an order, without the record it follows from, and its seal."""
    return (*order_columns(position_id, order), encode(order))


def sealed_order(row: Row, tip: Tip) -> Row:
    """Return the whole row of an order that a record made so."""
    *columns, data = row
    return (*row, tip.sequence, seal(tip.chain, columns, str(data)))


def fill_row(position: Position, record: FillBooked) -> Row:
    """Return the row of a booked fill."""
    fill = record.fill
    return (
        record.client_order_id,
        fill.trade_id,
        position.account,
        fill.symbol,
        fill.side.value,
        amount(fill.price),
        amount(fill.quantity),
        amount(fill.fee),
        fill.fee_asset,
        stamp(fill.at),
    )
