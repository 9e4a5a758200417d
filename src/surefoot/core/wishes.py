"""What strategies want, and what a position makes of it; `leaving` has the exits."""

from __future__ import annotations

from msgspec.structs import replace

from surefoot.core.draft import Draft
from surefoot.core.errors import SignalRefused
from surefoot.core.lanes import Lane
from surefoot.core.order import Order, Role
from surefoot.core.pacing import resting, retry_at
from surefoot.core.position import State
from surefoot.core.records import OrderIntended
from surefoot.core.rules import new_order, withdrawal
from surefoot.core.signals import AddSignal, EntrySignal, Withhold
from surefoot.core.stop import may_be_added_to
from surefoot.core.values import Direction, moment, plain


def take_entry(signal: EntrySignal, draft: Draft) -> None:
    """Write an entry down, if the position may have one.

    Raises:
        SignalRefused: not here and not now.
    """
    position = draft.position
    if position.state is not State.FLAT or position.unfinished is not None:
        raise SignalRefused(f"no entry while the position is {position.state}")
    if position.frozen is not None:
        raise SignalRefused(f"no entry while the position is frozen: {position.frozen}")
    if signal.direction is not Direction.LONG:
        raise SignalRefused("a short entry needs a venue with derivatives; this one is spot")
    draft.add(
        OrderIntended(
            at=draft.now,
            order=_entry(signal, draft),
            reason=signal.reason,
            plan=signal.plan,
            direction=signal.direction,
            least=draft.terms.instrument.notional_min,
        ),
    )


def take_addition(signal: AddSignal, draft: Draft) -> None:
    """Write an entry down that adds to what is held, if the position may have one.

    Raises:
        SignalRefused: not here and not now.
    """
    position = draft.position
    if position.state is not State.OPEN:
        raise SignalRefused(f"nothing is added while the position is {position.state}")
    if position.frozen is not None:
        raise SignalRefused(f"nothing is added while the position is frozen: {position.frozen}")
    if position.lane(Lane.ENTRY) is not None:
        raise SignalRefused("an addition is under way")
    if position.exit_wish is not None:
        raise SignalRefused("an exit is under way")
    if not may_be_added_to(position, draft.now, draft.terms):
        raise SignalRefused("nothing is added before its stop is in place for all that it holds")
    largest = draft.terms.instrument.largest
    after = position.present + signal.quantity
    if largest is not None and after > largest:
        raise SignalRefused(
            f"it would hold {plain(after)} {position.base}; one stop carries {plain(largest)}"
        )
    order = _entry(signal, draft)
    least = draft.terms.instrument.notional_min
    draft.add(OrderIntended(at=draft.now, order=order, reason=signal.reason, least=least))


def _entry(signal: EntrySignal | AddSignal, draft: Draft) -> Order:
    position = draft.position
    until = retry_at(position, Role.ENTRY)
    if until is not None and resting(position, draft.now, Role.ENTRY):
        raise SignalRefused(f"the last entry failed; the next may follow at {moment(until)}")
    if Role.ENTRY in draft.terms.held:
        raise SignalRefused(draft.terms.held[Role.ENTRY])
    order = new_order(
        position,
        Role.ENTRY,
        signal.quantity,
        draft.now,
        draft.terms,
        limit=signal.limit,
        expires_at=None if signal.time_to_live is None else draft.now + signal.time_to_live,
    )
    return replace(order, immediate=signal.immediate)


def take_withhold(word: Withhold, draft: Draft) -> None:
    """Withdraw an entry that rests: who may not enter must not be filled either."""
    entry = draft.position.lane(Lane.ENTRY)
    if entry is not None and entry.cancel_at is None and entry.verdict is None:
        draft.add(withdrawal(draft.position, entry, word.reason, draft.now, draft.terms))
