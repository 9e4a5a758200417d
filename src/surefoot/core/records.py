"""What is written down: one frozen type per kind of journal record of a position.

A record is a fact, or a decision that has been taken. It is never changed and never removed.
Decimals travel as strings and times as RFC 3339 UTC, so a journal can be read in any language.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct

from surefoot.core.exits import ExitPlan, Levels
from surefoot.core.order import Order, OrderStatus, ReportedStatus
from surefoot.core.position import Dust, ExitWish, State
from surefoot.core.reports import Fill, Grounds
from surefoot.core.values import (
    ZERO,
    AccountName,
    Asset,
    BotName,
    ClientOrderId,
    Direction,
    ExchangeOrderId,
    PositionId,
    Symbol,
    TradeId,
)


def _kind(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()


class Written(
    Struct, frozen=True, kw_only=True, tag_field="kind", tag=_kind, forbid_unknown_fields=True
):
    """What every record is: of a kind, and written down at a time."""

    at: datetime


class PositionStarted(Written, frozen=True, kw_only=True):
    """A bot has a position record again, FLAT; what its last one left in dust goes with it."""

    position_id: PositionId
    bot: BotName
    account: AccountName
    symbol: Symbol
    base: Asset
    quote: Asset
    number: int
    carried: Dust = Dust()


class OrderIntended(Written, frozen=True, kw_only=True):
    """An order is written down; only after this is durable may a byte of it leave.

    `plan` and `direction` come with an entry and with no other role, `least` (the worth of the
    least that the venue trades, as it was then) with what buys. An order that replaces another
    is half of a group: it leaves in one request with that one's cancel, called `cancel_name`.
    """

    order: Order
    reason: str
    cancel_name: ClientOrderId | None = None
    plan: ExitPlan | None = None
    direction: Direction | None = None
    least: Decimal | None = None


class OrderRecalled(Written, frozen=True, kw_only=True):
    """An order that had left is back, as it was then: the exchange says something new of it."""

    order: Order


class OrderReported(Written, frozen=True, kw_only=True):
    """The exchange said something new of an order: its id, more filled, or that it is over."""

    client_order_id: ClientOrderId
    exchange_order_id: ExchangeOrderId
    status: ReportedStatus
    filled: Decimal


class OrderRefused(Written, frozen=True, kw_only=True):
    """The exchange refused the request with a definitive code; it will never be accepted."""

    client_order_id: ClientOrderId
    code: str
    message: str
    grounds: Grounds = Grounds.OTHER


class OrderDoubted(Written, frozen=True, kw_only=True):
    """No believable answer came to a request that left; the outcome is unknown."""

    client_order_id: ClientOrderId
    reason: str


class OrderNever(Written, frozen=True, kw_only=True):
    """It is proven that the order was never accepted.

    `may_have_left` tells what kind of proof it is: False if no request was accepted that could
    still turn up; True if it is concluded from absence, or on somebody's word.
    """

    client_order_id: ClientOrderId
    evidence: str
    may_have_left: bool


class OrderShut(Written, frozen=True, kw_only=True):
    """It can trade no more: nothing of it is at work, and it can no longer come.

    Whether it traded before is not known yet.
    """

    client_order_id: ClientOrderId
    evidence: str


class OrderFinished(Written, frozen=True, kw_only=True):
    """The exchange's ending is believed: its fills are counted and add up."""

    client_order_id: ClientOrderId
    status: OrderStatus


class CancelIntended(Written, frozen=True, kw_only=True):
    """The rest of an order is to be cancelled; the reply will only prompt a query.

    `hailed`: by its own name, because nobody knows whether the exchange has it.
    """

    client_order_id: ClientOrderId
    cancel_name: ClientOrderId
    reason: str
    hailed: bool = False


class AmendIntended(Written, frozen=True, kw_only=True):
    """An order is to be made smaller where it stands, so that it keeps its names and its place."""

    client_order_id: ClientOrderId
    quantity: Decimal
    not_after: datetime
    reason: str


class AmendRefused(Written, frozen=True, kw_only=True):
    """The exchange would not make it smaller, or was not asked; it is as it was."""

    client_order_id: ClientOrderId
    reason: str


class OrderAmended(Written, frozen=True, kw_only=True):
    """The exchange shows the order smaller, whoever asked for it."""

    client_order_id: ClientOrderId
    quantity: Decimal


class FillBooked(Written, frozen=True, kw_only=True):
    """One exchange trade is counted, once and for ever."""

    client_order_id: ClientOrderId
    fill: Fill


class ExitWished(Written, frozen=True, kw_only=True):
    """The decision to leave is durable; the lane may have to be cleared first."""

    wish: ExitWish


class ExitLapsed(Written, frozen=True, kw_only=True):
    """The wish to leave was tried and is over with what it tried: leaving is decided anew."""

    why: str


class PartTaken(Written, frozen=True, kw_only=True):
    """A part of the take-profit is done with, once and for all; the next one counts now.

    `joins` is the share of it that was too little to trade: it goes with the next.
    """

    why: str
    joins: Decimal = ZERO


class LevelsSet(Written, frozen=True, kw_only=True):
    """The stop, the target or the phase moved."""

    levels: Levels


class ReductionBooked(Written, frozen=True, kw_only=True):
    """Part of the holding was closed from outside; the exchange's trades or orders prove it."""

    quantity: Decimal
    price: Decimal
    evidence: str
    trades: tuple[TradeId, ...] = ()
    orders: tuple[ExchangeOrderId, ...] = ()


class ShortageSeen(Written, frozen=True, kw_only=True):
    """So much of the holding is not on the account: only the rest can be sold; 0 ends it."""

    missing: Decimal
    evidence: str


class CoinsBound(Written, frozen=True, kw_only=True):
    """Orders of others lock so much of the holding that only the rest can be sold; 0 ends it."""

    quantity: Decimal
    by: str


class DustLeft(Written, frozen=True, kw_only=True):
    """What is left is too little to trade: it goes into the bot's next position, at cost."""

    dust: Dust


class DustLost(Written, frozen=True, kw_only=True):
    """Dust that waited for the next entry is the bot's no more; what it had cost is lost."""

    quantity: Decimal
    evidence: str


class StateChanged(Written, frozen=True, kw_only=True):
    """The position moved along one edge of the state table; FLAT and CLOSED end every wish."""

    target: State
    why: str


class PositionFrozen(Written, frozen=True, kw_only=True):
    """No new risk here until an operator resolves it; protection stays.

    `lacking` tells that it was for a lack of evidence, which evidence may end.
    """

    reason: str
    lacking: bool = False


class PositionThawed(Written, frozen=True, kw_only=True):
    """What was frozen for a lack of evidence goes on, because there is evidence now."""

    evidence: str


class PositionSetBack(Written, frozen=True, kw_only=True):
    """Its journal went back in time: nothing of it is sold before what it holds is proven."""

    reason: str


class PositionProven(Written, frozen=True, kw_only=True):
    """The exchange's record explains all that it holds, though its journal went back in time."""

    evidence: str


class PositionResolved(Written, frozen=True, kw_only=True):
    """An operator looked and decided; `written_off` is the quantity declared gone."""

    by: str
    how: str
    written_off: Decimal


PositionChange: TypeAlias = (
    OrderIntended
    | OrderRecalled
    | OrderReported
    | OrderRefused
    | OrderDoubted
    | OrderNever
    | OrderShut
    | OrderFinished
    | CancelIntended
    | AmendIntended
    | AmendRefused
    | OrderAmended
    | FillBooked
    | ExitWished
    | ExitLapsed
    | PartTaken
    | LevelsSet
    | ReductionBooked
    | ShortageSeen
    | CoinsBound
    | DustLeft
    | DustLost
    | StateChanged
    | PositionFrozen
    | PositionThawed
    | PositionSetBack
    | PositionProven
    | PositionResolved
)

PositionRecord: TypeAlias = PositionStarted | PositionChange
