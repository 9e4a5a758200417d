"""Deciding: `decide(position, input, now, terms) → records`. Pure, and closed.

An input (a report, a signal, a price, an operator's word) becomes records; then `core.rules` run
until none has anything to add. So what a batch leaves behind is always settled: an order whose
fills are counted is finished, a state that can move has moved, and whatever is owed next (an exit,
a stop, a cancel) is an intent in the same batch. Starting after a crash runs the same rules on the
same state; there is no other path.

`owed` lists what is left to do for orders that exist: ask, or cancel. Sending is not in it. An
intent is sent once, by the process that holds the receipt of its commit; after that it is only
ever asked about.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias

from msgspec import Struct

from surefoot.core import facts, wishes
from surefoot.core.draft import Draft, take
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.records import (
    PositionRecord,
)
from surefoot.core.reports import (
    Absence,
    Doubt,
    Fill,
    OrderReport,
    PriceSeen,
    Reduction,
    Refusal,
    TimePassed,
    Unsent,
)
from surefoot.core.rules import Terms
from surefoot.core.signals import (
    Adopt,
    Close,
    EntrySignal,
    ExitSignal,
    Filled,
    Flatten,
    Freeze,
    Ignore,
)
from surefoot.core.values import (
    ExchangeOrderId,
)

Input: TypeAlias = (
    OrderReport
    | Fill
    | Refusal
    | Unsent
    | Doubt
    | Absence
    | Reduction
    | PriceSeen
    | TimePassed
    | EntrySignal
    | ExitSignal
    | Close
    | Freeze
    | Adopt
    | Flatten
    | Filled
    | Ignore
)


# Importing them registers what every kind of input leads to.
__all__ = ["Ask", "Duty", "Input", "Withdraw", "decide", "facts", "owed", "wishes"]


class Ask(Struct, frozen=True, kw_only=True):
    """The exchange has to be asked about this order."""

    order: Order


class Withdraw(Struct, frozen=True, kw_only=True):
    """The exchange has to be told to cancel this order, and then asked."""

    order: Order
    exchange_order_id: ExchangeOrderId


Duty: TypeAlias = Ask | Withdraw


def decide(
    position: Position, event: Input, now: datetime, terms: Terms
) -> tuple[PositionRecord, ...]:
    """Return the records that an input leads to, in order; none if it teaches nothing new.

    `now` is exchange time.

    Raises:
        SignalRefused: the wish is not allowed here and now; nothing follows from it.
        InvariantViolated: the records would break a numbered promise; freeze the position.
    """
    draft = Draft(position, now, terms)
    take(event, draft)
    draft.settle()
    return tuple(draft.records)


def owed(position: Position) -> tuple[Duty, ...]:
    """Return what is left to do for the orders of a position, in any state, after any crash."""
    duties: list[Duty] = []
    for order in position.orders:
        if order.finished:
            continue
        known = order.exchange_order_id
        if order.cancel_at is not None and known is not None and order.verdict is None:
            duties.append(Withdraw(order=order, exchange_order_id=known))
        duties.append(Ask(order=order))
    return tuple(duties)
