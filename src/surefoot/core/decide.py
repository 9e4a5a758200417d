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
from decimal import Decimal
from functools import singledispatch
from typing import Final, TypeAlias

from msgspec import Struct

from surefoot.core.errors import InvalidValue, SignalRefused
from surefoot.core.exits import advance, breached
from surefoot.core.invariants import check
from surefoot.core.order import Lesson, Order, OrderStatus, Role, compare
from surefoot.core.position import ExitWish, Position, State
from surefoot.core.records import (
    CancelIntended,
    ExitWished,
    FillBooked,
    LevelsSet,
    OrderDoubted,
    OrderFinished,
    OrderIntended,
    OrderNever,
    OrderRefused,
    OrderReported,
    PositionFrozen,
    PositionRecord,
    PositionResolved,
    ReductionBooked,
    StateChanged,
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
from surefoot.core.rules import RULES, Terms, is_dust, new_order, resting, retry_at
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
from surefoot.core.state import evolve
from surefoot.core.values import (
    ZERO,
    ClientOrderId,
    Direction,
    ExchangeOrderId,
    TradeId,
    plain,
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

# Every rule adds at most one record a round; a position that is not settled by then never will be.
ROUNDS_MAX: Final = 32
# This many refused exits in a row, and a person has to look (they go on being tried, slowly).
EXIT_REFUSALS_MAX: Final = 3
# A resting stop at the exchange has first go; only this far past it do we step in ourselves.
STOP_GRACE: Final = Decimal("0.002")


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
    draft = _Draft(position, now, terms)
    _take(event, draft)
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


def unproven(order: Order, absence: Absence, position: Position, terms: Terms) -> str | None:
    """Return why a search does not prove that an order never existed, or None if it does.

    All of these must hold (DESIGN: absence is not evidence): the read started after
    `not_after + V`; the order is not found by its id; no fill since the intent names it, in a
    window proven complete; and the position has not changed since the read began.
    """
    deadline = order.not_after + terms.visibility
    if order.status is not OrderStatus.INTENDED:
        return f"it is {order.status}, and what was once seen cannot be unseen"
    if not absence.not_found:
        return "the exchange did not say that it knows no such order"
    if absence.read_started_at <= deadline:
        return f"the read began at {absence.read_started_at}, before {deadline}"
    if not absence.fills_complete:
        return "the window of fills is not proven complete"
    if absence.named_by_a_fill:
        return "a fill names it"
    if absence.version != position.version:
        return "the position has changed since the read began"
    return None


class _Draft:
    """Records being gathered, and the position that they lead to; checked one by one."""

    def __init__(self, position: Position, now: datetime, terms: Terms) -> None:
        self.position = position
        self.now = now
        self.terms = terms
        self.records: list[PositionRecord] = []

    def add(self, record: PositionRecord) -> None:
        after = evolve(self.position, record)
        check(self.position, after)
        self.position = after
        self.records.append(record)

    def freeze(self, reason: str) -> None:
        if self.position.frozen is None:
            self.add(PositionFrozen(at=self.now, reason=reason))

    def settle(self) -> None:
        for _ in range(ROUNDS_MAX):
            found = (rule(self.position, self.now, self.terms) for rule in RULES)
            record = next((record for record in found if record is not None), None)
            if record is None:
                return
            self.add(record)
        raise InvalidValue(f"{self.position.position_id} does not settle in {ROUNDS_MAX} rounds")


@singledispatch
def _take(event: Input, _draft: _Draft) -> None:
    raise InvalidValue(f"nothing is decided from a {type(event).__name__}")


@_take.register
def _(_event: TimePassed, _draft: _Draft) -> None:
    """Only the rules run."""


# What the exchange says -------------------------------------------------------------------------


@_take.register
def _(report: OrderReport, draft: _Draft) -> None:
    order = draft.position.find(report.client_order_id, report.exchange_order_id)
    if order is None:
        return
    contradiction = _contradiction(order, report)
    if contradiction is not None:
        draft.freeze(contradiction)
        return
    lesson = compare(order.status, report.status)
    if lesson is Lesson.CONFLICT or (lesson is Lesson.STALE and report.filled > order.reported):
        draft.freeze(
            f"{order.client_order_id} is {order.status} here with {plain(order.filled)} filled, "
            f"{report.status} at the exchange with {plain(report.filled)}",
        )
    elif lesson is Lesson.LATE:
        draft.freeze(f"{order.client_order_id} was {order.status}, yet the exchange has it")
        draft.add(_reported(order, report, draft.now))
    elif lesson is not Lesson.STALE and _is_news(order, report, lesson):
        draft.add(_reported(order, report, draft.now))


def _contradiction(order: Order, report: OrderReport) -> str | None:
    if order.exchange_order_id not in {None, report.exchange_order_id}:
        return (
            f"the exchange has two orders named {order.client_order_id}: "
            f"{order.exchange_order_id} and {report.exchange_order_id}"
        )
    if report.side is not order.side or report.filled > order.quantity:
        return (
            f"{order.client_order_id} is a {order.side} of {plain(order.quantity)} here, "
            f"a {report.side} with {plain(report.filled)} filled at the exchange"
        )
    return None


def _is_news(order: Order, report: OrderReport, lesson: Lesson) -> bool:
    if lesson is Lesson.ADOPT or report.filled > order.reported:
        return True
    return lesson is Lesson.CONCLUDE and order.verdict is None


def _reported(order: Order, report: OrderReport, now: datetime) -> OrderReported:
    return OrderReported(
        at=now,
        client_order_id=order.client_order_id,
        exchange_order_id=report.exchange_order_id,
        status=report.status,
        filled=report.filled,
    )


@_take.register
def _(fill: Fill, draft: _Draft) -> None:
    order = draft.position.find(fill.client_order_id, fill.exchange_order_id)
    if order is None or fill.trade_id in order.trades:
        return
    if order.filled + fill.quantity > order.quantity:
        draft.freeze(
            f"trade {fill.trade_id} would fill {order.client_order_id} beyond its "
            f"{plain(order.quantity)}; it was not booked",
        )
        return
    if order.finished:
        draft.freeze(f"trade {fill.trade_id} came after {order.client_order_id} was over")
    draft.add(FillBooked(at=draft.now, client_order_id=order.client_order_id, fill=fill))


@_take.register
def _(refusal: Refusal, draft: _Draft) -> None:
    order = draft.position.find(refusal.client_order_id)
    if order is None or order.status is not OrderStatus.INTENDED:
        return
    draft.add(
        OrderRefused(
            at=draft.now,
            client_order_id=order.client_order_id,
            code=refusal.code,
            message=refusal.message,
        ),
    )
    tail = [each for each in draft.position.orders if each.role is Role.EXIT][-EXIT_REFUSALS_MAX:]
    if len(tail) == EXIT_REFUSALS_MAX and all(each.status is OrderStatus.REJECTED for each in tail):
        draft.freeze(f"the exchange refused {EXIT_REFUSALS_MAX} exits in a row: {refusal.message}")


@_take.register
def _(unsent: Unsent, draft: _Draft) -> None:
    order = draft.position.find(unsent.client_order_id)
    if order is not None and order.status is OrderStatus.INTENDED:
        evidence = f"the request never left: {unsent.reason}"
        draft.add(
            OrderNever(at=draft.now, client_order_id=order.client_order_id, evidence=evidence),
        )


@_take.register
def _(doubt: Doubt, draft: _Draft) -> None:
    order = draft.position.find(doubt.client_order_id)
    if order is not None and order.status is OrderStatus.INTENDED and order.doubt is None:
        draft.add(
            OrderDoubted(
                at=draft.now,
                client_order_id=order.client_order_id,
                reason=doubt.reason,
            ),
        )


@_take.register
def _(absence: Absence, draft: _Draft) -> None:
    order = draft.position.find(absence.client_order_id)
    if order is None or unproven(order, absence, draft.position, draft.terms) is not None:
        return
    evidence = (
        f"not found by its id, nor in any fill, in a read begun at {absence.read_started_at}, "
        f"after not_after {order.not_after} + {draft.terms.visibility}"
    )
    draft.add(OrderNever(at=draft.now, client_order_id=order.client_order_id, evidence=evidence))


@_take.register
def _(reduction: Reduction, draft: _Draft) -> None:
    position = draft.position
    quantity = min(reduction.quantity, position.quantity)
    if position.state not in {State.OPEN, State.CLOSING} or quantity <= ZERO:
        return
    if position.state is State.OPEN:
        draft.add(
            StateChanged(
                at=draft.now,
                target=State.CLOSING,
                why=f"closed from outside: {reduction.evidence}",
            ),
        )
    live = position.unfinished
    if live is not None and live.cancel_at is None:
        draft.add(_withdrawal(live, draft.now))
    draft.add(
        ReductionBooked(
            at=draft.now,
            quantity=quantity,
            price=reduction.price,
            evidence=reduction.evidence,
        ),
    )


# What the market says ---------------------------------------------------------------------------


@_take.register
def _(seen: PriceSeen, draft: _Draft) -> None:
    entry = draft.position.entry_price
    if entry is None or draft.position.state not in {State.OPENING, State.OPEN}:
        return
    if draft.position.state is State.OPEN:
        _follow(seen.price, entry, draft)
    position = draft.position
    level = breached(position.levels, seen.price, position.direction)
    if level is None or position.exit_wish is not None:
        return
    if level != "take-profit" and _exchange_has_first_go(position, seen.price):
        return
    reason = f"the price {plain(seen.price)} reached it"
    draft.add(ExitWished(at=draft.now, wish=ExitWish(by=level, reason=reason)))


def _follow(price: Decimal, entry: Decimal, draft: _Draft) -> None:
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
    live, stop = position.unfinished, position.levels.stop
    if live is None or live.role is not Role.STOP or stop is None or live.trigger != stop:
        return False
    if live.status is not OrderStatus.WORKING:
        return False
    return (stop - price) * position.direction.sign < stop * STOP_GRACE


# What somebody wants ----------------------------------------------------------------------------


@_take.register
def _(signal: EntrySignal, draft: _Draft) -> None:
    position = draft.position
    if position.state is not State.FLAT or position.unfinished is not None:
        raise SignalRefused(f"no entry while the position is {position.state}")
    if position.frozen is not None:
        raise SignalRefused(f"no entry while the position is frozen: {position.frozen}")
    if signal.direction is not Direction.LONG:
        raise SignalRefused("a short entry needs a venue with derivatives; this one is spot")
    if resting(position, draft.now):
        raise SignalRefused(f"the last entry failed; the next may follow at {retry_at(position)}")
    order = new_order(
        position,
        Role.ENTRY,
        signal.quantity,
        draft.now,
        draft.terms,
        limit=signal.limit,
        expires_at=None if signal.time_to_live is None else draft.now + signal.time_to_live,
    )
    draft.add(
        OrderIntended(
            at=draft.now,
            order=order,
            reason=signal.reason,
            plan=signal.plan,
            direction=signal.direction,
        ),
    )


@_take.register
def _(signal: ExitSignal, draft: _Draft) -> None:
    position = draft.position
    if position.state is not State.OPEN:
        raise SignalRefused(f"no exit while the position is {position.state}")
    if position.exit_wish is not None:
        raise SignalRefused("an exit is under way")
    if is_dust(position, draft.terms):
        raise SignalRefused("what is held is too little to trade")
    if resting(position, draft.now):
        raise SignalRefused(f"the last exit failed; the next may follow at {retry_at(position)}")
    wish = ExitWish(
        by="strategy",
        reason=signal.reason,
        limit=signal.limit,
        expires_at=None if signal.time_to_live is None else draft.now + signal.time_to_live,
    )
    draft.add(ExitWished(at=draft.now, wish=wish))


@_take.register
def _(close: Close, draft: _Draft) -> None:
    position = draft.position
    if position.state in {State.FLAT, State.CLOSED}:
        raise SignalRefused(
            f"{position.position_id} is {position.state}: there is nothing to close"
        )
    wish = position.exit_wish
    if wish is not None and wish.persistent:
        raise SignalRefused(f"{position.position_id} is being closed already, by {wish.by}")
    reason = f"{close.by} closed it"
    draft.add(ExitWished(at=draft.now, wish=ExitWish(by=close.by, reason=reason, persistent=True)))


@_take.register
def _(freeze: Freeze, draft: _Draft) -> None:
    draft.freeze(freeze.reason)


@_take.register
def _(word: Adopt | Ignore, draft: _Draft) -> None:
    position = draft.position
    if position.frozen is None:
        raise SignalRefused(f"{position.position_id} is not frozen")
    if position.state is State.CLOSED and not is_dust(position, draft.terms):
        raise SignalRefused(
            f"{position.position_id} is CLOSED, yet {plain(position.quantity)} {position.base} "
            f"arrived late: deal with them at the exchange, then resolve it with --flat",
        )
    how = "adopt" if isinstance(word, Adopt) else "ignore"
    draft.add(PositionResolved(at=draft.now, by=word.by, how=how, written_off=ZERO))


@_take.register
def _(word: Flatten, draft: _Draft) -> None:
    for order in draft.position.orders:
        if not order.finished:
            draft.add(_abandoned(order, word.by, draft.now))
    quantity = draft.position.quantity
    draft.add(PositionResolved(at=draft.now, by=word.by, how="flat", written_off=quantity))


@_take.register
def _(word: Filled, draft: _Draft) -> None:
    order = draft.position.find(word.client_order_id)
    if order is None or order.finished:
        raise SignalRefused(f"{word.client_order_id} is no unfinished order of this position")
    if word.quantity > order.quantity - order.filled:
        raise SignalRefused(f"only {plain(order.quantity - order.filled)} of it can be filled")
    fill = Fill(
        symbol=draft.position.symbol,
        trade_id=TradeId(f"operator-{order.client_order_id}"),
        exchange_order_id=order.exchange_order_id or ExchangeOrderId("operator"),
        client_order_id=order.client_order_id,
        side=order.side,
        price=word.price,
        quantity=word.quantity,
        fee=word.fee,
        fee_asset=draft.position.quote,
        at=draft.now,
    )
    draft.add(FillBooked(at=draft.now, client_order_id=order.client_order_id, fill=fill))
    full = order.filled + word.quantity == order.quantity
    status = OrderStatus.FILLED if full else OrderStatus.CANCELED
    draft.add(
        OrderFinished(at=draft.now, client_order_id=order.client_order_id, status=status),
    )
    draft.add(PositionResolved(at=draft.now, by=word.by, how="filled", written_off=ZERO))


def _abandoned(order: Order, by: str, now: datetime) -> PositionRecord:
    name: ClientOrderId = order.client_order_id
    if order.status is OrderStatus.INTENDED:
        return OrderNever(at=now, client_order_id=name, evidence=f"{by} says so")
    if not order.counted:
        raise SignalRefused(
            f"{name} filled {plain(order.reported)} at the exchange, {plain(order.filled)} are "
            f"booked: say what it filled with --filled QUANTITY@PRICE first",
        )
    return OrderFinished(at=now, client_order_id=name, status=OrderStatus.CANCELED)


def _withdrawal(order: Order, now: datetime) -> PositionRecord:
    return CancelIntended(
        at=now,
        client_order_id=order.client_order_id,
        reason="the holding was reduced from outside",
    )
