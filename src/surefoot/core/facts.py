"""What the exchange says, and what a position learns from it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from surefoot.core.draft import Draft
from surefoot.core.dust import is_dust
from surefoot.core.ebb import Ebb
from surefoot.core.exits import STOP_OF, Level
from surefoot.core.lanes import Lane, unfinished
from surefoot.core.order import Lesson, Order, OrderStatus, ReportedStatus, Role, compare
from surefoot.core.position import ExitWish, Position, State
from surefoot.core.records import (
    AmendRefused,
    CoinsBound,
    DustLost,
    ExitLapsed,
    ExitWished,
    OrderAmended,
    OrderDoubted,
    OrderNever,
    OrderRefused,
    OrderReported,
    OrderShut,
    PartTaken,
    PositionProven,
    PositionSetBack,
    ReductionBooked,
    ShortageSeen,
    StateChanged,
)
from surefoot.core.reports import (
    Absence,
    Binding,
    Doubt,
    Fill,
    Grounds,
    NothingOpen,
    OrderReport,
    Proof,
    Reduction,
    Refusal,
    SetBack,
    Shortage,
    Unamended,
    Unsent,
)
from surefoot.core.rules import unsold_share, withdrawal
from surefoot.core.terms import Terms
from surefoot.core.values import ZERO, moment, plain

# Reads show an accepted order later than this only seldom; then it is withdrawn for nothing.
MISSED_AFTER: Final = timedelta(seconds=1)
# This many refused exits or stops in a row, and a person has to look (they go on being tried).
REFUSALS_MAX: Final = 3
# A report that is not about a past which is known better.
_PRESENT: Final = frozenset({Lesson.ADOPT, Lesson.REFRESH, Lesson.CONCLUDE})


def unproven(  # noqa: C901, PLR0911 (one condition a line)
    order: Order, absence: Absence, position: Position, terms: Terms
) -> str | None:
    """Return why a search does not prove that an order never existed, or None if it does.

    All of these must hold (absence is not evidence): the read started after
    `not_after + V`; the order is not found by its id; no fill since the intent names it, in a
    window proven complete; no balance speaks against it; the other half of its group, if any, is
    accounted for; and the position has not changed since the read began.
    """
    deadline = order.not_after + terms.visibility
    if order.status is not OrderStatus.INTENDED:
        return f"it is {order.status}, and what was once seen cannot be unseen"
    if not absence.not_found:
        return "the exchange did not say that it knows no such order"
    if absence.read_started_at <= deadline:
        return f"the read began at {moment(absence.read_started_at)}, before {moment(deadline)}"
    if not absence.fills_complete:
        return "the window of fills is not proven complete"
    if absence.named_by_a_fill:
        return "a fill names it"
    if not absence.group_answered:
        return "what became of the order that it was to replace is not known"
    if absence.contradicted is not None:
        return absence.contradicted
    if absence.version != position.version:
        return "the position has changed since the read began"
    return None


def take_report(report: OrderReport, draft: Draft) -> None:
    """Learn from what the exchange says of an order."""
    order = draft.find(report.client_order_id, report.exchange_order_id)
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
    elif lesson is Lesson.LATE and _rejected_there(order, report):
        return
    elif lesson is Lesson.LATE:
        draft.freeze(f"{order.client_order_id} was {order.status}, yet the exchange has it")
        draft.recall(order)
        draft.add(_reported(order, report, draft.now))
    elif lesson is not Lesson.STALE and _is_news(order, report, lesson):
        draft.rule_out_rivals(order, traded=bool(report.filled))
        draft.add(_reported(order, report, draft.now))
    if lesson in _PRESENT:
        _learn_size(report, order, draft)


def _learn_size(report: OrderReport, order: Order, draft: Draft) -> None:
    """Believe that an order is smaller than it was; what would be larger is an older report."""
    if max(order.filled, report.filled) <= report.quantity < order.quantity:
        name = order.client_order_id
        draft.add(OrderAmended(at=draft.now, client_order_id=name, quantity=report.quantity))


def take_unamended(answer: Unamended, draft: Draft) -> None:
    """Take the proof that an order is as large as it was."""
    order = draft.position.find(answer.client_order_id)
    if order is None or order.finished or order.amending is None or order.amending.refused:
        return
    name = order.client_order_id
    draft.add(AmendRefused(at=draft.now, client_order_id=name, reason=answer.reason))


def _rejected_there(order: Order, report: OrderReport) -> bool:
    """Tell whether the exchange itself ended it, so that this report is only an older one."""
    known = order.status is OrderStatus.REJECTED and order.exchange_order_id is not None
    return known and report.status is ReportedStatus.OPEN and report.filled <= order.reported


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


def take_fill(fill: Fill, draft: Draft) -> None:
    """Count a trade, once."""
    order = draft.find(fill.client_order_id, fill.exchange_order_id)
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
        draft.recall(order)
    draft.book(fill, order)


def take_refusal(refusal: Refusal, draft: Draft) -> None:
    """Take a definitive no."""
    order = draft.position.find(refusal.client_order_id)
    if order is None or order.status is not OrderStatus.INTENDED:
        return
    draft.add(
        OrderRefused(
            at=draft.now,
            client_order_id=order.client_order_id,
            code=refusal.code,
            message=refusal.message,
            grounds=refusal.grounds,
        ),
    )
    match refusal.grounds:
        case Grounds.PASSED if order.role is Role.STOP:
            _leave_at(order, draft)
        case Grounds.FUNDS if order.role is Role.STOP or any(o.shut for o in draft.position.orders):
            pass  # The coins are elsewhere: comparing finds out, and what is there is protected.
        case Grounds.UNTIMELY:
            pass  # It says nothing of the order: the clock is measured, the next is in time.
        case Grounds.CLOSED:
            pass  # It will open; what lasts longer than a minute is said by its deadline.
        case Grounds.TOO_SMALL if is_dust(draft.position, draft.terms):
            pass  # Nobody can sell it now; the next position does.
        case Grounds.TOO_SMALL if _sells_part(draft.position, order):
            joins = unsold_share(draft.position, draft.terms)
            draft.add(PartTaken(at=draft.now, why=refusal.message, joins=joins))
        case _:
            _give_up_after(refusal, order, draft)


def _sells_part(position: Position, order: Order) -> bool:
    """Tell whether an order was to sell a part of the gain: what is left may be large enough."""
    wish = position.exit_wish
    return order.role is Role.EXIT and wish is not None and wish.level is Level.TAKE_PART


def _leave_at(stop: Order, draft: Draft) -> None:
    """Leave: what refuses a stop because it would trigger proves that its level is reached."""
    position = draft.position
    wish, level = position.exit_wish, STOP_OF[position.levels.phase]
    replaceable = wish is None or wish.limit is not None or wish.keep
    if position.set_back_at is not None:
        return
    if position.state in {State.OPEN, State.CLOSING} and replaceable:
        at = "" if stop.trigger is None else f" at {plain(stop.trigger)}"
        reason = f"the exchange says that a stop{at} would trigger at once"
        leave = ExitWish(by=level.value, level=level, reason=reason)
        draft.add(ExitWished(at=draft.now, wish=leave))


def _give_up_after(refusal: Refusal, order: Order, draft: Draft) -> None:
    """Freeze after so many refusals in a row that a person has to look; it goes on being tried."""
    tally = draft.position.tallies.get(order.role)
    refused = 0 if tally is None else tally.refused
    stops = unfinished(draft.position.orders, Lane.PROTECTION)
    if order.role is Role.STOP and any(stop.rests for stop in stops):
        return  # The older stop still rests; only its move is refused.
    if refused >= REFUSALS_MAX and order.role is not Role.ENTRY:
        what = f"the exchange refused {REFUSALS_MAX} {order.role}s in a row: {refusal.message}"
        why = what if order.role is Role.EXIT else f"{what}; the stop is watched here only"
        draft.freeze(why, lacking=True)


def take_unsent(unsent: Unsent, draft: Draft) -> None:
    """Take the proof that no request was accepted; what is NEVER is not looked for any more."""
    order = draft.position.find(unsent.client_order_id)
    if order is None or not (order.status is OrderStatus.INTENDED or order.sought_until):
        return
    draft.add(
        OrderNever(
            at=draft.now,
            client_order_id=order.client_order_id,
            evidence=f"no request was accepted: {unsent.reason}",
            may_have_left=False,
        ),
    )


def take_doubt(doubt: Doubt, draft: Draft) -> None:
    """Note that nobody knows whether a request arrived."""
    order = draft.position.find(doubt.client_order_id)
    if order is not None and order.status is OrderStatus.INTENDED and order.doubt is None:
        draft.add(
            OrderDoubted(
                at=draft.now,
                client_order_id=order.client_order_id,
                reason=doubt.reason,
            ),
        )


def take_absence(absence: Absence, draft: Draft) -> None:
    """Call an order NEVER, if the search proves it; a sale that is missed holds up no other."""
    position, order = draft.position, draft.position.find(absence.client_order_id)
    if order is None:
        return
    if unproven(order, absence, position, draft.terms) is not None:
        if not _is_missed(order, absence, position, draft.terms):
            return
        if order.rests_unfilled:
            reason = "nobody knows whether it rests, and nothing else does"
            cancel = withdrawal(position, order, reason, draft.now, draft.terms)
            draft.add(replace(cancel, hailed=True))
        else:
            evidence = "it could trade at once or not at all, and can come no more"
            name = order.client_order_id
            draft.add(OrderShut(at=draft.now, client_order_id=name, evidence=evidence))
        return
    evidence = (
        "not found by its id, nor in any fill, in a read begun at "
        f"{moment(absence.read_started_at)}, after not_after {moment(order.not_after)} + "
        f"{draft.terms.visibility}"
    )
    draft.add(
        OrderNever(
            at=draft.now,
            client_order_id=order.client_order_id,
            evidence=evidence,
            may_have_left=True,
        ),
    )
    if order.role is not Role.ENTRY and absence.ebb.possible:
        _leave_to_others(absence.ebb, order, draft)


def _leave_to_others(ebb: Ebb, order: Order, draft: Draft) -> None:
    """Sell no more than is left of what others sold of while an order was in doubt."""
    asset = draft.position.base
    meanwhile = f"while {order.client_order_id} was in doubt"
    what = f"others sold {plain(ebb.possible)} {asset} of what it holds {meanwhile}"
    why = f"{what}, and what is there came after it"
    if ebb.unsure:
        why = f"{what}, unless they were brought before: coins came or went by no trade"
    draft.freeze(why, lacking=True)
    if ebb.certain:
        missing = draft.position.missing + ebb.certain
        take_shortage(Shortage(missing=missing, evidence=why), draft)


def decided_at(order: Order, position: Position, terms: Terms) -> datetime | None:
    """Return from when on a request that is in doubt can no longer act; None: it still can.

    What was to replace another was tried, if at all, when that one was cancelled: the venue does
    both in one go, and the second half only after the first.
    """
    if order.replaces is None:
        return order.not_after + terms.request_lifetime
    old = position.find(order.replaces)
    return None if old is None or old.verdict is None else old.told_at


def _is_missed(order: Order, absence: Absence, position: Position, terms: Terms) -> bool:
    """Tell whether a sale is looked for in vain and can come no more.

    If it would rest, whoever cancels it is told by the matching engine itself whether there is
    anything to cancel. What that leaves open is whether it has sold already: so the account must
    hold nothing else that the next order could sell in its place, nor a part that is to stay.
    """
    decided = decided_at(order, position, terms)
    return (
        (order.role is Role.STOP or (order.role is Role.EXIT and _is_whole(order, position, terms)))
        and order.status is OrderStatus.INTENDED
        and not (order.hailed or order.shut)
        and position.set_back_at is None
        and absence.alone
        and not absence.ebb.possible
        and absence.not_found
        and not absence.named_by_a_fill
        and absence.contradicted is None
        and absence.version == position.version
        and decided is not None
        and absence.read_started_at > decided + MISSED_AFTER
    )


def _is_whole(order: Order, position: Position, terms: Terms) -> bool:
    """Tell whether an order was to sell all that is held, or as much as one may carry."""
    largest = terms.instrument.largest
    most = position.available if largest is None else min(position.available, largest)
    return order.quantity >= terms.instrument.sellable(most)


def take_nothing_open(answer: NothingOpen, draft: Draft) -> None:
    """Free the lane of a stop that is not there and cannot come; what it did is still asked."""
    position, order = draft.position, draft.position.find(answer.client_order_id)
    if order is None or not order.hailed or order.shut:
        return
    decided = decided_at(order, position, draft.terms)
    if order.status is not OrderStatus.INTENDED or decided is None or answer.asked_at <= decided:
        return
    evidence = (
        f"asked to cancel it at {moment(answer.asked_at)}, the exchange had nothing of it at work"
    )
    draft.add(OrderShut(at=draft.now, client_order_id=order.client_order_id, evidence=evidence))


def take_reduction(reduction: Reduction, draft: Draft) -> None:
    """Book what was closed from outside, and stop selling it."""
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
    reason = "the holding was reduced from outside"
    for live in position.orders:
        if not live.finished and live.cancel_at is None:
            draft.add(withdrawal(position, live, reason, draft.now, draft.terms))
    draft.add(
        ReductionBooked(
            at=draft.now,
            quantity=quantity,
            price=reduction.price,
            evidence=reduction.evidence,
            trades=reduction.trades,
            orders=reduction.orders,
        ),
    )
    draft.thaw(reduction.evidence)


def take_shortage(shortage: Shortage, draft: Draft) -> None:
    """Learn how much of the holding is not there, so that the rest can be sold.

    What was denied can be sold from here on, but for that. Dust that only waits is written off: it
    protects nothing, and nothing is to be asked.
    """
    waiting = ZERO if draft.position.entered else draft.position.claim
    if waiting > ZERO:
        lost = min(shortage.missing, waiting)
        draft.add(DustLost(at=draft.now, quantity=lost, evidence=shortage.evidence))
        return
    missing = min(shortage.missing, draft.position.quantity)
    if missing != draft.position.missing or draft.position.denied_at is not None:
        draft.add(ShortageSeen(at=draft.now, missing=missing, evidence=shortage.evidence))


def take_binding(binding: Binding, draft: Draft) -> None:
    """Learn how much of the holding orders of others lock, so that the rest can be sold."""
    before, quantity = draft.position.bound, min(binding.quantity, draft.position.present)
    known = None if before is None else (before.quantity, before.by)
    if known != ((quantity, binding.by) if quantity else None):
        draft.add(CoinsBound(at=draft.now, quantity=quantity, by=binding.by))


def take_setback(setback: SetBack, draft: Draft) -> None:
    """Believe no more than the exchange shows: what happened since is not in the journal.

    What it was frozen for before is not ended by what explains the holding. A wish to leave is of a
    time that is over, as every word that an older journal has: it is said again, or found again.
    """
    before = draft.position.frozen
    if draft.position.exit_wish is not None:
        draft.add(
            ExitLapsed(at=draft.now, why=f"it is older than what was found: {setback.reason}")
        )
    draft.add(PositionSetBack(at=draft.now, reason=setback.reason))
    draft.freeze(before or setback.reason, lacking=before is None)


def take_proof(proof: Proof, draft: Draft) -> None:
    """Go on after a setback: the holding is explained wholly."""
    if draft.position.set_back_at is not None:
        draft.add(PositionProven(at=draft.now, evidence=proof.evidence))
        draft.thaw(proof.evidence)
