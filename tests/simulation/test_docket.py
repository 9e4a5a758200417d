"""No planted mistake is forgotten: each is tried in worlds, or it is said why it cannot be."""

from __future__ import annotations

from pathlib import Path

import pytest
from benchmarks.sabotage import SABOTAGES, Sabotage
from tests.simulation.circumstances import CIRCUMSTANCES
from tests.simulation.docket import BEYOND, DRAWN, ROOMS, STAGED, TOLD, whereabouts
from tests.simulation.plan import ARRANGED, KINDS, LOSSES, PEOPLE, READERS, read

ROOT = Path(__file__).parents[2]
NAMES = {each.name for each in SABOTAGES}


@pytest.mark.parametrize("sabotage", SABOTAGES, ids=lambda each: each.name)
def test_each_mistake_is_tried_or_excused_once(sabotage: Sabotage) -> None:
    assert len(whereabouts(sabotage.name, sabotage.file)) == 1


def test_nothing_is_listed_that_is_no_mistake() -> None:
    assert {*TOLD, *STAGED, *DRAWN, *BEYOND} <= NAMES
    files = [each.file for each in SABOTAGES]
    assert all(any(file.startswith(room) for file in files) for room in ROOMS)


def test_everything_that_is_told_can_happen() -> None:
    """Catches a word that no trouble answers to: the world would be one of nothing but bots."""
    known = {*KINDS, *PEOPLE, *LOSSES, *READERS, *ARRANGED, *CIRCUMSTANCES}
    assert {kind for told in TOLD.values() for kind in read(told)} <= known


def test_a_world_made_for_a_mistake_is_one() -> None:
    for tests in STAGED.values():
        assert tests.startswith("tests/simulation/")
        file, *chosen = tests.split(" -k ")
        text = (ROOT / file).read_text(encoding="utf-8")
        assert all(each in text for each in chosen), tests  # in the name of a test or of its case
