"""Where a position's levels are kept: at the exchange, in this process only, or nowhere."""

from __future__ import annotations

from enum import StrEnum

from msgspec import Struct

from surefoot.core.lanes import Lane
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import Position


class Place(StrEnum):
    """Where a level is kept. HERE works as long as the server runs and prices arrive."""

    EXCHANGE = "exchange"
    HERE = "here"
    NONE = "none"


class Protection(Struct, frozen=True, kw_only=True):
    """Where each level of a position is kept.

    `rest` is where the stop of what a resting one does not sell is kept; if that sells all, the
    same as `stop`.
    """

    stop: Place
    rest: Place
    take_profit: Place


def protection(position: Position, *, watched: bool) -> Protection:
    """Say where levels are kept; `watched` tells that those kept here are honoured now."""
    # Else nothing of it is sold at a price: what it holds is not known to be there.
    honoured = watched and position.set_back_at is None and position.denied_at is None
    here = Place.HERE if honoured else Place.NONE
    wanted, order = position.levels.stop is not None, resting_stop(position)
    whole = order is not None and _sells_all(order, position)
    return Protection(
        stop=_place(here, wanted=wanted, resting=order is not None),
        rest=_place(here, wanted=wanted, resting=whole),
        take_profit=_place(
            here,
            wanted=position.levels.take_profit is not None,
            resting=any(_rests(o) for o in position.orders if o.role is Role.EXIT and o.limit),
        ),
    )


def stop_rests(position: Position) -> bool:
    """Tell whether the exchange is known to have a stop of this position."""
    return resting_stop(position) is not None


def resting_stop(position: Position) -> Order | None:
    """Return the stop that the exchange is known to have; of two, the one that sells more.

    Between a move and its replacement its trigger is not yet the level that is wanted.
    """
    stops = [order for order in position.orders if order.role is Role.STOP and _rests(order)]
    return max(stops, key=lambda order: order.remaining, default=None)


def covers(position: Position) -> bool:
    """Tell whether that stop sells it all; what is under a lot no order can carry."""
    order = resting_stop(position)
    return not position.present if order is None else _sells_all(order, position)


def _sells_all(order: Order, position: Position) -> bool:
    return order.remaining * 100 >= position.present * 99


def stands(position: Position, order: Order) -> bool:
    """Tell whether an order is a stop that rests, and no exit is on its way in its place."""
    if order.role is not Role.STOP or not order.rests or position.lane(Lane.EXIT) is not None:
        return False
    rivals = position.rivals(order.client_order_id)
    return order.replaced_by in {None, *(rival.client_order_id for rival in rivals)}


def _rests(order: Order) -> bool:
    return order.status is OrderStatus.WORKING and order.verdict is None


def _place(here: Place, *, wanted: bool, resting: bool) -> Place:
    if resting:
        return Place.EXCHANGE
    return here if wanted else Place.NONE
