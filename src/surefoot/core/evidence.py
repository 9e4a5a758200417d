"""What is compared: belief on one side, evidence on the other; and what a difference is called."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from surefoot.core.account_records import Coins
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.terms import Terms
from surefoot.core.values import Asset, BotName, ClientOrderId, PositionId, Side, Symbol


class FindingKind(StrEnum):
    """What a comparison can come to."""

    ORDER_FOUND = "order-found"
    ORDER_OVER = "order-over"
    ORDER_UNKNOWN = "order-unknown"
    ORDER_ABSENT = "order-absent"
    ORDER_VANISHED = "order-vanished"
    ORDER_LATE = "order-late"
    FILLS_MISSED = "fills-missed"
    REDUCED_OUTSIDE = "reduced-outside"
    HOLDING_MISSING = "holding-missing"
    OTHERS_COINS = "others-coins"
    ORPHAN = "orphan"
    UNKNOWN_OWN_ORDER = "unknown-own-order"
    FOREIGN_ORDER = "foreign-order"
    SETBACK_EXPLAINED = "setback-explained"
    EXCHANGE_RESET = "exchange-reset"
    FAILED = "failed"


class Finding(Struct, frozen=True, kw_only=True):
    """One difference: where, on what evidence, and what follows from it."""

    kind: FindingKind
    symbol: Symbol
    evidence: str
    outcome: str
    bot: BotName | None = None
    position_id: PositionId | None = None
    order: str | None = None


class Owned(Struct, frozen=True, kw_only=True):
    """An order of ours as the journal has it, of whatever age, and whose it is."""

    position_id: PositionId
    bot: BotName
    order: Order


class Window(Struct, frozen=True, kw_only=True):
    """The account's fills of one symbol, read without a gap if `complete`."""

    fills: tuple[Fill, ...]
    complete: bool


class Evidence(Struct, frozen=True, kw_only=True):
    """What one round of reading brought; a question that failed is simply not in here.

    `started_at` is exchange time before the first read, `versions` are the positions' then.
    `looked_up` holds the answers to by-id questions; None is the exchange's own "no such order".
    `missing` are base assets whose balance has been short for longer than V, so that a fill which
    is not visible yet cannot be the reason. `locked` is what orders that rest bind of a quote.
    `foreign` are orders of others of which something is filled, where no trades were read.
    `free` is what nothing locks of a base asset, where a sale was refused for it.
    `balances_at` is when the balances were asked for: what was traded later is not in them.
    """

    started_at: datetime
    versions: Mapping[PositionId, int]
    open_orders: tuple[OrderReport, ...] = ()
    looked_up: Mapping[ClientOrderId, OrderReport | None] = {}
    windows: Mapping[Symbol, Window] = {}
    balances: Mapping[Asset, Decimal] | None = None
    balances_at: datetime | None = None
    missing: frozenset[Asset] = frozenset()
    locked: Mapping[Asset, Decimal] = {}
    free: Mapping[Asset, Decimal] = {}
    foreign: Mapping[Symbol, tuple[OrderReport, ...]] = {}


def _named_nowhere(_client_order_id: str) -> bool:
    return False


class Belief(Struct, frozen=True, kw_only=True):
    """What the journal says of one account. `is_ours` recognises our client order ids.

    Of those, `is_named_here` recognises what this journal named since it was begun or put back.

    Terms are a bot's own: two bots on one symbol may want different stops. `departed` are orders
    that the evidence speaks of and that have left their positions; a position that is not among
    these is over. `others` is what the account held of each asset beyond what the bots hold, when
    it was last weighed; `beside` is what bots hold of it on symbols that are not looked at now.
    `fees` is what fills of ours took of an asset since then, other than of what they bought.
    `locked` is what orders of ours that sell lock on symbols that are not looked at now.
    `bound` is what entries of bots that are known to rest bind of the quote of one in doubt.
    `doubted` are the sides of orders in doubt on symbols that are not looked at now, by asset.
    """

    positions: tuple[Position, ...]
    terms: Mapping[BotName, Terms]
    is_ours: Callable[[str], bool]
    exclusive: bool
    is_named_here: Callable[[str], bool] = _named_nowhere
    departed: tuple[Owned, ...] = ()
    others: Mapping[Asset, Coins] = {}
    beside: Mapping[Asset, Decimal] = {}
    bound: Mapping[Asset, Decimal] = {}
    locked: Mapping[Asset, Decimal] = {}
    fees: Mapping[Asset, Decimal] = {}
    doubted: Mapping[Asset, frozenset[Side]] = {}

    def on(self, symbols: Collection[Symbol]) -> Belief:
        """Return what is believed of some symbols."""
        positions = tuple(each for each in self.positions if each.symbol in symbols)
        return replace(self, positions=positions)


class Orphan(Struct, frozen=True, kw_only=True):
    """An order that is to be cancelled, as a journaled intent."""

    report: OrderReport
    reason: str

    @property
    def name(self) -> str:
        """Return what an operator can find it by."""
        return self.report.client_order_id or self.report.exchange_order_id


class Lingering(Struct, frozen=True, kw_only=True):
    """An orphan that every read since then has shown."""

    orphan: Orphan
    since: datetime
