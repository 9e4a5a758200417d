"""Whether the server runs, as an event: the one thing that it cannot write down itself.

It is derived, like everything, from what is: a destination was told of one life of the server,
and another runs now, or none.
"""

from __future__ import annotations

from datetime import datetime

from surefoot.journal.cursors import Cursor
from surefoot.notify.event import Event, EventKind, Weight


def absence(cursor: Cursor, epoch: str, now: datetime) -> Event:
    """Return that no server runs any more."""
    return Event(
        id=f"{epoch[:8]}-{cursor.sequence}-down",
        at=now,
        kind=EventKind.SERVER,
        weight=Weight.ALARM,
        text=(
            "The server is down. Nothing is entered, and only stops that rest at the exchange "
            "protect what is held. Start it again with: surefoot run"
        ),
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
