"""What is committed is what the invariants saw: one position, folded once."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from tests.builders import BTC, PLAN, PROTECTED, D, Life, fill, replay, report

from surefoot.core import draft
from surefoot.core.decide import decide, freeze_only
from surefoot.core.evidence import Belief, Evidence, Window
from surefoot.core.position import Position
from surefoot.core.reconcile import reconcile
from surefoot.core.reports import TimePassed
from surefoot.core.signals import EntrySignal


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> list[Position]:
    """Return every position that the invariants see, in order."""
    seen: list[Position] = []
    check: Callable[[Position | None, Position], None] = draft.check

    def watched(before: Position | None, after: Position) -> None:
        seen.append(after)
        check(before, after)

    monkeypatch.setattr(draft, "check", watched)
    return seen


def belief(life: Life) -> Belief:
    terms = {life.position.bot: life.terms}
    return Belief(positions=(life.position,), terms=terms, is_ours=bool, exclusive=False)


def test_a_decision_is_the_position_that_was_checked(checked: list[Position]) -> None:
    life = Life()
    signal = EntrySignal(quantity=D("0.00160"), plan=PLAN)
    decision = decide(life.position, signal, life.now, life.terms)
    assert decision.position is checked[-1]
    assert len(checked) == len(decision.records), "one step a record, and no second fold"
    assert decision.position == replay([*life.records, *decision.records])


def test_no_news_is_the_same_position(checked: list[Position]) -> None:
    life = Life()
    decision = decide(life.position, TimePassed(), life.now, life.terms)
    assert decision.records == ()
    assert decision.position is life.position
    assert checked == []


def test_a_comparison_decides_what_was_checked(checked: list[Position]) -> None:
    """Several inputs of one comparison are one decision."""
    life = Life(PROTECTED)
    order = life.enter()
    del checked[:]
    evidence = Evidence(
        started_at=life.now,
        versions={life.position.position_id: life.position.version},
        looked_up={order.client_order_id: report(order, "FILLED", order.quantity)},
        windows={BTC: Window(fills=(fill(order, "50000", trade="1"),), complete=True)},
    )
    outcome = reconcile(belief(life), evidence, life.now)
    decision = outcome.decisions[life.position.position_id]
    assert decision.position is checked[-1]
    assert len(checked) == len(decision.records) > 2
    assert decision.position == replay([*life.records, *decision.records])


def test_a_position_that_cannot_be_decided_upon_is_only_frozen(checked: list[Position]) -> None:
    life = Life()
    decision = freeze_only(life.position, "beyond repair", life.now)
    assert [type(record).__name__ for record in decision.records] == ["PositionFrozen"]
    assert decision.position.frozen == "beyond repair"
    assert decision.position == replay([*life.records, *decision.records])
    assert checked == []
