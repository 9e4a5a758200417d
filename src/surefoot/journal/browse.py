"""Pages of a journal for a screen: newest first, a cursor where the last page ended.

Every question is bounded: one that would have to look at too many rows stops, and its cursor goes
on from there. Nothing stays open between two pages, so no reader holds the writer's log.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Protocol

import apsw
from msgspec import Struct

from surefoot.core.account_records import BotStatusChanged
from surefoot.core.values import BotName, PositionId
from surefoot.journal import questions
from surefoot.journal.codec import decode_position, stamp, unstamp
from surefoot.journal.commands import SETTLED_COLUMNS, read_settled_row
from surefoot.journal.port import BotRow, Client, Command, Entry
from surefoot.journal.profit import Outcome, outcome_of
from surefoot.journal.reader import SqliteReader, bot_row
from surefoot.journal.rows import entry_of, position_of

# One question looks at no more rows than this.
SCAN_MAX: Final = 50_000


class Filter(Struct, frozen=True, kw_only=True):
    """Which records are wanted; None leaves a part out."""

    bot: BotName | None = None
    position: PositionId | None = None
    kind: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


class EntryPage(Struct, frozen=True, kw_only=True):
    """Records, newest first; `before` is where to go on, None at the end."""

    entries: tuple[Entry, ...]
    before: int | None


class PositionRow(Struct, frozen=True, kw_only=True):
    """One position as its projection has it."""

    position_id: str
    bot: str
    account: str
    symbol: str
    number: int
    state: str
    phase: str
    frozen: str | None
    quantity: str
    entry_price: str | None
    realized_pnl: str
    stop_loss: str | None
    take_profit: str | None


class OrderRow(Struct, frozen=True, kw_only=True):
    """One order as its projection has it."""

    client_order_id: str
    position_id: str
    symbol: str
    role: str
    side: str
    status: str
    quantity: str
    filled: str
    limit: str | None
    trigger: str | None
    exchange_order_id: str | None


class Browser(Client, Protocol):
    """What a dashboard asks of a journal."""

    def is_current(self) -> bool:
        """Tell whether this is still the journal that its URL names, not a file moved away."""
        ...

    async def page(self, wanted: Filter, *, before: int | None, limit: int) -> EntryPage:
        """Read records, newest first."""
        ...

    async def bot_rows(self, names: Collection[BotName]) -> tuple[BotRow, ...]:
        """Read some bots, as `bots` reads them all; one that has no status yet is left out."""
        ...

    async def position_rows(
        self, *, bot: BotName | None, held: bool | None, after: PositionId | None, limit: int
    ) -> tuple[PositionRow, ...]:
        """Read positions by bot, each bot's newest first; `held` tells the open from the closed."""
        ...

    async def order_rows(
        self, *, position: PositionId | None, live: bool | None, after: str | None, limit: int
    ) -> tuple[OrderRow, ...]:
        """Read orders in the order of their ids."""
        ...

    async def outcomes(self, *, after: int, upto: int) -> tuple[Outcome, ...]:
        """Read what positions brought that were closed by records in (after, upto]."""
        ...

    async def command(self, command_id: str) -> Command | None:
        """Read one command that was taken into the journal, or None."""
        ...


class SqliteBrowser(SqliteReader):
    """Pages of a journal in one SQLite file."""

    def __init__(self, path: Path, connection: apsw.Connection) -> None:
        super().__init__(path, connection)
        self._inode = _inode(path)

    def is_current(self) -> bool:
        """Tell whether the file of this name is still the one that was opened."""
        return self._inode == _inode(self.path)

    async def page(self, wanted: Filter, *, before: int | None, limit: int) -> EntryPage:
        """Read records, newest first."""
        top = (await self.records()) + 1 if before is None else before
        clauses, bindings = _conditions(wanted)
        # A position's records are few and have an index; everything else is looked through.
        bottom = 0 if wanted.position is not None else max(0, top - SCAN_MAX)
        found = self._read.execute(
            f"SELECT {questions.COLUMNS} FROM records "  # noqa: S608 (bound values)
            f"WHERE sequence < ? AND sequence > ? {''.join(clauses)} "
            "ORDER BY sequence DESC LIMIT ?",
            (top, bottom, *bindings, limit),
        ).fetchall()
        entries = tuple(map(entry_of, found))
        if len(entries) == limit:
            return EntryPage(entries=entries, before=entries[-1].sequence)
        return EntryPage(entries=entries, before=bottom + 1 if bottom else None)

    async def bot_rows(self, names: Collection[BotName]) -> tuple[BotRow, ...]:
        """Read some bots, as `bots` reads them all."""
        with self._snapshot():
            found = [await self._bot(name) for name in names]
        return tuple(row for row in found if row is not None)

    async def _bot(self, name: BotName) -> BotRow | None:
        """Read one bot; None if no status of it was ever written."""
        word = await self.last(f"bot/{name}", "bot-status-changed")
        if word is None or not isinstance(word.record, BotStatusChanged):
            return None
        row = self._read.execute(questions.NEWEST_POSITION, (name,)).fetchone()
        current = None if row is None else position_of(row)
        frozen = self._read.execute(questions.FROZEN_OF, (name,))
        return bot_row(word.record, current, (PositionId(str(found)) for (found,) in frozen))

    async def position_rows(
        self, *, bot: BotName | None, held: bool | None, after: PositionId | None, limit: int
    ) -> tuple[PositionRow, ...]:
        """Read positions by bot, each bot's newest first."""
        clauses, bindings = ["1"], list[Any]()
        if bot is not None:
            clauses.append("bot = ?")
            bindings.append(bot)
        if held is not None:
            clauses.append("state <> 'CLOSED'" if held else "state = 'CLOSED'")
        if after is not None:
            name, _, number = after.rpartition("-")
            clauses.append("(bot > ? OR (bot = ? AND number < ?))")
            bindings += [name, name, int(number)]
        found = self._read.execute(
            "SELECT position_id, bot, account, symbol, number, state, phase, frozen, quantity, "  # noqa: S608
            f"entry_price, realized_pnl, stop, take_profit FROM positions "
            f"WHERE {' AND '.join(clauses)} ORDER BY bot, number DESC LIMIT ?",
            (*bindings, limit),
        )
        names = PositionRow.__struct_fields__
        return tuple(PositionRow(**dict(zip(names, row, strict=True))) for row in found)

    async def order_rows(
        self, *, position: PositionId | None, live: bool | None, after: str | None, limit: int
    ) -> tuple[OrderRow, ...]:
        """Read orders in the order of their ids."""
        clauses, bindings = ["client_order_id > ?"], list[Any]([after or ""])
        if position is not None:
            clauses.append("orders.position_id = ?")
            bindings.append(position)
        if live is not None:
            clauses.append(f"status {'' if live else 'NOT '}IN ('INTENDED', 'WORKING')")
        found = self._read.execute(
            "SELECT client_order_id, orders.position_id, symbol, role, side, status, "  # noqa: S608
            "orders.quantity, filled, limit_price, trigger_price, exchange_order_id "
            "FROM orders JOIN positions USING (position_id) "
            f"WHERE {' AND '.join(clauses)} ORDER BY client_order_id LIMIT ?",
            (*bindings, limit),
        )
        names = OrderRow.__struct_fields__
        return tuple(OrderRow(**dict(zip(names, row, strict=True))) for row in found)

    async def outcomes(self, *, after: int, upto: int) -> tuple[Outcome, ...]:
        """Read what positions brought that were closed by records in (after, upto]."""
        found = self._read.execute(
            "SELECT sequence, at, position_id, positions.data FROM records "
            "JOIN positions ON position_id = substr(stream, 10) "
            "WHERE sequence > ? AND sequence <= ? AND kind = 'state-changed' "
            "AND records.data ->> 'target' = 'CLOSED' ORDER BY sequence",
            (after, upto),
        )
        return tuple(
            outcome_of(decode_position(data, name), sequence=sequence, at=unstamp(str(at)))
            for sequence, at, name, data in found
        )

    async def command(self, command_id: str) -> Command | None:
        """Read one command that was taken into the journal, or None."""
        found = self._read.execute(
            f"SELECT {SETTLED_COLUMNS} FROM commands WHERE command_id = ?",  # noqa: S608
            (command_id,),
        )
        return next((read_settled_row(row) for row in found), None)


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except OSError:
        return None


def _conditions(wanted: Filter) -> tuple[Sequence[str], Sequence[Any]]:
    clauses: list[str] = []
    bindings: list[Any] = []
    if wanted.bot is not None:
        prefix = f"position/{wanted.bot}-"
        clauses.append(
            "AND (stream = ? OR (substr(stream, 1, ?) = ? AND substr(stream, ?) <> '' "
            "AND substr(stream, ?) NOT GLOB '*[^0-9]*')) "
        )
        rest = len(prefix) + 1
        bindings += [f"bot/{wanted.bot}", len(prefix), prefix, rest, rest]
    for clause, value in (
        ("AND stream = ? ", wanted.position and f"position/{wanted.position}"),
        ("AND kind = ? ", wanted.kind),
        ("AND at >= ? ", wanted.since and stamp(wanted.since)),
        ("AND at < ? ", wanted.until and stamp(wanted.until)),
        ("AND instr(lower(data), lower(?)) ", wanted.text),
    ):
        if value:
            clauses.append(clause)
            bindings.append(value)
    return clauses, bindings
