"""The parts of the engine put together around the fake exchange."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Coroutine, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

from msgspec.structs import replace
from tests.builders import BTC, PLAN, START, TERMS, D, Life, started
from tests.memory_journal import MemoryJournal
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.fake import ETH, ETHER, FakeExchange
from typing_extensions import override

from surefoot.app import assemble
from surefoot.core.account_records import Record, kind_of
from surefoot.core.evidence import Evidence
from surefoot.core.identity import Origin, order_identity
from surefoot.core.order import Order, Role
from surefoot.core.position import Dust, Position
from surefoot.core.records import PositionRecord
from surefoot.core.signals import EntrySignal
from surefoot.core.sizing import Amount
from surefoot.core.state import evolve
from surefoot.core.terms import Terms
from surefoot.core.values import AccountName, Asset, BotName, ClientOrderId, PositionId, Symbol
from surefoot.engine.books import Books
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.comparing import Comparing
from surefoot.engine.gathered import Gathered
from surefoot.engine.keeper import Keeper
from surefoot.engine.limits import Limits
from surefoot.engine.login import Login
from surefoot.engine.specs import AccountSpec, BotSpec
from surefoot.engine.supervision import Work
from surefoot.engine.sweep import Sweep
from surefoot.exchange.binance.facts import BINANCE
from surefoot.exchange.port import Candle, Tick
from surefoot.journal.errors import JournalPoisoned
from surefoot.journal.port import Append, Change, Holder, Receipt, position_stream

MAIN = AccountName("main")
DIP = BotName("dip-btc")
SWING = BotName("swing-eth")
LIMITS = Limits(
    order_notional=D(1000),
    position_notional=D(1000),
    orders_per_minute=10,
    price_band=D("0.05"),
)
ENTER = EntrySignal(quantity=D("0.00160"), plan=PLAN)


def of_a_lost_journal() -> Order:
    """Return an order that has the form of our names, and that no record explains."""
    lost = Origin(epoch="lost", generation="lost", account=MAIN)
    identity = order_identity(lost, PositionId("dip-btc-1"), Role.ENTRY, 1)
    return Life(replace(TERMS, name_order=lambda *_: BINANCE.encode(identity))).enter()


class SaidLog:
    """Keeps every line."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str, dict[str, Any]]] = []

    def bind(self, **_fields: Any) -> SaidLog:
        return self

    def debug(self, event: str, **fields: Any) -> None:
        self.lines.append(("debug", event, fields))

    def info(self, event: str, **fields: Any) -> None:
        self.lines.append(("info", event, fields))

    def warning(self, event: str, **fields: Any) -> None:
        self.lines.append(("warning", event, fields))

    def error(self, event: str, **fields: Any) -> None:
        self.lines.append(("error", event, fields))

    def said(self, event: str) -> list[dict[str, Any]]:
        return [fields for _, each, fields in self.lines if each == event]


class PoisonableJournal(MemoryJournal):
    """Takes a turn of the loop to be durable, as a disk does; may be poisoned."""

    def __init__(self) -> None:
        super().__init__()
        self.poisoned = False
        self.commits = 0
        # Since when the server that writes it runs; None: nobody else could tell.
        self.since: datetime | None = None

    @override
    def holder(self) -> Holder | None:
        return None if self.since is None else Holder(pid=1, host="here", since=self.since)

    @override
    async def commit(self, change: Change) -> Receipt:
        await turns(1)
        if self.poisoned:
            raise JournalPoisoned("the disk is full")
        self.commits += 1
        return await super().commit(change)


class Works:
    """Spawned work that waits until the test lets it run, in order."""

    def __init__(self) -> None:
        self.waiting: list[Work] = []

    def attend(self, work: Work) -> None:
        self.waiting.append(work)

    async def run(self) -> None:
        """Run everything, and what it spawns."""
        while self.waiting:
            await self.waiting.pop(0)()

    def drop(self) -> None:
        """Forget what waits, as a killed process would."""
        self.waiting.clear()


class Heard:
    """What a keeper told its listener."""

    def __init__(self) -> None:
        self.records: list[PositionRecord] = []
        self.urged: list[ClientOrderId] = []

    def recorded(self, _position: Position, records: Sequence[PositionRecord]) -> None:
        self.records += records

    def urge(self, client_order_id: ClientOrderId) -> None:
        self.urged.append(client_order_id)

    async def refit(self) -> None:
        """Know of no other filters."""


class Desk:
    """One account's parts, without its loops: nothing runs unless a test says so."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.exchange = FakeExchange(self.clock)
        self.journal = PoisonableJournal()
        self.works = Works()
        self.heard = Heard()
        self.log = SaidLog()
        self.login = Login(
            account_spec(),
            exchange=self.exchange,
            journal=self.journal,
            clock=self.clock,
            log=self.log,
        )
        self.dispatch = self.login.dispatch
        self.keepers: BySymbol[Keeper] = BySymbol(lambda keeper: keeper.symbol)
        self.books = Books(self.login, self.keepers, self.journal)
        self.sweep = Sweep(MAIN, self.exchange, self.journal)
        self.comparing = Comparing(
            account_spec(), exchange=self.exchange, reader=self.journal, clock=self.clock
        )

    async def read(self, *symbols: Symbol, lookback: timedelta | None = None) -> Gathered:
        """Read all that bears on some symbols, as one answer."""
        shared = await self.sweep.shared(symbols)
        told = [
            await self.sweep.symbol(self.books.belief([each]), each, shared, lookback)
            for each in symbols
        ]
        evidence = [each.evidence for each in told]
        return Gathered(
            evidence=Evidence(
                started_at=evidence[0].started_at,
                versions={name: v for each in evidence for name, v in each.versions.items()},
                open_orders=tuple(r for each in evidence for r in each.open_orders),
                looked_up={name: r for each in evidence for name, r in each.looked_up.items()},
                windows={name: w for each in evidence for name, w in each.windows.items()},
                balances=shared.balances,
            ),
            watermarks={name: t for each in told for name, t in each.watermarks.items()},
            failures=(*shared.failures, *(why for each in told for why in each.failures)),
            known=frozenset(name for each in told for name in each.known),
            unread=frozenset(symbol for each in told for symbol in each.unread),
            reset=next((each.reset for each in told if each.reset), None),
        )

    async def keeper(
        self, bot: BotName = DIP, *, terms: Terms = TERMS, carried: Dust | None = None
    ) -> Keeper:
        """Start a bot's first position and keep it."""
        record = started(bot, carried=carried)
        if terms.instrument.symbol == ETH:
            record = replace(record, symbol=ETH, base=Asset("ETH"), quote=terms.instrument.quote)
        position = evolve(None, record)
        append = Append(
            stream=position_stream(record.position_id),
            expected=0,
            records=(record,),
            position=position,
        )
        await self.journal.commit(Change(at=record.at, appends=(append,)))
        self.keepers[bot] = self.keep(bot, (position,), terms)
        return self.keepers[bot]

    async def ether(self) -> Keeper:
        return await self.keeper(SWING, terms=replace(TERMS, instrument=ETHER))

    def keep(self, bot: BotName, positions: Sequence[Position], terms: Terms = TERMS) -> Keeper:
        return Keeper(
            bot=bot,
            positions=positions,
            terms=terms,
            journal=self.journal,
            dispatch=self.dispatch,
            capacity=self.login.capacity,
            now=self.exchange.now,
            attend=self.works.attend,
            listener=self.heard,
        )

    async def opened(self, keeper: Keeper) -> Position:
        """Enter at the market, and book the fill as a stream would bring it."""
        await keeper.tell(ENTER)
        await self.works.run()
        await keeper.tell(self.exchange.trades[-1])
        return keeper.position

    async def kinds(self, stream: str = "position/dip-btc-1") -> list[str]:
        return await kinds_in(self.journal, stream)


async def kinds_in(journal: MemoryJournal, stream: str) -> list[str]:
    return [kind_of(entry.record) for entry in await journal.entries(stream=stream)]


async def records_in(journal: MemoryJournal, stream: str) -> list[Record]:
    return [entry.record for entry in await journal.entries(stream=stream)]


def tick(price: str = "50000", *, symbol: Symbol = BTC, spread: str = "1") -> Tick:
    exact, half = D(price), D(spread)
    return Tick(symbol=symbol, price=exact, bid=exact - half, ask=exact + half, at=START)


def candle(minute: int, *, symbol: Symbol = BTC) -> Candle:
    """Return a candle that opened so many minutes after the start."""
    price = D(50000)
    return Candle(
        symbol=symbol,
        timeframe="1m",
        at=START + timedelta(minutes=minute),
        open=price,
        high=price,
        low=price,
        close=price,
        volume=D(1),
    )


def bot_spec(bot: BotName = DIP, symbol: Symbol = BTC, **changes: Any) -> BotSpec:
    spec = BotSpec(
        bot=bot,
        account=MAIN,
        symbol=symbol,
        notional=Amount(notional=D(100)),
        plan=PLAN,
        native_stop=False,
        limits=LIMITS,
    )
    return replace(spec, **changes)


def account_spec(*bots: BotSpec, **changes: Any) -> AccountSpec:
    spec = AccountSpec(
        account=MAIN,
        exclusive=False,
        give_up_after=timedelta(minutes=10),
        lookback=timedelta(hours=24),
        bots=bots or (bot_spec(),),
    )
    return replace(spec, **changes)


async def no_advisor(_bot: BotName, _memory: dict[str, Any]) -> None:
    """Give no bot a strategy."""


class Floor:
    """A whole account on the fake exchange, with its tasks."""

    def __init__(
        self, spec: AccountSpec, exchange: FakeExchange, journal: MemoryJournal, tasks: Any
    ) -> None:
        self.exchange = exchange
        self.clock = exchange.clock
        self.journal = journal
        self.log = SaidLog()
        self.account = assemble(
            spec,
            exchange=exchange,
            journal=journal,
            clock=exchange.clock,
            make_advisor=no_advisor,
            spawn=tasks,
            log=self.log,
        )

    async def reports(self) -> list[Any]:
        records = await records_in(self.journal, "account/main")
        return [record for record in records if kind_of(record) == "recovery-finished"]


@asynccontextmanager
async def opened(
    spec: AccountSpec | None = None,
    *,
    exchange: FakeExchange | None = None,
    journal: MemoryJournal | None = None,
) -> AsyncIterator[Floor]:
    """Put an account together; leaving is like being killed: tasks end where they are."""
    async with asyncio.TaskGroup() as group:
        running: list[asyncio.Task[None]] = []

        def spawn(work: Coroutine[Any, Any, None]) -> None:
            running.append(group.create_task(work))

        yield Floor(
            spec or account_spec(),
            exchange or FakeExchange(HandClock()),
            journal or PoisonableJournal(),
            spawn,
        )
        for task in running:
            task.cancel()
