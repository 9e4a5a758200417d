"""How an account stands with its exchange: one word, since when, why, and what comes next."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from msgspec import Struct


class HealthState(StrEnum):
    """How an account stands, the best last."""

    HALTED = "halted"  # nothing goes on before a person has acted
    BANNED = "banned"  # the exchange asked us to stay away
    UNREACHABLE = "unreachable"  # nothing that is asked is answered
    STARTING = "starting"  # recovery is under way
    DEGRADED = "degraded"  # it works, with less than it should have
    OK = "ok"


class Health(Struct, frozen=True, kw_only=True):
    """How one account stands. `watched`: levels that are kept here are honoured now."""

    state: HealthState
    since: datetime
    watched: bool
    why: str | None = None
    attempt: int = 0
    next_try: datetime | None = None
