"""A journal that lives as long as its test.

It keeps the promises of the port that do not need a disk, and sits the same exam as the real one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from surefoot.core.account_records import (
    BotStatusChanged,
    RecoveryFinished,
    WatermarkMoved,
    kind_of,
)
from surefoot.core.errors import IllegalTransition
from surefoot.core.evidence import Owned
from surefoot.core.order import Order, Role
from surefoot.core.position import Position, State, permit
from surefoot.core.records import FillBooked, OrderIntended, StateChanged
from surefoot.core.values import (
    ZERO,
    AccountName,
    Asset,
    BotName,
    ClientOrderId,
    ExchangeOrderId,
    PositionId,
    Side,
    Symbol,
    TradeId,
    natural,
)
from surefoot.journal.commands import validate
from surefoot.journal.cursors import Aside
from surefoot.journal.errors import DuplicateFill, IllegalUpdate, JournalUnusable, StaleAppend
from surefoot.journal.gauges import is_late
from surefoot.journal.port import (
    Append,
    BotRow,
    Change,
    Command,
    Entry,
    Holder,
    Receipt,
    Setback,
    intents_in,
    position_stream,
)
from surefoot.journal.signs import Gauges, Mark, Marks, Pulse, Remark, Signs


class MemoryGauges:
    """Prices, as they were last noted."""

    def __init__(self) -> None:
        self.marks: dict[tuple[AccountName, Symbol], Mark] = {}
        self.pulses: dict[AccountName, Pulse] = {}
        self.remarks: dict[BotName, Remark] = {}
        self.turned: datetime | None = None

    def price(self, account: AccountName, symbol: Symbol, price: Decimal, at: datetime) -> None:
        """Note a price."""
        before = self.marks.get((account, symbol))
        if before is None or not is_late(at, before.at):
            self.marks[account, symbol] = Mark(price=price, at=at)

    def beat(self, pulse: Pulse) -> None:
        """Note an account's pulse."""
        self.pulses[pulse.account] = pulse

    def remark(self, remark: Remark) -> None:
        """Note what is to be said of a bot."""
        self.remarks[remark.bot] = remark

    def turn(self, at: datetime) -> None:
        """Note that the server's loop turns."""
        self.turned = at


class MemoryJournal:
    """The port, in dictionaries."""

    def __init__(self, epoch: str = "memory") -> None:
        self._epoch = epoch
        self._entries: list[Entry] = []
        self._versions: dict[str, int] = {}
        self._positions: dict[PositionId, Position] = {}
        self._orders: dict[ClientOrderId, Owned] = {}
        self._fills: set[tuple[str, str, str, str]] = set()
        self._bots: dict[BotName, BotStatusChanged] = {}
        self._memories: dict[BotName, dict[str, Any]] = {}
        self._watermarks: dict[tuple[AccountName, Symbol], TradeId] = {}
        self._commands: dict[str, Command] = {}
        self._inbox: dict[str, Command] = {}
        self._gauges = MemoryGauges()

    @property
    def gauges(self) -> Gauges:
        """Return where prices are noted."""
        return self._gauges

    async def marks(self) -> Marks:
        """Return the last known prices."""
        return dict(self._gauges.marks)

    async def signs(self) -> Signs:
        """Return the last signs of life."""
        return Signs(
            turned=self._gauges.turned,
            pulses=dict(self._gauges.pulses),
            remarks=dict(self._gauges.remarks),
        )

    async def parked(self) -> Mapping[str, tuple[Aside, ...]]:
        """Return nothing: nobody is told of a journal in memory."""
        return {}

    async def accounts(self) -> tuple[AccountName, ...]:
        """Return every account that has a record of its own."""
        streams = sorted(each for each in self._versions if each.startswith("account/"))
        return tuple(AccountName(each.removeprefix("account/")) for each in streams)

    @property
    def epoch(self) -> str:
        """Return the epoch."""
        return self._epoch

    @property
    def epochs(self) -> tuple[str, ...]:
        """Return the only epoch there is."""
        return (self._epoch,)

    @property
    def generation(self) -> str:
        """Return the generation: what is in memory has one life."""
        return self._epoch

    @property
    def setback(self) -> Setback | None:
        """Return None: what is in memory cannot be put back."""
        return None

    async def commit(self, change: Change) -> Receipt:
        """Make a change visible, all of it or nothing."""
        fills = [key for append in change.appends for key in self._check(append)]
        if len(set(fills)) < len(fills) or not self._fills.isdisjoint(fills):
            raise DuplicateFill("a fill is booked already; nothing was written")
        self._fills.update(fills)
        for append in change.appends:
            self._append(append)
        for memory in change.memories:
            self._memories[memory.bot] = dict(memory.data)
        for taken in change.commands:
            self._commands.setdefault(taken.command_id, taken)
        for verdict in change.verdicts:
            command = self._commands.get(verdict.command_id)
            if command is not None and command.status == "posted":
                self._commands[verdict.command_id] = replace(
                    command,
                    status=verdict.status,
                    result=verdict.result,
                )
        return Receipt(sequence=len(self._entries), intents=intents_in(change.appends))

    def _check(self, append: Append) -> list[tuple[str, str, str, str]]:
        stands = self._versions.get(append.stream, 0)
        if stands != append.expected:
            raise StaleAppend(f"{append.stream} stands at {stands}, not {append.expected}")
        position = append.position
        if position is None:
            return []
        self._walk(append, self._positions.get(position.position_id))
        return [
            (position.account, record.fill.symbol, record.fill.trade_id, record.client_order_id)
            for record in append.records
            if isinstance(record, FillBooked)
        ]

    def _walk(self, append: Append, before: Position | None) -> None:
        """Follow the state edge by edge, as the database's trigger does."""
        state = State.FLAT if before is None else before.state
        for record in append.records:
            if isinstance(record, StateChanged):
                try:
                    permit(state, record.target)
                except IllegalTransition as error:
                    raise IllegalUpdate(str(error)) from error
                state = record.target

    def _append(self, append: Append) -> None:
        for record in append.records:
            version = self._versions.get(append.stream, 0) + 1
            self._versions[append.stream] = version
            entry = Entry(
                sequence=len(self._entries) + 1,
                stream=append.stream,
                version=version,
                at=record.at,
                record=record,
            )
            self._entries.append(entry)
            if isinstance(record, BotStatusChanged):
                self._bots[record.bot] = record
            elif isinstance(record, WatermarkMoved):
                self._watermarks[record.account, record.symbol] = TradeId(record.trade_id)
        if append.position is not None:
            self._positions[append.position.position_id] = append.position
            for order in (*append.left, *append.position.orders):
                self._orders[order.client_order_id] = Owned(
                    position_id=append.position.position_id, bot=append.position.bot, order=order
                )

    async def entries(
        self, *, stream: str | None = None, after: int = 0, limit: int = 1000
    ) -> tuple[Entry, ...]:
        """Read rows in order."""
        found = (
            entry for entry in self._entries[after:] if stream is None or entry.stream == stream
        )
        return tuple(found)[:limit]

    async def newest(self, count: int, *, bot: BotName | None = None) -> tuple[Entry, ...]:
        """Read the newest rows, oldest first."""
        streams = {f"bot/{bot}"} | {
            position_stream(each.position_id)
            for each in self._positions.values()
            if each.bot == bot
        }
        found = [entry for entry in self._entries if bot is None or entry.stream in streams]
        return tuple(found[-count:]) if count else ()

    async def last(self, stream: str, kind: str, *, before: int | None = None) -> Entry | None:
        """Read the newest row of one kind in one stream, perhaps before a sequence number."""
        for entry in reversed(self._entries):
            if before is not None and entry.sequence >= before:
                continue
            if entry.stream == stream and kind_of(entry.record) == kind:
                return entry
        return None

    async def positions(self, *, bot: BotName | None = None) -> tuple[Position, ...]:
        """Read positions, oldest first."""
        found = sorted(self._positions.values(), key=lambda each: (each.bot, each.number))
        return tuple(position for position in found if bot in {None, position.bot})

    async def unsettled(self, now: datetime) -> tuple[Position, ...]:
        """Read the positions that are not settled at this time."""
        return tuple(each for each in await self.positions() if not each.is_settled(now))

    async def bot_names(self) -> frozenset[BotName]:
        """Return the name of every bot."""
        return frozenset(self._bots)

    async def words(self) -> Mapping[BotName, Entry]:
        """Return the newest word on the status of every bot."""
        said = [each for each in self._entries if isinstance(each.record, BotStatusChanged)]
        return {BotName(each.stream.removeprefix("bot/")): each for each in said}

    async def bots(self) -> tuple[BotRow, ...]:
        """Read every bot."""
        rows = []
        for bot, record in sorted(self._bots.items(), key=lambda each: natural(each[0])):
            newest = await self.positions(bot=bot)
            rows.append(
                BotRow(
                    bot=bot,
                    status=record.status,
                    reason=record.reason,
                    position=newest[-1] if newest else None,
                    frozen=tuple(each.position_id for each in newest[:-1] if each.frozen),
                ),
            )
        return tuple(rows)

    async def version(self, stream: str) -> int:
        """Return how many records a stream has."""
        return self._versions.get(stream, 0)

    async def memory(self, bot: BotName) -> dict[str, Any]:
        """Return what a strategy last remembered."""
        return dict(self._memories.get(bot, {}))

    async def position(self, name: str) -> Position | None:
        """Read the position of this id, or else the newest one of the bot of this name."""
        of_bot = await self.positions(bot=BotName(name))
        return self._positions.get(PositionId(name), of_bot[-1] if of_bot else None)

    async def position_ids(self) -> tuple[PositionId, ...]:
        """Return the names of all positions, by bot and oldest first."""
        return tuple(each.position_id for each in await self.positions())

    async def orders_of(
        self, positions: Collection[PositionId], *, newest: int | None = None
    ) -> Mapping[PositionId, tuple[Order, ...]]:
        """Return the orders that these positions had, all or so many, in order of attempts."""
        found: dict[PositionId, list[Order]] = {name: [] for name in positions}
        for each in self._orders.values():
            if each.position_id in found:
                found[each.position_id].append(each.order)
        since = 0 if newest is None else -newest
        return {name: tuple(orders[since:]) for name, orders in found.items()}

    async def find_orders(
        self,
        account: AccountName,
        symbol: Symbol,
        *,
        names: Collection[ClientOrderId] = (),
        numbers: Collection[ExchangeOrderId] = (),
    ) -> tuple[Owned, ...]:
        """Return our orders with one of these names or of the exchange's numbers, of any age."""
        return tuple(
            each
            for each in self._orders.values()
            if (position := self._positions[each.position_id]).symbol == symbol
            and position.account == account
            and (each.order.client_order_id in names or each.order.exchange_order_id in numbers)
        )

    async def written(self, bot: BotName, since: datetime) -> tuple[datetime, ...]:
        """Return when this bot's entry and exit orders were written down, since a time."""
        return tuple(
            entry.at
            for entry in self._entries
            if isinstance(record := entry.record, OrderIntended)
            and entry.at >= since
            and record.order.role is not Role.STOP
            and entry.stream.removeprefix("position/").rpartition("-")[0] == bot
        )

    async def fees(self, account: AccountName, asset: Asset, since: datetime) -> Decimal:
        """Return what fills since a time took of an asset, other than of what they bought."""
        taken = ZERO
        for entry in self._entries:
            if isinstance(entry.record, FillBooked) and entry.record.fill.at >= since:
                fill, position = entry.record.fill, entry.stream.removeprefix("position/")
                ours = self._positions[PositionId(position)].account == account
                kept = fill.side is Side.BUY and fill.symbol.startswith(f"{asset}/")
                taken += fill.fee if ours and fill.fee_asset == asset and not kept else ZERO
        return taken

    async def records(self) -> int:
        """Return how many records there are."""
        return len(self._entries)

    async def watermark(
        self, account: AccountName, symbol: Symbol, *, before: datetime | None = None
    ) -> TradeId | None:
        """Return the last trade up to which fills are read, now or at an earlier time."""
        if before is None:
            return self._watermarks.get((account, symbol))
        moves = [
            (entry.at, record.trade_id)
            for entry in self._entries
            if isinstance(record := entry.record, WatermarkMoved)
            and (record.account, record.symbol) == (account, symbol)
        ]
        earlier = [trade for at, trade in moves if at <= before]
        found = earlier[-1:] or [trade for _, trade in moves[:1]]
        return TradeId(found[0]) if found else None

    async def last_recovery(self) -> tuple[datetime, RecoveryFinished] | None:
        """Return the newest recovery report."""
        for entry in reversed(self._entries):
            if isinstance(entry.record, RecoveryFinished):
                return entry.at, entry.record
        return None

    async def commands(self, *, status: str | None = None) -> tuple[Command, ...]:
        """Read operator commands, oldest first."""
        found = sorted(self._commands.values(), key=lambda each: each.posted_at)
        return tuple(command for command in found if status in {None, command.status})

    async def post(self, command: Command) -> bool:
        """Put a command into the inbox once."""
        validate(command)
        if command.command_id in self._inbox:
            return False
        self._inbox[command.command_id] = command
        return True

    async def take_commands(self, *, at: datetime) -> None:
        """Take what waits in the inbox into the journal, each command once."""
        new = tuple(each for name, each in self._inbox.items() if name not in self._commands)
        if new:
            await self.commit(Change(at=at, commands=new))

    def holder(self) -> Holder | None:
        """Return None: nobody else can run on it."""
        return None

    async def verify(self) -> int:
        """Return how many records there are; nothing can have damaged them."""
        return len(self._entries)

    async def backup(self, to: Path) -> int:
        """Refuse: there is nothing to copy that would outlive this process."""
        raise JournalUnusable(f"a journal in memory cannot be copied to {to}")

    async def close(self) -> None:
        """There is nothing to let go of."""
