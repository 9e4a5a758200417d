"""The numbered promises, checked after every record, also in production.

A violation raises: the records that would break a promise are never committed, and the engine
freezes that position, naming the number. The numbers are those of docs/invariants.md; tests
cite them. Checks are plain code, not `assert`, because Python drops those under `-O`.

    S2   lanes: one open intent in each, entry and exit apart, no exit beside a stop that locks
         what it sells (a frozen position may show a late discovery)
    S3   bounded exposure: never more sold than was bought, or carried over as dust
    S5   finished means counted: a terminal order's fills add up to what the exchange told
    S6   exactly once: no trade twice in an order, never more filled than ordered
    S13  an exit never asks for more than is held
    S14  state and substance agree; edges come from the table
    S17  amounts are finite decimals
    S21  a stop never loosens and a phase never goes back
    S22  nothing is sold on a guess: no exit and no stop is written while a setback is unexplained,
         nor of what the exchange has denied, beyond what an order of its own locks
"""

from __future__ import annotations

from decimal import Decimal

from surefoot.core.errors import InvariantViolated
from surefoot.core.exits import loosened
from surefoot.core.lanes import crossing
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import TRANSITIONS, Position, State
from surefoot.core.values import ZERO


def check(before: Position | None, after: Position) -> None:
    """Return if every promise holds.

    Raises:
        InvariantViolated: one does not; the message has its number and the figures.
    """
    for order in after.orders:
        _check_order(after, order)
    _check_lanes(after)
    _check_exposure(after)
    _check_state(after)
    if before is not None:
        _check_step(before, after)


def _check_order(position: Position, order: Order) -> None:
    for amount in (order.quantity, order.filled, order.cost, order.reported):
        if not amount.is_finite():
            raise InvariantViolated("S17", f"{order.client_order_id} carries the amount {amount}")
    if len(set(order.trades)) != len(order.trades):
        raise InvariantViolated("S6", f"{order.client_order_id} counts a trade twice")
    if order.filled > order.quantity:
        raise InvariantViolated(
            "S6",
            f"{order.client_order_id} filled {order.filled} of {order.quantity}",
        )
    if order.finished and not order.counted:
        raise InvariantViolated(
            "S5",
            f"{order.client_order_id} is {order.status} with {order.filled} booked of "
            f"{order.reported} reported",
        )
    if order.status is OrderStatus.NEVER and order.filled:
        raise InvariantViolated("S5", f"{order.client_order_id} is NEVER, but has fills")
    if (
        order.role is not Role.ENTRY
        and order.remaining > position.quantity
        and not (position.frozen or order.cancel_at or order.replaced_by or order.shut)
    ):
        raise InvariantViolated(
            "S13",
            f"{order.client_order_id} would sell {order.remaining}, held is {position.quantity}",
        )


def _check_lanes(position: Position) -> None:
    wrong = crossing(position.orders)
    if wrong is not None and position.frozen is None:
        raise InvariantViolated("S2", f"{position.position_id} has {wrong}")


def _check_exposure(position: Position) -> None:
    if position.frozen is not None:
        return
    if position.quantity < ZERO:
        raise InvariantViolated(
            "S3",
            f"{position.position_id} holds {position.quantity}: more was sold than bought",
        )


def _check_state(position: Position) -> None:
    if position.frozen is not None:
        return
    wrong = _disagreement(position)
    if wrong is not None:
        raise InvariantViolated("S14", f"{position.position_id} is {position.state}, {wrong}")


def _disagreement(position: Position) -> str | None:
    match position.state:
        case State.FLAT if position.quantity:
            return f"but holds {position.quantity}"
        case State.OPENING if position.last(Role.ENTRY) is None:
            return "without an entry order"
        case State.OPEN if not position.entered:
            return "but nothing was ever bought"
        case State.CLOSED if not position.is_counted:
            live = next(order for order in position.orders if not order.finished)
            return f"but {live.client_order_id} is live"
        case State.CLOSED if position.quantity:
            return f"but holds {position.quantity}"
        case _:
            return None


def _check_step(before: Position, after: Position) -> None:
    if after.state is not before.state and after.state not in TRANSITIONS[before.state]:
        raise InvariantViolated("S14", f"{before.state} became {after.state}")
    for order in before.orders:
        if not order.finished and after.find(order.client_order_id) is None:
            raise InvariantViolated("S5", f"{order.client_order_id} left before it was over")
    if before.set_back_at is not None and after.set_back_at is not None:
        _check_unsold(before, after, ZERO)
    if before.denied_at is not None and after.denied_at is not None:
        _check_unsold(before, after, before.locked)
    managed = {State.OPEN, State.CLOSING}
    held = before.state in managed and after.state in managed
    if held and loosened(before.levels, after.levels, after.direction):
        raise InvariantViolated("S21", f"{before.levels} became {after.levels}")


def _check_unsold(before: Position, after: Position, certain: Decimal) -> None:
    for order in after.orders:
        fresh = order.status is OrderStatus.INTENDED and before.find(order.client_order_id) is None
        if fresh and order.role is not Role.ENTRY and order.quantity > certain:
            raise InvariantViolated(
                "S22", f"{order.client_order_id} would sell what nobody knows to be held"
            )
