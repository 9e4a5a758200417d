"""Short ways to say what a test is about."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from msgspec.structs import replace

from surefoot.core.account_records import kind_of
from surefoot.core.decide import Input, decide
from surefoot.core.draft import Decision
from surefoot.core.exits import ExitPlan
from surefoot.core.identity import Origin, order_identity
from surefoot.core.instrument import Instrument
from surefoot.core.order import Order, ReportedStatus, Role
from surefoot.core.position import Dust, Position
from surefoot.core.records import PositionRecord, PositionStarted
from surefoot.core.reports import Absence, Fill, LateFact, OrderReport
from surefoot.core.signals import EntrySignal, ExitSignal
from surefoot.core.state import evolve
from surefoot.core.terms import Terms
from surefoot.core.values import (
    AccountName,
    Asset,
    BotName,
    ClientOrderId,
    ExchangeOrderId,
    PositionId,
    Symbol,
    TradeId,
)

START = datetime(2026, 1, 1, tzinfo=UTC)
BTC = Symbol("BTC/USDT")
D = Decimal


ORIGIN = Origin(epoch="epoch", generation="life", account=AccountName("main"))


def named(position_id: PositionId, role: str, attempt: int) -> ClientOrderId:
    return ClientOrderId("sf" + order_identity(ORIGIN, position_id, role, attempt).hex())


INSTRUMENT = Instrument(
    symbol=BTC,
    base=Asset("BTC"),
    quote=Asset("USDT"),
    tick=D("0.01"),
    lot=D("0.00001"),
    quantity_min=D("0.00001"),
    notional_min=D(5),
)
TERMS = Terms(
    instrument=INSTRUMENT,
    request_lifetime=timedelta(seconds=5),
    visibility=timedelta(seconds=60),
    native_stop=False,
    name_order=named,
)
PROTECTED = Terms(
    instrument=INSTRUMENT,
    request_lifetime=timedelta(seconds=5),
    visibility=timedelta(seconds=60),
    native_stop=True,
    name_order=named,
)
# The same at a venue that replaces an order in one request.
REPLACING = replace(PROTECTED, instrument=replace(INSTRUMENT, replaces=True))
PLAN = ExitPlan(stop_loss=D("0.02"), take_profit=D("0.04"), break_even=D("0.01"))


def started(bot: str = "dip-btc", number: int = 1, carried: Dust | None = None) -> PositionStarted:
    return PositionStarted(
        at=START,
        carried=carried or Dust(),
        position_id=PositionId(f"{bot}-{number}"),
        bot=BotName(bot),
        account=AccountName("main"),
        symbol=BTC,
        base=Asset("BTC"),
        quote=Asset("USDT"),
        number=number,
    )


class Life:
    """A position living through inputs; keeps every record and moves its own clock."""

    def __init__(
        self,
        terms: Terms = TERMS,
        bot: str = "dip-btc",
        number: int = 1,
        carried: Dust | None = None,
    ) -> None:
        self.terms = terms
        self.now = START
        self.records: list[PositionRecord] = [started(bot, number, carried)]
        self.position: Position = evolve(None, self.records[0])
        # Every order that it ever had, as the journal keeps them.
        self.orders: dict[ClientOrderId, Order] = {}

    def tell(self, *events: Input, after: timedelta = timedelta(0)) -> list[str]:
        """Return the kinds of the records that followed."""
        self.now += after
        kinds = []
        for event in events:
            known = self.known(event)
            decision = decide(self.position, known, self.now, self.terms)
            self.follow(decision)
            kinds += [kind_of(record) for record in decision.records]
        return kinds

    def follow(self, decision: Decision) -> None:
        """Believe what was decided."""
        self.position = decision.position
        self.records += decision.records
        for order in (*decision.left, *decision.position.orders):
            self.orders[order.client_order_id] = order

    def known(self, event: Input) -> Input:
        """Say with a fact which order it is about, if that one has left: as the engine does."""
        if not isinstance(event, OrderReport | Fill):
            return event
        names = (event.client_order_id, event.exchange_order_id)
        if self.position.find(*names) is not None:
            return event
        order = next((each for each in self.orders.values() if each.is_named(*names)), None)
        return event if order is None else LateFact(order=order, fact=event)

    def enter(self, quantity: str = "0.00160", plan: ExitPlan = PLAN) -> Order:
        self.tell(EntrySignal(quantity=D(quantity), plan=plan))
        return self.order

    def opened(self, price: str = "50000", quantity: str = "0.00160") -> Position:
        """Enter, and have it filled in one trade without fees."""
        order = self.enter(quantity)
        self.tell(report(order, "FILLED", order.quantity), fill(order, price, trade="1"))
        return self.position

    @property
    def order(self) -> Order:
        return self.position.orders[-1]


def report(
    order: Order, status: str, filled: Decimal | str = "0", exchange_id: str | None = None
) -> OrderReport:
    return OrderReport(
        symbol=BTC,
        client_order_id=order.client_order_id,
        exchange_order_id=ExchangeOrderId(exchange_id or f"x{order.attempt}"),
        status=ReportedStatus(status),
        side=order.side,
        quantity=order.quantity,
        filled=Decimal(filled),
    )


def absence(life: Life, order: Order | None = None, **changes: object) -> Absence:
    """Return what a complete read says now that does not show an order (the newest one)."""
    found = Absence(
        client_order_id=(order or life.order).client_order_id,
        read_started_at=life.now,
        not_found=True,
        fills_complete=True,
        named_by_a_fill=False,
        version=life.position.version,
    )
    return replace(found, **changes)


def lost(life: Life, order: Order, *, alone: bool = True) -> Absence:
    """Return what a hurried read says that does not show an order; all coins are ours."""
    return absence(life, order, fills_complete=False, alone=alone)


def fill(
    order: Order,
    price: str,
    quantity: Decimal | str | None = None,
    *,
    trade: str,
    fee: str = "0",
    asset: str = "USDT",
    at: datetime = START,
) -> Fill:
    return Fill(
        symbol=BTC,
        trade_id=TradeId(trade),
        exchange_order_id=ExchangeOrderId(f"x{order.attempt}"),
        client_order_id=order.client_order_id,
        side=order.side,
        price=D(price),
        quantity=order.quantity if quantity is None else Decimal(quantity),
        fee=D(fee),
        fee_asset=Asset(asset),
        at=at,
    )


def sold(life: Life, quantity: str | None = None, status: str = "FILLED") -> Decimal:
    """Let the newest order sell so much of itself at 51000, and end; return what it was to sell."""
    order = life.order
    assert order.role is Role.EXIT
    amount = order.quantity if quantity is None else D(quantity)
    told = [fill(order, "51000", amount, trade=f"s{order.attempt}")] if amount else []
    life.tell(report(order, status, amount), *told)
    assert replay(life.records) == life.position
    return order.quantity


def closed_beside_a_never(bot: str = "dip-btc") -> Life:
    """Return a position that is closed; its first exit was called NEVER a minute before."""
    life = Life(bot=bot)
    life.opened()
    life.tell(ExitSignal())
    life.now += timedelta(minutes=5)
    life.tell(absence(life))
    life.tell(ExitSignal(), after=timedelta(minutes=1))
    life.tell(
        report(life.order, "FILLED", life.order.quantity), fill(life.order, "50000", trade="2")
    )
    return life


def replay(records: Iterable[PositionRecord]) -> Position:
    position: Position | None = None
    for record in records:
        position = evolve(position, record)
    assert position is not None
    return position
