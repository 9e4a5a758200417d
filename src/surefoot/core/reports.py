"""What came back: the facts and non-facts that reach the core from outside.

One door for a fact, however it arrived: the WebSocket, a poll and recovery all speak in these
types. A report that could not be read has no type here, because it proves nothing.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct

from surefoot.core.ebb import Ebb
from surefoot.core.order import Order, ReportedStatus
from surefoot.core.values import (
    ZERO,
    Asset,
    ClientOrderId,
    ExchangeOrderId,
    Side,
    Symbol,
    TradeId,
)


class OrderReport(Struct, frozen=True, kw_only=True):
    """What the exchange says of one order; `filled` is cumulative, in base units.

    `cost` is what that was worth in quote, `placed_at` when it was accepted, where it is told.
    """

    symbol: Symbol
    exchange_order_id: ExchangeOrderId
    status: ReportedStatus
    side: Side
    quantity: Decimal
    filled: Decimal
    client_order_id: ClientOrderId | None = None
    limit: Decimal | None = None
    at: datetime | None = None
    placed_at: datetime | None = None
    cost: Decimal | None = None


class Fill(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One exchange trade of one order; a negative fee is a rebate."""

    symbol: Symbol
    trade_id: TradeId
    exchange_order_id: ExchangeOrderId
    side: Side
    price: Decimal
    quantity: Decimal
    at: datetime
    client_order_id: ClientOrderId | None = None
    fee: Decimal = ZERO
    fee_asset: Asset | None = None


class LateFact(Struct, frozen=True, kw_only=True):
    """What the exchange says of an order that has left its position, and that order as it was."""

    order: Order
    fact: OrderReport | Fill


class Grounds(StrEnum):
    """What a definitive no teaches beside itself."""

    OTHER = "other"  # nothing
    PASSED = "passed"  # a stop would trigger at once: the market has reached its level
    FUNDS = "funds"  # the account does not hold what it takes
    FILTER = "filter"  # it does not fit the venue's filters: they have changed
    UNTIMELY = "untimely"  # by the exchange's clock the request was too old, or of the future
    CLOSED = "closed"  # nobody trades on the symbol now
    TOO_SMALL = "too-small"  # it is worth less, at the market's price, than what is traded


class Refusal(Struct, frozen=True, kw_only=True):
    """The exchange said no, with a code that means it never will accept this request."""

    client_order_id: ClientOrderId
    code: str
    message: str
    grounds: Grounds = Grounds.OTHER


class Unsent(Struct, frozen=True, kw_only=True):
    """No request was accepted: it provably never left, or the exchange would not take it."""

    client_order_id: ClientOrderId
    reason: str


class Unamended(Struct, frozen=True, kw_only=True):
    """An order was not made smaller: the exchange refused, or the request never left."""

    client_order_id: ClientOrderId
    reason: str


class Doubt(Struct, frozen=True, kw_only=True):
    """The request left and no answer that can be believed came back."""

    client_order_id: ClientOrderId
    reason: str


class Absence(Struct, frozen=True, kw_only=True):
    """One attempt to prove that an order never existed: what was read, when, how completely.

    `read_started_at` is exchange time before the first read; `version` is the position's at that
    moment. `fills_complete` says that the window of fills since the intent is proven complete;
    `group_answered` that the same round was told of what the order was to replace, if anything;
    `contradicted` says what the balance shows that only this order explains; `alone` that the
    account has no coins that could be sold in place of this position's. `ebb` is what others sold
    of what is held: if they bought as much since, the next sale would sell what is theirs.
    """

    client_order_id: ClientOrderId
    read_started_at: datetime
    not_found: bool
    fills_complete: bool
    named_by_a_fill: bool
    version: int
    group_answered: bool = True
    contradicted: str | None = None
    alone: bool = False
    ebb: Ebb = Ebb()


class NothingOpen(Struct, frozen=True, kw_only=True):
    """Asked at this time to cancel an order by its name, the exchange had nothing of it at work.

    It is the matching engine that says so, of that instant: no read is as fresh.
    """

    client_order_id: ClientOrderId
    asked_at: datetime


class Reduction(Struct, frozen=True, kw_only=True):
    """A holding that is provably smaller than our own fills explain, and by what of others.

    That is trades, or whole orders that are over.
    """

    quantity: Decimal
    price: Decimal
    evidence: str
    trades: tuple[TradeId, ...] = ()
    orders: tuple[ExchangeOrderId, ...] = ()


class Shortage(Struct, frozen=True, kw_only=True):
    """So much of a holding is not on the account, on what evidence; none of it: 0."""

    missing: Decimal
    evidence: str


class Binding(Struct, frozen=True, kw_only=True):
    """So much of a holding orders of others lock, and which; nothing: 0."""

    quantity: Decimal
    by: str


class SetBack(Struct, frozen=True, kw_only=True):
    """The journal was found to have gone back in time, and this is why."""

    reason: str


class Proof(Struct, frozen=True, kw_only=True):
    """The exchange's record explains all that a position holds, and how."""

    evidence: str


class PriceSeen(Struct, frozen=True, kw_only=True):
    """The market was at this price; `at` is exchange time, None means now."""

    price: Decimal
    at: datetime | None = None


class TimePassed(Struct, frozen=True, kw_only=True):
    """Nothing was reported; only the clock moved."""
