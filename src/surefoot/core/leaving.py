"""Why a position is left: the one home of exit rules, by what sets them off.

    a price     `take_price`: the levels of `exits` move, and one of them is reached
    a signal    `take_exit` from the strategy, `take_close` from an operator
    the time    none yet: it goes beside these, into `is_at_rest`, and is called from `decide` when
                `TimePassed`, which is told every second and at the end of every comparison

Each ends in one `ExitWished`, or in none. What becomes of a wish (clearing the lane,
the order, the next try, the lapse) is the same for all of them and stands in `rules`.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Final

from surefoot.core.draft import Draft
from surefoot.core.dust import is_dust
from surefoot.core.errors import SignalRefused
from surefoot.core.exits import Level, advance, breached
from surefoot.core.lanes import Lane
from surefoot.core.order import OrderStatus, Role
from surefoot.core.pacing import resting, retry_at
from surefoot.core.position import ExitWish, Position, State
from surefoot.core.records import ExitLapsed, ExitWished, LevelsSet, PartTaken
from surefoot.core.reports import PriceSeen
from surefoot.core.rules import move_stop, sell_at_limit, watched_limit
from surefoot.core.signals import Close, ExitSignal
from surefoot.core.stop import is_in_place
from surefoot.core.terms import Terms
from surefoot.core.values import ZERO, moment, plain

# A resting stop at the exchange has first go; only this far past it do we step in ourselves.
STOP_GRACE: Final = Decimal("0.002")
# A price of the book says no time, and has that of its arrival: it may be so much older.
ARRIVES_WITHIN: Final = timedelta(seconds=2)


def take_price(seen: PriceSeen, draft: Draft) -> None:
    """Move the levels, and leave if one is reached."""
    entry = draft.position.entry_price
    if entry is None or draft.position.state not in {State.OPENING, State.OPEN, State.CLOSING}:
        return
    if _is_from_before(draft.position, seen, timedelta(0)):
        return
    follows = not _is_from_before(draft.position, seen, ARRIVES_WITHIN)
    if draft.position.state is State.OPEN and follows:
        _follow(seen.price, entry, draft)
    # Else nothing of it is sold; and a price of today is none to leave at on some other day.
    if draft.position.set_back_at is None:
        _honour(seen, draft)


def _is_from_before(position: Position, seen: PriceSeen, perhaps: timedelta) -> bool:
    """Tell whether a price is, or may be, of a time when nothing of this was held yet.

    What was bought on a fall would be sold at once by a stop that trails the price before it.
    """
    opened = position.opened_at
    return seen.at is not None and opened is not None and seen.at < opened + perhaps


def _honour(seen: PriceSeen, draft: Draft) -> None:
    """Leave if a level is reached; else do what a price lets follow of what is wished already."""
    level = breached(draft.position.levels, seen.price, draft.position.direction)
    if level is not Level.TAKE_PROFIT:
        _let_gain_go(draft)
    position = draft.position
    wish = position.exit_wish
    if level is None or (level is Level.TAKE_PROFIT and wish is not None):
        _sell_or_follow(seen.price, draft)
        return
    # While a limit waits or rests, or a part is sold, the stop is honoured; else no wish replaces
    # another.
    if (position.state is State.CLOSING or wish is not None) and not _waits(wish):
        return
    if level is not Level.TAKE_PROFIT and _exchange_has_first_go(position, seen.price):
        return
    reason = f"the price {plain(seen.price)} reached it"
    if level is Level.TAKE_PROFIT:
        _take_gain(position, seen.price, reason, draft)
        return
    leave = ExitWish(by=level.value, level=level, reason=reason)
    draft.add(ExitWished(at=draft.now, wish=leave))


def _take_gain(position: Position, price: Decimal, reason: str, draft: Draft) -> None:
    """Wish for the next part of the gain, or all of it, and sell it while the price is there."""
    if position.taken.parts < len(position.plan.parts):
        draft.add(_take_part(position, reason, draft))
    else:
        draft.add(_gain(Level.TAKE_PROFIT, position, reason, draft))
    if watched_limit(draft.position, draft.terms) is not None:
        _sell_or_follow(price, draft)


def _gain(
    level: Level, position: Position, reason: str, draft: Draft, keep: Decimal = ZERO
) -> ExitWished:
    limit = _gain_limit(position, draft.terms)
    wish = ExitWish(by=level.value, level=level, reason=reason, limit=limit, keep=keep)
    return ExitWished(at=draft.now, wish=wish)


def _gain_limit(position: Position, terms: Terms) -> Decimal | None:
    """Return the price that a gain is taken at, or better; None: whatever the market pays.

    Where the stop rests and would have to be cancelled first, there is one try and no way back.
    """
    bare = not terms.native_stop or position.levels.stop is None
    return position.levels.take_profit if bare or terms.instrument.replaces else None


def _let_gain_go(draft: Draft) -> None:
    """Let a gain lapse that could not be taken while the price was there; it is watched on."""
    position, wish = draft.position, draft.position.exit_wish
    gain = wish is not None and wish.level is not None and wish.limit is not None
    if gain and position.state is not State.CLOSING:
        draft.add(ExitLapsed(at=draft.now, why="the price has gone back"))


def _take_part(position: Position, reason: str, draft: Draft) -> ExitWished | PartTaken:
    """Sell the next part of what was bought; what is too little to trade joins the one after."""
    instrument, taken, price = draft.terms.instrument, position.taken, position.entry_price or ZERO
    share = taken.joins + position.plan.parts[taken.parts].fraction
    # What was begun is gone on with: so much stays, however often it has to be tried.
    part = position.present - taken.keep if taken.keep else position.bought * share
    part = min(instrument.sellable(part), position.present)
    if instrument.is_dust(part, price):
        why = f"{plain(part)} {position.base} are too little to trade"
        return PartTaken(at=draft.now, why=why, joins=ZERO if taken.keep else share)
    kept = position.present - part
    level, keep = Level.TAKE_PART, kept
    if _is_too_little(kept, position, draft.terms):
        level, keep = Level.TAKE_PROFIT, ZERO
    return _gain(level, position, reason, draft, keep)


def _is_too_little(kept: Decimal, position: Position, terms: Terms) -> bool:
    """Tell whether what is to stay could not be traded, or is worth too little for its stop."""
    price, stop = position.entry_price or ZERO, position.levels.stop
    if terms.native_stop and stop is not None:
        price = min(price, stop)
    return terms.instrument.is_dust(kept, price)


def matters(position: Position, price: Decimal, terms: Terms) -> bool:
    """Tell whether anything could follow from a price; of what is not at rest it always could.

    This is asked of every bot at every price: what it denies, nobody has to decide upon.
    """
    if not is_at_rest(position, terms):
        return True
    entry = position.entry_price
    if entry is None or position.state is not State.OPEN:
        return False
    plan, levels, direction = position.plan, position.levels, position.direction
    tick = terms.instrument.tick
    moved = advance(plan, levels, entry=entry, price=price, direction=direction, tick=tick)
    return moved != levels or breached(levels, price, direction) is not None


def is_at_rest(position: Position, terms: Terms) -> bool:
    """Tell whether nothing follows as time passes: it wants nothing, and its stop is in place.

    A rule that leaves by the time has to be asked here too.
    """
    open_here = [order for order in position.orders if not order.finished]
    if position.state in {State.FLAT, State.CLOSED}:
        return not open_here
    if position.state is not State.OPEN or position.exit_wish is not None:
        return False
    if not terms.native_stop or position.levels.stop is None:
        return not open_here
    return len(open_here) == 1 and is_in_place(position, open_here[0], terms)


def _waits(wish: ExitWish | None) -> bool:
    return wish is not None and (wish.limit is not None or wish.keep > ZERO)


def _sell_or_follow(price: Decimal, draft: Draft) -> None:
    """Sell at a limit that is watched here once it is reached; else let the resting stop follow."""
    position, now, terms = draft.position, draft.now, draft.terms
    record = sell_at_limit(position, price, now, terms) or move_stop(position, now, terms)
    if record is not None:
        draft.add(record)


def _follow(price: Decimal, entry: Decimal, draft: Draft) -> None:
    position = draft.position
    levels = advance(
        position.plan,
        position.levels,
        entry=entry,
        price=price,
        direction=position.direction,
        tick=draft.terms.instrument.tick,
    )
    if levels != position.levels:
        draft.add(LevelsSet(at=draft.now, levels=levels))


def _exchange_has_first_go(position: Position, price: Decimal) -> bool:
    live, stop = position.lane(Lane.PROTECTION), position.levels.stop
    if live is None or stop is None or live.trigger != stop:
        return False
    if live.status is not OrderStatus.WORKING:
        return False
    return (stop - price) * position.direction.sign < stop * STOP_GRACE


def take_exit(signal: ExitSignal, draft: Draft) -> None:
    """Wish to leave, as the strategy asks.

    Raises:
        SignalRefused: not here and not now.
    """
    position = draft.position
    if position.state is not State.OPEN:
        raise SignalRefused(f"no exit while the position is {position.state}")
    if position.set_back_at is not None:
        raise SignalRefused("what it holds is not proven, so nothing of it is sold")
    if position.exit_wish is not None:
        raise SignalRefused("an exit is under way")
    if is_dust(position, draft.terms):
        raise SignalRefused("what is held is too little to trade")
    until = retry_at(position, Role.EXIT)
    if until is not None and resting(position, draft.now, Role.EXIT):
        raise SignalRefused(f"the last exit failed; the next may follow at {moment(until)}")
    wish = ExitWish(
        by="strategy",
        reason=signal.reason,
        keep=_kept(signal, draft),
        limit=signal.limit,
        expires_at=None if signal.time_to_live is None else draft.now + signal.time_to_live,
    )
    draft.add(ExitWished(at=draft.now, wish=wish))


def _kept(signal: ExitSignal, draft: Draft) -> Decimal:
    """Return what is to stay, so that both parts can be traded; nothing if it would be dust."""
    if signal.fraction is None:
        return ZERO
    position, instrument = draft.position, draft.terms.instrument
    price = position.entry_price or ZERO
    part = instrument.sellable(position.present * signal.fraction)
    if instrument.is_dust(part, price):
        raise SignalRefused(f"{plain(part)} {position.base} are too little to trade")
    kept = position.present - part
    return ZERO if _is_too_little(kept, position, draft.terms) else kept


def take_close(close: Close, draft: Draft) -> None:
    """Wish to leave, as an operator insists.

    Raises:
        SignalRefused: not here and not now.
    """
    position = draft.position
    if position.state in {State.FLAT, State.CLOSED}:
        raise SignalRefused(
            f"{position.position_id} is {position.state}: there is nothing to close"
        )
    if position.set_back_at is not None:
        raise SignalRefused(
            f"{position.position_id} is frozen: {position.frozen}; what it holds is not proven, "
            f"so nothing of it is sold: surefoot resolve {position.position_id} first"
        )
    wish = position.exit_wish
    if wish is not None and wish.persistent:
        raise SignalRefused(f"{position.position_id} is being closed already, by {wish.by}")
    reason = f"{close.by} closed it"
    draft.add(ExitWished(at=draft.now, wish=ExitWish(by=close.by, reason=reason, persistent=True)))
