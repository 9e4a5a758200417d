"""Questions to a journal database, and rows as values. Nothing here writes."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

import apsw
import msgspec

from surefoot.core.account_records import BotStatusChanged
from surefoot.core.evidence import Owned
from surefoot.core.order import LATE_SWEEP, Order
from surefoot.core.position import Position
from surefoot.core.values import (
    ZERO,
    AccountName,
    Asset,
    BotName,
    ClientOrderId,
    ExchangeOrderId,
    PositionId,
    Symbol,
    TradeId,
)
from surefoot.journal.codec import (
    decode,
    decode_order,
    decode_position,
    encode,
    encode_json,
    seal,
    stamp,
    unstamp,
)
from surefoot.journal.commands import SETTLED_COLUMNS, read_settled_row
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.integrity import REBUILD
from surefoot.journal.port import BotRow, Command, Entry, account_stream, position_stream
from surefoot.journal.projection import ORDER_OF, POSITION_OF

_ORDERS: Final = f"""
SELECT {ORDER_OF}, orders.seal, chain, bot FROM orders
JOIN positions USING (position_id) JOIN records USING (sequence)"""  # noqa: S608
_AMONG: Final = "IN (SELECT value FROM json_each(?))"
_ORDERS_OF: Final = f"{_ORDERS} WHERE position_id {_AMONG} ORDER BY position_id, attempt"
# Attempts are numbered without a gap.
_NEWEST_ORDERS_OF: Final = f"""{_ORDERS}
WHERE (position_id, attempt) IN (
    SELECT value, attempt FROM json_each(?2) CROSS JOIN orders ON position_id = value
    AND attempt > (SELECT max(attempt) FROM orders WHERE position_id = value) - ?1)
ORDER BY position_id, attempt"""  # noqa: S608
_ORDERS_NAMED: Final = f"{_ORDERS} WHERE client_order_id {_AMONG} AND account = ? AND symbol = ?"
_HELD_ORDERS: Final = f"SELECT client_order_id, data FROM orders WHERE client_order_id {_AMONG}"  # noqa: S608
_HELD_FILLS: Final = f"SELECT client_order_id, trade_id FROM fills WHERE client_order_id {_AMONG}"  # noqa: S608
_ORDERS_NUMBERED: Final = (
    f"{_ORDERS} WHERE exchange_order_id {_AMONG} AND account = ? AND symbol = ?"
)
COLUMNS: Final = "sequence, stream, version, at, CAST(data AS BLOB)"


# Each of these has an index that answers it; a test holds the query plans.
# With the newest record of its stream, which a position must follow from.
_POSITIONS: Final = f"""
SELECT {POSITION_OF}, seal, records.version, chain FROM positions
LEFT JOIN records ON sequence = (SELECT sequence FROM records AS newest
    WHERE newest.stream = 'position/' || position_id ORDER BY newest.version DESC LIMIT 1)"""  # noqa: S608
_POSITION: Final = f"{_POSITIONS} WHERE position_id = ?"
_POSITIONS_NAMED: Final = f"{_POSITIONS} WHERE position_id {_AMONG}"
_NEWEST_POSITION: Final = f"{_POSITIONS} WHERE bot = ? ORDER BY number DESC LIMIT 1"
# Names are few and rows are many: an index is asked for the next name, again and again.
_BOTS: Final = """
WITH RECURSIVE names (stream) AS (
    SELECT min(stream) FROM records WHERE stream >= 'bot/' AND stream < 'bot0'
    UNION ALL
    SELECT (SELECT min(stream) FROM records WHERE stream > names.stream AND stream < 'bot0')
    FROM names WHERE names.stream IS NOT NULL)"""
_BOT_NAMES: Final = f"{_BOTS} SELECT substr(stream, 5) FROM names WHERE stream <> ''"  # noqa: S608
_WORDS: Final = f"""{_BOTS}
SELECT sequence, records.stream, version, at, CAST(data AS BLOB) FROM names CROSS JOIN records
ON sequence = (SELECT max(sequence) FROM records AS words
    WHERE words.stream = names.stream AND words.kind = 'bot-status-changed')"""  # noqa: S608
_NEWEST_NUMBERS: Final = """
WITH RECURSIVE names (bot) AS (
    SELECT min(bot) FROM positions
    UNION ALL
    SELECT (SELECT min(bot) FROM positions WHERE bot > names.bot)
    FROM names WHERE names.bot IS NOT NULL)
SELECT bot, (SELECT max(number) FROM positions WHERE positions.bot = names.bot)
FROM names WHERE bot <> ''"""
_NEWEST_POSITIONS: Final = f"{_POSITIONS} WHERE (bot, number) IN ({_NEWEST_NUMBERS})"
# Put in order afterwards: SQLite would copy every row once more, or walk the index of names, which
# has every position ever.
_UNSETTLED: Final = f"{_POSITIONS} WHERE settled_at IS NULL OR settled_at > ?"
_FROZEN_OF: Final = (
    "SELECT position_id FROM positions WHERE bot = ? AND frozen IS NOT NULL ORDER BY number"
)
_FROZEN: Final = "SELECT position_id FROM frozen"
_SOUGHT: Final = """
SELECT DISTINCT substr(stream, 10) FROM records INDEXED BY nevers_by_time
WHERE kind = 'order-never' AND data ->> 'may_have_left' AND at > ?"""
_THERE: Final = (
    "SELECT value FROM json_each(?) WHERE EXISTS (SELECT 1 FROM records WHERE stream = value)"
)
_WRITTEN: Final = """
SELECT at FROM records INDEXED BY intents_by_time WHERE kind = 'order-intended' AND at >= ?
    AND data ->> '$.order.role' <> 'stop'
    AND (SELECT bot FROM positions WHERE position_id = substr(stream, 10)) = ?
ORDER BY at"""
# The same words as those of its index: without them it is not used.
_FEES: Final = """
SELECT fee FROM fills INDEXED BY fees_taken WHERE account = ? AND fee_asset = ? AND at >= ?
    AND NOT (side = 'buy' AND instr(symbol, fee_asset || '/') = 1)"""
_MOVES: Final = """
SELECT data ->> 'trade_id' FROM records
WHERE kind = 'watermark-moved' AND stream = ? AND data ->> 'symbol' = ?"""
_WATERMARK_BEFORE: Final = f"{_MOVES} AND at <= ? ORDER BY at DESC, sequence DESC LIMIT 1"
_FIRST_WATERMARK: Final = f"{_MOVES} ORDER BY at, sequence LIMIT 1"
_WATERMARK: Final = f"{_MOVES} ORDER BY sequence DESC LIMIT 1"
_NEWEST_OF_BOT: Final = """
WITH streams (stream) AS (
    SELECT ? UNION ALL SELECT 'position/' || position_id FROM positions WHERE bot = ?),
newest (sequence) AS (
    SELECT sequence FROM streams CROSS JOIN records INDEXED BY records_by_kind USING (stream)
    ORDER BY sequence DESC LIMIT ?)
SELECT sequence, stream, version, at, CAST(data AS BLOB)
FROM newest CROSS JOIN records USING (sequence)
ORDER BY sequence DESC"""
_LAST_RECOVERY: Final = """
SELECT sequence, stream, version, at, CAST(data AS BLOB) FROM records
WHERE kind = 'recovery-finished'
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
        f"SELECT {COLUMNS} FROM records WHERE {where} ORDER BY {order} LIMIT ?",  # noqa: S608
        bindings,
    )
    return (entry_of(row) for row in rows)


def newest(connection: apsw.Connection, bot: BotName | None, count: int) -> tuple[Entry, ...]:
    """Read the newest rows, oldest first; of a bot, only its own streams are looked at."""
    if bot is None:
        found = connection.execute(
            f"SELECT {COLUMNS} FROM records ORDER BY sequence DESC LIMIT ?",  # noqa: S608
            (count,),
        )
    else:
        found = connection.execute(_NEWEST_OF_BOT, (f"bot/{bot}", bot, count))
    return tuple(entry_of(row) for row in reversed(found.fetchall()))


def last(
    connection: apsw.Connection, stream: str, kind: str, before: int | None = None
) -> Entry | None:
    """Read the newest row of one kind in one stream, perhaps before a sequence number."""
    rows = connection.execute(
        f"SELECT {COLUMNS} FROM records WHERE stream = ? AND kind = ? "  # noqa: S608
        "AND sequence < ifnull(?, 9223372036854775807) ORDER BY sequence DESC LIMIT 1",
        (stream, kind, before),
    )
    return next((entry_of(row) for row in rows), None)


def last_recovery(connection: apsw.Connection) -> Entry | None:
    """Read the newest recovery report, of whichever account."""
    return next((entry_of(row) for row in connection.execute(_LAST_RECOVERY)), None)


def written(connection: apsw.Connection, bot: BotName, since: datetime) -> tuple[datetime, ...]:
    """Read when a bot's orders, stops apart, were written down."""
    found = connection.execute(_WRITTEN, (stamp(since), bot))
    return tuple(unstamp(str(at)) for (at,) in found)


def fees(
    connection: apsw.Connection, account: AccountName, asset: Asset, since: datetime
) -> Decimal:
    """Add up what fills took of an asset, other than of what they bought."""
    found = connection.execute(_FEES, (account, asset, stamp(since)))
    return sum((Decimal(str(fee)) for (fee,) in found), ZERO)


def watermark(
    connection: apsw.Connection, account: AccountName, symbol: Symbol, before: datetime | None
) -> TradeId | None:
    """Read a watermark as it stands, or where it stood at a time (the first one, if not yet)."""
    which = (account_stream(account), symbol)
    if before is None:
        trade = connection.execute(_WATERMARK, which).get
    else:
        trade = connection.execute(_WATERMARK_BEFORE, (*which, stamp(before))).get
        trade = connection.execute(_FIRST_WATERMARK, which).get if trade is None else trade
    return None if trade is None else TradeId(str(trade))


def memory(connection: apsw.Connection, bot: BotName) -> dict[str, Any]:
    """Read what a strategy last remembered; empty if nothing."""
    data = connection.execute("SELECT data FROM memories WHERE bot = ?", (bot,)).get
    try:
        return {} if data is None else msgspec.json.decode(str(data), type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise JournalUnusable(f"what {bot} remembers cannot be read ({error})") from error


def entry_of(row: tuple[Any, ...]) -> Entry:
    """Read a row of `records` as a value."""
    sequence, stream, version, at, data = row
    record = decode(data, sequence)
    try:
        moment = unstamp(at)
    except ValueError as error:
        raise JournalUnusable(f"journal row {sequence} has no time ({error})") from error
    return Entry(sequence=sequence, stream=stream, version=version, at=moment, record=record)


def positions(connection: apsw.Connection, bot: BotName | None) -> Iterator[Position]:
    """Read positions, and hold each against the newest record that it must follow from (S8)."""
    where = "" if bot is None else "WHERE bot = ?"
    rows = connection.execute(
        f"{_POSITIONS} {where} ORDER BY bot, number", () if bot is None else (bot,)
    )
    return (_position(row) for row in rows.fetchall())


def unsettled(connection: apsw.Connection, now: datetime) -> tuple[Position, ...]:
    """Read every position that is not settled, with all that the tables say of it.

    A table may also hide one. What is not settled is a bot's newest position, or is frozen, or an
    order of it is looked for: those are asked for by name.
    """
    kept = map(_position, connection.execute(_UNSETTLED, (stamp(now),)))
    found = {each.position_id: each for each in sorted(kept, key=lambda p: (p.bot, p.number))}
    numbers = {str(bot): 0 for bot in bot_names(connection)}
    numbers |= {str(bot): int(str(number)) for bot, number in connection.execute(_NEWEST_NUMBERS)}
    names = {f"{bot}-{number}" for bot, number in numbers.items() if number}
    names |= {str(name) for (name,) in connection.execute(_FROZEN)}
    names |= {str(name) for (name,) in connection.execute(_SOUGHT, (stamp(now - LATE_SWEEP),))}
    hidden = names.difference(found)
    rows = connection.execute(_POSITIONS_NAMED, (encode_json(list(hidden)),))
    lacking = hidden.difference(_position(row).position_id for row in rows)
    following = [position_stream(PositionId(f"{bot}-{n + 1}")) for bot, n in numbers.items()]
    there = connection.execute(_THERE, (encode_json(following),))
    lacking |= {str(stream).removeprefix("position/") for (stream,) in there}
    if lacking:
        raise JournalUnusable(f"the table of positions lacks {min(lacking)}; {REBUILD}")
    _check_held(connection, found.values())
    return tuple(found.values())


def _check_held(connection: apsw.Connection, held: Iterable[Position]) -> None:
    """Hold the rows of live orders, and of their fills, against the positions that have them."""
    live = [order for position in held for order in position.orders if not order.finished]
    orders = {order.client_order_id: encode(order) for order in live}
    fills = {(order.client_order_id, trade) for order in live for trade in order.trades}
    names = (encode_json(list(orders)),)
    sound = dict(connection.execute(_HELD_ORDERS, names))
    booked = set(connection.execute(_HELD_FILLS, names))
    wrong = sorted(name for name, data in orders.items() if sound.get(name) != data)
    wrong += sorted(name for name, _ in fills ^ booked)
    if wrong:
        raise JournalUnusable(f"the tables are wrong about {wrong[0]}; {REBUILD}")


def bot_names(connection: apsw.Connection) -> frozenset[BotName]:
    """Read the name of every bot: an index has them beside each other."""
    return frozenset(BotName(str(name)) for (name,) in connection.execute(_BOT_NAMES))


def position(connection: apsw.Connection, name: str) -> Position | None:
    """Read the position of this id, or else the newest one of the bot of this name."""
    row = connection.execute(_POSITION, (name,)).fetchone()
    if row is None:
        row = connection.execute(_NEWEST_POSITION, (name,)).fetchone()
    return None if row is None else _position(row)


def _position(row: tuple[Any, ...]) -> Position:
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


def orders_of(
    connection: apsw.Connection, positions: Collection[PositionId], newest: int | None
) -> dict[PositionId, tuple[Order, ...]]:
    """Read the orders that these positions had, all or so many, in the order of their attempts."""
    found: dict[PositionId, list[Order]] = {}
    names = encode_json(list(positions))
    asked = (_ORDERS_OF, (names,)) if newest is None else (_NEWEST_ORDERS_OF, (newest, names))
    for row in connection.execute(*asked):
        owned = _owned(row)
        found.setdefault(owned.position_id, []).append(owned.order)
    return {name: tuple(orders) for name, orders in found.items()}


def _owned(row: tuple[Any, ...]) -> Owned:
    *columns, data, sealed, chain, bot = row
    name, position_id, *_ = columns
    if seal(chain, columns, data) != sealed:
        raise JournalUnusable(f"{name} does not follow from its records; {REBUILD}")
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


def bots(connection: apsw.Connection) -> Iterator[BotRow]:
    """Read every bot with its newest position, and the names of older ones that are frozen."""
    frozen: dict[str, list[PositionId]] = {}
    marked = "SELECT bot, position_id FROM positions WHERE frozen IS NOT NULL ORDER BY bot, number"
    for bot, position_id in connection.execute(marked):
        frozen.setdefault(bot, []).append(PositionId(position_id))
    newest = {each.bot: each for each in map(_position, connection.execute(_NEWEST_POSITIONS))}
    for word, record in _words(connection):
        current = newest.get(record.bot)
        yield BotRow(
            bot=record.bot,
            version=word.version,
            status=record.status,
            reason=record.reason,
            position=current,
            frozen=tuple(
                each
                for each in frozen.get(record.bot, [])
                if current is None or each != current.position_id
            ),
        )


def words(connection: apsw.Connection) -> dict[BotName, Entry]:
    """Read the newest word on the status of every bot."""
    return {record.bot: word for word, record in _words(connection)}


def _words(connection: apsw.Connection) -> Iterator[tuple[Entry, BotStatusChanged]]:
    for word in map(entry_of, connection.execute(_WORDS)):
        if not isinstance(word.record, BotStatusChanged):
            raise JournalUnusable(f"journal row {word.sequence} is of another kind than it says")
        yield word, word.record


def bot(connection: apsw.Connection, name: BotName) -> BotRow | None:
    """Read one bot as `bots` reads all of them; None if no status of it was ever written."""
    word = last(connection, f"bot/{name}", "bot-status-changed")
    if word is None or not isinstance(word.record, BotStatusChanged):
        return None
    row = connection.execute(_NEWEST_POSITION, (name,)).fetchone()
    current = None if row is None else _position(row)
    frozen = [PositionId(str(found)) for (found,) in connection.execute(_FROZEN_OF, (name,))]
    return BotRow(
        bot=name,
        version=word.version,
        status=word.record.status,
        reason=word.record.reason,
        position=current,
        frozen=tuple(each for each in frozen if current is None or each != current.position_id),
    )


def accounts(connection: apsw.Connection) -> tuple[AccountName, ...]:
    """Read which accounts have records of their own."""
    return tuple(AccountName(str(name)) for (name,) in connection.execute(_ACCOUNTS))


def commands(connection: apsw.Connection, status: str | None) -> Iterator[Command]:
    """Read operator commands, oldest first."""
    where = "" if status is None else "WHERE status = ?"
    rows = connection.execute(
        f"SELECT {SETTLED_COLUMNS} FROM commands {where} ORDER BY posted_at, command_id",  # noqa: S608
        () if status is None else (status,),
    )
    return (read_settled_row(row) for row in rows)


def command(connection: apsw.Connection, command_id: str) -> Command | None:
    """Read one command, or None if the journal does not have it."""
    found = connection.execute(
        f"SELECT {SETTLED_COLUMNS} FROM commands WHERE command_id = ?",  # noqa: S608
        (command_id,),
    )
    return next((read_settled_row(row) for row in found), None)


def known_commands(connection: apsw.Connection, names: Collection[str]) -> frozenset[str]:
    """Return which of these commands are in the journal."""
    found = connection.execute(
        "SELECT command_id FROM commands WHERE command_id IN (SELECT value FROM json_each(?))",
        (encode_json(list(names)),),
    )
    return frozenset(str(name) for (name,) in found)
