"""A journal in SQLite, read: what a command line needs, beside a server or without one.

It opens the file for reading only, and posts commands to the inbox.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeVar

import apsw
import msgspec

from surefoot.core.account_records import BotStatusChanged, RecoveryFinished
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
    natural,
)
from surefoot.journal import questions
from surefoot.journal.codec import encode, encode_json, stamp, unstamp
from surefoot.journal.commands import SETTLED_COLUMNS, read_settled_row
from surefoot.journal.cursors import Aside, Cursors, outbox_of
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.gauges import gauges_of, read_marks, read_signs
from surefoot.journal.inbox import inbox_of, post
from surefoot.journal.integrity import REBUILD, check_chain, check_schema
from surefoot.journal.lease import holder_of
from surefoot.journal.opening import (
    check_version,
    connect,
    copy,
    epochs,
    quick_check,
    refuse_torn,
    setback_of,
    unusable,
)
from surefoot.journal.port import (
    BotRow,
    Command,
    Entry,
    Holder,
    account_stream,
)
from surefoot.journal.replay import differences
from surefoot.journal.rows import entry_of, owned_of, position_of
from surefoot.journal.schema import MIGRATIONS
from surefoot.journal.signs import Marks, Signs

R = TypeVar("R", bound="SqliteReader")


class SqliteReader:
    """Reads a journal, and posts commands to its inbox."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        self.path = path
        self._read = connection
        self.epochs = epochs(connection)
        self.epoch = self.epochs[0]
        self.setback = setback_of(connection)

    async def entries(
        self, *, stream: str | None = None, after: int = 0, limit: int = 1000
    ) -> tuple[Entry, ...]:
        """Read rows in order, after a sequence number, optionally of one stream only."""
        where, order = "sequence > ?", "sequence"
        bindings: tuple[Any, ...] = (after, limit)
        if stream is not None:
            where, order, bindings = f"{where} AND stream = ?", "version", (after, stream, limit)
        found = self._read.execute(
            f"SELECT {questions.COLUMNS} FROM records WHERE {where} ORDER BY {order} LIMIT ?",  # noqa: S608
            bindings,
        )
        return tuple(map(entry_of, found))

    async def newest(self, count: int, *, bot: BotName | None = None) -> tuple[Entry, ...]:
        """Read the newest rows, oldest first; of a bot, only its own streams are looked at."""
        if bot is None:
            found = self._read.execute(questions.NEWEST, (count,))
        else:
            found = self._read.execute(questions.NEWEST_OF_BOT, (f"bot/{bot}", bot, count))
        return tuple(map(entry_of, reversed(found.fetchall())))

    async def last(self, stream: str, kind: str, *, before: int | None = None) -> Entry | None:
        """Read the newest row of one kind in one stream, perhaps before a sequence number."""
        return self._entry(questions.LAST, (stream, kind, before))

    def _entry(self, question: str, bindings: tuple[Any, ...] = ()) -> Entry | None:
        return next(map(entry_of, self._read.execute(question, bindings)), None)

    async def records(self) -> int:
        """Return how many records there are."""
        # Sequence numbers have no gaps (the chain is checked for that), and counting reads all.
        newest: int | None = self._read.execute("SELECT max(sequence) FROM records").get
        return newest or 0

    async def positions(self, *, bot: BotName | None = None) -> tuple[Position, ...]:
        """Read positions, each held against the newest record that it must follow from."""
        with self._snapshot():
            where = "" if bot is None else "WHERE bot = ?"
            found = self._read.execute(
                f"{questions.POSITIONS} {where} ORDER BY bot, number",
                () if bot is None else (bot,),
            )
            return tuple(map(position_of, found.fetchall()))

    async def unsettled(self, now: datetime) -> tuple[Position, ...]:
        """Read every position that is not settled at this time, with all that the tables say of it.

        A table may also hide one. What is not settled is a bot's newest position, or is frozen, or
        an order of it is looked for: those are asked for by name.
        """
        with self._snapshot():
            ask = self._read.execute
            kept = map(position_of, ask(questions.UNSETTLED, (stamp(now),)))
            kept_in_order = sorted(kept, key=lambda each: (each.bot, each.number))
            found = {each.position_id: each for each in kept_in_order}
            numbers = {str(bot): 0 for bot in await self.bot_names()}
            numbers |= {str(bot): int(str(n)) for bot, n in ask(questions.NEWEST_NUMBERS)}
            names = {f"{bot}-{number}" for bot, number in numbers.items() if number}
            names |= {str(name) for (name,) in ask(questions.FROZEN)}
            sought = ask(questions.SOUGHT, (stamp(now - LATE_SWEEP),))
            names |= {str(name) for (name,) in sought}
            hidden = names.difference(found)
            rows = ask(questions.POSITIONS_NAMED, (encode_json(list(hidden)),))
            lacking = hidden.difference(position_of(row).position_id for row in rows)
            following = [f"position/{bot}-{number + 1}" for bot, number in numbers.items()]
            there = ask(questions.THERE, (encode_json(following),))
            lacking |= {str(stream).removeprefix("position/") for (stream,) in there}
            if lacking:
                raise JournalUnusable(f"the table of positions lacks {min(lacking)}; {REBUILD}")
            self._check_held(found.values())
            return tuple(found.values())

    def _check_held(self, held: Iterable[Position]) -> None:
        """Hold the rows of live orders, and of their fills, against what the positions have."""
        live = [order for position in held for order in position.orders if not order.finished]
        orders = {order.client_order_id: encode(order) for order in live}
        fills = {(order.client_order_id, trade) for order in live for trade in order.trades}
        names = (encode_json(list(orders)),)
        sound = dict(self._read.execute(questions.HELD_ORDERS, names))
        booked = set(self._read.execute(questions.HELD_FILLS, names))
        wrong = sorted(name for name, data in orders.items() if sound.get(name) != data)
        wrong += sorted(name for name, _ in fills ^ booked)
        if wrong:
            raise JournalUnusable(f"the tables are wrong about {wrong[0]}; {REBUILD}")

    async def position(self, name: str) -> Position | None:
        """Read the position of this id, or else the newest one of the bot of this name."""
        with self._snapshot():
            row = self._read.execute(questions.POSITION, (name,)).fetchone()
            if row is None:
                row = self._read.execute(questions.NEWEST_POSITION, (name,)).fetchone()
            return None if row is None else position_of(row)

    async def position_ids(self) -> tuple[PositionId, ...]:
        """Return the names of all positions, by bot and oldest first."""
        found = self._read.execute("SELECT position_id FROM positions ORDER BY bot, number")
        return tuple(PositionId(name) for (name,) in found)

    async def orders_of(
        self, positions: Collection[PositionId], *, newest: int | None = None
    ) -> Mapping[PositionId, tuple[Order, ...]]:
        """Return the orders that these positions had, all or so many, in order of attempts."""
        found: dict[PositionId, list[Order]] = {}
        names = encode_json(list(positions))
        if newest is None:
            rows = self._read.execute(questions.ORDERS_OF, (names,))
        else:
            rows = self._read.execute(questions.NEWEST_ORDERS_OF, (newest, names))
        for owned in map(owned_of, rows):
            found.setdefault(owned.position_id, []).append(owned.order)
        return {name: tuple(orders) for name, orders in found.items()}

    async def find_orders(
        self,
        account: AccountName,
        symbol: Symbol,
        *,
        names: Collection[ClientOrderId] = (),
        numbers: Collection[ExchangeOrderId] = (),
    ) -> tuple[Owned, ...]:
        """Return our orders with one of these names or of the exchange's numbers, of any age."""
        asked = ((questions.ORDERS_NAMED, names), (questions.ORDERS_NUMBERED, numbers))
        found = [
            owned_of(row)
            for question, among in asked
            if among
            for row in self._read.execute(question, (encode_json(list(among)), account, symbol))
        ]
        return tuple({each.order.client_order_id: each for each in found}.values())

    async def written(self, bot: BotName, since: datetime) -> tuple[datetime, ...]:
        """Return when this bot's entry and exit orders were written down, since a time."""
        found = self._read.execute(questions.WRITTEN, (stamp(since), bot))
        return tuple(unstamp(str(at)) for (at,) in found)

    async def fees(self, account: AccountName, asset: Asset, since: datetime) -> Decimal:
        """Return what fills since a time took of an asset, other than of what they bought."""
        found = self._read.execute(questions.FEES, (account, asset, stamp(since)))
        return sum((Decimal(str(fee)) for (fee,) in found), ZERO)

    async def bot_names(self) -> frozenset[BotName]:
        """Return the name of every bot that the journal has heard of."""
        found = self._read.execute(questions.BOT_NAMES)
        return frozenset(BotName(str(name)) for (name,) in found)

    async def words(self) -> Mapping[BotName, Entry]:
        """Return the newest word on the status of every bot."""
        return {record.bot: word for word, record in self._words()}

    def _words(self) -> Iterator[tuple[Entry, BotStatusChanged]]:
        for word in map(entry_of, self._read.execute(questions.WORDS)):
            if not isinstance(word.record, BotStatusChanged):
                raise JournalUnusable(
                    f"journal row {word.sequence} is of another kind than it says"
                )
            yield word, word.record

    async def bots(self) -> tuple[BotRow, ...]:
        """Read every bot that the journal has heard of."""
        with self._snapshot():
            return tuple(sorted(self._bots(), key=lambda row: natural(row.bot)))

    def _bots(self) -> Iterator[BotRow]:
        frozen: dict[str, list[PositionId]] = {}
        for bot, position_id in self._read.execute(questions.FROZEN_BY_BOT):
            frozen.setdefault(bot, []).append(PositionId(position_id))
        positions = map(position_of, self._read.execute(questions.NEWEST_POSITIONS))
        newest = {each.bot: each for each in positions}
        for _, record in self._words():
            yield bot_row(record, newest.get(record.bot), frozen.get(record.bot, []))

    @contextmanager
    def _snapshot(self) -> Iterator[None]:
        """Answer several questions from one state; the writer goes on meanwhile.

        The garbage collector rests: it would walk all that is being read, again and again.
        """
        collecting = gc.isenabled()
        if collecting:  # only who will wake it puts it to rest
            gc.disable()
        try:
            with self._read:
                yield
        finally:
            if collecting:
                gc.enable()

    async def version(self, stream: str) -> int:
        """Return how many records a stream has."""
        version: int | None = self._read.execute(
            "SELECT max(version) FROM records WHERE stream = ?", (stream,)
        ).get
        return version or 0

    async def memory(self, bot: BotName) -> dict[str, Any]:
        """Return what a strategy last remembered; empty if nothing."""
        data = self._read.execute("SELECT data FROM memories WHERE bot = ?", (bot,)).get
        try:
            return {} if data is None else msgspec.json.decode(str(data), type=dict[str, Any])
        except msgspec.DecodeError as error:
            raise JournalUnusable(f"what {bot} remembers cannot be read ({error})") from error

    async def watermark(
        self, account: AccountName, symbol: Symbol, *, before: datetime | None = None
    ) -> TradeId | None:
        """Return the last trade up to which fills are proven read, now or at an earlier time."""
        which = (account_stream(account), symbol)
        if before is None:
            trade = self._read.execute(questions.WATERMARK, which).get
        else:
            trade = self._read.execute(questions.WATERMARK_BEFORE, (*which, stamp(before))).get
            trade = (
                self._read.execute(questions.FIRST_WATERMARK, which).get if trade is None else trade
            )
        return None if trade is None else TradeId(str(trade))

    async def last_recovery(self) -> tuple[datetime, RecoveryFinished] | None:
        """Return the newest recovery report."""
        entry = self._entry(questions.LAST_RECOVERY)
        if entry is None or not isinstance(entry.record, RecoveryFinished):
            return None
        return entry.at, entry.record

    async def commands(self, *, status: str | None = None) -> tuple[Command, ...]:
        """Read operator commands, oldest first."""
        where = "" if status is None else "WHERE status = ?"
        found = self._read.execute(
            f"SELECT {SETTLED_COLUMNS} FROM commands {where} ORDER BY posted_at, command_id",  # noqa: S608
            () if status is None else (status,),
        )
        return tuple(map(read_settled_row, found))

    async def post(self, command: Command) -> bool:
        """Put a command into the inbox; False if this id was posted before."""
        if self._known([command.command_id]):
            return False
        return post(inbox_of(self.path), command, self._known)

    def _known(self, names: Collection[str]) -> frozenset[str]:
        """Return which of these commands are in the journal."""
        found = self._read.execute(questions.KNOWN_COMMANDS, (encode_json(list(names)),))
        return frozenset(str(name) for (name,) in found)

    async def close(self) -> None:
        """Let go of the file."""
        self._read.close()

    async def marks(self) -> Marks:
        """Return the last known prices."""
        return read_marks(gauges_of(self.path))

    async def signs(self) -> Signs:
        """Return the last signs of life."""
        return read_signs(gauges_of(self.path))

    async def parked(self) -> Mapping[str, tuple[Aside, ...]]:
        """Return the messages that each destination refused for good."""
        cursors = Cursors(outbox_of(self.path)).all()
        return {name: cursor.parked for name, cursor in cursors.items() if cursor.parked}

    async def accounts(self) -> tuple[AccountName, ...]:
        """Return every account that has a record of its own."""
        found = self._read.execute(questions.ACCOUNTS)
        return tuple(AccountName(str(name)) for (name,) in found)

    def holder(self) -> Holder | None:
        """Return the server that runs on this journal now, or None."""
        return holder_of(self.path)

    async def verify(self) -> int:
        """Check everything: pages, the whole hash chain, every fold. Return the record count.

        Raises:
            JournalUnusable: something does not hold; the message says what.
        """
        quick_check(self._read, self.path)
        check_schema(self._read, MIGRATIONS)
        tip = check_chain(self._read)
        for wrong in differences(self._read):
            raise JournalUnusable(f"{wrong}; {REBUILD}")
        return tip.sequence

    async def backup(self, to: Path) -> int:
        """Copy the journal while it is in use, and verify the copy.

        It draws a new epoch when it is first run.

        Raises:
            JournalUnusable: the destination exists, or the copy does not hold.
        """
        copy(self._read, to)
        made = open_sqlite_reader(to)
        try:
            return await made.verify()
        finally:
            await made.close()


def bot_row(
    word: BotStatusChanged, position: Position | None, frozen: Iterable[PositionId]
) -> BotRow:
    """Return a bot by the newest word on it, its newest position, and all that are frozen."""
    current = None if position is None else position.position_id
    return BotRow(
        bot=word.bot,
        status=word.status,
        reason=word.reason,
        position=position,
        frozen=tuple(each for each in frozen if each != current),
    )


def open_sqlite_reader(path: Path) -> SqliteReader:
    """Open an existing journal to read it and to post commands.

    Raises:
        JournalUnusable: there is none, or it cannot be trusted or understood.
    """
    return open_sqlite_as(SqliteReader, path)


def open_sqlite_as(kind: Callable[[Path, apsw.Connection], R], path: Path) -> R:
    """Open an existing journal for reading, with these questions to it.

    Raises:
        JournalUnusable: there is none, or it cannot be trusted or understood.
    """
    path = path.resolve()
    if not path.exists():
        raise JournalUnusable(f"there is no journal at {path}; `surefoot run` creates it")
    with unusable(path):
        refuse_torn(path)
        connection = connect(path, apsw.SQLITE_OPEN_READONLY)
        check_version(connection, path, len(MIGRATIONS), oldest=len(MIGRATIONS))
        check_schema(connection, MIGRATIONS)
        return kind(path, connection)
