"""What follows from a position as it stands: the rules that complete it.

Each rule looks at a position and gives one record, or nothing. `decide` runs them after every
input until none has anything to add; the order in `RULES` is the order of precedence. A rule
never remembers: whatever it needs to know is in the position, so after a crash the same rules see
the same thing.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from surefoot.core.amending import amendment
from surefoot.core.dust import is_dust, leave_dust, outlawed
from surefoot.core.exits import STOP_OF, Level, at_entry, followed
from surefoot.core.lanes import Lane, unfinished
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.pacing import lifetime, resting, tried_in_vain, turned_away, was_untimely
from surefoot.core.position import ExitWish, Position, State
from surefoot.core.protection import stands
from surefoot.core.records import (
    CancelIntended,
    ExitLapsed,
    ExitWished,
    LevelsSet,
    OrderFinished,
    OrderIntended,
    PartTaken,
    PositionRecord,
    StateChanged,
)
from surefoot.core.stop import fits, is_in_place, lags, stop_quantity
from surefoot.core.terms import Terms
from surefoot.core.values import ZERO, plain

CANCEL: Final = "cancel"

Rule = Callable[[Position, datetime, Terms], "PositionRecord | None"]


def move_state(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Move along the state table as soon as an edge's condition holds."""
    step = _next_state(position, terms)
    if step is None:
        return None
    target, why = step
    return StateChanged(at=now, target=target, why=why)


def _next_state(position: Position, terms: Terms) -> tuple[State, str] | None:
    live = position.unfinished
    match position.state:
        case State.FLAT if position.lane(Lane.ENTRY) is not None:
            return State.OPENING, "the entry intent is durable"
        case State.OPENING if position.lane(Lane.ENTRY) is None and position.entered:
            return State.OPEN, "the entry order is finished and something was filled"
        case State.OPENING if position.lane(Lane.ENTRY) is None:
            return State.FLAT, "the entry order is over and nothing was filled"
        case State.OPEN:
            why = _leaving(position, terms)
            return None if why is None else (State.CLOSING, why)
        case State.CLOSING if live is None and is_dust(position, terms):
            return (State.CLOSED, _ending(position)) if position.is_counted else None
        case State.CLOSING if live is None or stands(position, live):
            return State.OPEN, f"{plain(position.quantity)} {position.base} remain"
        case _:
            return None


def _leaving(position: Position, terms: Terms) -> str | None:
    if position.unfinished is None:
        return "what is left is too little to trade" if is_dust(position, terms) else None
    if position.lane(Lane.EXIT) is not None:
        return "the exit intent is durable"
    if any(stop.filled for stop in unfinished(position.orders, Lane.PROTECTION)):
        return "the protective stop began to fill"
    return None


def _ending(position: Position) -> str:
    if position.quantity:
        return f"{plain(position.quantity)} {position.base} are missing; PnL is final"
    if position.left.quantity:
        return (
            f"all but {plain(position.left.quantity)} {position.base} of dust is gone; PnL is final"
        )
    return "nothing is held any more; PnL is final"


def lapse_exit(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Let a wish to leave lapse when its order is over and something is still held.

    Leaving is then decided anew, from the next price. Not if an operator insists, if the exit sold
    all that one order may carry, or if it was the stop that ended before the exit had its turn. Nor
    if the exchange let an exit at the market expire (beyond its price range, or on a thin book), or
    refused it for its time: it takes another one in a moment, and whoever wanted out still does.
    """
    wish, live = position.exit_wish, position.unfinished
    if position.state is not State.CLOSING or wish is None:
        return None
    if live is not None and not stands(position, live):
        return None
    latest = position.orders[-1]
    if latest.role is not Role.EXIT or latest.status is OrderStatus.FILLED:
        return None
    if latest.immediate and wish.limit is not None:
        return None  # The limit is watched on; the order was one try at it.
    making_way = wish.limit is None and latest.limit is not None
    expired = latest.limit is None and (latest.shut or latest.status is OrderStatus.EXPIRED)
    soon = expired or was_untimely(position, Role.EXIT)
    if wish.persistent or making_way or soon or is_dust(position, terms):
        return None
    return ExitLapsed(at=now, why=f"{latest.client_order_id} is {latest.status}")


def lapse_part(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Let a wish to sell a part lapse once it is sold, or too little of it is left to trade."""
    wish, live = position.exit_wish, position.unfinished
    if wish is None or not wish.keep or position.state not in {State.OPEN, State.CLOSING}:
        return None
    if live is not None and not stands(position, live):
        return None
    rest = position.present - wish.keep
    if not terms.instrument.is_dust(rest, position.entry_price or ZERO):
        return None
    unsold = unsold_share(position, terms)
    why = f"what was to go is gone, and {plain(wish.keep)} {position.base} are to stay"
    if wish.level is not Level.TAKE_PART:
        return ExitLapsed(at=now, why=why)
    if unsold:
        why = f"{plain(rest)} {position.base} are too little to trade"
    return PartTaken(at=now, why=why, joins=unsold)


def unsold_share(position: Position, terms: Terms) -> Decimal:
    """Return the share that a part of the gain was to sell; zero once it has sold some of it."""
    wish, taken = position.exit_wish, position.taken
    if wish is None or taken.parts >= len(position.plan.parts):
        return ZERO
    share = taken.joins + position.plan.parts[taken.parts].fraction
    whole = terms.instrument.sellable(position.bought * share)
    return share if position.present - wish.keep >= whole else ZERO


def watched_limit(position: Position, terms: Terms) -> Decimal | None:
    """Return the limit of an exit that is watched here: of a gain, or beside a stop.

    An order that rests at the limit would lock the coins and leave no room for the stop.
    """
    wish, beside = position.exit_wish, terms.native_stop and terms.instrument.replaces
    if wish is None or (wish.level is None and not (beside and position.levels.stop)):
        return None
    return wish.limit


def lapse_limit(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Let an exit with a limit lapse that was not reached within its time to live."""
    wish = position.exit_wish
    if watched_limit(position, terms) is None or wish is None or wish.expires_at is None:
        return None
    if position.state is not State.OPEN or now < wish.expires_at:
        return None
    return ExitLapsed(at=now, why="its time to live is over")


def leave_after_stop(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Leave at the market when a stop sold a part and ended: its level is reached, nothing rests.

    It was cut short by the venue (a thin book, its price range) or by somebody's hand.
    """
    sellers = (order for order in reversed(position.orders) if order.role is not Role.ENTRY)
    stop = next(sellers, None)
    if stop is None or stop.role is not Role.STOP or not stop.finished or not stop.filled:
        return None
    if position.state not in {State.OPEN, State.CLOSING}:
        return None
    if position.exit_wish is not None and not position.exit_wish.keep:
        return None
    if stop.filled == stop.quantity or is_dust(position, terms):
        return None
    level = STOP_OF[position.levels.phase]
    reason = f"it sold {plain(stop.filled)} of {plain(stop.quantity)} and is {stop.status}"
    return ExitWished(at=now, wish=ExitWish(by=level.value, level=level, reason=reason))


def set_levels(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Give a position its levels with its first fill, and follow its average price."""
    entry, tick = position.entry_price, terms.instrument.tick
    if position.state not in {State.OPENING, State.OPEN} or entry is None:
        return None
    levels = at_entry(position.plan, entry, position.direction, tick, position.taken.parts)
    if position.state is State.OPEN:
        levels = followed(position.levels, levels, position.direction)
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
        if order.finished or order.shut or order.cancel_at is not None or order.verdict is not None:
            continue
        if position.is_replacing(order):
            continue  # Its cancel is on its way, with what takes its place.
        reason = _unwanted(position, order, now, terms)
        if reason is not None:
            return withdrawal(position, order, reason, now, terms)
    return None


def _unwanted(position: Position, order: Order, now: datetime, terms: Terms) -> str | None:
    if order.expires_at is not None and now >= order.expires_at:
        return "its time to live is over"
    match order.role:
        case Role.ENTRY:
            return _unwanted_entry(position)
        case Role.STOP:
            return _unwanted_stop(position, order, now, terms)
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
    if position.state not in {State.OPENING, State.OPEN}:
        return f"an entry is not wanted while {position.state}"
    return None


def _unwanted_stop(position: Position, order: Order, now: datetime, terms: Terms) -> str | None:
    doubled = _is_doubled(position, order, terms)
    certain = position.set_back_at or (position.denied_at if not doubled else None)
    if order.filled or certain is not None:
        return None  # It is selling already, or all that is certain: let it.
    if doubled:
        return "another stop protects in its place"
    wish, replaceable = position.exit_wish, terms.instrument.replaces
    leaving = wish is not None and watched_limit(position, terms) is None
    # No exit can follow while an entry is not over: until then it goes on protecting.
    leaving = leaving and position.lane(Lane.ENTRY) is None and not outlawed(position, terms)
    if wish is not None and leaving and (not replaceable or turned_away(position, order, now)):
        return f"making way for the exit: {wish.reason}"
    if replaceable and order.quantity <= position.quantity:
        return None  # It protects until what takes its place is accepted.
    if lags(position, order, terms):
        return "the stop has moved"
    if not fits(position, order, terms):
        return "the held quantity has changed"
    return None


def _is_doubled(position: Position, order: Order, terms: Terms) -> bool:
    """Tell whether a later stop sells it all: this one turned up when it was called absent.

    Both together would sell as much again, of whoever has coins there. Of an order and of what is
    sent in its place only one can trade.
    """
    return order.replaced_by is None and any(
        later.attempt > order.attempt and is_in_place(position, later, terms)
        for later in position.orders
    )


def _replaceable_stop(position: Position, terms: Terms) -> Order | None:
    """Return the stop that rests and can be replaced in one request, if this venue can do that.

    Another request to replace it may be in doubt: of the two only one can succeed. An entry beside
    it is in nobody's way: it locks quote, not base.
    """
    open_here = _sellers(position)
    stop = open_here[0] if open_here else None
    if stop is None or not terms.instrument.replaces or not stands(position, stop):
        return None
    tried = {
        stop.client_order_id,
        *(each.client_order_id for each in position.rivals(stop.client_order_id)),
    }
    return stop if all(order.client_order_id in tried for order in open_here) else None


def intend_exit(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Write the exit order down once every lane is free, or in the place of the stop."""
    wish = position.exit_wish
    if wish is None or watched_limit(position, terms) is not None:
        return None
    return _exit(position, wish, now, terms)


def sell_at_limit(
    position: Position, price: Decimal, now: datetime, terms: Terms
) -> PositionRecord | None:
    """Write the exit of a watched limit down once a price has reached it."""
    wish, limit = position.exit_wish, watched_limit(position, terms)
    if wish is None or limit is None or (price - limit) * position.direction.sign < 0:
        return None
    if tried_in_vain(position, now):
        return None
    return _exit(position, wish, now, terms, immediate=True)


def _exit(
    position: Position, wish: ExitWish, now: datetime, terms: Terms, *, immediate: bool = False
) -> PositionRecord | None:
    if not _free_to_leave(position, now, terms, Role.EXIT):
        return None
    stop = _replaceable_stop(position, terms)
    quantity = min(position.present - wish.keep, position.available)
    quantity = terms.instrument.sellable(quantity)
    if terms.instrument.is_dust(quantity, position.entry_price or ZERO):
        return None
    instrument = terms.instrument
    largest = instrument.largest if wish.limit is None else instrument.quantity_max
    if largest is not None:
        quantity = instrument.sellable(min(quantity, largest))
    order = new_order(
        position,
        Role.EXIT,
        quantity,
        now,
        terms,
        limit=wish.limit,
        expires_at=None if immediate else wish.expires_at,
    )
    order = replace(order, immediate=immediate)
    return intended(position, order, wish.said, now, terms, replaces=stop)


def intend_stop(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Write a protective stop down that rests at the exchange, so that it outlives us."""
    stop = position.levels.stop
    leaving = position.exit_wish is not None and watched_limit(position, terms) is None
    if not terms.native_stop or stop is None or leaving:
        return None
    if not _free_to_leave(position, now, terms, Role.STOP):
        return None
    quantity = stop_quantity(position, terms)
    old = _replaceable_stop(position, terms)
    if old is not None and (old.is_changing(now) or fits(position, old, terms)):
        return None  # `leaving` moves it, when a price shows that it may be moved.
    if old is not None and not lags(position, old, terms):
        held = terms.instrument.sellable(position.available)
        smaller = amendment(old, held, now, terms)
        if smaller is not None:
            return smaller
    order = new_order(position, Role.STOP, quantity, now, terms, trigger=stop)
    return intended(position, order, f"protection at {plain(stop)}", now, terms, replaces=old)


def move_stop(position: Position, now: datetime, terms: Terms) -> PositionRecord | None:
    """Let the resting stop follow the watched one, in steps, by a replacement.

    Called with a price that has not reached the new level: a trigger that the market has passed
    would be refused after the old stop is gone.
    """
    old, stop = _replaceable_stop(position, terms), position.levels.stop
    if old is None or old.is_changing(now) or stop is None:
        return None
    if position.exit_wish is not None and watched_limit(position, terms) is None:
        return None
    if not lags(position, old, terms) or resting(position, now, Role.STOP):
        return None
    if Role.STOP in terms.held or position.set_back_at is not None:
        return None
    order = new_order(position, Role.STOP, old.quantity, now, terms, trigger=stop)
    reason = f"protection follows from {plain(old.trigger or stop)} to {plain(stop)}"
    return intended(position, order, reason, now, terms, replaces=old)


def _free_to_leave(position: Position, now: datetime, terms: Terms, role: Role) -> bool:
    # What is out may still sell, or lock what is to be sold, unless it is replaced by this.
    free = not _sellers(position) or _replaceable_stop(position, terms) is not None
    if role is Role.EXIT and position.lane(Lane.ENTRY) is not None:
        return False
    return (
        position.state is State.OPEN
        and position.set_back_at is None
        and role not in terms.held
        and free
        and not terms.instrument.is_dust(position.available, position.entry_price or ZERO)
        and not resting(position, now, role)
    )


def _sellers(position: Position) -> list[Order]:
    """Return what may still sell, oldest first."""
    live = (each for each in position.orders if not each.finished and not each.shut)
    return [each for each in live if each.role is not Role.ENTRY]


RULES: Final[tuple[Rule, ...]] = (
    lapse_limit,
    lapse_part,
    lapse_exit,  # before the state moves, while it is seen that an exit has failed
    leave_dust,
    move_state,
    set_levels,
    finish_orders,
    leave_after_stop,
    cancel_rest,
    intend_exit,
    intend_stop,
)


def withdrawal(
    position: Position, order: Order, reason: str, now: datetime, terms: Terms
) -> CancelIntended:
    """Write down that an order is to be cancelled, and what that cancel is called."""
    name = order.client_order_id
    cancel_name = terms.name_order(position.position_id, CANCEL, order.attempt)
    return CancelIntended(at=now, client_order_id=name, cancel_name=cancel_name, reason=reason)


def intended(
    position: Position,
    order: Order,
    reason: str,
    now: datetime,
    terms: Terms,
    *,
    replaces: Order | None,
) -> OrderIntended:
    """Write an order down, with the cancel of what it takes the place of."""
    if replaces is None:
        return OrderIntended(at=now, order=order, reason=reason)
    return OrderIntended(
        at=now,
        order=replace(order, replaces=replaces.client_order_id),
        reason=reason,
        cancel_name=terms.name_order(position.position_id, CANCEL, replaces.attempt),
    )


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
    attempt = position.attempts + 1
    entry_side = position.direction.entry_side
    side = entry_side if role is Role.ENTRY else entry_side.opposite
    return Order(
        client_order_id=terms.name_order(position.position_id, role, attempt),
        role=role,
        attempt=attempt,
        side=side,
        quantity=quantity,
        limit=limit,
        trigger=None if trigger is None else terms.instrument.price(trigger, side),
        expires_at=expires_at,
        signed_at=now,
        not_after=now + lifetime(position, role, terms),
    )
