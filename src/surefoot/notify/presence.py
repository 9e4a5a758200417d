"""Whether the server runs, as an event: the one thing that it cannot write down itself.

It is derived, like everything, from what is: a destination was told of one life of the server,
and another runs now, or none.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from surefoot.core.position import Position, State
from surefoot.core.protection import Place, covers, protection
from surefoot.core.values import counted
from surefoot.journal.cursors import Cursor
from surefoot.journal.port import Reader
from surefoot.notify.event import Event, EventKind, Weight

# States in which something may be held, or come to be.
_HELD: Final = {State.OPENING, State.OPEN, State.CLOSING}
_NAMED_MAX: Final = 10


async def absence(cursor: Cursor, reader: Reader, now: datetime) -> Event:
    """Return that no server runs any more, and what is at stake."""
    stake = _stake([each for each in await _positions(reader) if _held(each)])
    return Event(
        id=f"{reader.epoch[:8]}-{cursor.sequence}-down",
        at=now,
        kind=EventKind.SERVER,
        weight=Weight.ALARM,
        text=f"The server is down. {stake} Nothing is entered. Start it again: surefoot run",
        details={"server": "down"},
    )


def presence(cursor: Cursor, epoch: str, since: datetime) -> Event:
    """Return that a server runs which the destination has not been told of."""
    return Event(
        id=f"{epoch[:8]}-{cursor.sequence}-up-{since:%Y%m%dT%H%M%S}",
        at=since,
        kind=EventKind.SERVER,
        weight=Weight.NOTICE,
        text=f"The server runs since {since:%Y-%m-%d %H:%M:%S} UTC; recovery reports next.",
        details={"server": "up", "since": since.isoformat()},
    )


async def _positions(reader: Reader) -> list[Position]:
    """Return the newest of every bot, and older ones that are frozen."""
    rows = await reader.bots()
    older = [await reader.position(name) for row in rows for name in row.frozen]
    return [each for each in (*(row.position for row in rows), *older) if each is not None]


def _held(position: Position) -> bool:
    return position.state in _HELD or (position.frozen is not None and bool(position.quantity))


def _stake(held: list[Position]) -> str:
    resting = [each for each in held if protection(each, watched=False).stop is Place.EXCHANGE]
    bare = [each for each in held if each not in resting]
    partly = [each for each in resting if not covers(each)]
    if not held:
        return "Nothing is held."
    count = counted(len(held), "position")
    if not bare and not partly:
        return f"{count} held; every stop rests at the exchange."
    lacks = f"{len(bare)} of {count} WITHOUT a working stop: {_named(bare)}." if bare else ""
    part = f"The stop covers only a part of {_named(partly)}." if partly else ""
    return " ".join(filter(None, (lacks, part)))


def _named(positions: list[Position]) -> str:
    names = [each.position_id for each in positions]
    return ", ".join(names[:_NAMED_MAX]) + (" …" if len(names) > _NAMED_MAX else "")
