"""A comparison becomes durable as one change, for the positions that were compared."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.builders import BTC, TERMS, D
from tests.unit.engine.desk import DIP, ENTER, MAIN, SWING, Desk, kinds_in, records_in
from tests.unit.engine.fake import ETH

from surefoot.core.evidence import Evidence
from surefoot.core.identity import Origin, order_identity
from surefoot.core.order import OrderStatus, ReportedStatus, Role
from surefoot.core.position import State
from surefoot.core.signals import Freeze
from surefoot.core.values import Asset, PositionId, Side, Symbol, TradeId
from surefoot.engine.books import Applied
from surefoot.engine.gathered import Gathered
from surefoot.exchange.binance.facts import BINANCE
from surefoot.exchange.errors import Unknown
from surefoot.journal.errors import JournalPoisoned

MARKS = {BTC: TradeId("1")}
NO_MARKS: dict[Symbol, TradeId] = {}


async def read(desk: Desk, watermarks: dict[Symbol, TradeId] = NO_MARKS) -> Gathered:
    """Read everything, and conclude nothing yet."""
    gathered = await desk.read(*desk.keepers.symbols)
    return replace(gathered, watermarks=gathered.watermarks | watermarks)


async def concluded(desk: Desk, gathered: Gathered) -> Applied:
    """Compare what was read with the belief of now, and write down what follows."""
    _, applied = await desk.books.conclude(desk.keepers.symbols, gathered, desk.comparing.compare)
    return applied


async def lost_fill(desk: Desk) -> None:
    """Leave a bot with an entry that filled while its answer was lost."""
    keeper = await desk.keeper()
    desk.exchange.answer(Unknown("time-out"), accepted=True)
    await keeper.tell(ENTER)
    await desk.works.run()


async def test_fill_projection_and_watermark_move_in_one_change(desk: Desk) -> None:
    await lost_fill(desk)
    gathered = await read(desk, MARKS)
    commits = desk.journal.commits
    applied = await concluded(desk, gathered)
    assert desk.journal.commits == commits + 1
    assert (applied.fills, applied.intents, applied.cancels) == (1, 0, 0)
    assert desk.keepers[DIP].position.state is State.OPEN
    assert await desk.journal.watermark(MAIN, BTC) == "1"
    assert await desk.journal.positions() == (desk.keepers[DIP].position,)


async def test_concluding_the_same_again_changes_nothing(desk: Desk) -> None:
    """What was read is compared with the belief of now: a fill is booked once, for ever (S6)."""
    await lost_fill(desk)
    gathered = await read(desk)
    await concluded(desk, gathered)
    records = await desk.journal.records()
    assert await concluded(desk, gathered) == Applied()
    again = await read(desk)
    assert again.watermarks == MARKS
    assert await concluded(desk, replace(again, watermarks={})) == Applied()
    assert await desk.journal.records() == records


async def test_of_a_position_that_has_moved_on_only_facts_are_taken(desk: Desk) -> None:
    """Catches absence that is concluded of a position which nobody compared."""
    keeper = await desk.keeper()
    desk.exchange.answer(Unknown("time-out"), accepted=False)
    await keeper.tell(ENTER)
    await desk.works.run()
    desk.clock.elapsed += 70
    gathered = await read(desk)
    await keeper.tell(Freeze(reason="meanwhile"))
    assert await concluded(desk, gathered) == Applied()
    assert (await concluded(desk, await read(desk))).records
    assert keeper.position.orders[0].status is OrderStatus.NEVER


async def test_what_filled_is_booked_also_if_the_position_has_moved_on(desk: Desk) -> None:
    """A position whose stop trails moves all the time; it was not compared for as long."""
    await lost_fill(desk)
    gathered = await read(desk, MARKS)
    await desk.keepers[DIP].tell(Freeze(reason="meanwhile"))
    assert (await concluded(desk, gathered)).fills == 1
    assert await desk.journal.watermark(MAIN, BTC) == "1"


async def test_the_watermark_of_one_symbol_waits_for_an_order_that_came_up_meanwhile(
    desk: Desk,
) -> None:
    """Catches a watermark that passes the fill of an order which the reads knew nothing of."""
    dip = await desk.keeper()
    await desk.ether()
    gathered = await read(desk, {ETH: TradeId("1"), BTC: TradeId("9")})
    await dip.tell(ENTER)
    await concluded(desk, gathered)
    assert await desk.journal.watermark(MAIN, ETH) == "1"
    assert await desk.journal.watermark(MAIN, BTC) is None


async def test_a_poisoned_journal_is_believed_nothing_of(desk: Desk) -> None:
    await lost_fill(desk)
    gathered = await read(desk, MARKS)
    desk.journal.poisoned = True
    with pytest.raises(JournalPoisoned):
        await concluded(desk, gathered)
    assert desk.keepers[DIP].position.state is State.OPENING
    assert not desk.keepers[DIP].lock.locked()


async def test_what_a_comparison_intends_is_sent_with_its_own_receipt(desk: Desk) -> None:
    """The comparison lets time pass; a retry that fell due is an intent like any other."""
    await lost_fill(desk)
    keeper = desk.keepers[DIP]
    keeper.standing = replace(keeper.standing, native_stop=True)
    applied = await concluded(desk, await read(desk))
    assert (applied.fills, applied.intents) == (1, 1)
    assert len(desk.exchange.sent) == 1
    await desk.works.run()
    assert [order.role for order in desk.exchange.sent] == ["entry", "stop"]


async def test_nothing_to_say_writes_nothing(desk: Desk) -> None:
    await desk.keeper()
    commits = desk.journal.commits
    assert await concluded(desk, await read(desk)) == Applied()
    assert desk.journal.commits == commits


async def test_orphans_are_written_down_once_and_before_they_are_cancelled(desk: Desk) -> None:
    await desk.opened(await desk.keeper())
    report = replace(desk.exchange.orders[0], status=ReportedStatus.OPEN)
    seen = Evidence(
        started_at=desk.exchange.now(),
        versions={},
        open_orders=(report,),
        looked_up={report.client_order_id: report} if report.client_order_id else {},
    )
    gathered = Gathered(evidence=seen, watermarks={}, failures=())
    for _ in range(2):
        (orphan,) = await desk.books.withdraw(BTC, gathered)
        assert orphan.reason == "dip-btc-1 has it as FILLED"
    (record,) = await records_in(desk.journal, "account/main")
    assert await kinds_in(desk.journal, "account/main") == ["orphan-cancel-intended"]
    assert getattr(record, "exchange_order_id", None) == report.exchange_order_id
    assert desk.exchange.cancelled == []


async def test_what_is_no_orphan_any_more_is_not_withdrawn(desk: Desk) -> None:
    """Catches a cancel on the belief of before: the order is one of a position by now."""
    keeper = await desk.keeper()
    await keeper.tell(replace(ENTER, limit=D(49000)))
    await desk.works.run()
    seen = Evidence(
        started_at=desk.exchange.now(),
        versions={},
        open_orders=(desk.exchange.orders[0],),
    )
    gathered = Gathered(evidence=seen, watermarks={}, failures=())
    assert await desk.books.withdraw(BTC, gathered) == ()
    assert await kinds_in(desk.journal, "account/main") == []


async def test_whatever_a_surefoot_made_is_ours(desk: Desk) -> None:
    """Also of an epoch that this journal never had: it is of a lost one, and no stranger's."""

    def name(epoch: str) -> str:
        origin = Origin(epoch=epoch, generation="life", account=MAIN)
        return BINANCE.encode(order_identity(origin, PositionId("dip-btc-1"), Role.ENTRY, 1))

    for epoch in (desk.journal.epoch, "another"):
        assert desk.books.is_ours(name(epoch))
    for foreign in ("web_123", "sf", "", f"sf{'0' * 32}", name("another")[2:], f"sf {'0' * 31}"):
        assert not desk.books.is_ours(foreign)


async def test_belief_holds_every_position_and_the_terms_of_each_bot(desk: Desk) -> None:
    await desk.keeper()
    await desk.ether()
    belief = desk.books.belief([BTC, ETH])
    assert [position.bot for position in belief.positions] == [DIP, SWING]
    assert set(belief.terms) == {DIP, SWING}
    assert belief.terms[SWING].instrument.base == "ETH"
    assert not belief.exclusive


async def test_belief_tells_which_sides_are_in_doubt_on_other_symbols_of_an_asset(
    desk: Desk,
) -> None:
    """An entry there may hide in the balance what a sale did here."""
    euro = replace(TERMS.instrument, symbol=Symbol("BTC/EUR"), quote=Asset("EUR"))
    await desk.keeper()
    there = await desk.keeper(SWING, terms=replace(TERMS, instrument=euro))
    base = euro.base
    assert desk.books.belief([BTC]).doubted == {base: frozenset()}
    await there.tell(ENTER)
    assert desk.books.belief([BTC]).doubted == {base: frozenset({Side.BUY})}
    assert desk.books.belief([BTC, euro.symbol]).doubted == {base: frozenset()}, "it is among them"


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
    await concluded(desk, await read(desk))
    await desk.works.run()
    roles = {
        keeper.bot: [order.role for order in keeper.position.orders] for keeper in (local, resting)
    }
    assert roles == {DIP: [Role.ENTRY], SWING: [Role.ENTRY, Role.STOP]}


async def test_a_record_that_the_journal_refuses_costs_one_position(desk: Desk) -> None:
    """The loop of the whole account ended, and no bot was looked after any more.

    The journal knows more of this position than its keeper believes: what is decided is refused.
    """
    await lost_fill(desk)
    await desk.ether()
    desk.exchange.answer(Unknown("time-out"), accepted=True)
    await desk.keepers[SWING].tell(ENTER)
    await desk.works.run()
    behind = desk.keepers[DIP].position
    gathered = await read(desk, MARKS)
    await desk.keepers[DIP].tell(desk.exchange.orders[0])
    desk.keepers[DIP] = desk.keep(DIP, (behind,))
    applied = await concluded(desk, gathered)
    assert applied.fills == 1
    assert desk.keepers[SWING].position.state is State.OPEN
    frozen = desk.keepers[DIP].position
    assert "the journal refused a record of it" in str(frozen.frozen)
    assert await desk.journal.position(frozen.position_id) == frozen
    assert await desk.journal.watermark(MAIN, BTC) is None
    # From here on it is what the journal has: the next comparison books.
    await concluded(desk, await read(desk))
    assert desk.keepers[DIP].position.entered == D("0.0016")
