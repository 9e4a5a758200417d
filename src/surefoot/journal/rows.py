"""Questions to a journal database, and rows as values. Nothing here writes."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final

import apsw
import msgspec

from surefoot.core.evidence import Owned
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.records import PositionRecord, Record
from surefoot.core.state import evolve
from surefoot.core.values import (
    AccountName,
    BotName,
    ClientOrderId,
    ExchangeOrderId,
    PositionId,
    Symbol,
    TradeId,
)
from surefoot.journal.codec import (
    CHAIN_START,
    decode,
    decode_order,
    decode_position,
    encode_json,
    link,
    seal,
    stamp,
    unstamp,
)
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.port import BotRow, Command, Entry, account_stream, position_stream
from surefoot.journal.projection import projected

_ORDERS: Final = """
SELECT position_id, bot, client_order_id, orders.data, orders.seal, chain FROM orders
JOIN positions USING (position_id) JOIN records USING (sequence)"""
_AMONG: Final = "IN (SELECT value FROM json_each(?))"
_ORDERS_OF: Final = f"{_ORDERS} WHERE position_id {_AMONG} ORDER BY position_id, attempt"
_ORDERS_NAMED: Final = f"{_ORDERS} WHERE client_order_id {_AMONG} AND account = ? AND symbol = ?"
_ORDERS_NUMBERED: Final = (
    f"{_ORDERS} WHERE exchange_order_id {_AMONG} AND account = ? AND symbol = ?"
)
_COLUMNS: Final = "sequence, stream, version, at, data"
_PROJECTION: Final = (
    "position_id, state, positions.version, phase, frozen, quantity, entry_price, realized_pnl, "
    "stop, take_profit, past"
)


# Each of these has an index that answers it; a test holds the query plans.
# With the newest record of its stream, which a position must follow from.
_POSITIONS: Final = f"""
SELECT {_PROJECTION}, positions.data, seal, records.version, chain FROM positions
LEFT JOIN records ON sequence = (SELECT sequence FROM records AS newest
    WHERE newest.stream = 'position/' || position_id ORDER BY newest.version DESC LIMIT 1)"""  # noqa: S608
_POSITION: Final = f"{_POSITIONS} WHERE position_id = ?"
_NEWEST_POSITION: Final = f"{_POSITIONS} WHERE bot = ? ORDER BY number DESC LIMIT 1"
_WRITTEN: Final = """
SELECT at FROM records INDEXED BY intents_by_time WHERE kind = 'order-intended' AND at >= ?
    AND data ->> '$.order.role' <> 'stop'
    AND (SELECT bot FROM positions WHERE position_id = substr(stream, 10)) = ?
ORDER BY at"""
_MOVES: Final = """
SELECT data ->> 'trade_id' FROM records
WHERE kind = 'watermark-moved' AND stream = ? AND data ->> 'symbol' = ?"""
_WATERMARK_BEFORE: Final = f"{_MOVES} AND at <= ? ORDER BY at DESC, sequence DESC LIMIT 1"
_FIRST_WATERMARK: Final = f"{_MOVES} ORDER BY at, sequence LIMIT 1"
_NEWEST_OF_BOT: Final = """
WITH streams (stream) AS (
    SELECT ? UNION ALL SELECT 'position/' || position_id FROM positions WHERE bot = ?),
newest (sequence) AS (
    SELECT sequence FROM streams CROSS JOIN records INDEXED BY records_by_kind USING (stream)
    ORDER BY sequence DESC LIMIT ?)
SELECT sequence, stream, version, at, data FROM newest CROSS JOIN records USING (sequence)
ORDER BY sequence DESC"""
_LAST_RECOVERY: Final = """
SELECT sequence, stream, version, at, data FROM records WHERE kind = 'recovery-finished'
ORDER BY sequence DESC LIMIT 1"""
# From one account's stream to the next, however many records each of them has.
_ACCOUNTS: Final = """
WITH RECURSIVE found (stream) AS (
    SELECT min(stream) FROM records WHERE stream > 'account/' AND stream < 'account0'
    UNION ALL
    SELECT (SELECT min(stream) FROM records WHERE stream > found.stream AND stream < 'account0')
    FROM found WHERE found.stream IS NOT NULL)
SELECT substr(stream, 9) FROM found WHERE stream IS NOT NULL"""


def entries(
    connection: apsw.Connection, *, stream: str | None, after: int, limit: int
) -> Iterator[Entry]:
    """Read journal rows in order; within a stream that is the order of versions."""
    where, order = "sequence > ?", "sequence"
    bindings: tuple[Any, ...] = (after, limit)
    if stream is not None:
        where, order, bindings = "sequence > ? AND stream = ?", "version", (after, stream, limit)
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM records WHERE {where} ORDER BY {order} LIMIT ?",  # noqa: S608
        bindings,
    )
    return (_entry(row) for row in rows)


def newest(connection: apsw.Connection, bot: BotName | None, count: int) -> tuple[Entry, ...]:
    """Read the newest rows, oldest first; of a bot, only its own streams are looked at."""
    if bot is None:
        found = connection.execute(
            f"SELECT {_COLUMNS} FROM records ORDER BY sequence DESC LIMIT ?",  # noqa: S608
            (count,),
        )
    else:
        found = connection.execute(_NEWEST_OF_BOT, (f"bot/{bot}", bot, count))
    return tuple(_entry(row) for row in reversed(found.fetchall()))


def last(connection: apsw.Connection, stream: str, kind: str) -> Entry | None:
    """Read the newest row of one kind in one stream."""
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM records WHERE stream = ? AND kind = ? "  # noqa: S608
        "ORDER BY sequence DESC LIMIT 1",
        (stream, kind),
    )
    return next((_entry(row) for row in rows), None)


def last_recovery(connection: apsw.Connection) -> Entry | None:
    """Read the newest recovery report, of whichever account."""
    return next((_entry(row) for row in connection.execute(_LAST_RECOVERY)), None)


def written(connection: apsw.Connection, bot: BotName, since: datetime) -> tuple[datetime, ...]:
    """Read when a bot's orders, stops apart, were written down."""
    found = connection.execute(_WRITTEN, (stamp(since), bot))
    return tuple(unstamp(str(at)) for (at,) in found)


def watermark(
    connection: apsw.Connection, account: AccountName, symbol: Symbol, before: datetime | None
) -> TradeId | None:
    """Read a watermark as it stands, or where it stood at a time (the first one, if not yet)."""
    if before is None:
        trade = connection.execute(
            "SELECT trade_id FROM watermarks WHERE account = ? AND symbol = ?", (account, symbol)
        ).get
    else:
        which = (account_stream(account), symbol)
        trade = connection.execute(_WATERMARK_BEFORE, (*which, stamp(before))).get
        trade = connection.execute(_FIRST_WATERMARK, which).get if trade is None else trade
    return None if trade is None else TradeId(str(trade))


def _entry(row: tuple[Any, ...]) -> Entry:
    sequence, stream, version, at, data = row
    return Entry(
        sequence=sequence,
        stream=stream,
        version=version,
        at=unstamp(at),
        record=decode(data, sequence),
    )


def positions(
    connection: apsw.Connection, *, bot: BotName | None, current_only: bool
) -> Iterator[Position]:
    """Read positions, and hold each against the newest record that it must follow from (S8)."""
    clauses = ["bot = ?"] if bot is not None else []
    clauses += ["past = 0"] if current_only else []
    where = f"WHERE {' AND '.join(clauses)}" if clauses else ""
    rows = connection.execute(
        f"{_POSITIONS} {where} ORDER BY bot, number",
        (bot,) if bot is not None else (),
    )
    return (_position(row) for row in rows.fetchall())


def position(connection: apsw.Connection, name: str) -> Position | None:
    """Read the position of this id, or else the newest one of the bot of this name."""
    row = connection.execute(_POSITION, (name,)).fetchone()
    if row is None:
        row = connection.execute(_NEWEST_POSITION, (name,)).fetchone()
    return None if row is None else _position(row)


def _position(row: tuple[Any, ...]) -> Position:
    name, state, *columns, data, sealed, newest, chain = row
    if chain is None or seal(chain, name, data) != sealed:
        raise JournalUnusable(f"{name} does not follow from its records; restore a backup")
    stored = decode_position(data, name)
    if (stored.state, stored.version) != (state, newest) or projected(stored) != tuple(columns):
        raise JournalUnusable(
            f"{name} does not follow from its records: they say {stored.state} "
            f"{projected(stored)}, the table says {state} {tuple(columns)}; restore a backup",
        )
    return stored


def check_positions(connection: apsw.Connection) -> None:
    """Replay every position, and hold what is stored of it and of its orders against that (S8).

    Raises:
        JournalUnusable: a row is not what the records add up to.
    """
    for stored in positions(connection, bot=None, current_only=False):
        name = stored.position_id
        replayed, orders = _replayed(connection, name)
        if replayed != stored or orders != orders_of(connection, (name,)).get(name, ()):
            raise JournalUnusable(f"{name} is not what its records add up to; restore a backup")


def _replayed(
    connection: apsw.Connection, position_id: PositionId
) -> tuple[Position | None, tuple[Order, ...]]:
    """Replay one position, with all orders that it ever had."""
    position: Position | None = None
    orders: dict[ClientOrderId, Order] = {}
    rows = connection.execute(
        "SELECT data, sequence FROM records WHERE stream = ? ORDER BY version",
        (position_stream(position_id),),
    )
    for data, sequence in rows:
        position = evolve(position, _position_record(decode(data, sequence)))
        orders |= {order.client_order_id: order for order in position.orders}
    return position, tuple(orders.values())


def orders_of(
    connection: apsw.Connection, positions: Collection[PositionId]
) -> dict[PositionId, tuple[Order, ...]]:
    """Read all orders that these positions ever had, in the order of their attempts."""
    found: dict[PositionId, list[Order]] = {}
    for row in connection.execute(_ORDERS_OF, (encode_json(list(positions)),)):
        owned = _owned(row)
        found.setdefault(owned.position_id, []).append(owned.order)
    return {name: tuple(orders) for name, orders in found.items()}


def _owned(row: tuple[Any, ...]) -> Owned:
    position_id, bot, name, data, sealed, chain = row
    if seal(chain, name, data) != sealed:
        raise JournalUnusable(f"{name} does not follow from its records; restore a backup")
    return Owned(position_id=position_id, bot=bot, order=decode_order(data, name))


def find_orders(
    connection: apsw.Connection,
    account: AccountName,
    symbol: Symbol,
    names: Collection[ClientOrderId],
    numbers: Collection[ExchangeOrderId],
) -> tuple[Owned, ...]:
    """Read the orders of one symbol that have one of these names, or of the exchange's numbers."""
    asked = ((_ORDERS_NAMED, names), (_ORDERS_NUMBERED, numbers))
    found = [
        _owned(row)
        for question, among in asked
        if among
        for row in connection.execute(question, (encode_json(list(among)), account, symbol))
    ]
    return tuple({each.order.client_order_id: each for each in found}.values())


def _position_record(record: Record) -> PositionRecord:
    return record  # type: ignore[return-value]  # evolve refuses what is none


def bots(connection: apsw.Connection) -> Iterator[BotRow]:
    """Read every bot with its newest position, and the names of older ones that are frozen."""
    frozen: dict[str, list[PositionId]] = {}
    marked = "SELECT bot, position_id FROM positions WHERE frozen IS NOT NULL ORDER BY bot, number"
    for bot, position_id in connection.execute(marked):
        frozen.setdefault(bot, []).append(PositionId(position_id))
    rows = connection.execute("SELECT bot, version, status, reason FROM bots ORDER BY bot")
    for bot, version, status, reason in rows.fetchall():
        row = connection.execute(_NEWEST_POSITION, (bot,)).fetchone()
        current = None if row is None else _position(row)
        yield BotRow(
            bot=BotName(str(bot)),
            version=int(str(version)),
            status=str(status),
            reason=None if reason is None else str(reason),
            position=current,
            frozen=tuple(
                each
                for each in frozen.get(str(bot), [])
                if current is None or each != current.position_id
            ),
        )


def accounts(connection: apsw.Connection) -> tuple[AccountName, ...]:
    """Read which accounts have records of their own."""
    return tuple(AccountName(str(name)) for (name,) in connection.execute(_ACCOUNTS))


def commands(connection: apsw.Connection, status: str | None) -> Iterator[Command]:
    """Read operator commands, oldest first."""
    where = "" if status is None else "WHERE status = ?"
    rows = connection.execute(
        "SELECT command_id, kind, target, actor, posted_at, expires_at, arguments, status, result "  # noqa: S608
        f"FROM commands {where} ORDER BY posted_at, command_id",
        () if status is None else (status,),
    )
    for row in rows:
        yield Command(
            command_id=row[0],
            kind=row[1],
            target=row[2],
            actor=row[3],
            posted_at=unstamp(row[4]),
            expires_at=unstamp(row[5]),
            arguments=msgspec.json.decode(row[6], type=dict[str, str]),
            status=row[7],
            result=row[8],
        )


def known_orders(
    connection: apsw.Connection, names: Collection[ClientOrderId]
) -> frozenset[ClientOrderId]:
    """Return which of these orders are in the journal."""
    found = connection.execute(
        f"SELECT client_order_id FROM orders WHERE client_order_id {_AMONG}",  # noqa: S608
        (encode_json(list(names)),),
    )
    return frozenset(ClientOrderId(str(name)) for (name,) in found)


def known_commands(connection: apsw.Connection, names: Collection[str]) -> frozenset[str]:
    """Return which of these commands are in the journal."""
    found = connection.execute(
        "SELECT command_id FROM commands WHERE command_id IN (SELECT value FROM json_each(?))",
        (encode_json(list(names)),),
    )
    return frozenset(str(name) for (name,) in found)


def check_chain(connection: apsw.Connection, *, newest: int | None = None) -> bytes:
    """Walk the hash chain (only the newest rows, if asked) and return its end.

    Raises:
        JournalUnusable: a row was changed, removed or put in between.
    """
    start = 0
    if newest is not None:
        start = max(0, (connection.execute("SELECT max(sequence) FROM records").get or 0) - newest)
    chain: bytes = CHAIN_START
    if start:
        chain = connection.execute("SELECT chain FROM records WHERE sequence = ?", (start,)).get
    expected = start
    rows = connection.execute(
        "SELECT sequence, stream, version, data, chain FROM records WHERE sequence > ? "
        "ORDER BY sequence",
        (start,),
    )
    for sequence, stream, version, data, stored in rows:
        expected += 1
        chain = link(chain, stream, version, data)
        if sequence != expected or chain != stored:
            raise JournalUnusable(
                f"journal row {sequence} does not follow from the rows before it: it was changed "
                f"or something was removed; restore a backup",
            )
    return chain
