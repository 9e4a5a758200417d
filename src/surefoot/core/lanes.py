"""Lanes: where the orders of one position may meet, and where they may not.

    ENTRY        adds to what is held
    EXIT         sells it, because somebody wants out
    PROTECTION   sells it at the stop, also while nothing runs

In each lane at most one intent is open, whoever wants it: a strategy, a level or an operator. Entry
and exit exclude each other. Protection is what must not be empty while something is held, so it
gives way to nothing but to what is sent in its place. An intent may be a *group*: an order and the
cancel of the one that it replaces, in one commit and one request. Of an order and of all that are
sent in its place only one can ever trade: together they are as much in the way as that one.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum
from typing import assert_never

from surefoot.core.order import Order, Role


class Lane(StrEnum):
    """What an order is in the way of."""

    ENTRY = "entry"
    EXIT = "exit"
    PROTECTION = "protection"


def lane_of(role: Role) -> Lane:
    """Return the lane that orders of a role go in."""
    match role:
        case Role.ENTRY:
            return Lane.ENTRY
        case Role.EXIT:
            return Lane.EXIT
        case Role.STOP:
            return Lane.PROTECTION
        case _:
            assert_never(role)


def unfinished(orders: Iterable[Order], lane: Lane) -> tuple[Order, ...]:
    """Return what may still trade in a lane, oldest first; what is being replaced is among it."""
    return tuple([e for e in orders if not e.finished and not e.shut and lane_of(e.role) is lane])


def crossing(orders: Iterable[Order]) -> str | None:
    """Say which orders must not be open together, or None if every lane is in order."""
    intents = [
        each for each in orders if each.replaced_by is None and not each.finished and not each.shut
    ]
    if len(intents) <= 1:
        return (
            None  # One alone meets nobody; so it is nearly always, and this runs at every record.
        )
    entry, leave, stop = (unfinished(intents, lane) for lane in Lane)
    for lane, found in zip(Lane, (entry, leave, stop), strict=True):
        if len(found) > 1:
            return f"two intents in the lane of {lane}: {_names(found)}"
    if entry and leave:
        return f"an entry beside an exit: {_names(entry + leave)}"
    if leave and stop and not _same_place(leave[0], stop[0]):
        return f"an exit beside the protection that locks what it sells: {_names(leave + stop)}"
    return None


def _same_place(one: Order, other: Order) -> bool:
    """Tell whether both are sent in the place of the same order, so that one of them can trade."""
    return one.replaces is not None and one.replaces == other.replaces


def _names(orders: Iterable[Order]) -> str:
    return ", ".join(order.client_order_id for order in orders)
