"""Which of an operator's answers fit a position: one table, for who offers and for who refuses.

An answer that does not fit can cost money: what is said of an order that the exchange still has
live is booked beside what it does later.
"""

from __future__ import annotations

from enum import StrEnum
from typing import assert_never

from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import Position, State


class Answer(StrEnum):
    """What an operator may say of a position."""

    ADOPT = "adopt"
    FLAT = "flat"
    FILLED = "filled"
    IGNORE = "ignore"


def is_in_doubt(position: Position, order: Order) -> bool:
    """Tell whether nobody knows what became of an order, as far as the journal goes.

    It was never confirmed, its fills do not add up, or it vanished and froze the position.
    """
    if order.finished:
        return False
    vanished = is_vanished(position, order)
    return order.status is OrderStatus.INTENDED or not order.counted or vanished


def vanishing(order: Order, evidence: str) -> str:
    """Return the reason to freeze a position because a live order of it is denied."""
    return f"{order.client_order_id}: {evidence}"


def is_vanished(position: Position, order: Order) -> bool:
    """Tell whether a position was frozen because the exchange denied an order that was live."""
    return position.frozen is not None and position.frozen.startswith(vanishing(order, ""))


def doubtful(position: Position) -> tuple[Order, ...]:
    """Return the orders of a position that are in doubt."""
    return tuple(order for order in position.orders if is_in_doubt(position, order))


def misfit(position: Position, answer: Answer) -> str | None:
    """Return why an answer does not fit a position, or None if it does."""
    match answer:
        case Answer.FILLED:
            return _no_doubt(position)
        case Answer.FLAT:
            return _not_flat(position)
        case Answer.ADOPT | Answer.IGNORE:
            return _not_settled(position)
        case _:
            assert_never(answer)


def offered(position: Position) -> tuple[Answer, ...]:
    """Return the answers worth offering: of two that come to the same, the one that says it."""
    if position.state is State.CLOSED and position.quantity:
        return (Answer.FLAT,)  # What arrived late, or dust: no bot will ever sell it.
    live = position.quantity or position.unfinished is not None
    left_out = {Answer.IGNORE} if live else {Answer.ADOPT, Answer.FLAT}
    if position.frozen is None:
        left_out.add(Answer.FLAT)  # `--filled 0` says it of the one order that is in doubt.
    return tuple(a for a in Answer if a not in left_out and misfit(position, a) is None)


def _no_doubt(position: Position) -> str | None:
    if doubtful(position):
        return None
    live = position.unfinished
    if live is None:
        return f"{position.position_id} has no order in doubt: nothing can have been filled"
    return (
        f"{live.client_order_id} is no order in doubt: the exchange has it, and tells what it fills"
    )


def _not_flat(position: Position) -> str | None:
    live = [each for each in position.orders if not each.finished]
    known = [o for o in live if o.role is not Role.STOP and not is_in_doubt(position, o)]
    if position.frozen is None and (position.quantity or not live):
        return f"{position.position_id} is not frozen: nothing is to resolve"
    if known:
        return f"{known[0].client_order_id} is live at the exchange: cancel it there first"
    return None


def _not_settled(position: Position) -> str | None:
    if position.frozen is None:
        return f"{position.position_id} is not frozen: nothing is to resolve"
    vanished = [o for o in position.orders if not o.finished and is_vanished(position, o)]
    if vanished:
        return (
            f"{vanished[0].client_order_id} is denied by the exchange: say what it filled with "
            f"--filled QUANTITY@PRICE, or --filled 0"
        )
    return None
