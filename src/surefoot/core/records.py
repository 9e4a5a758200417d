"""What is written down: one frozen type per kind of journal record of a position.

A record is a fact, or a decision that has been taken. It is never changed and never removed.
Decimals travel as strings and times as RFC 3339 UTC, so a journal can be read in any language.
"""

from __future__ import annotations

import re
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct

from surefoot.core.exits import ExitPlan, Levels
from surefoot.core.health import Health
from surefoot.core.order import Order, OrderStatus, ReportedStatus
from surefoot.core.position import Dust, ExitWish, State
from surefoot.core.reports import Fill, Grounds
from surefoot.core.stuck import Stuck
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


class _Record(
    Struct, frozen=True, kw_only=True, tag_field="kind", tag=_kind, forbid_unknown_fields=True
):
    at: datetime


class PositionStarted(_Record, frozen=True, kw_only=True):
    """A bot has a position record again, FLAT; what its last one left in dust goes with it."""

    position_id: PositionId
    bot: BotName
    account: AccountName
    symbol: Symbol
    base: Asset
    quote: Asset
    number: int
    carried: Dust = Dust()


class OrderIntended(_Record, frozen=True, kw_only=True):
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


class OrderRecalled(_Record, frozen=True, kw_only=True):
    """An order that had left is back, as it was then: the exchange says something new of it."""

    order: Order


class OrderReported(_Record, frozen=True, kw_only=True):
    """The exchange said something new of an order: its id, more filled, or that it is over."""

    client_order_id: ClientOrderId
    exchange_order_id: ExchangeOrderId
    status: ReportedStatus
    filled: Decimal


class OrderRefused(_Record, frozen=True, kw_only=True):
    """The exchange refused the request with a definitive code; it will never be accepted."""

    client_order_id: ClientOrderId
    code: str
    message: str
    grounds: Grounds = Grounds.OTHER


class OrderDoubted(_Record, frozen=True, kw_only=True):
    """No believable answer came to a request that left; the outcome is unknown."""

    client_order_id: ClientOrderId
    reason: str


class OrderNever(_Record, frozen=True, kw_only=True):
    """It is proven that the order was never accepted.

    `may_have_left` tells what kind of proof it is: False if no request was accepted that could
    still turn up; True if it is concluded from absence, or on somebody's word.
    """

    client_order_id: ClientOrderId
    evidence: str
    may_have_left: bool


class OrderShut(_Record, frozen=True, kw_only=True):
    """It can trade no more: nothing of it is at work, and it can no longer come.

    Whether it traded before is not known yet.
    """

    client_order_id: ClientOrderId
    evidence: str


class OrderFinished(_Record, frozen=True, kw_only=True):
    """The exchange's ending is believed: its fills are counted and add up."""

    client_order_id: ClientOrderId
    status: OrderStatus


class CancelIntended(_Record, frozen=True, kw_only=True):
    """The rest of an order is to be cancelled; the reply will only prompt a query.

    `hailed`: by its own name, because nobody knows whether the exchange has it.
    """

    client_order_id: ClientOrderId
    cancel_name: ClientOrderId
    reason: str
    hailed: bool = False


class AmendIntended(_Record, frozen=True, kw_only=True):
    """An order is to be made smaller where it stands, so that it keeps its names and its place."""

    client_order_id: ClientOrderId
    quantity: Decimal
    not_after: datetime
    reason: str


class AmendRefused(_Record, frozen=True, kw_only=True):
    """The exchange would not make it smaller, or was not asked; it is as it was."""

    client_order_id: ClientOrderId
    reason: str


class OrderAmended(_Record, frozen=True, kw_only=True):
    """The exchange shows the order smaller, whoever asked for it."""

    client_order_id: ClientOrderId
    quantity: Decimal


class FillBooked(_Record, frozen=True, kw_only=True):
    """One exchange trade is counted, once and for ever."""

    client_order_id: ClientOrderId
    fill: Fill


class ExitWished(_Record, frozen=True, kw_only=True):
    """The decision to leave is durable; the lane may have to be cleared first."""

    wish: ExitWish


class ExitLapsed(_Record, frozen=True, kw_only=True):
    """The wish to leave was tried and is over with what it tried: leaving is decided anew."""

    why: str


class PartTaken(_Record, frozen=True, kw_only=True):
    """A part of the take-profit is done with, once and for all; the next one counts now.

    `joins` is the share of it that was too little to trade: it goes with the next.
    """

    why: str
    joins: Decimal = ZERO


class LevelsSet(_Record, frozen=True, kw_only=True):
    """The stop, the target or the phase moved."""

    levels: Levels


class ReductionBooked(_Record, frozen=True, kw_only=True):
    """Part of the holding was closed from outside, and the exchange's trades prove it."""

    quantity: Decimal
    price: Decimal
    evidence: str
    trades: tuple[TradeId, ...] = ()


class ShortageSeen(_Record, frozen=True, kw_only=True):
    """So much of the holding is not on the account: only the rest can be sold; 0 ends it."""

    missing: Decimal
    evidence: str


class CoinsBound(_Record, frozen=True, kw_only=True):
    """Orders of others lock so much of the holding that only the rest can be sold; 0 ends it."""

    quantity: Decimal
    by: str


class DustLeft(_Record, frozen=True, kw_only=True):
    """What is left is too little to trade: it goes into the bot's next position, at cost."""

    dust: Dust


class DustLost(_Record, frozen=True, kw_only=True):
    """Dust that waited for the next entry is the bot's no more; what it had cost is lost."""

    quantity: Decimal
    evidence: str


class StateChanged(_Record, frozen=True, kw_only=True):
    """The position moved along one edge of the state table; FLAT and CLOSED end every wish."""

    target: State
    why: str


class PositionFrozen(_Record, frozen=True, kw_only=True):
    """No new risk here until an operator resolves it; protection stays.

    `lacking` tells that it was for a lack of evidence, which evidence may end.
    """

    reason: str
    lacking: bool = False


class PositionThawed(_Record, frozen=True, kw_only=True):
    """What was frozen for a lack of evidence goes on, because there is evidence now."""

    evidence: str


class PositionSetBack(_Record, frozen=True, kw_only=True):
    """Its journal went back in time: nothing of it is sold before what it holds is proven."""

    reason: str


class PositionProven(_Record, frozen=True, kw_only=True):
    """The exchange's record explains all that it holds, though its journal went back in time."""

    evidence: str


class PositionResolved(_Record, frozen=True, kw_only=True):
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


class Cause(StrEnum):
    """Why a bot is in review; what lifts it is the operator's word, or proof that this is gone."""

    STRATEGY = "strategy"
    SYMBOL = "symbol"
    UNREACHABLE = "unreachable"
    CONFIGURATION = "configuration"
    UNFIT = "unfit"  # it cannot run as the server was started: only the next start looks again
    CONTRADICTION = "contradiction"
    SETBACK = "setback"


class BotStatusChanged(_Record, frozen=True, kw_only=True):
    """A bot was started, paused, stopped or put into review, by whom and why.

    `cause` is why it is in review; None is a cause that nobody can prove gone. While an operator
    holds it, that status stays with who said it and why, and `review` is why to look at it as well.
    """

    bot: BotName
    status: str
    by: str
    reason: str | None = None
    cause: Cause | None = None
    review: str | None = None


class AccountBound(_Record, frozen=True, kw_only=True):
    """The journal belongs to one account of one environment, for ever; it held so much then."""

    account: AccountName
    exchange: str
    uid: str
    environment: str
    balances: dict[Asset, Decimal]


class LifeBegan(_Record, frozen=True, kw_only=True):
    """A life of a server began on this account: every id that it makes is of this generation."""

    account: AccountName
    epoch: str
    generation: str


class WatermarkMoved(_Record, frozen=True, kw_only=True):
    """Every fill of this symbol up to and including this trade is read and dealt with."""

    account: AccountName
    symbol: Symbol
    trade_id: str


class Coins(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much of one asset was not the bots', in an answer that was asked for at this time."""

    amount: Decimal
    at: datetime


class OthersSeen(_Record, frozen=True, kw_only=True):
    """What the account holds of its bots' assets beyond what they hold: the coins of others.

    `found` is what came or went since, and by which trades of others on the bots' symbols.
    """

    account: AccountName
    coins: dict[Asset, Coins]
    found: tuple[str, ...] = ()


class OrphanCancelIntended(_Record, frozen=True, kw_only=True):
    """An order that no live intent explains is to be cancelled."""

    account: AccountName
    symbol: Symbol
    exchange_order_id: ExchangeOrderId
    client_order_id: ClientOrderId | None
    reason: str


class BanNoted(_Record, frozen=True, kw_only=True):
    """The exchange will not talk to us before this time; a restart must not forget it."""

    account: AccountName
    until: datetime


class Recovered(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One position in a recovery: believed, what speaks for or against it, and what followed.

    Without a position it is something that no bot's explains.
    """

    position_id: PositionId | None
    outcome: str
    believed: str
    evidence: tuple[str, ...]
    followed: tuple[str, ...]
    now: str


class RecoveryFinished(_Record, frozen=True, kw_only=True):
    """What recovery found and did, also when that was nothing, and when it failed.

    `told` is the account position by position, bounded: `positions` counts them all.
    `unwatched_since` is the last sign of life of the server before; None if this one watched.
    """

    account: AccountName
    outcome: str
    positions: dict[str, int]
    orders_cancelled: int
    fills_booked: int
    bots_restarted: int
    bots_in_review: dict[str, str]
    requests: int
    weight: int
    seconds: Decimal
    told: tuple[Recovered, ...] = ()
    unwatched_since: datetime | None = None


class HealthChanged(_Record, frozen=True, kw_only=True):
    """An account stands differently with its exchange; ages are gauges and no records.

    `server` is since when the one that says so runs: what another one said holds no more.
    """

    account: AccountName
    environment: str
    health: Health
    server: datetime | None = None


class StuckChanged(_Record, frozen=True, kw_only=True):
    """What is past its deadline changed: `standing` is all of it now, `ended` what no longer is."""

    account: AccountName
    raised: tuple[str, ...]
    ended: tuple[str, ...]
    standing: tuple[Stuck, ...]


class LossCapReached(_Record, frozen=True, kw_only=True):
    """The account lost as much today (UTC) as it may: no entry before tomorrow."""

    account: AccountName
    quote: Asset
    lost: Decimal
    cap: Decimal


class LossCapLifted(_Record, frozen=True, kw_only=True):
    """An operator let entries in again today; what was `lost` until then is let pass."""

    account: AccountName
    quote: Asset
    lost: Decimal
    by: str


AccountRecord: TypeAlias = (
    AccountBound
    | LifeBegan
    | WatermarkMoved
    | OthersSeen
    | OrphanCancelIntended
    | BanNoted
    | RecoveryFinished
    | HealthChanged
    | StuckChanged
    | LossCapReached
    | LossCapLifted
)

Record: TypeAlias = PositionRecord | BotStatusChanged | AccountRecord


def kind_of(record: Record) -> str:
    """Return the name under which a record is stored."""
    return str(record.__struct_config__.tag)
