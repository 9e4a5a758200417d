"""Mistakes that were found by breaking things: each test failed before its mistake was mended."""

from __future__ import annotations

import asyncio

from msgspec.structs import replace
from tests.builders import BTC, START, D
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    MAIN,
    Desk,
    PoisonableJournal,
    account_spec,
    bot_spec,
    opened,
)
from tests.unit.engine.fake import ETH, FakeExchange
from tests.unit.engine.test_books import concluded, read
from tests.unit.engine.test_supervisor import House, serving
from tests.unit.engine.test_sweep import marked

from surefoot.core.account_records import BanNoted
from surefoot.core.position import State
from surefoot.core.reconcile import Reconciliation
from surefoot.core.signals import ExitSignal
from surefoot.engine.books import Books
from surefoot.engine.gathered import Shared
from surefoot.engine.recovery import Outcome
from surefoot.engine.statuses import Status
from surefoot.exchange.errors import NotSent, ReadFailed, Unknown


async def test_an_answer_may_come_after_its_position_is_settled() -> None:
    """The stream was faster than the answer to the exit by more than a second."""
    async with serving() as house:
        await house.enter()
        keeper = house.account.roster.keepers[DIP]
        answered = house.exchange.hold("send")
        await keeper.tell(ExitSignal())
        await turns()
        house.exchange.account_events.put_nowait(house.exchange.orders[-1])
        house.exchange.account_events.put_nowait(house.exchange.trades[-1])
        await turns()
        assert keeper.positions[0].state is State.CLOSED
        await house.clock.advance(1)
        answered.set()
        await turns()


async def test_a_resolve_that_would_break_a_promise_is_refused_once() -> None:
    """Two orders are live at the exchange: adopting that would break S2."""
    house = House()
    house.exchange.answer(NotSent("no route"), accepted=True)  # it lies
    async with serving(house):
        keeper = house.account.roster.keepers[DIP]
        await keeper.tell(replace(ENTER, limit=D(49000)))
        await house.clock.advance(2)
        for verb in ("order", "open_orders"):
            house.exchange.fail(verb, ReadFailed("no answer"))
        await keeper.tell(replace(ENTER, limit=D(49000)))
        await turns()
        await keeper.tell(house.exchange.orders[0])
        await turns()
        assert len([order for order in keeper.position.orders if not order.finished]) == 2
        status, result = await house.done("resolve", "dip-btc-1", how="adopt")
        assert (status, str(result)[:4]) == ("refused", "S2: ")
        assert len(house.log.said("command")) == 1


async def test_a_bot_may_be_given_another_symbol_and_started_twice() -> None:
    exchange = FakeExchange(HandClock())
    exchange.clock.hurried = True
    journal = PoisonableJournal()
    for symbol in (BTC, ETH, ETH):
        spec = account_spec(bot_spec(DIP, symbol))
        async with opened(spec, exchange=exchange, journal=journal) as floor:
            assert await floor.account.recovery.patiently() is Outcome.RECOVERED
            assert floor.account.roster.keepers[DIP].position.symbol == symbol


async def test_the_watermark_waits_for_an_intent_that_was_written_during_the_round(
    desk: Desk,
) -> None:
    """The belief was FLAT, the fills that were then read hold one of an order it did not know."""
    keeper = await desk.keeper()
    belief = desk.books.belief([BTC])
    desk.exchange.answer(Unknown("time-out"), accepted=True)
    await keeper.tell(ENTER)
    await desk.works.run()
    await concluded(desk, await desk.sweep.symbol(belief, BTC, Shared(told=desk.exchange.now())))
    assert await desk.journal.watermark(MAIN, BTC) is None


async def test_a_fill_of_an_order_that_cannot_be_found_proves_that_something_is_hidden(
    desk: Desk,
) -> None:
    """Its trade is there, its order is in no read: nobody may conclude NEVER from that."""
    keeper = await desk.keeper()
    desk.exchange.answer(Unknown("time-out"), accepted=True)
    await keeper.tell(ENTER)
    await desk.works.run()
    desk.exchange.hidden.add(keeper.position.orders[0].client_order_id)
    desk.clock.elapsed += 70
    await concluded(desk, await read(desk))
    assert "order-never" not in await desk.kinds()


async def test_two_status_changes_at_once_are_both_durable() -> None:
    async with serving() as house, asyncio.TaskGroup() as tasks:
        tasks.create_task(house.account.roster.review(DIP, "its loop failed"))
        tasks.create_task(house.account.roster.statuses.change(DIP, Status.PAUSED, by="ann"))


async def test_a_ban_is_noted_while_a_comparison_moves_the_watermark() -> None:
    async with serving() as house:
        login = house.account.login
        books = Books(login, house.account.roster.keepers, house.journal)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(login.note(BanNoted(at=START, account=MAIN, until=START)))
            tasks.create_task(books.conclude([BTC], marked("1"), lambda *_: Reconciliation()))
