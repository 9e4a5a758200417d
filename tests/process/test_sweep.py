"""The long sweep, left out of `make test`: many kills, many seeds (`make sweep`)."""

from __future__ import annotations

import json

import pytest
from tests.process.play import Play

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seed", range(1, 7))
async def test_fifty_kills_end_with_all_zero(play: Play, seed: int) -> None:
    """Any seed: the moments and the order of things differ, the verdict does not."""
    code, output, errors = await play.stage.run(
        "demo", "--kills", "50", "--seed", str(seed), "--json"
    )
    assert code == 0, output[-3000:] + errors
    verdict = json.loads(output)["verdict"]
    assert verdict["orders"] > 50
    assert {verdict[name] for name in ("duplicates", "orphans", "unbooked")} == {0}
