"""What may still be asked of a venue and sent there, and who goes first when it is not enough.

A venue counts in windows of its own clock, from one multiple of their length to the next: request
weight for an address, orders for an account. A ledger holds what the venue told last, what has
left and is not answered yet, and what is kept for orders that are being written down. The less
urgent something is, the smaller the share of a window it may use: whatever else goes on, there is
room for the stop of what was just filled. Pure: every question brings the time.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from fractions import Fraction
from typing import Final

from msgspec import Struct

# Two clocks are never the same: a window is taken to begin a little after the venue says so, and
# what is sent at its edge does not land in the full one before it.
EDGE: Final = timedelta(milliseconds=100)
_FIRST: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Urgency(IntEnum):
    """What goes first when there is not room for everything; the smallest does."""

    PROTECTION = 0  # stops and exits
    PROOF = 1  # what became of one order, and cancels
    COMPARING = 2  # questions about everything, on timers and at a start
    ENTRY = 3  # new risk


# An entry wants a stop: what entries may not use is theirs, and the exits'.
ORDER_SHARES: Final = {
    Urgency.PROTECTION: Fraction(1),
    Urgency.PROOF: Fraction(1),
    Urgency.COMPARING: Fraction(1),
    Urgency.ENTRY: Fraction(1, 2),
}
WEIGHT_SHARES: Final = {
    Urgency.PROTECTION: Fraction(1),
    Urgency.PROOF: Fraction(9, 10),
    Urgency.COMPARING: Fraction(3, 4),
    Urgency.ENTRY: Fraction(3, 4),
}


class Window(Struct, frozen=True, kw_only=True):
    """One count of a venue, by the venue's own name for it: at most `limit` in each `length`."""

    name: str
    length: timedelta
    limit: int

    def begun(self, now: datetime) -> datetime:
        """Return when the window of this moment began."""
        return now - EDGE - (now - EDGE - _FIRST) % self.length

    def end(self, now: datetime) -> datetime:
        """Return when the next one may be used."""
        return self.begun(now) + self.length + EDGE


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Ticket:
    """So much is spent or kept; `until` is when it counts no longer, used or not."""

    amount: int
    at: datetime
    until: datetime | None = None


class _Count:
    """What is known to be used of one window."""

    def __init__(self, window: Window) -> None:
        self.window = window
        self._begun = _FIRST
        self._used = 0
        self._told_at = _FIRST

    def used(self, now: datetime) -> int:
        """Return what is used of the window of now."""
        begun = self.window.begun(now)
        if begun > self._begun:
            self._begun, self._used, self._told_at = begun, 0, _FIRST
        return self._used

    def add(self, amount: int, now: datetime) -> None:
        """Count what the venue did not tell."""
        self._used = self.used(now) + amount

    def tell(self, told: int, asked_at: datetime, now: datetime) -> bool:
        """Take the venue's word, unless it may be about the window before.

        Questions and answers overtake each other. Only what was asked after the last word had come
        is surely newer than that; of two that were on their way together the higher one counts.
        """
        used = self.used(now)
        if asked_at < self._begun + EDGE:
            return False
        self._used = told if asked_at >= self._told_at else max(used, told)
        self._told_at = now
        return True


class Ledger:
    """Windows that one thing counts in, and how much of them each urgency may use."""

    def __init__(self, windows: Iterable[Window], shares: Mapping[Urgency, Fraction]) -> None:
        self._counts = [_Count(window) for window in windows]
        self._shares = shares
        self._pending: set[Ticket] = set()
        self._full_until = _FIRST

    def adopt(self, windows: Iterable[Window]) -> None:
        """Take over the limits that the venue tells; of what it does not tell, ours stay."""
        known = {count.window.name: count for count in self._counts}
        for window in windows:
            if window.name in known:
                known[window.name].window = window
            else:
                self._counts.append(_Count(window))

    def later(self, urgency: Urgency, amount: int, now: datetime) -> datetime | None:
        """Return when so much may be spent; None: now."""
        pending = self._kept(now)
        ends = [self._full_until] if now < self._full_until else []
        for count in self._counts:
            most = int(count.window.limit * self._shares[urgency])
            if count.used(now) + pending + amount > most:
                ends.append(count.window.end(now))
        return max(ends, default=None)

    def most(self, urgency: Urgency) -> int:
        """Return the most that can ever be spent at once."""
        share = self._shares[urgency]
        return min(int(count.window.limit * share) for count in self._counts)

    def spend(self, amount: int, now: datetime, *, until: datetime | None = None) -> Ticket:
        """Count something that leaves, or will have left by `until`; settle it when it is over."""
        ticket = Ticket(amount=amount, at=now, until=until)
        self._pending.add(ticket)
        return ticket

    def settle(self, ticket: Ticket, *, cost: int, told: Mapping[str, int], now: datetime) -> None:
        """Count what something cost in the end: what the venue told, or else what we think."""
        self._pending.discard(ticket)
        for count in self._counts:
            figure = told.get(count.window.name)
            if figure is None or not count.tell(figure, ticket.at, now):
                count.add(cost, now)

    def fill(self, until: datetime | None, now: datetime) -> None:
        """Learn that the venue takes no more; without a time, until its shortest window ends."""
        ends = [count.window.end(now) for count in self._counts]
        self._full_until = max(self._full_until, until or min(ends))

    def _kept(self, now: datetime) -> int:
        over = {each for each in self._pending if each.until is not None and each.until < now}
        self._pending -= over
        return sum(ticket.amount for ticket in self._pending)
