"""An exchange in memory, whose answers a test writes: the port, and nothing behind it.

Market orders fill at once at `price`, the others rest. `answer` scripts the next sends,
`second_half` the order of the next replacement, `fail` makes questions go unanswered, `hidden`
orders are live but no read shows them. What is cancelled is known by its cancel's name afterwards.
Order numbers are counted per symbol, as Binance does.
"""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import Struct
from msgspec.structs import asdict, replace
from tests.builders import BTC, INSTRUMENT, D
from tests.unit.engine.clock import HandClock

from surefoot.core.instrument import Instrument
from surefoot.core.order import Order, ReportedStatus
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import Asset, ClientOrderId, ExchangeOrderId, Side, Symbol, TradeId
from surefoot.exchange.binance.facts import BINANCE, PRICES
from surefoot.exchange.budget import Urgency
from surefoot.exchange.errors import Misconfigured, NotSent, Refused, Unknown
from surefoot.exchange.port import (
    AccountEvent,
    Candle,
    Connected,
    FillsRead,
    Halves,
    Holding,
    Identity,
    MarketEvent,
    OrdersRead,
    Question,
    Spending,
    Tick,
)

ETH = Symbol("ETH/USDT")
ETHER = replace(INSTRUMENT, symbol=ETH, base=Asset("ETH"))
Answer = NotSent | Refused | Exception


class Ask(Struct, frozen=True):
    """One question that was asked: which verb, about what."""

    verb: str
    about: str = ""


class FakeExchange:
    """One account; everything that was sent or asked is noted."""

    venue = BINANCE

    def __init__(self, clock: HandClock) -> None:
        self.clock = clock
        self.offset = timedelta(0)
        self.last_price = D(50000)
        self.identity = Identity(exchange="binance", uid="7", environment="simulated")
        self.instruments: dict[Symbol, Instrument] = {BTC: INSTRUMENT, ETH: ETHER}
        self.orders: list[OrderReport] = []
        # As lists of live orders still show some, which have moved on.
        self.late: dict[ClientOrderId | None, OrderReport] = {}
        self.trades: list[Fill] = []
        self.halted: set[Symbol] = set()
        self.hidden: set[ClientOrderId | None] = set()
        self.complete, self.hide_trades = True, False
        self.newest = 1_000
        # What the list of the newest orders does not show yet, and what it shows as at work.
        self.lagging, self.unfinished = set[str](), set[str]()
        self.moved: dict[Asset, Decimal] = {}
        self._times: dict[tuple[str, str], tuple[datetime, datetime]] = {}
        self.reset = False
        self.history: list[Candle] = []
        self.holdings: dict[Asset, Holding] = {}
        self.sent: list[Order] = []
        self.reserved: list[Order] = []
        self.room_for = dict.fromkeys(Urgency, 10_000)
        self.cancelled: list[tuple[Symbol, ExchangeOrderId]] = []
        self.hailed: list[ClientOrderId] = []
        self.amended: list[tuple[ClientOrderId, Decimal]] = []
        self.asked: list[Ask] = []
        self.bans: list[datetime] = []
        self.closed = False
        self.during: dict[str, Callable[[], object]] = {}
        self.account_events: asyncio.Queue[AccountEvent] = asyncio.Queue()
        self.market_events: asyncio.Queue[MarketEvent] = asyncio.Queue()
        self.second_half: NotSent | Refused | Unknown | None = None
        self._answers: deque[tuple[Exception, bool]] = deque()
        self._cancel_answers: deque[Exception] = deque()
        self._failing: dict[tuple[str, str], list[Exception]] = {}
        # Trades that no balance shows yet.
        self.unsettled: set[TradeId] = set()
        self._held: dict[tuple[str, str], asyncio.Event] = {}
        self._numbers: Counter[str] = Counter()
        self.denied = asyncio.Event()

    # What a test says ----------------------------------------------------------------------------

    def answer(self, error: Exception, *, accepted: bool = False) -> None:
        """Answer the next send with an error; `accepted` tells what really happened."""
        self._answers.append((error, accepted))

    def answer_cancel(self, error: Exception) -> None:
        self._cancel_answers.append(error)

    def fail(self, verb: str, error: Exception, *, about: str = "", times: int = 10_000) -> None:
        """Let a question go unanswered; `about` is a symbol or an order, or anything."""
        self._failing[verb, about] = [error] * times

    def mend(self) -> None:
        self._failing.clear()

    def hold(self, verb: str, *, about: str = "") -> asyncio.Event:
        """Let the answers to one verb wait until the event is set; `about` is as for `fail`."""
        return self._held.setdefault((verb, about), asyncio.Event())

    def count(self, verb: str) -> int:
        return sum(ask.verb == verb for ask in self.asked)

    def place(self, order: Order, symbol: Symbol = BTC) -> OrderReport:
        """Accept an order, and fill it if it is a market order."""
        placed = OrderReport(
            symbol=symbol,
            client_order_id=order.client_order_id,
            exchange_order_id=self._number(symbol, "order"),
            status=ReportedStatus.OPEN,
            side=order.side,
            quantity=order.quantity,
            filled=D(0),
            limit=order.limit,
        )
        self.orders.append(placed)
        self._times[symbol, placed.exchange_order_id] = (self.now(), self.now())
        if order.limit is None and order.trigger is None:
            self.execute(placed.exchange_order_id, order.quantity, symbol=symbol)
        return self._row(symbol, placed.exchange_order_id)

    def execute(
        self,
        number: str,
        quantity: Decimal | str,
        *,
        price: Decimal | None = None,
        symbol: Symbol = BTC,
    ) -> Fill:
        """Fill an order in one trade without fees."""
        row = self._row(symbol, number)
        filled = row.filled + D(quantity)
        over = filled == row.quantity
        status = ReportedStatus.FILLED if over else ReportedStatus.OPEN
        self._store(replace(row, filled=filled, status=status))
        return self.trade(row.side, quantity, number, price=price or row.limit, symbol=symbol)

    def trade(
        self,
        side: Side,
        quantity: Decimal | str,
        number: str = "foreign",
        *,
        price: Decimal | None = None,
        symbol: Symbol = BTC,
    ) -> Fill:
        """Let a trade happen, whoever's it is."""
        fill = Fill(
            symbol=symbol,
            trade_id=TradeId(self._number(symbol, "trade")),
            exchange_order_id=ExchangeOrderId(number),
            side=side,
            price=price or self.last_price,
            quantity=D(quantity),
            fee_asset=Asset("USDT"),
            at=self.now(),
        )
        self.trades.append(fill)
        return fill

    def end(self, number: str, status: str, symbol: Symbol = BTC) -> OrderReport:
        """End an order without a trade."""
        self._store(replace(self._row(symbol, number), status=ReportedStatus(status)))
        return self._row(symbol, number)

    def _number(self, symbol: Symbol, kind: str) -> ExchangeOrderId:
        self._numbers[symbol + kind] += 1
        return ExchangeOrderId(str(self._numbers[symbol + kind]))

    def _row(self, symbol: Symbol, number: str) -> OrderReport:
        return next(
            row for row in self.orders if (row.symbol, row.exchange_order_id) == (symbol, number)
        )

    def _store(self, changed: OrderReport) -> None:
        name = (changed.symbol, changed.exchange_order_id)
        self._times[name] = (self._times.get(name, (self.now(),))[0], self.now())
        self.orders = [
            changed if (row.symbol, row.exchange_order_id) == name else row for row in self.orders
        ]

    async def _reading(self, verb: str, *about: str) -> None:
        self.asked.append(Ask(verb, ",".join(about)))
        if (act := self.during.pop(verb, None)) is not None:
            act()
        for key in ((verb, ""), *((verb, each) for each in about)):
            if (held := self._held.get(key)) is not None:
                await held.wait()
            if self._failing.get(key):
                raise self._failing[key].pop()

    # Orders --------------------------------------------------------------------------------------

    def now(self) -> datetime:
        return self.clock.now() + self.offset

    def later(self, urgency: Urgency, orders: int) -> datetime | None:
        room = self.room_for[urgency] - len(self.reserved)
        return None if orders <= room else self.clock.now() + timedelta(seconds=10)

    def reserve(self, order: Order) -> None:
        self.reserved.append(order)

    async def send(self, symbol: Symbol, order: Order) -> OrderReport:
        self.sent.append(order)
        error, accepted = self._answers.popleft() if self._answers else (None, True)
        placed = self.place(order, symbol) if accepted else None
        if (held := self._held.get(("send", ""))) is not None:
            await held.wait()
        if error is not None:
            raise error
        assert placed is not None
        return placed

    async def cancel(
        self,
        symbol: Symbol,
        exchange_order_id: ExchangeOrderId,
        *,
        name: ClientOrderId | None = None,
    ) -> None:
        self.cancelled.append((symbol, exchange_order_id))
        if self._cancel_answers:
            raise self._cancel_answers.popleft()
        row = self._row(symbol, exchange_order_id)
        if row.status is ReportedStatus.OPEN:
            self._end_as(row, name)

    async def cancel_named(
        self, symbol: Symbol, client_order_id: ClientOrderId, *, cancel_name: ClientOrderId | None
    ) -> OrderReport | None:
        self.hailed.append(client_order_id)
        if self._cancel_answers:
            raise self._cancel_answers.popleft()
        for row in self.orders:
            wanted = (symbol, client_order_id, ReportedStatus.OPEN)
            if (row.symbol, row.client_order_id, row.status) == wanted:
                return self._end_as(row, cancel_name)
        return None

    def _end_as(self, row: OrderReport, name: ClientOrderId | None) -> OrderReport:
        """Cancel an order, which is known by the request's name afterwards."""
        known_as = name or row.client_order_id
        over = replace(row, status=ReportedStatus.CANCELED, client_order_id=known_as)
        self._store(over)
        return over

    async def replace(
        self,
        symbol: Symbol,
        exchange_order_id: ExchangeOrderId,
        order: Order,
        *,
        cancel_name: ClientOrderId,
    ) -> Halves:
        self.sent.append(order)
        error, accepted = self._answers.popleft() if self._answers else (None, True)
        row = self._row(symbol, exchange_order_id)
        if error is not None and not accepted:
            raise error
        if row.status is not ReportedStatus.OPEN or row.filled:
            return Halves(cancelled=None, placed=NotSent("not tried: -2011"))
        cancelled = self._end_as(row, cancel_name)
        refused, self.second_half = self.second_half, None
        placed = refused or self.place(order, symbol)
        if (held := self._held.get(("replace", ""))) is not None:
            await held.wait()
        if error is not None:
            raise error
        return Halves(cancelled=cancelled, placed=placed)

    async def amend(
        self,
        symbol: Symbol,
        exchange_order_id: ExchangeOrderId,
        order: Order,
        *,
        quantity: Decimal,
        not_after: datetime,  # noqa: ARG002
    ) -> OrderReport:
        self.amended.append((order.client_order_id, quantity))
        error, accepted = self._answers.popleft() if self._answers else (None, True)
        if accepted:
            self._store(replace(self._row(symbol, exchange_order_id), quantity=quantity))
        if error is not None:
            raise error
        return self._row(symbol, exchange_order_id)

    # Reads ---------------------------------------------------------------------------------------

    async def order(self, symbol: Symbol, client_order_id: ClientOrderId) -> OrderReport | None:
        await self._reading("order", symbol, client_order_id)
        return self._visible(symbol, client_order_id=client_order_id)

    async def order_by_exchange_id(
        self, symbol: Symbol, exchange_order_id: ExchangeOrderId
    ) -> OrderReport | None:
        await self._reading("order_by_exchange_id", symbol, exchange_order_id)
        ours = self._visible(symbol, exchange_order_id=exchange_order_id)
        return ours or self._foreign(symbol, exchange_order_id)

    def _foreign(self, symbol: Symbol, number: str) -> OrderReport | None:
        """Show an order that somebody else placed on this account, as its trades tell of it."""
        ours = {row.exchange_order_id for row in self.orders if row.symbol == symbol}
        for trade in self.trades:
            if (trade.symbol, trade.exchange_order_id) == (symbol, number) and number not in ours:
                return OrderReport(
                    symbol=symbol,
                    exchange_order_id=trade.exchange_order_id,
                    client_order_id=ClientOrderId(f"web_{number}"),
                    status=ReportedStatus.FILLED,
                    side=trade.side,
                    quantity=trade.quantity,
                    filled=trade.quantity,
                    at=trade.at,
                )
        return None

    def _visible(self, symbol: Symbol, **wanted: str) -> OrderReport | None:
        shown = (row for row in self.orders if row.client_order_id not in self.hidden)
        wanted["symbol"] = symbol
        return next((row for row in shown if wanted.items() <= asdict(row).items()), None)

    async def open_orders(self, symbols: Sequence[Symbol]) -> tuple[OrderReport, ...]:
        await self._reading("open_orders", *symbols)
        return tuple(
            self.late.get(row.client_order_id, row)
            for row in self.orders
            if row.symbol in symbols
            and row.status is ReportedStatus.OPEN
            and row.client_order_id not in self.hidden
        )

    async def fills(self, symbol: Symbol, after: TradeId | None) -> FillsRead:
        await self._reading("fills", symbol, f"after {after}")
        since = 0 if after is None else int(after)
        shown = () if self.hide_trades else self.trades
        fills = tuple(t for t in shown if t.symbol == symbol and int(t.trade_id) > since)
        return FillsRead(fills=fills, complete=self.complete, reset=self.reset)

    async def fills_since(self, symbol: Symbol, at: datetime) -> FillsRead:
        await self._reading("fills", symbol, "since the account is ours")
        shown = () if self.hide_trades else self.trades
        fills = tuple(t for t in shown if t.symbol == symbol and t.at >= at)
        return FillsRead(fills=fills, complete=self.complete, reset=self.reset)

    async def fills_of(
        self, symbol: Symbol, exchange_order_id: ExchangeOrderId
    ) -> tuple[Fill, ...]:
        await self._reading("fills_of", symbol, exchange_order_id)
        return tuple(
            trade
            for trade in self.trades
            if (trade.symbol, trade.exchange_order_id) == (symbol, exchange_order_id)
        )

    async def newest_fills(self, symbol: Symbol) -> tuple[Fill, ...]:
        await self._reading("newest_fills", symbol)
        return tuple(trade for trade in self.trades if trade.symbol == symbol)

    async def newest_orders(self, symbol: Symbol, since: datetime) -> OrdersRead:  # noqa: ARG002
        await self._reading("newest_orders", symbol)
        over = (r for r in self.orders if r.filled or r.status is not ReportedStatus.OPEN)
        telling = (r for r in over if r.symbol == symbol)
        numbers = dict.fromkeys(t.exchange_order_id for t in self.trades if t.symbol == symbol)
        foreign = (each for number in numbers if (each := self._foreign(symbol, number)))
        shown = (r for r in (*telling, *foreign) if r.exchange_order_id not in self.lagging)
        orders = tuple(map(self._as_listed, shown))[-self.newest :]
        return OrdersRead(orders=orders, complete=len(orders) < self.newest)

    def _as_listed(self, row: OrderReport) -> OrderReport:
        """Show an order with when it was at work, and what its trades were worth together."""
        name = (row.symbol, row.exchange_order_id)
        trades = [t for t in self.trades if (t.symbol, t.exchange_order_id) == name]
        filled = sum((each.quantity for each in trades), D(0))
        times = self._times.get(name) or (trades[0].at, trades[-1].at)
        return replace(
            row,
            status=ReportedStatus.OPEN if name[1] in self.unfinished else row.status,
            quantity=max(row.quantity, filled),
            filled=filled,
            placed_at=times[0],
            at=times[1],
            cost=sum((each.price * each.quantity for each in trades), D(0)),
        )

    async def holding(self, asset: Asset, *, since: datetime | None = None) -> Holding:  # noqa: ARG002
        await self._reading("holding", asset)
        return self.holdings.get(asset, Holding(free=D(0), locked=D(0)))

    async def balances(self, *, since: datetime | None = None) -> dict[Asset, Decimal]:  # noqa: ARG002
        await self._reading("balances")
        held = dict(self.moved)
        for trade in self.trades:
            if trade.trade_id in self.unsettled:
                continue
            asset = self.instruments[trade.symbol].base
            sign = 1 if trade.side is Side.BUY else -1
            held[asset] = held.get(asset, D(0)) + sign * trade.quantity
        return held

    async def ticks(self, symbols: Sequence[Symbol]) -> tuple[Tick, ...]:
        await self._reading("ticks", *symbols)
        at, price = self.now(), self.last_price
        return tuple(Tick(symbol=s, price=price, bid=price, ask=price, at=at) for s in symbols)

    async def candles(
        self, symbol: Symbol, timeframe: str, since: datetime | None, limit: int
    ) -> tuple[Candle, ...]:
        await self._reading("candles", symbol, timeframe)
        return tuple(c for c in self.history if since is None or c.at >= since)[:limit]

    # Streams -------------------------------------------------------------------------------------

    async def account(self) -> AsyncIterator[AccountEvent]:
        yield Connected()
        while True:
            yield await self.account_events.get()

    async def market(
        self, symbols: Sequence[Symbol], timeframes: Sequence[tuple[Symbol, str]]
    ) -> AsyncIterator[MarketEvent]:
        self.asked.append(Ask("market", f"{symbols} {timeframes}"))
        yield Connected()
        while True:
            yield await self.market_events.get()

    # Being there ---------------------------------------------------------------------------------

    async def connect(self) -> None:
        await self._reading("connect")

    async def identify(self) -> Identity:
        await self._reading("identify")
        return self.identity

    async def may_withdraw(self) -> bool | None:
        await self._reading("may_withdraw")
        return False

    async def clock_denied(self) -> None:
        await self.denied.wait()

    async def measure_clock(self) -> Decimal:
        self.denied.clear()
        await self._reading("measure_clock")
        return D(0)

    def is_trading(self, symbol: Symbol) -> bool:
        return symbol not in self.halted

    def instrument(self, symbol: Symbol) -> Instrument:
        if symbol not in self.instruments:
            raise Misconfigured(f"the venue does not list {symbol}")
        return self.instruments[symbol]

    def spending(self) -> Spending:
        requests = sum(ask.verb != "market" for ask in self.asked)
        return Spending(requests=requests, weight=2 * requests)

    def price(self, question: Question) -> int:
        return PRICES[question]

    def oldest(self, trade_ids: Iterable[TradeId]) -> TradeId | None:
        return min((trade for trade in trade_ids if trade.isdigit()), key=int, default=None)

    def banned_until(self) -> datetime | None:
        return next((until for until in self.bans[-1:] if self.now() < until), None)

    def note_ban(self, until: datetime) -> None:
        self.bans.append(until)

    async def close(self) -> None:
        self.closed = True
