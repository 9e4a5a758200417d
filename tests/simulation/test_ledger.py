"""What is added up over runs, by several at once, each at worlds of its own sorts."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import apsw
from tests.simulation.docket import AS_DRAWN
from tests.simulation.judge import Harm
from tests.simulation.ledger import Ledger
from tests.simulation.machine import Verdict
from tests.simulation.plan import Plan, Sort, draw
from tests.simulation.sights import SIGHTS

from surefoot.journal.schema import MIGRATIONS

VERDICT = Verdict(
    seed=0,
    harms=(),
    digest="",
    virtual_s=100.0,
    processor_s=1.0,
    steps=10,
    starts=3,
    deaths=2,
    trades=1,
    counts={"world kill": 2},
    lines=[],
)


def first(sort: Sort) -> Plan:
    return next(plan for plan in map(draw, range(1, 200)) if plan.sort == sort)


def test_two_runs_add_to_the_same_sums(tmp_path: Path) -> None:
    """Catches a run that writes down what it read when it began, over what others added."""
    one, other = Ledger(tmp_path / "ledger.json"), Ledger(tmp_path / "ledger.json")
    one.add(first("storm"), VERDICT)
    other.add(first("mixed"), VERDICT)
    one.convict("forget", "crash=20", 3, "it was forgotten")
    one.convict("forget", AS_DRAWN, 9, None)
    sums = Ledger(tmp_path / "ledger.json").sums
    assert (sums["worlds"], sums["deaths"], sums["events"]) == (2, 4, {"world kill": 4})
    assert sums["convictions"] == {
        "forget": {"told": "crash=20", "worlds": 3, "harm": "it was forgotten"}
    }
    assert sums["drawn"] == {"forget": {"told": AS_DRAWN, "worlds": 9, "harm": None}}


def test_a_run_of_its_own_is_added(tmp_path: Path) -> None:
    """Catches a merge that takes the last run for all of them, or that begins a sort anew."""
    one, other = Ledger(tmp_path / "ledger.json"), Ledger(tmp_path / "other.json")
    one.add(first("storm"), VERDICT)
    other.add(first("mixed"), replace(VERDICT, harms=(Harm("lost", "", 1.0),)))
    other.convict("forget", "crash=20", 3, "it was forgotten")
    one.merge(Ledger(tmp_path / "other.json"))
    sums = Ledger(tmp_path / "ledger.json").sums
    assert (sums["worlds"], sums["deaths"], sums["events"]) == (2, 4, {"world kill": 4})
    assert sums["sorts"] == {"storm": 1, "mixed": 1}
    assert sums["harms"] == {"lost": [first("mixed").seed]}
    assert list(sums["convictions"]) == ["forget"]
    assert one.has(first("storm"))
    assert one.has(first("mixed"))


def test_each_sort_goes_on_where_it_ended(tmp_path: Path) -> None:
    """Catches a run of storms alone that calls the quiet worlds between them done."""
    ledger, storm, quiet = Ledger(tmp_path / "ledger.json"), first("storm"), first("quiet")
    ledger.add(storm, VERDICT)
    assert ledger.has(storm)
    assert not ledger.has(quiet)
    assert ledger.next(["storm"]) == storm.seed + 1
    assert ledger.next(["storm", "quiet"]) == 1


def test_every_sight_is_asked_of_a_journal_as_it_is(tmp_path: Path) -> None:
    """Catches a query that no longer fits the journal's tables: it would count nothing for ever."""
    path = tmp_path / "surefoot.db"
    with closing(apsw.Connection(str(path))) as connection:
        for migration in MIGRATIONS:
            connection.execute(migration)
        for query in SIGHTS.values():
            assert list(connection.execute(query)) == [(0,)]


def test_a_harm_that_is_mended_is_open_no_more(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.json")
    plan = first("mixed")
    ledger.add(plan, replace(VERDICT, harms=(Harm("lost", "", 1.0),)))
    assert f"| lost | {plan.seed} |" in ledger.page()
    ledger.mend(plan.seed, "at abcdef0: it looked away (tests/one.py)")
    assert ledger.sums["harms"] == {}
    assert f"| lost | {plan.seed} at abcdef0: it looked away (tests/one.py) |" in ledger.page()
