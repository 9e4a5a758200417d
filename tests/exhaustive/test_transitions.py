"""Every pair, not a sample: states, signals, and belief against report.

The tables here are written out from the design, not read from the code under test. Broken on
purpose, and red here: an edge out of CLOSED; entries taken in any state; a late order called stale.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from itertools import product

import pytest
from msgspec.structs import replace
from tests.builders import PLAN, START, Life, fill, report

from surefoot.core.errors import IllegalTransition, InvariantViolated, SignalRefused
from surefoot.core.invariants import check
from surefoot.core.order import Lesson, OrderStatus, ReportedStatus, compare
from surefoot.core.position import TRANSITIONS, State, permit
from surefoot.core.records import StateChanged
from surefoot.core.signals import AddSignal, EntrySignal, ExitSignal, Freeze
from surefoot.core.state import evolve

LEGAL = {
    (State.FLAT, State.OPENING),
    (State.OPENING, State.OPEN),
    (State.OPENING, State.FLAT),
    (State.OPEN, State.CLOSING),
    (State.CLOSING, State.CLOSED),
    (State.CLOSING, State.OPEN),
}
PAIRS = list(product(State, State))
ENTRY = EntrySignal(quantity=Decimal("0.00160"), plan=PLAN)
MORE = AddSignal(quantity=Decimal("0.00160"))


def in_state(state: State) -> Life:
    """Return a life that came to a state by the ordinary road."""
    life = Life()
    if state is State.FLAT:
        return life
    if state is State.OPENING:
        life.enter()
    else:
        life.opened()
    if state in {State.CLOSING, State.CLOSED}:
        life.tell(ExitSignal(reason="enough"))
    if state is State.CLOSED:
        out = life.order
        life.tell(report(out, "FILLED", out.quantity), fill(out, "50000", trade="2"))
    assert life.position.state is state
    return life


def test_the_table_is_the_design() -> None:
    assert {(source, target) for source in State for target in TRANSITIONS[source]} == LEGAL
    assert all(why for targets in TRANSITIONS.values() for why in targets.values())


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_every_pair_of_states(source: State, target: State) -> None:
    """S14: six edges are open; the other nineteen are refused and change nothing."""
    position = in_state(source).position
    record = StateChanged(at=START, target=target, why="a test says so")
    if (source, target) in LEGAL:
        permit(source, target)
        assert evolve(position, record).state is target
        return
    with pytest.raises(IllegalTransition, match=f"{source} may not become {target}"):
        permit(source, target)
    with pytest.raises(IllegalTransition):
        evolve(position, record)
    assert position.state is source


@pytest.mark.parametrize(("source", "target"), PAIRS)
def test_the_invariant_knows_the_table_too(source: State, target: State) -> None:
    """S14 again, from the other side: `check` refuses a step that no record could have made."""
    # Frozen, so that only the edge is judged and not what such a state ought to hold.
    before = replace(in_state(source).position, frozen="a test looks")
    after = replace(before, state=target)
    if source is target or (source, target) in LEGAL:
        check(before, after)
        return
    with pytest.raises(InvariantViolated, match=f"S14: {source} became {target}"):
        check(before, after)


@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(
    "signal",
    [ENTRY, MORE, ExitSignal(reason="out"), ExitSignal(fraction=Decimal("0.5"))],
    ids=["entry", "addition", "exit", "half"],
)
@pytest.mark.parametrize("state", State)
def test_every_state_and_signal(
    state: State, signal: EntrySignal | AddSignal | ExitSignal, frozen: bool
) -> None:
    """Entries from FLAT only, additions and exits from OPEN only, and nothing more while frozen."""
    life = in_state(state)
    if frozen:
        life.tell(Freeze(reason="look at this"))
    before, count = life.position, len(life.records)
    source, target = {
        EntrySignal: (State.FLAT, State.OPENING),
        AddSignal: (State.OPEN, State.OPEN),
        ExitSignal: (State.OPEN, State.CLOSING),
    }[type(signal)]
    if state is source and not (frozen and not isinstance(signal, ExitSignal)):
        assert "order-intended" in life.tell(signal)
        assert life.position.state is target
        return
    with pytest.raises(SignalRefused):
        life.tell(signal)
    assert life.position is before
    assert len(life.records) == count


@pytest.mark.parametrize("signal", [ENTRY, MORE, ExitSignal()], ids=["entry", "addition", "exit"])
@pytest.mark.parametrize("state", State)
def test_a_second_signal_at_once_is_refused(
    state: State, signal: EntrySignal | AddSignal | ExitSignal
) -> None:
    """S2: whatever the first one led to, the second leads nowhere."""
    life = in_state(state)
    try:
        life.tell(signal)
    except SignalRefused:
        return
    orders = life.position.orders
    for _ in range(2):
        with pytest.raises(SignalRefused):
            life.tell(signal, after=timedelta(seconds=1))
    assert life.position.orders == orders


LESSONS = {
    OrderStatus.INTENDED: "ADOPT CONCLUDE CONCLUDE CONCLUDE CONCLUDE",
    OrderStatus.WORKING: "REFRESH CONCLUDE CONCLUDE CONCLUDE CONCLUDE",
    OrderStatus.FILLED: "STALE STALE CONFLICT CONFLICT CONFLICT",
    OrderStatus.CANCELED: "STALE CONFLICT STALE STALE CONFLICT",
    OrderStatus.EXPIRED: "STALE CONFLICT STALE STALE CONFLICT",
    OrderStatus.REJECTED: "LATE LATE LATE LATE STALE",
    OrderStatus.NEVER: "LATE LATE LATE LATE STALE",
}
REPORTED = [ReportedStatus(name) for name in ("OPEN", "FILLED", "CANCELED", "EXPIRED", "REJECTED")]


def test_the_lessons_cover_every_pair() -> None:
    assert set(LESSONS) == set(OrderStatus)
    assert set(REPORTED) == set(ReportedStatus)


@pytest.mark.parametrize(("believed", "reported"), list(product(OrderStatus, REPORTED)))
def test_every_pair_of_belief_and_report(believed: OrderStatus, reported: ReportedStatus) -> None:
    """All thirty-five pairs teach exactly what the table says; none raises, none is left out."""
    lesson = compare(believed, reported)
    assert lesson is Lesson[LESSONS[believed].split()[REPORTED.index(reported)]]


@pytest.mark.parametrize("believed", OrderStatus)
def test_nothing_that_is_over_is_reopened_by_a_stale_report(believed: OrderStatus) -> None:
    """Only proof that we were wrong (LATE) or contradiction (CONFLICT) touches a finished order."""
    learnt = {compare(believed, reported) for reported in REPORTED}
    over = believed not in {OrderStatus.INTENDED, OrderStatus.WORKING}
    assert over is not bool(learnt & {Lesson.ADOPT, Lesson.REFRESH, Lesson.CONCLUDE})
