"""The list of planted mistakes follows the code: a mistake that cannot be made proves nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.sabotage import SABOTAGES, Sabotage

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda each: each.name)
def test_each_mistake_can_still_be_made(sabotage: Sabotage) -> None:
    """Its text stands in its file just once, it changes something, and its tests exist."""
    text = (ROOT / "src/surefoot" / sabotage.file).read_text(encoding="utf-8")
    assert text.count(sabotage.old) == 1, f"{sabotage.file} does not have this text just once"
    assert sabotage.old != sabotage.new
    compile(text.replace(sabotage.old, sabotage.new), sabotage.file, "exec")
    for word in sabotage.tests.split():
        assert not word.startswith("tests/") or (ROOT / word).exists(), f"there is no {word}"
