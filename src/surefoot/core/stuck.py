"""What is stuck: something that should have ended, and has not, past its deadline.

A stuck thing is derived from state and time, never remembered by a timer; `deadlines` derives it,
the journal keeps which were found, and everybody who reads the journal shows them.
"""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from surefoot.core.values import BotName, PositionId, Symbol


class StuckKind(StrEnum):
    """Which deadline has passed."""

    ORDER_IN_DOUBT = "order-in-doubt"
    FILLS_UNCOUNTED = "fills-uncounted"
    CANCEL_UNFINISHED = "cancel-unfinished"
    EXIT_STUCK = "exit-stuck"
    STOP_MISSING = "stop-missing"
    READ_UNPROVEN = "read-unproven"
    PRICE_STALE = "price-stale"
    COINS_BOUND = "coins-bound"
    HOLDING_UNWEIGHED = "holding-unweighed"


class Stuck(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One thing past its deadline: since when, what was believed, and what is true instead.

    `subject` is what it is about: an order or a position.
    """

    kind: StuckKind
    subject: str
    symbol: Symbol
    since: datetime
    believed: str
    true: str
    bot: BotName | None = None
    position_id: PositionId | None = None

    @property
    def id(self) -> str:
        """Return a name that stays the same for as long as this stays stuck."""
        return f"{self.kind}/{self.subject}"
