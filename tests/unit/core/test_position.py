"""The five states: the table allows what the documents say, and nothing else."""

from __future__ import annotations

import itertools
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import START, Life, fill, report

from surefoot.core.errors import IllegalTransition
from surefoot.core.order import LATE_SWEEP, OrderStatus
from surefoot.core.position import TRANSITIONS, Position, State, permit
from surefoot.core.records import StateChanged
from surefoot.core.signals import ExitSignal
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


def closed() -> Position:
    life = Life()
    life.opened()
    life.tell(ExitSignal())
    out = life.order
    life.tell(report(out, "FILLED", out.quantity), fill(out, "50000", trade="2"))
    assert life.position.state is State.CLOSED
    return life.position


def with_a_never_order(position: Position) -> Position:
    never = replace(position.orders[0], client_order_id="n", status=OrderStatus.NEVER)
    return replace(position, orders=(*position.orders, replace(never, finished_at=START)))


def test_settled_is_closed_sure_and_not_frozen() -> None:
    over, held = closed(), Life()
    assert held.opened().is_settled(START) is False
    assert replace(over, frozen="a late fill").is_settled(START) is False
    assert over.is_settled(START) is True
    unsure = with_a_never_order(over)
    still_looked_for = START + LATE_SWEEP - timedelta(microseconds=1)
    assert unsure.is_settled(still_looked_for) is False
    assert unsure.is_settled(START + LATE_SWEEP) is True


def test_it_is_known_beforehand_when_a_position_is_settled() -> None:
    """The database keeps it as a column, so it must not need the clock."""
    over = closed()
    assert over.settled_at == over.closed_at
    assert replace(over, frozen="a late fill").settled_at is None
    assert with_a_never_order(over).settled_at == START + LATE_SWEEP
    assert Life().position.settled_at is None
