"""The stop that is wanted at the exchange, and whether the one that rests is it."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from surefoot.core.order import Order, Role
from surefoot.core.position import Position
from surefoot.core.terms import Terms


def stop_quantity(position: Position, terms: Terms) -> Decimal:
    """Return what one stop covers: all that is held, or as much as one market order may carry."""
    held, largest = position.available, terms.instrument.largest
    return terms.instrument.sellable(held if largest is None else min(held, largest))


def outgrows(position: Position, stop: Order, terms: Terms) -> bool:
    """Tell whether a stop covers more of what is held than a new one could.

    The venue has lowered its largest order since. That binds new orders; this one goes on resting.
    """
    held = terms.instrument.sellable(position.available)
    return stop_quantity(position, terms) < stop.quantity <= held


def fits(position: Position, stop: Order, terms: Terms) -> bool:
    """Tell whether a stop is as large as one can be."""
    return stop.quantity == stop_quantity(position, terms) or outgrows(position, stop, terms)


def lags(position: Position, stop: Order, terms: Terms) -> bool:
    """Tell whether the watched level has left a resting stop behind by a step, and it may follow.

    It may not where what took its place would protect less: the level is honoured here meanwhile.
    """
    level, trigger = position.levels.stop, stop.trigger
    if level is None or trigger is None or level == trigger or outgrows(position, stop, terms):
        return False
    # The grid may have become coarser since: no trigger is nearer than the next one on it.
    level = terms.instrument.price(level, stop.side)
    return abs(level - trigger) >= trigger * terms.stop_step


def is_in_place(position: Position, stop: Order, terms: Terms) -> bool:
    """Tell whether an order is the stop that is wanted, and rests."""
    return (
        stop.role is Role.STOP
        and stop.rests
        and stop.replaced_by is None
        and not lags(position, stop, terms)
        and fits(position, stop, terms)
    )


def may_be_added_to(position: Position, now: datetime, terms: Terms) -> bool:
    """Tell whether nothing is out but a stop that covers all that is held, where one is wanted.

    One that may yet become smaller could not grow with the addition before that is over. Nor if
    what is held may not be there.
    """
    open_here = [e for e in position.orders if not e.finished and e.role is not Role.ENTRY]
    if position.denied_at is not None:
        return False
    if not terms.native_stop or position.levels.stop is None:
        return not open_here
    stop = open_here[0] if len(open_here) == 1 else None
    return stop is not None and not stop.is_changing(now) and is_in_place(position, stop, terms)
