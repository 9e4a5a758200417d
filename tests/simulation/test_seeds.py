"""Worlds that once ended in harm are lived through again, and some that never did.

`python -m tests.simulation --seed N --trace` tells any of them in full.
"""

from __future__ import annotations

import pytest
from tests.simulation.machine import simulate, story_of
from tests.simulation.plan import draw, read

# One of each sort that is short enough: an hour of anything, and minutes of nothing but deaths.
# A world that comes to harm joins them as `again:` tells it (seed, what was told, and how long it
# lasts), for as long as it tells that story. Former ones tell another one by now: 5, 8, 18, 41, 67,
# 271 and 407 were of another draw or another program, and each was mended with a test of its own.
# docs/simulation.md says what they had found.
WORLDS = {
    (4, None, None): "seventeen starts, with bans, breaks and steps of the clock",
    (9, None, None): "a storm every 16 seconds",
    (3, "ban=30,clock=20,crash=30", None): "a ban of seconds, noted by a clock half an hour ahead",
    (14, None, None): "bought on a fall, and sold at once by a stop that trailed the price before",
    (15, None, None): "a ban that was noted by a clock that was ahead",
    (33, None, None): "prices told again after later ones: a trailing stop sold at one of them",
    (3, "crash=60,snapshot=60", 120.0): "a snapshot put back: sold what another bot had bought",
    (
        1,
        "hidden=30,jump=20",
        420.0,
    ): "a hidden entry and a hidden stop at once: one covered the other",
}


@pytest.mark.parametrize(("seed", "told", "lasts_s"), WORLDS)
def test_a_world_ends_without_harm(seed: int, told: str | None, lasts_s: float | None) -> None:
    """Faults, healing, rest: nothing is lost, doubled, forgotten or left without protection."""
    verdict = simulate(draw(seed, read(told) if told else None).only(None, lasts_s))
    assert not verdict.harms, story_of(verdict)
