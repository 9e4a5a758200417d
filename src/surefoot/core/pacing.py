"""When an order may be tried again: ever later after each failure in a row of its role."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import Position
from surefoot.core.terms import Terms

RETRY_FIRST: Final = timedelta(seconds=1)
RETRY_LONGEST: Final = timedelta(seconds=60)
# No venue takes a request that travels longer; what became of it is known the sooner.
LIFETIME_LONGEST: Final = timedelta(seconds=60)
LIMIT_AGAIN: Final = timedelta(seconds=5)
# A try that sells one part in so many is followed at once: a dozen of them, and little is left.
WORTH_A_TRY: Final = 4


def retry_at(position: Position, role: Role) -> datetime | None:
    """Return when the next order may be written, given how the last ones failed; None: at once.

    1, 2, 4 … 60 s after each failure in a row of the same role: an exit never waits because stops
    were refused. A success starts over. What was accepted and ended by the venue is tried again at
    once, the first time. A function of the records, so a restart neither forgets nor shortens it.
    """
    tally, newest = position.tallies.get(role), position.last(role)
    if tally is None or newest is None or not newest.finished:
        return None
    # An entry that expired was a good one; what was to sell and expired may go on expiring.
    failures = tally.failed if role is Role.ENTRY else tally.fruitless
    if not failures or (failures == 1 and newest.status is OrderStatus.EXPIRED):
        return None
    return tally.last_at + min(RETRY_FIRST * (1 << min(failures - 1, 6)), RETRY_LONGEST)


def lifetime(position: Position, role: Role, terms: Terms) -> timedelta:
    """Return how long the request of the next order of a role may be under way, from its decision.

    On a disk that takes longer to write an order down than its request may travel none would ever
    leave: after one that was too late for that reason, the next has the time that it took as well.
    An entry has not: it would buy at a price of long ago.
    """
    last = position.last(role)
    if role is Role.ENTRY or last is None or last.may_have_left or last.finished_at is None:
        return terms.request_lifetime
    if last.finished_at <= last.not_after:
        return terms.request_lifetime
    took = last.finished_at - last.signed_at
    return max(terms.request_lifetime, min(terms.request_lifetime + took, LIFETIME_LONGEST))


def resting(position: Position, now: datetime, role: Role) -> bool:
    """Tell whether the last orders of a role failed so recently that the next one has to wait.

    What ended later than now was noted by a clock that was ahead and has been set right: waiting
    until then would be as long as it was wrong.
    """
    until, tally = retry_at(position, role), position.tallies.get(role)
    return until is not None and tally is not None and tally.last_at <= now < until


def tried_in_vain(position: Position, now: datetime) -> bool:
    """Tell whether next to nothing was sold at a limit just now: each try takes the stop away."""
    last = position.last(Role.EXIT)
    if last is None or not last.immediate or last.finished_at is None:
        return False
    if last.filled * WORTH_A_TRY >= last.quantity:
        return False
    return last.finished_at <= now < last.finished_at + LIMIT_AGAIN


def turned_away(position: Position, stop: Order, now: datetime) -> bool:
    """Tell whether an exit in this stop's place was refused: now the stop makes way first.

    Not for a closed market or our clock alone: nobody sells then, and the stop works when they do.
    """
    last = position.last(Role.EXIT)
    if last is None or last.status is not OrderStatus.REJECTED or last.attempt < stop.attempt:
        return False
    if was_untimely(position, Role.EXIT):
        return False
    return not resting(position, now, Role.EXIT)


def was_untimely(position: Position, role: Role) -> bool:
    """Tell whether orders of a role were refused of late for our clock or a closed market alone."""
    last, tally = position.last(role), position.tallies.get(role)
    rejected = last is not None and last.status is OrderStatus.REJECTED
    return rejected and (tally is None or not tally.refused)
