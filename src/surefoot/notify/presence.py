"""Whether the server runs, as an event: the one thing that it cannot write down itself.

It is derived, like everything, from what is: a destination was told of one life of the server,
and another runs now, or none.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from surefoot.core.protection import Place
from surefoot.core.values import counted
from surefoot.journal.cursors import Cursor
from surefoot.journal.status import StatusDocument
from surefoot.notify.event import Event, EventKind, Weight

# States in which something may be held, or come to be.
_HELD: Final = {"OPENING", "OPEN", "CLOSING"}
_NAMED_MAX: Final = 10


def absence(cursor: Cursor, document: StatusDocument, now: datetime) -> Event:
    """Return that no server runs any more, and what is at stake."""
    held = [bot.position for bot in document.bots if bot.position and bot.position.state in _HELD]
    bare = [each.id for each in held if each.protection.stop is not Place.EXCHANGE]
    if not held:
        stake = "Nothing is held."
    elif not bare:
        stake = f"{counted(len(held), 'position')} held; every stop rests at the exchange."
    else:
        names = ", ".join(bare[:_NAMED_MAX]) + (" …" if len(bare) > _NAMED_MAX else "")
        stake = f"{len(bare)} of {counted(len(held), 'position')} WITHOUT a working stop: {names}."
    return Event(
        id=f"{document.journal.epoch[:8]}-{cursor.sequence}-down",
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
