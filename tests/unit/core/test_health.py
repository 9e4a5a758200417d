"""How an account stands, derived from circumstances and time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import BTC, START

from surefoot.core.health import (
    BLINK,
    SILENCE,
    UNPROVEN_AFTER,
    Circumstances,
    Health,
    HealthState,
    Trouble,
    diagnose,
)

MOMENT = timedelta(milliseconds=1)
WELL = Circumstances(recovered=True)
DOWN = Trouble(since=START, why="reset")


@pytest.mark.parametrize(
    ("seen", "state", "watched"),
    [
        (WELL, HealthState.OK, True),
        (Circumstances(), HealthState.STARTING, False),
        (replace(WELL, silent=DOWN), HealthState.UNREACHABLE, False),
        (Circumstances(silent=DOWN), HealthState.UNREACHABLE, False),
        (replace(WELL, banned_until=START + timedelta(hours=1)), HealthState.BANNED, False),
        (replace(WELL, halted="another account"), HealthState.HALTED, True),
        (replace(WELL, account_stream=DOWN), HealthState.DEGRADED, True),
        (replace(WELL, market_stream=DOWN), HealthState.DEGRADED, True),
        (replace(WELL, unpriced={BTC: START}), HealthState.DEGRADED, False),
        (replace(WELL, unproven={BTC: START}), HealthState.DEGRADED, True),
    ],
)
def test_the_worst_that_is_true_is_said(
    seen: Circumstances, state: HealthState, watched: bool
) -> None:
    """And whether a level that is kept here would be honoured: not while nothing can be sold."""
    health = diagnose(seen, None, START + timedelta(minutes=2))
    assert (health.state, health.watched) == (state, watched)


def test_what_ends_soon_is_no_trouble() -> None:
    """Venues close every socket once a day, and a read may fail: catches an alarm for nothing."""
    seen = replace(WELL, account_stream=DOWN, market_stream=DOWN)
    assert diagnose(seen, None, START + BLINK).state is HealthState.OK
    assert diagnose(seen, None, START + BLINK + MOMENT).state is HealthState.DEGRADED
    seen = replace(WELL, silent=DOWN)
    assert diagnose(seen, None, START + SILENCE).state is HealthState.OK
    assert diagnose(seen, None, START + SILENCE + MOMENT).state is HealthState.UNREACHABLE
    seen = replace(WELL, unproven={BTC: START})
    assert diagnose(seen, None, START + UNPROVEN_AFTER).state is HealthState.OK
    assert diagnose(seen, None, START + UNPROVEN_AFTER + MOMENT).state is HealthState.DEGRADED


def test_a_ban_ends_by_itself() -> None:
    until = START + timedelta(minutes=2)
    seen = replace(WELL, banned_until=until)
    assert diagnose(seen, None, until - MOMENT).next_try == until
    assert diagnose(seen, None, until).state is HealthState.OK


def test_what_goes_on_keeps_its_beginning() -> None:
    """Over a restart, too: what stood in the journal is handed in as before."""
    before = Health(state=HealthState.UNREACHABLE, since=START, watched=False, why="down")
    later = START + timedelta(hours=3)
    assert diagnose(replace(WELL, silent=DOWN), before, later).since == START
    assert diagnose(WELL, before, later).since == later
