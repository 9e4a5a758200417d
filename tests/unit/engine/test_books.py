"""A comparison becomes durable as one change, for the positions that were compared."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.builders import BTC, TERMS
from tests.unit.engine.desk import DIP, ENTER, MAIN, SWING, Desk, kinds_in, records_in
from tests.unit.engine.fake import ETH

from surefoot.core.evidence import Orphan
from surefoot.core.identity import order_identity
from surefoot.core.order import Role
from surefoot.core.position import State
from surefoot.core.reconcile import Reconciliation, reconcile
from surefoot.core.signals import Freeze
from surefoot.core.values import PositionId, TradeId
from surefoot.engine.books import Applied
from surefoot.exchange.binance.facts import BINANCE
from surefoot.exchange.errors import Unknown
from surefoot.journal.errors import JournalPoisoned

MARKS = {BTC: TradeId("1")}


async def compared(desk: Desk) -> tuple[Reconciliation, dict[str, TradeId]]:
    """Read and compare, and write nothing yet."""
    belief = desk.books.belief()
    symbols = sorted({position.symbol for position in belief.positions})
    gathered = await desk.sweep.everything(belief, symbols, frozenset(), None)
    return reconcile(belief, gathered.evidence, desk.exchange.now()), gathered.watermarks


async def lost_fill(desk: Desk) -> None:
    """Leave a bot with an entry that filled while its answer was lost."""
    keeper = await desk.keeper()
    desk.exchange.answer(Unknown("time-out"), accepted=True)
    await keeper.tell(ENTER)
    await desk.works.run()


async def test_fill_projection_and_watermark_move_in_one_change(desk: Desk) -> None:
    await lost_fill(desk)
    outcome, _ = await compared(desk)
    commits = desk.journal.commits
    applied = await desk.books.apply(outcome, MARKS)
    assert desk.journal.commits == commits + 1
    assert (applied.fills, applied.intents, applied.cancels) == (1, 0, 0)
    assert desk.keepers[DIP].position.state is State.OPEN
    assert await desk.journal.watermark(MAIN, BTC) == "1"
    assert await desk.journal.positions() == (desk.keepers[DIP].position,)


async def test_applying_the_same_again_changes_nothing(desk: Desk) -> None:
    """The second time its positions have moved on; a fill is booked once and for ever (S6)."""
    await lost_fill(desk)
    outcome, _ = await compared(desk)
    await desk.books.apply(outcome, {})
    records = await desk.journal.records()
    assert await desk.books.apply(outcome, {}) == Applied()
    outcome, marks = await compared(desk)
    assert (outcome.decisions, marks) == ({}, MARKS)
    assert await desk.journal.records() == records


async def test_a_position_that_has_moved_on_is_left_and_so_is_the_watermark(desk: Desk) -> None:
    """Catches records that apply to a position which nobody compared, and a lost watermark."""
    await lost_fill(desk)
    outcome, _ = await compared(desk)
    await desk.keepers[DIP].tell(Freeze(reason="meanwhile"))
    kinds = await desk.kinds()
    assert await desk.books.apply(outcome, MARKS) == Applied()
    assert await desk.kinds() == kinds
    assert await desk.journal.watermark(MAIN, BTC) is None
    outcome, _ = await compared(desk)
    assert (await desk.books.apply(outcome, MARKS)).fills == 1


async def test_one_position_that_has_moved_on_does_not_hold_the_others_back(desk: Desk) -> None:
    await lost_fill(desk)
    ether = await desk.ether()
    desk.exchange.answer(Unknown("time-out"), accepted=True)
    await ether.tell(ENTER)
    await desk.works.run()
    outcome, _ = await compared(desk)
    await desk.keepers[DIP].tell(Freeze(reason="meanwhile"))
    applied = await desk.books.apply(outcome, {ETH: TradeId("1"), BTC: TradeId("9")})
    assert applied.fills == 1
    assert ether.position.state is State.OPEN
    assert desk.keepers[DIP].position.state is State.OPENING
    assert await desk.journal.watermark(MAIN, ETH) == "1"
    assert await desk.journal.watermark(MAIN, BTC) is None


async def test_a_poisoned_journal_is_believed_nothing_of(desk: Desk) -> None:
    await lost_fill(desk)
    outcome, _ = await compared(desk)
    desk.journal.poisoned = True
    with pytest.raises(JournalPoisoned):
        await desk.books.apply(outcome, MARKS)
    assert desk.keepers[DIP].position.state is State.OPENING
    assert not desk.keepers[DIP].lock.locked()


async def test_what_a_comparison_intends_is_sent_with_its_own_receipt(desk: Desk) -> None:
    """The comparison lets time pass; a retry that fell due is an intent like any other."""
    await lost_fill(desk)
    keeper = desk.keepers[DIP]
    keeper.terms = replace(keeper.terms, native_stop=True)
    outcome, _ = await compared(desk)
    applied = await desk.books.apply(outcome, {})
    assert (applied.fills, applied.intents) == (1, 1)
    assert len(desk.exchange.sent) == 1
    await desk.works.run()
    assert [order.role for order in desk.exchange.sent] == ["entry", "stop"]


async def test_nothing_to_say_writes_nothing(desk: Desk) -> None:
    await desk.keeper()
    commits = desk.journal.commits
    assert await desk.books.apply(Reconciliation(), {}) == Applied()
    assert desk.journal.commits == commits


async def test_orphans_are_written_down_before_they_are_cancelled(desk: Desk) -> None:
    await lost_fill(desk)
    report = desk.exchange.orders[0]
    await desk.books.intend_orphan_cancels([Orphan(report=report, reason="not ours")])
    (record,) = await records_in(desk.journal, "account/main")
    assert await kinds_in(desk.journal, "account/main") == ["orphan-cancel-intended"]
    assert getattr(record, "exchange_order_id", None) == report.exchange_order_id
    assert desk.exchange.cancelled == []


async def test_only_our_own_mark_is_ours(desk: Desk) -> None:
    def name(epoch: str) -> str:
        return BINANCE.encode(order_identity(epoch, PositionId("dip-btc-1"), Role.ENTRY, 1))

    assert desk.books.is_ours(name(desk.journal.epoch))
    for foreign in (name("another"), "web_123", "sf", ""):
        assert not desk.books.is_ours(foreign)


async def test_belief_holds_every_position_and_the_terms_of_each_bot(desk: Desk) -> None:
    await desk.keeper()
    await desk.ether()
    belief = desk.books.belief()
    assert [position.bot for position in belief.positions] == [DIP, SWING]
    assert set(belief.terms) == {DIP, SWING}
    assert belief.terms[SWING].instrument.base == "ETH"
    assert not belief.exclusive


async def test_a_bot_that_watches_its_stop_itself_does_so_beside_one_that_rests_it(
    desk: Desk,
) -> None:
    """Catches terms of a symbol: the bot that was loaded last decided for both."""
    local = await desk.keeper(terms=replace(TERMS, native_stop=False))
    resting = await desk.keeper(SWING, terms=replace(TERMS, native_stop=True))
    for keeper in (local, resting):
        desk.exchange.answer(Unknown("time-out"), accepted=True)
        await keeper.tell(ENTER)
        await desk.works.run()
    outcome, _ = await compared(desk)
    await desk.books.apply(outcome, {})
    await desk.works.run()
    roles = {
        keeper.bot: [order.role for order in keeper.position.orders] for keeper in (local, resting)
    }
    assert roles == {DIP: [Role.ENTRY], SWING: [Role.ENTRY, Role.STOP]}
