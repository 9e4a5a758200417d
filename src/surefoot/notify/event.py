"""What a person or a program outside is told: one event for each record that matters to them.

An event has the number of its record, so that a receiver can drop what it was told twice.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct, field

from surefoot.core.values import AccountName, BotName, PositionId


class Weight(StrEnum):
    """How much an event wants somebody, least first."""

    INFO = "info"
    NOTICE = "notice"
    WARNING = "warning"
    ALARM = "alarm"

    def at_least(self, other: Weight) -> bool:
        """Tell whether this weighs as much as that."""
        return _ORDER[self] >= _ORDER[other]


_ORDER: Final = {weight: place for place, weight in enumerate(Weight)}


class EventKind(StrEnum):
    """What happened, in the words that `events` in the configuration uses."""

    RECOVERY = "recovery"
    FILL = "fill"
    ENTRY = "entry"
    EXIT = "exit"
    STOP_MOVED = "stop-moved"
    REFUSED = "refused"
    OUTSIDE = "outside"
    ORPHAN = "orphan"
    FROZEN = "frozen"
    RESOLVED = "resolved"
    BOT = "bot"
    EXCHANGE = "exchange"
    STUCK = "stuck"
    SERVER = "server"


class Event(Struct, frozen=True, kw_only=True):
    """One thing that happened, in a sentence, with the figures that a program may want.

    `id` is `EPOCH-SEQUENCE` of its record, the same whenever it is told.
    """

    id: str
    at: datetime
    kind: EventKind
    weight: Weight
    text: str
    account: AccountName | None = None
    bot: BotName | None = None
    position: PositionId | None = None
    details: dict[str, str] = field(default_factory=dict)
