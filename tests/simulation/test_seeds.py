"""Worlds that once ended in harm are lived through again, and a new one tells the same story twice.

`python -m tests.simulation --seed N --trace` tells any of them in full.
"""

from __future__ import annotations

import pytest
from tests.simulation.machine import simulate, story_of
from tests.simulation.plan import draw

# Seeds that failed once, and what was found by them.
ONCE_FAILED = {
    5: "a step of the wall clock moved exchange time: sound stops were refused until it was frozen",
    8: "a row that a replacement's record had changed was not written: no start after that",
}
# One that has always ended well, with every kind of death in it.
SAMPLE = [2]


@pytest.mark.parametrize("seed", [*ONCE_FAILED, *SAMPLE])
def test_a_world_ends_without_harm(seed: int) -> None:
    """Faults, healing, rest: nothing is lost, doubled, forgotten or left without protection."""
    verdict = simulate(draw(seed))
    assert not verdict.harms, story_of(verdict)
