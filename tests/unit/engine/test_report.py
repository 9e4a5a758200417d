"""A recovery's report: each position as it was believed, what speaks for it, and what it is now."""

from __future__ import annotations

from tests.builders import BTC, START, D, Life, fill, report
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import DIP, ENTER, Floor, PoisonableJournal, opened
from tests.unit.engine.fake import FakeExchange

from surefoot.core.evidence import Finding, FindingKind
from surefoot.core.position import Position
from surefoot.core.signals import AddSignal
from surefoot.core.values import PositionId
from surefoot.engine.report import EVIDENCE_MAX, TOLD_MAX, told
from surefoot.exchange.errors import Unknown


def finding(position: PositionId | None, evidence: str, outcome: str = "booked") -> Finding:
    return Finding(
        kind=FindingKind.FILLS_MISSED, symbol=BTC, evidence=evidence, outcome=outcome,
        position_id=position,
    )  # fmt: skip


def named(*positions: Position) -> dict[PositionId, Position]:
    return {each.position_id: each for each in positions}


async def recovered(floor: Floor) -> None:
    await floor.account.recovery.patiently()
    await turns()


async def test_an_entry_that_filled_while_nobody_watched_is_told_from_belief_to_now() -> None:
    """The page's words are the journal's: nothing has to be guessed from other records."""
    exchange, journal = FakeExchange(HandClock()), PoisonableJournal()
    exchange.clock.hurried = True
    async with opened(exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        exchange.answer(Unknown("time-out"), accepted=True)
        await floor.account.roster.keepers[DIP].tell(ENTER)
        await turns()
    async with opened(exchange=exchange, journal=journal) as floor:
        floor.account.recovery.follow(START)
        await recovered(floor)
        await recovered(floor)
        first, second, third = await floor.reports()
    assert (first.told, first.unwatched_since) == ((), None)
    assert (second.unwatched_since, third.unwatched_since) == (START, None)
    (only,) = second.told
    assert (only.position_id, only.outcome) == ("dip-btc-1", "opened")
    assert only.believed.startswith("OPENING; entry buy ")
    assert only.believed.endswith("is written down, its fate unknown")
    assert "the exchange has it as" in only.evidence[0]
    assert only.now.startswith("OPEN, holding ")
    (unchanged,) = third.told
    assert (unchanged.outcome, unchanged.evidence) == ("unchanged", ())
    assert unchanged.believed == unchanged.now


def test_what_is_not_held_and_did_not_differ_is_only_counted() -> None:
    flat = Life(bot="flat").position
    assert told(named(flat), [flat], []) == ()
    (only,) = told(named(flat), [flat], [finding(flat.position_id, "one fill")])
    assert only.evidence == ("one fill",)


def test_what_differed_comes_first_and_a_stranger_has_no_position() -> None:
    held, other = Life(bot="a"), Life(bot="b")
    held.opened()
    other.opened()
    found = [finding(other.position.position_id, "late"), finding(None, "an order of ours", "kept")]
    positions = [held.position, other.position]
    names = [each.position_id for each in told(named(*positions), positions, found)]
    assert names == [other.position.position_id, None, held.position.position_id]


def test_an_addition_that_works_or_filled_meanwhile_is_told() -> None:
    life = Life()
    before = life.opened()
    life.tell(AddSignal(quantity=D("0.0016")))
    order = life.order
    (working,) = told(named(before), [life.position], [])
    assert working.outcome == "working"
    life.tell(fill(order, "49000", trade="2"), report(order, "FILLED", "0.0016"))
    (grown,) = told(named(before), [life.position], [])
    assert (grown.outcome, grown.now) == ("opened", "OPEN, holding 0.0032 BTC; no order is out")


def test_a_report_stays_small_however_much_differs() -> None:
    """Thousands of positions in one record would be read by every page, again and again."""
    lives = [Life(bot=f"bot-{number}") for number in range(TOLD_MAX + 20)]
    for life in lives:
        life.opened()
    positions = [life.position for life in lives]
    late = lives[-1].position.position_id
    found = [finding(late, f"evidence {number}") for number in range(50) for _ in range(2)]
    first, *more = told(named(*positions), positions, found)
    assert 1 + len(more) == TOLD_MAX
    assert first.position_id == late
    assert first.evidence == tuple(f"evidence {number}" for number in range(EVIDENCE_MAX))
    assert first.followed == ("booked",)
