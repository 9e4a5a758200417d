"""The demo is a test: its verdict comes from the exchange's ledger, and its exit code says it."""

from __future__ import annotations

import json

import pytest
from tests.process.play import Play


@pytest.mark.parametrize("seed", [1, 2])
async def test_the_demo_ends_with_all_zero(play: Play, seed: int) -> None:
    code, output, errors = await play.stage.run(
        "demo", "--kills", "4", "--seed", str(seed), "--json"
    )
    assert code == 0, output + errors
    document = json.loads(output)
    verdict = document["verdict"]
    assert verdict["orders"] > 0
    assert verdict["fills"] > 0
    assert {verdict[name] for name in ("duplicates", "orphans", "unbooked")} == {0}
    assert verdict["unexplained"] == {}
    assert len(document["kills"]) == 4
