"""A seed tells one story: alone, after another world, and whatever the process hashes by.

Told otherwise, a recorded harm could not be looked at again.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from tests.simulation.machine import simulate
from tests.simulation.plan import Plan, draw

ROOT = Path(__file__).parents[2]
# Storms: killed again and again, with a TaskGroup and waiting sockets left behind each time.
SEED, BEFORE = 9, 22


def _short(seed: int) -> Plan:
    return replace(draw(seed), lasts_s=120.0)


def test_a_seed_tells_the_same_story_alone_and_after_another_world() -> None:
    """Catches sets that are ordered by address, and garbage that is found at any moment."""
    before = simulate(_short(BEFORE))
    told = simulate(_short(SEED))
    assert told.deaths > 5
    assert told.digest != before.digest
    alone = subprocess.run(
        [sys.executable, "-m", "tests.simulation.test_same_story"],
        cwd=ROOT,
        env={**os.environ, "PYTHONHASHSEED": "77", "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert alone.stdout.strip() == told.digest


if __name__ == "__main__":
    print(simulate(_short(SEED)).digest)
