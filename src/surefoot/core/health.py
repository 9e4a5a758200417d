"""How an account stands with its exchange: one word, since when, why, and what comes next.

It follows from the circumstances and the time; the journal keeps its changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from msgspec import Struct

from surefoot.core.values import Symbol

# One read that failed beside others that are on their way is no silence.
SILENCE: Final = timedelta(seconds=5)
# A stream that is up again by then was no trouble: venues close sockets every day.
BLINK: Final = timedelta(seconds=15)
# Reads are repeated within half a minute, so that this is more than one that failed.
UNPROVEN_AFTER: Final = timedelta(minutes=1)


class HealthState(StrEnum):
    """How an account stands, the best last."""

    HALTED = "halted"  # nothing goes on before a person has acted
    BANNED = "banned"  # the exchange asked us to stay away
    UNREACHABLE = "unreachable"  # nothing that is asked is answered
    STARTING = "starting"  # recovery is under way
    DEGRADED = "degraded"  # it works, with less than it should have
    OK = "ok"


class Health(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How one account stands. `watched`: levels that are kept here are honoured now."""

    state: HealthState
    since: datetime
    watched: bool
    why: str | None = None
    next_try: datetime | None = None


class Trouble(Struct, frozen=True, kw_only=True):
    """Something that does not work, since when, and why."""

    since: datetime
    why: str


class Circumstances(Struct, frozen=True, kw_only=True):
    """What is noticed of one account. `silent`: nothing was answered since something failed.

    `progress` is how far a start has come, if that takes long. `unpriced` are the held symbols of
    which no price arrives, by stream or by asking, `unweighed` those whose balance has changed and
    could not be weighed.
    """

    recovered: bool = False
    progress: str | None = None
    halted: str | None = None
    banned_until: datetime | None = None
    silent: Trouble | None = None
    account_stream: Trouble | None = None
    market_stream: Trouble | None = None
    unproven: Mapping[Symbol, datetime] = {}
    unpriced: Mapping[Symbol, datetime] = {}
    unweighed: Mapping[Symbol, datetime] = {}


def diagnose(seen: Circumstances, before: Health | None, now: datetime) -> Health:
    """Return how an account stands; what goes on since before keeps its beginning."""
    state, why, next_try = _state(seen, now)
    able = state not in {HealthState.BANNED, HealthState.UNREACHABLE}
    same = before is not None and before.state is state
    return Health(
        state=state,
        since=before.since if before is not None and same else now,
        watched=seen.recovered and able and not _unpriced(seen, now),
        why=why,
        next_try=next_try,
    )


def _state(seen: Circumstances, now: datetime) -> tuple[HealthState, str | None, datetime | None]:
    if seen.halted is not None:
        return HealthState.HALTED, seen.halted, None
    until = seen.banned_until
    if until is not None and now < until:
        why = f"the exchange asked us to stay away until {until:%Y-%m-%d %H:%M:%S} UTC"
        return HealthState.BANNED, why, until
    silent = seen.silent
    if silent is not None and (not seen.recovered or now - silent.since > SILENCE):
        return HealthState.UNREACHABLE, silent.why, None
    if not seen.recovered:
        return HealthState.STARTING, seen.progress, None
    missing = _missing(seen, now)
    if missing:
        return HealthState.DEGRADED, "; ".join(missing), None
    return HealthState.OK, None, None


def _missing(seen: Circumstances, now: datetime) -> list[str]:
    streams = {
        "the account stream is down, so fills are found by asking": seen.account_stream,
        "the market stream is down, so prices are asked for": seen.market_stream,
    }
    missing = [f"{what} ({t.why})" for what, t in streams.items() if t and _lasts(t, now)]
    unproven = sorted(s for s, since in seen.unproven.items() if now - since > UNPROVEN_AFTER)
    unpriced = _unpriced(seen, now)
    if unpriced:
        missing.append(f"no price of {', '.join(unpriced)} arrives")
    if unproven:
        missing.append(f"no read of {', '.join(unproven)} is whole")
    return missing


def _unpriced(seen: Circumstances, now: datetime) -> list[Symbol]:
    return sorted(symbol for symbol, since in seen.unpriced.items() if now - since > BLINK)


def _lasts(trouble: Trouble | None, now: datetime) -> bool:
    return trouble is not None and now - trouble.since > BLINK
