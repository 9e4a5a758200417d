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


async def test_the_demo_is_told_from_the_first_line_on(play: Play) -> None:
    """Where to watch it, then every death; nothing in it is an escape that was meant as a line."""
    code, output, errors = await play.stage.run("demo", "--kills", "1")
    assert code == 0, output + errors
    assert output.startswith("Watch it: http://127.0.0.1:")
    assert "\\x" not in output
