"""Deciding: `decide(position, input, now, terms) → Decision(records, position)`. Pure, closed.

An input (a report, a signal, a price, an operator's word) becomes records; then `core.rules` run
until none has anything to add. So what a batch leaves behind is complete: an order whose
fills are counted is finished, a state that can move has moved, and whatever is owed next (an exit,
a stop, a cancel) is an intent in the same batch. Starting after a crash runs the same rules on the
same state; there is no other path.

`owed` lists what is left to do for orders that exist: ask, or cancel. Sending is not in it. An
intent is sent once, by the process that holds the receipt of its commit; after that it is only
ever asked about.
"""

from __future__ import annotations

from datetime import datetime
from typing import TypeAlias, assert_never

from msgspec import Struct

from surefoot.core import answers, facts, leaving, wishes
from surefoot.core.draft import Decision, Draft
from surefoot.core.dust import as_entered
from surefoot.core.order import Order, Role
from surefoot.core.position import Position
from surefoot.core.records import PositionFrozen
from surefoot.core.reports import (
    Absence,
    Binding,
    Doubt,
    Fill,
    LateFact,
    NothingOpen,
    OrderReport,
    PriceSeen,
    Proof,
    Reduction,
    Refusal,
    SetBack,
    Shortage,
    TimePassed,
    Unamended,
    Unsent,
)
from surefoot.core.signals import (
    AddSignal,
    Adopt,
    Close,
    EntrySignal,
    ExitSignal,
    Filled,
    Flatten,
    Freeze,
    Ignore,
    Withhold,
)
from surefoot.core.state import evolve
from surefoot.core.terms import Terms
from surefoot.core.values import ExchangeOrderId

Input: TypeAlias = (
    OrderReport
    | Fill
    | LateFact
    | Refusal
    | Unamended
    | Unsent
    | Doubt
    | Absence
    | NothingOpen
    | Reduction
    | Shortage
    | Binding
    | SetBack
    | Proof
    | PriceSeen
    | TimePassed
    | EntrySignal
    | AddSignal
    | ExitSignal
    | Close
    | Freeze
    | Withhold
    | Adopt
    | Flatten
    | Filled
    | Ignore
)


class Ask(Struct, frozen=True, kw_only=True):
    """The exchange has to be asked about this order."""

    order: Order


class Withdraw(Struct, frozen=True, kw_only=True):
    """The exchange has to be told to cancel this order, and then asked.

    Without the exchange's id it is cancelled by its own name, to learn whether it is there.
    """

    order: Order
    exchange_order_id: ExchangeOrderId | None


Duty: TypeAlias = Ask | Withdraw


def decide(position: Position, event: Input, now: datetime, terms: Terms) -> Decision:
    """Return the records that an input leads to and the position after them; none if no news.

    `now` is exchange time. The position is the one that the invariants saw: nobody has to apply
    the records again.

    Raises:
        SignalRefused: the wish is not allowed here and now; nothing follows from it.
        InvariantViolated: the records would break a numbered promise; freeze the position.
    """
    departed = event.order if isinstance(event, LateFact) else None
    draft = Draft(position, now, as_entered(position, terms), departed)
    _take(event, draft)
    draft.complete()
    return draft.decided()


def freeze_only(position: Position, reason: str, now: datetime) -> Decision:
    """Freeze a position that cannot be decided upon: no rule runs, and no promise is checked."""
    record = PositionFrozen(at=now, reason=reason)
    return Decision(records=(record,), position=evolve(position, record))


def _take(event: Input, draft: Draft) -> None:  # noqa: C901, PLR0912, PLR0915 (one table)
    """Add to the draft what follows from one input; every kind has an arm and mypy proves it."""
    match event:
        case OrderReport():
            facts.take_report(event, draft)
        case Fill():
            facts.take_fill(event, draft)
        case LateFact(fact=fact):
            _take(fact, draft)
        case Refusal():
            facts.take_refusal(event, draft)
        case Unsent():
            facts.take_unsent(event, draft)
        case Unamended():
            facts.take_unamended(event, draft)
        case Doubt():
            facts.take_doubt(event, draft)
        case Absence():
            facts.take_absence(event, draft)
        case NothingOpen():
            facts.take_nothing_open(event, draft)
        case Reduction():
            facts.take_reduction(event, draft)
        case Shortage():
            facts.take_shortage(event, draft)
        case Binding():
            facts.take_binding(event, draft)
        case SetBack():
            facts.take_setback(event, draft)
        case Proof():
            facts.take_proof(event, draft)
        case PriceSeen():
            leaving.take_price(event, draft)
        case TimePassed():
            pass  # Only the rules run; an exit rule by the clock would be called here.
        case EntrySignal():
            wishes.take_entry(event, draft)
        case AddSignal():
            wishes.take_addition(event, draft)
        case ExitSignal():
            leaving.take_exit(event, draft)
        case Close():
            leaving.take_close(event, draft)
        case Freeze(reason=reason, lacking=lacking):
            draft.freeze(reason, lacking=lacking)
        case Withhold():
            wishes.take_withhold(event, draft)
        case Adopt() | Ignore():
            answers.take_look(event, draft)
        case Flatten():
            answers.take_flatten(event, draft)
        case Filled():
            answers.take_filled(event, draft)
        case _:
            assert_never(event)


def owed(position: Position) -> tuple[Duty, ...]:
    """Return what is left to do for the orders of a position, in any state, after any crash.

    A stop stays that an older journal wanted gone: it may be all that protects by now.
    """
    duties: list[Duty] = []
    for order in position.orders:
        if order.finished:
            continue
        known = order.exchange_order_id
        kept = order.role is Role.STOP and position.set_back_at is not None
        reachable = known is not None or (order.hailed and not order.shut)
        if order.cancel_at is not None and reachable and order.verdict is None and not kept:
            duties.append(Withdraw(order=order, exchange_order_id=known))
        duties.append(Ask(order=order))
    return tuple(duties)
