"""What is decided and not yet durable: the records, where they lead to, and their commit."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct

from surefoot.core.account_records import Record
from surefoot.core.draft import Decision
from surefoot.core.order import Order
from surefoot.core.position import Position, State
from surefoot.core.records import FillBooked, OrderIntended, PositionRecord, PositionStarted
from surefoot.core.state import evolve
from surefoot.core.values import BotName, PositionId
from surefoot.crashpoint import crashpoint
from surefoot.journal.port import Append, Change, Journal, Memory, Receipt, Verdict, position_stream

_POINTS: Final = {OrderIntended: "intent", FillBooked: "fill"}


class Staged(Struct, frozen=True, kw_only=True):
    """Records that are decided and not yet durable, with the positions that they lead to."""

    before: Position
    after: Position
    records: tuple[PositionRecord, ...]
    left: tuple[Order, ...] = ()
    successor: PositionStarted | None = None

    def appends(self) -> tuple[Append, ...]:
        """Return what the journal has to append."""
        first = Append(
            stream=position_stream(self.after.position_id),
            expected=self.before.version,
            records=self.records,
            position=self.after,
            left=self.left,
        )
        if self.successor is None:
            return (first,)
        second = Append(
            stream=position_stream(self.successor.position_id),
            expected=0,
            records=(self.successor,),
            position=evolve(None, self.successor),
        )
        return (first, second)

    def change(self, memory: Memory | None = None, verdict: Verdict | None = None) -> Change:
        """Return what is committed if these records become durable by themselves."""
        return Change(
            at=self.records[-1].at,
            appends=self.appends(),
            memories=() if memory is None else (memory,),
            verdicts=() if verdict is None else (verdict,),
        )


def stage(position: Position, decision: Decision, *, current: bool) -> Staged:
    """Prepare a decision; the bot's current position brings its successor, FLAT, as it closes."""
    after, records = decision.position, decision.records
    closed = after.state is State.CLOSED and position.state is not State.CLOSED
    return Staged(
        before=position,
        after=after,
        records=records,
        left=decision.left,
        successor=next_position(after, records[-1].at) if closed and current else None,
    )


async def commit(journal: Journal, change: Change) -> Receipt:
    """Make a change durable, past the crash points of what is in it.

    Raises:
        RecordRefused: the journal will not have it, and nothing was written.
        JournalPoisoned: nobody knows what is durable; the process must exit.
    """
    points = commit_points(record for append in change.appends for record in append.records)
    for point in points:
        crashpoint(f"{point}.before-commit")
    receipt = await journal.commit(change)
    for point in points:
        crashpoint(f"{point}.after-commit")
    return receipt


def commit_points(records: Iterable[Record]) -> tuple[str, ...]:
    """Return the crash points that a commit of these records passes."""
    kinds = {type(record) for record in records}
    return tuple(point for kind, point in _POINTS.items() if kind in kinds)


def next_position(closed: Position, at: datetime) -> PositionStarted:
    """Return the record that gives a bot its next position, with the dust of the last one."""
    return PositionStarted(
        at=at,
        position_id=position_id(closed.bot, closed.number + 1),
        bot=closed.bot,
        account=closed.account,
        symbol=closed.symbol,
        base=closed.base,
        quote=closed.quote,
        number=closed.number + 1,
        carried=closed.left,
    )


def position_id(bot: BotName, number: int) -> PositionId:
    """Return the name of a bot's n-th position."""
    return PositionId(f"{bot}-{number}")
