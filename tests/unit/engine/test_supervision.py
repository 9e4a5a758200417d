"""One failure stays one failure: it is said, its work is started again, the others go on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator

import pytest
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import DIP, SaidLog
from tests.unit.engine.test_supervisor import House, serving

from surefoot.core.position import State
from surefoot.core.signals import Close
from surefoot.engine.supervision import Supervision
from surefoot.exchange.errors import ReadFailed, Unknown
from surefoot.exchange.port import AccountEvent, Connected
from surefoot.journal.errors import JournalPoisoned


def failures(house: House, loop: str) -> list[object]:
    return [line["again_in_s"] for line in house.log.said("loop failed") if line["loop"] == loop]


async def test_a_clock_that_cannot_be_measured_ends_nobody() -> None:
    """Catches one answer of an odd kind that ends every bot of the process."""
    async with serving() as house:
        house.exchange.fail("measure_clock", RuntimeError("a portal's page"), times=2)
        await house.clock.advance(60)
        assert failures(house, "follow the clock") == [1]
        (said,) = house.log.said("loop failed")
        assert said["why"] == "RuntimeError: a portal's page"
        await house.clock.advance(61)
        assert failures(house, "follow the clock") == [1, 1]  # it had been steady for a minute
        await house.clock.advance(61)
        assert house.exchange.count("measure_clock") == 3
        await house.enter()


async def test_a_clock_that_an_answer_denies_is_measured_at_once_and_not_without_end() -> None:
    """After a machine has slept every stop was refused until the clock's next turn, a minute on."""
    async with serving() as house:
        before = house.exchange.count("measure_clock")
        for asked in (1, 2, 2):
            house.exchange.denied.set()
            await turns()
            assert house.exchange.count("measure_clock") == before + asked
            await house.clock.advance(1.0 if asked == 1 else 0.1)


async def test_a_measurement_that_fails_is_made_again_when_the_clock_is_denied_again() -> None:
    async with serving() as house:
        house.exchange.fail("measure_clock", ReadFailed("time-out"), times=1)
        before = house.exchange.count("measure_clock")
        for asked in (1, 2):
            house.exchange.denied.set()
            await turns()
            assert house.exchange.count("measure_clock") == before + asked
            await house.clock.advance(1)
        assert failures(house, "mend the clock") == []


async def test_a_command_that_never_ends_is_seen_while_bots_go_on() -> None:
    """The loop that carries commands out stood still behind it, and the server looked alive."""
    async with serving() as house:
        await house.enter()
        house.exchange.answer(Unknown("time-out"))
        keeper = house.account.roster.keepers[DIP]
        await keeper.tell(Close(by="ann"))
        await turns()
        doubted = keeper.position.orders[-1]
        house.exchange.hold("order", about=doubted.client_order_id)
        quantity = str(doubted.quantity)
        await house.post(
            "resolve", keeper.position.position_id, how="filled", quantity=quantity, price="50000"
        )
        await house.clock.advance(1)
        turned = (await house.journal.signs()).turned
        beaten = (await house.journal.signs()).pulses
        await house.clock.advance(60)
        signs = await house.journal.signs()
        assert signs.turned == turned
        assert signs.pulses != beaten, "the account goes on"


async def test_a_work_that_is_ended_before_it_began_is_never_made() -> None:
    """Catches a coroutine that is handed over, and never awaited: Python says so at the kill."""
    made: list[str] = []

    async def work() -> None:
        made.append("begun")

    async with asyncio.TaskGroup() as group:
        tasks: list[asyncio.Task[None]] = []
        clock, log = HandClock(), SaidLog()
        supervision = Supervision(lambda each: tasks.append(group.create_task(each)), clock, log)
        supervision.attend(work)
        tasks[0].cancel()
    gc.collect()
    assert made == []


async def test_an_account_stream_that_raises_is_listened_to_again_and_read_meanwhile() -> None:
    """Catches fills that nobody hears of until the slow timer, and waits that never grow."""
    house = House()
    listened = 0

    async def stream() -> AsyncIterator[AccountEvent]:
        nonlocal listened
        listened += 1
        if listened > 1:
            yield Connected()
        raise RuntimeError("garbage")

    house.exchange.account = stream  # type: ignore[method-assign]
    async with serving(house):
        await turns()
        asked = house.exchange.count("open_orders")
        await house.clock.advance(7)
        assert failures(house, "account stream") == [1, 2, 4, 8]
        assert listened == 4
        assert house.exchange.count("open_orders") > asked
        await house.enter()


async def test_a_comparison_that_raises_is_tried_again_while_prices_are_watched() -> None:
    async with serving() as house:
        house.exchange.fail("open_orders", RuntimeError("odd"), times=1)
        house.account.rounds.want()
        await turns()
        assert [line["why"] for line in house.log.said("work failed")] == ["RuntimeError: odd"]
        asked = house.exchange.count("balances")
        house.account.rounds.want()
        await turns()
        assert house.exchange.count("balances") > asked
        assert len(house.log.said("work failed")) == 1
        await house.enter()


async def test_a_send_that_raises_is_never_done_again_and_ends_nobody() -> None:
    """It may have been accepted: the exchange is asked, and its answer is believed."""
    async with serving() as house:
        house.exchange.answer(RuntimeError("odd"), accepted=True)
        await house.enter()
        assert len(house.exchange.sent) == 1
        assert [line["why"] for line in house.log.said("work failed")] == ["RuntimeError: odd"]
        assert house.account.roster.keepers[DIP].position.state is State.OPEN


async def test_a_poisoned_journal_still_ends_the_process() -> None:
    house = House()
    with pytest.raises(ExceptionGroup) as ended:
        async with serving(house):
            house.journal.poisoned = True
            await house.post("pause")
            await house.clock.advance(1)
    assert ended.group_contains(JournalPoisoned)
