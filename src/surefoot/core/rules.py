"""What follows from a position as it stands: the rules that settle it.

Each rule looks at a position and gives one record, or nothing. `decide` runs them after every
input until none has anything to add; the order in `RULES` is the order of precedence. A rule
never remembers: whatever it needs to know is in the position, so after a crash the same rules see
the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from surefoot.core.exits import at_entry
from surefoot.core.instrument import Instrument
from surefoot.core.lanes import Lane
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import Position, State
from surefoot.core.records import (
    CancelIntended,
    ExitLapsed,
    LevelsSet,
    OrderFinished,
    OrderIntended,
    PositionRecord,
    StateChanged,
)
from surefoot.core.values import ZERO, ClientOrderId, PositionId, plain

RETRY_FIRST: Final = timedelta(seconds=1)
RETRY_LONGEST: Final = timedelta(seconds=60)


class Terms(Struct, frozen=True, kw_only=True):
    """What the venue and the operator have fixed for one bot.

    `request_lifetime` bounds how long an order request may travel, `visibility` (V) how late an
    accepted order may still be missing from every read. `native_stop` asks for a stop order that
    rests at the exchange. `name_order` encodes identities the venue's way. `held` are the roles of
    orders that may not be written down now, because the venue has no room for them, and why.
    """

    instrument: Instrument
    request_lifetime: timedelta
    visibility: timedelta
    native_stop: bool
    name_order: Callable[[PositionId, Role, int], ClientOrderId]
    held: Mapping[Role, str] = {}


Rule = Callable[[Position, datetime, Terms], "PositionRecord | None"]


def move_state(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Move along the state table as soon as an edge's condition holds."""
    step = _next_state(position, terms)
    if step is None:
        return None
    target, why = step
    return StateChanged(at=now, target=target, why=why)


def _next_state(position: Position, terms: Terms) -> tuple[State, str] | None:
    entering = position.lane(Lane.ENTRY) is not None
    live = position.unfinished
    match position.state:
        case State.FLAT if entering:
            return State.OPENING, "the entry intent is durable"
        case State.OPENING if not entering and position.entered:
            return State.OPEN, "the entry order is finished and something was filled"
        case State.OPENING if not entering:
            return State.FLAT, "the entry order is over and nothing was filled"
        case State.OPEN:
            why = _leaving(position, terms)
            return None if why is None else (State.CLOSING, why)
        case State.CLOSING if live is None and is_dust(position, terms):
            return State.CLOSED, _ending(position)
        case State.CLOSING if live is None:
            return State.OPEN, f"{plain(position.quantity)} {position.base} remain"
        case _:
            return None


def _leaving(position: Position, terms: Terms) -> str | None:
    if position.lane(Lane.EXIT) is not None:
        return "the exit intent is durable"
    stop = position.lane(Lane.PROTECTION)
    if stop is not None and stop.filled:
        return "the protective stop began to fill"
    if position.unfinished is None and is_dust(position, terms):
        return "what is left is too little to trade"
    return None


def _ending(position: Position) -> str:
    if position.quantity:
        return f"{plain(position.quantity)} {position.base} of dust remain; PnL is final"
    return "nothing is held any more; PnL is final"


def lapse_exit(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Let a wish to leave lapse when its order is over and something is still held.

    Leaving is then decided anew, from the next price. Not if an operator insists, if the exit sold
    all that one order may carry, or if it was the stop that ended before the exit had its turn.
    """
    wish = position.exit_wish
    if position.state is not State.CLOSING or position.unfinished is not None or wish is None:
        return None
    latest = position.orders[-1]
    if latest.role is not Role.EXIT or latest.status is OrderStatus.FILLED:
        return None
    making_way = wish.limit is None and latest.limit is not None
    if wish.persistent or making_way or is_dust(position, terms):
        return None
    return ExitLapsed(at=now, why=f"{latest.client_order_id} is {latest.status}")


def set_levels(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Give a position its levels with its first fill, and follow its average price."""
    entry = position.entry_price
    if position.state is not State.OPENING or entry is None:
        return None
    levels = at_entry(position.plan, entry, position.direction, terms.instrument.tick)
    return None if levels == position.levels else LevelsSet(at=now, levels=levels)


def finish_orders(position: Position, now: datetime, _terms: Terms) -> PositionRecord | None:
    """Believe an ending once it is counted."""
    for order in position.orders:
        if not order.finished and order.verdict is not None and order.counted:
            return OrderFinished(
                at=now,
                client_order_id=order.client_order_id,
                status=order.verdict,
            )
    return None


def cancel_rest(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Withdraw whatever live order is no longer wanted."""
    for order in position.orders:
        if order.finished or order.cancel_at is not None or order.verdict is not None:
            continue
        reason = _unwanted(position, order, now, terms)
        if reason is not None:
            return CancelIntended(at=now, client_order_id=order.client_order_id, reason=reason)
    return None


def _unwanted(position: Position, order: Order, now: datetime, terms: Terms) -> str | None:
    if order.expires_at is not None and now >= order.expires_at:
        return "its time to live is over"
    match order.role:
        case Role.ENTRY:
            return _unwanted_entry(position)
        case Role.STOP:
            return _unwanted_stop(position, order, terms)
        case Role.EXIT:
            return _unwanted_exit(position, order)


def _unwanted_exit(position: Position, order: Order) -> str | None:
    """Let a resting exit make way once somebody wants out at any price."""
    wish = position.exit_wish
    if order.limit is None or wish is None or wish.limit is not None:
        return None
    return f"making way for an exit at the market: {wish.reason}"


def _unwanted_entry(position: Position) -> str | None:
    if position.exit_wish is not None:
        return f"leaving: {position.exit_wish.reason}"
    if position.frozen is not None:
        return "the position is frozen: no new risk"
    if position.state is not State.OPENING:
        return f"an entry is not wanted while {position.state}"
    return None


def _unwanted_stop(position: Position, order: Order, terms: Terms) -> str | None:
    if order.filled:
        return None  # It is selling already: let it.
    if position.exit_wish is not None:
        return f"making way for the exit: {position.exit_wish.reason}"
    if order.trigger != position.levels.stop:
        return "the stop has moved"
    if order.quantity != _stop_quantity(position, terms):
        return "the held quantity has changed"
    return None


def intend_exit(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Write the exit order down once every lane is free."""
    wish = position.exit_wish
    if wish is None or not _free_to_leave(position, now, terms, Role.EXIT):
        return None
    quantity = terms.instrument.sellable(position.quantity)
    largest = terms.instrument.market_quantity_max
    if wish.limit is None and largest is not None:
        quantity = terms.instrument.sellable(min(quantity, largest))
    order = new_order(
        position,
        Role.EXIT,
        quantity,
        now,
        terms,
        limit=wish.limit,
        expires_at=wish.expires_at,
    )
    return OrderIntended(at=now, order=order, reason=f"{wish.by}: {wish.reason}")


def intend_stop(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Write a protective stop down that rests at the exchange, so that it outlives us."""
    stop = position.levels.stop
    if not terms.native_stop or stop is None or position.exit_wish is not None:
        return None
    if not _free_to_leave(position, now, terms, Role.STOP):
        return None
    quantity = _stop_quantity(position, terms)
    order = new_order(position, Role.STOP, quantity, now, terms, trigger=stop)
    return OrderIntended(at=now, order=order, reason=f"protection at {plain(stop)}")


def _stop_quantity(position: Position, terms: Terms) -> Decimal:
    """Return what one stop covers: all that is held, or as much as one market order may carry."""
    held, largest = position.quantity, terms.instrument.market_quantity_max
    return terms.instrument.sellable(held if largest is None else min(held, largest))


def _free_to_leave(position: Position, now: datetime, terms: Terms, role: Role) -> bool:
    return (
        position.state is State.OPEN
        and role not in terms.held
        and position.unfinished is None  # what is out may still sell, or lock what is to be sold
        and not is_dust(position, terms)
        and not resting(position, now, role)
    )


RULES: Final[tuple[Rule, ...]] = (
    lapse_exit,  # before the state moves, while it is seen that an exit has failed
    move_state,
    set_levels,
    finish_orders,
    cancel_rest,
    intend_exit,
    intend_stop,
)


def retry_at(position: Position, role: Role) -> datetime | None:
    """Return when the next order may be written, given how the last ones failed; None: at once.

    1, 2, 4 … 60 s after each failure in a row of the same role: an exit never waits because stops
    were refused. A success starts over. A function of the records, so a restart neither forgets
    nor shortens it.
    """
    failures = 0
    last: datetime | None = None
    for order in reversed([each for each in position.orders if each.role is role]):
        if order.status not in {OrderStatus.REJECTED, OrderStatus.NEVER}:
            break
        failures += 1
        last = last or order.finished_at
    if last is None:
        return None
    return last + min(RETRY_FIRST * (1 << min(failures - 1, 6)), RETRY_LONGEST)


def resting(position: Position, now: datetime, role: Role) -> bool:
    """Tell whether the last orders of a role failed so recently that the next one has to wait."""
    until = retry_at(position, role)
    return until is not None and now < until


def is_dust(position: Position, terms: Terms) -> bool:
    """Tell whether what is held is too little for the venue to trade."""
    return terms.instrument.is_dust(position.quantity, position.entry_price or ZERO)


def new_order(  # noqa: PLR0913 (an order has this many facts)
    position: Position,
    role: Role,
    quantity: Decimal,
    now: datetime,
    terms: Terms,
    *,
    limit: Decimal | None = None,
    trigger: Decimal | None = None,
    expires_at: datetime | None = None,
) -> Order:
    """Write an order that has never been sent: its name, its lifetime, its size."""
    attempt = len(position.orders) + 1
    entry_side = position.direction.entry_side
    return Order(
        client_order_id=terms.name_order(position.position_id, role, attempt),
        role=role,
        attempt=attempt,
        side=entry_side if role is Role.ENTRY else entry_side.opposite,
        quantity=quantity,
        limit=limit,
        trigger=trigger,
        expires_at=expires_at,
        signed_at=now,
        not_after=now + terms.request_lifetime,
    )
