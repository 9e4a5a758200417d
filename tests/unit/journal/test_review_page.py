"""The page about findings has a line for every kind there is."""

from __future__ import annotations

from pathlib import Path

from surefoot.core.health import HealthState
from surefoot.core.stuck import StuckKind

PAGE = Path(__file__).parents[3] / "docs" / "review.md"


def test_every_kind_is_explained() -> None:
    """Somebody who was just woken looks it up there."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    explained = {line.split("`")[1] for line in lines if line.startswith("| `")}
    wanting = set(HealthState) - {HealthState.OK, HealthState.STARTING}
    kinds = {*StuckKind, *wanting, "frozen", "in-review", "unwatched", "not-told"}
    assert kinds <= explained
