"""The five states: the table allows what the documents say, and nothing else."""

from __future__ import annotations

import itertools

import pytest
from tests.builders import START, Life

from surefoot.core.errors import IllegalTransition
from surefoot.core.position import TRANSITIONS, State, permit
from surefoot.core.records import StateChanged
from surefoot.core.state import evolve

LEGAL = {
    ("FLAT", "OPENING"),
    ("OPENING", "OPEN"),
    ("OPENING", "FLAT"),
    ("OPEN", "CLOSING"),
    ("CLOSING", "CLOSED"),
    ("CLOSING", "OPEN"),
}


def test_every_state_has_a_row() -> None:
    assert set(TRANSITIONS) == set(State)


@pytest.mark.parametrize(("source", "target"), list(itertools.product(State, State)))
def test_only_the_declared_edges_are_legal(source: State, target: State) -> None:
    if (source.value, target.value) in LEGAL:
        permit(source, target)
    else:
        with pytest.raises(IllegalTransition, match=f"{source} may not become {target}"):
            permit(source, target)


@pytest.mark.parametrize("target", [State.OPEN, State.CLOSING, State.CLOSED, State.FLAT])
def test_an_illegal_record_raises_and_changes_nothing(target: State) -> None:
    life = Life()
    before = life.position
    with pytest.raises(IllegalTransition):
        evolve(before, StateChanged(at=START, target=target, why="because"))
    assert life.position is before
    assert before.state is State.FLAT
