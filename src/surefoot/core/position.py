"""The position: five states, one table, and what a position adds up to.

`TRANSITIONS` is the only place where a move between states is allowed. The code asks it, the
database's trigger is generated from it, the diagram in the documents is drawn from it and the
tests walk it. `quantity` counts whenever it is not zero, whatever the state is called.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Context, Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct, field

from surefoot.core.errors import IllegalTransition
from surefoot.core.exits import ExitPlan, Level, Levels
from surefoot.core.lanes import Lane, unfinished
from surefoot.core.order import Order, OrderStatus, Role
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


class State(StrEnum):
    """Where a position is in its life."""

    FLAT = "FLAT"
    OPENING = "OPENING"
    OPEN = "OPEN"
    CLOSING = "CLOSING"
    CLOSED = "CLOSED"


# A share of a cost is cut here, finer than any price times any quantity: so sums stay exact.
COST_STEP: Final = Decimal("1e-16")
_WIDE: Final = Context(prec=60)

TRANSITIONS: dict[State, dict[State, str]] = {
    State.FLAT: {
        State.OPENING: "an entry intent is durable",
    },
    State.OPENING: {
        State.OPEN: "the entry order is finished and something was filled",
        State.FLAT: "the entry order is finished, or proven never to have existed, "
        "and nothing was filled",
    },
    State.OPEN: {
        State.CLOSING: "an exit intent is durable, or a protective stop began to fill, "
        "or an outside reduction is proven, or what is left is too little to trade",
    },
    State.CLOSING: {
        State.CLOSED: "quantity is zero (or dust): PnL is final",
        State.OPEN: "the exit order is finished and quantity remains",
    },
    State.CLOSED: {},
}


def permit(source: State, target: State) -> None:
    """Return if the table has this edge.

    Raises:
        IllegalTransition: it has not.
    """
    if target not in TRANSITIONS[source]:
        allowed = ", ".join(TRANSITIONS[source]) or "nothing: it is final"
        raise IllegalTransition(f"{source} may not become {target}; it may become {allowed}")


class ExitWish(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Somebody decided to leave, and that decision is durable.

    `by` tells a person who it was: the strategy, an operator or a level; the code asks `level`,
    the one that a price reached. `persistent` wishes outlive a failed exit. So much is to stay as
    `keep` says: what is sold twice by mistake would be more, and this cannot be.
    """

    by: str
    reason: str
    level: Level | None = None
    limit: Decimal | None = None
    expires_at: datetime | None = None
    persistent: bool = False
    keep: Decimal = ZERO

    @property
    def said(self) -> str:
        """Who it was, and why."""
        return f"{self.by}: {self.reason or 'no reason given'}"


class Dust(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """Coins that are too little to trade, and what was paid for them."""

    quantity: Decimal = ZERO
    cost: Decimal = ZERO


class Bound(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """So much of what is held orders of others lock, since when, and which; 0: it is to be asked.

    That begins when a sale is refused because the coins are not free.
    """

    quantity: Decimal
    since: datetime
    by: str = ""


class Taken(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """How far the parts of the take-profit have come.

    So many `parts` are done with; the share `joins` of them was too little to trade and goes with
    the next. `keep` is what is to stay of the one that is being sold, however often that is tried.
    """

    parts: int = 0
    joins: Decimal = ZERO
    keep: Decimal = ZERO


class Tally(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """How the newest orders of one role came to nothing in a row, not by our own doing.

    `since` is when the first of them was signed, `last_at` when the last one ended, `why` the last
    reason that was given. Of `fruitless` orders the newest `failed` were never at work, and of
    these the newest `refused` were refused, not for their time or a closed market alone.
    """

    since: datetime
    last_at: datetime
    why: str | None
    fruitless: int
    failed: int
    refused: int


class Position(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One position of one bot, as its records add up.

    `orders` are those that still matter: what is not over, what is looked for, and the newest of
    each role. The others have left: the journal keeps them, and what they did is in the sums,
    in `tallies` (absent: the last order of that role did not fail) and in `attempts`, which counts
    every order that was ever written down, so that no name comes again.

    Money fields are in the quote asset unless named otherwise. `entries` counts the orders that
    bought: the first opened it, the others added to it. `entered` and `exited` are gross
    base quantities; `base_fees` were kept back from what was bought and are not held; `written_off`
    is what was declared gone. `carried` is dust of the position before, which is sold with what
    this one buys; `left` is what goes into the next one. `outside` are trades of others that
    reduced it, and `outside_orders` whole orders of theirs; `missing` is what the account lacks of
    it, `bound` what others lock. `denied_at` is when the exchange refused to sell it because the
    coins are not free, until a later balance has been weighed: what lacked then may have been
    bought by somebody since. `meddled_at` is when somebody else cancelled what sells it, or locked
    it; `lacking` tells that it is frozen for a lack of evidence. `set_back_at` is when its journal
    was found to have gone back in time: what it holds is not proven, so nothing is written that
    sells. `least` is the worth of the least that the venue traded when it last bought; `too_small`
    is the most that the exchange, since something was last sold, refused to sell at the market
    because it is worth too little.
    """

    position_id: PositionId
    bot: BotName
    account: AccountName
    symbol: Symbol
    base: Asset
    quote: Asset
    number: int
    version: int = 0
    state: State = State.FLAT
    direction: Direction = Direction.LONG
    plan: ExitPlan = field(default_factory=ExitPlan)
    levels: Levels = field(default_factory=Levels)
    orders: tuple[Order, ...] = ()
    attempts: int = 0
    tallies: dict[Role, Tally] = field(default_factory=dict)
    entries: int = 0
    entered: Decimal = ZERO
    entry_cost: Decimal = ZERO
    exited: Decimal = ZERO
    exit_proceeds: Decimal = ZERO
    base_fees: Decimal = ZERO
    written_off: Decimal = ZERO
    carried: Dust = Dust()
    left: Dust = Dust()
    fees: dict[str, Decimal] = field(default_factory=dict)
    outside: tuple[TradeId, ...] = ()
    outside_orders: tuple[ExchangeOrderId, ...] = ()
    taken: Taken = Taken()
    exit_wish: ExitWish | None = None
    wished_at: datetime | None = None
    frozen: str | None = None
    lacking: bool = False
    missing: Decimal = ZERO
    bound: Bound | None = None
    denied_at: datetime | None = None
    meddled_at: datetime | None = None
    least: Decimal | None = None
    too_small: Decimal = ZERO
    set_back_at: datetime | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None

    @property
    def claim(self) -> Decimal:
        """Return what of the account's coins is its own; dust also before anything is bought."""
        return self._acquired - self.exited - self.written_off

    @property
    def quantity(self) -> Decimal:
        """Return the net base quantity held, after fees taken in the base asset.

        Carried dust is a part of it from the first fill on: alone it is nothing that is traded.
        """
        return self.claim if self.entered else ZERO

    @property
    def bought(self) -> Decimal:
        """Return what was ever bought, net of what was kept back of it as a fee."""
        return self.entered - self.base_fees

    @property
    def present(self) -> Decimal:
        """Return what of it is there: what is held, less what the account lacks."""
        return max(self.quantity - self.missing, ZERO)

    @property
    def locked(self) -> Decimal:
        """Return what its own orders lock of it; of two in one place only one can."""
        sellers = (each for each in self.orders if each.role is not Role.ENTRY and each.told_at)
        return max((each.remaining for each in sellers), default=ZERO)

    @property
    def available(self) -> Decimal:
        """Return what of it can be sold: what is there, less what orders of others lock.

        What the exchange has denied is only known to be there where an order of its own locks it.
        """
        if self.denied_at is not None:
            return min(self.present, self.locked)
        return max(self.present - (self.bound.quantity if self.bound else ZERO), ZERO)

    @property
    def entry_price(self) -> Decimal | None:
        """Return the volume-weighted entry price, or None before the first fill."""
        return self.entry_cost / self.entered if self.entered else None

    @property
    def quote_fees(self) -> Decimal:
        """Return the fees taken in the quote asset."""
        return self.fees.get(self.quote, ZERO)

    @property
    def _acquired(self) -> Decimal:
        return self.carried.quantity + self.entered - self.base_fees - self.left.quantity

    @property
    def paid(self) -> Decimal:
        """Return what was paid for all that it has, or had and did not leave to the next one."""
        return self.carried.cost + self.entry_cost - self.left.cost

    @property
    def held_cost(self) -> Decimal:
        """Return what was paid for what it has: its share of all that was bought and carried."""
        claim, acquired = max(self.claim, ZERO), self._acquired
        if claim == acquired or acquired <= ZERO:
            return self.paid
        share = _WIDE.divide(_WIDE.multiply(self.paid, claim), acquired)
        return _WIDE.quantize(share, COST_STEP)

    @property
    def realized_pnl(self) -> Decimal:
        """Return the quote-asset result so far: what came back less what was paid for it.

        Final once CLOSED. What is still held, and dust that is left to the next position, counts
        at cost; what was written off is lost. Fees in a third asset are listed in `fees`.
        """
        gone = self.paid - self.held_cost
        return (self.exit_proceeds - gone) * self.direction.sign - self.quote_fees

    def unrealized_pnl(self, price: Decimal) -> Decimal:
        """Return what the held quantity would gain if it were sold at this price, before fees."""
        if not self.entered:
            return ZERO
        return (price * self.quantity - self.held_cost) * self.direction.sign

    @property
    def unfinished(self) -> Order | None:
        """Return an order that may still trade, in any lane (the oldest), or None."""
        for order in self.orders:
            if not order.finished and not order.shut:
                return order
        return None

    @property
    def needs_watching(self) -> bool:
        """Tell whether something may come of it: it holds or orders something, or is frozen."""
        return bool(self.quantity) or self.unfinished is not None or self.frozen is not None

    def is_awaited(self, now: datetime) -> bool:
        """Tell whether something may come of it; also of a NEVER that is still looked for."""
        return self.needs_watching or any(order.is_lately_never(now) for order in self.orders)

    @property
    def is_counted(self) -> bool:
        """Tell whether every order is over, so that what was traded is all that ever will be."""
        return all(order.finished for order in self.orders)

    def lane(self, lane: Lane) -> Order | None:
        """Return the intent that is open in a lane, or None if it is free."""
        found = unfinished(self.orders, lane)
        return found[-1] if found else None

    def is_replacing(self, order: Order) -> bool:
        """Tell whether what takes an order's place is under way, and with it that one's cancel.

        Once it is over, only what was said of it may be wrong: then nothing else cancels this one.
        """
        successor = None if order.replaced_by is None else self.find(order.replaced_by)
        return successor is not None and not successor.finished

    def rivals(self, name: ClientOrderId) -> tuple[Order, ...]:
        """Return what is to replace an order and is not known to have been accepted.

        An order can be cancelled once, and only while nothing of it is filled: of the order and of
        all that are sent in its place one can ever trade.
        """
        return tuple(
            order
            for order in self.orders
            if order.replaces == name and order.status is OrderStatus.INTENDED
        )

    @property
    def settled_at(self) -> datetime | None:
        """Return from when on it needs no more looking after; None while that is not known.

        It is CLOSED and not frozen, and no NEVER in it is looked for any more.
        """
        if self.state is not State.CLOSED or self.frozen is not None:
            return None
        ends = [self.closed_at, *(order.sought_until for order in self.orders)]
        return max((end for end in ends if end is not None), default=None)

    def is_settled(self, now: datetime) -> bool:
        """Tell whether it needs no more looking after."""
        return self.settled_at is not None and self.settled_at <= now

    def last(self, role: Role) -> Order | None:
        """Return the newest order of a role, or None."""
        for order in reversed(self.orders):
            if order.role is role:
                return order
        return None

    def find(
        self,
        client_order_id: ClientOrderId | None,
        exchange_order_id: ExchangeOrderId | None = None,
    ) -> Order | None:
        """Return the order with either id, or None if it is none of these."""
        for order in self.orders:
            if order.is_named(client_order_id, exchange_order_id):
                return order
        return None
