"""The venue's filters change while the program runs."""

from __future__ import annotations

import asyncio

import pytest
from msgspec.structs import replace
from tests.builders import BTC, INSTRUMENT, D
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import DIP, ENTER, Floor, account_spec, bot_spec, opened
from tests.unit.engine.fake import FakeExchange

from surefoot.core.position import State
from surefoot.core.reports import Grounds, TimePassed
from surefoot.core.signals import Close
from surefoot.core.values import BotName
from surefoot.engine.keeper import Keeper
from surefoot.engine.listing import EVERY_S, PAUSE_S
from surefoot.engine.recovery import Outcome
from surefoot.exchange.errors import ReadFailed, Refused

COARSE = replace(INSTRUMENT, lot=D("0.001"))
MISFIT = Refused("-1013", "Filter failure: LOT_SIZE", Grounds.FILTER)


@pytest.fixture
def exchange() -> FakeExchange:
    made = FakeExchange(HandClock())
    made.clock.hurried = True
    return made


async def held(floor: Floor) -> Keeper:
    """Recover, let the bot buy, and let the filters change then."""
    assert await floor.account.recovery.patiently() is Outcome.RECOVERED
    keeper = floor.account.roster.keepers[DIP]
    await keeper.tell(ENTER)
    await turns()
    await keeper.tell(floor.exchange.trades[-1])
    assert keeper.position.state is State.OPEN
    floor.exchange.instruments[BTC] = COARSE
    return keeper


async def test_what_is_refused_for_its_size_has_the_right_one_the_next_time(
    exchange: FakeExchange,
) -> None:
    """An exit was tried with the size of once for ever, far below its stop."""
    async with opened(account_spec(bot_spec()), exchange=exchange) as floor:
        keeper = await held(floor)
        exchange.answer(MISFIT)
        await keeper.tell(Close(by="ann"))
        await turns()
        assert keeper.standing.instrument == COARSE
        assert floor.log.said("the venue's filters changed") == [{"symbol": BTC}]
        exchange.clock.elapsed += 2
        await keeper.tell(TimePassed())
        await turns()
        assert [order.quantity for order in exchange.sent[1:]] == [D("0.0016"), D("0.001")]


async def test_a_minimum_that_was_raised_just_now_lets_nothing_go(exchange: FakeExchange) -> None:
    """A holding of 16 was let go as dust at the first refusal: its filters were read after it."""
    async with opened(account_spec(bot_spec()), exchange=exchange) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        keeper = floor.account.roster.keepers[DIP]
        await keeper.tell(replace(ENTER, quantity=D("0.00032")))
        await turns()
        await keeper.tell(floor.exchange.trades[-1])
        assert keeper.position.state is State.OPEN
        exchange.instruments[BTC] = replace(INSTRUMENT, notional_min=D(50))
        exchange.answer(Refused("-1013", "Filter failure: NOTIONAL", Grounds.TOO_SMALL))
        await keeper.tell(Close(by="ann"))
        await turns()
        assert (keeper.position.state, keeper.position.quantity) == (State.OPEN, D("0.00032"))
        assert keeper.standing.instrument.notional_min == D(50)


@pytest.mark.parametrize("doubted", [False, True])
async def test_nor_one_that_is_being_read_just_now(
    exchange: FakeExchange, *, doubted: bool
) -> None:
    """Of two that were refused at once the second was judged by the minimum of before."""
    both = (DIP, BotName("second"))
    async with opened(account_spec(*map(bot_spec, both)), exchange=exchange) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        keepers = [floor.account.roster.keepers[bot] for bot in both]
        for keeper in keepers:
            await keeper.tell(replace(ENTER, quantity=D("0.00032")))
            await turns()
            await keeper.tell(floor.exchange.trades[-1])
        exchange.instruments[BTC] = replace(INSTRUMENT, notional_min=D(50))
        answer = exchange.hold("connect")
        if doubted:
            floor.account.roster._listing.doubt()
        for keeper in keepers:
            exchange.answer(Refused("-1013", "Filter failure: NOTIONAL", Grounds.TOO_SMALL))
            await keeper.tell(Close(by="ann"))
            await turns()
        answer.set()
        await turns()
        states = {keeper.position.state for keeper in keepers}
        assert (states, exchange.count("connect")) == ({State.OPEN}, 2)


async def test_who_waited_for_an_answer_that_fails_asks_no_more(exchange: FakeExchange) -> None:
    """Of many that are refused the last would be told of it when all had asked in vain."""
    async with opened(account_spec(bot_spec()), exchange=exchange) as floor:
        await held(floor)
        exchange.asked.clear()
        answer = exchange.hold("connect")
        exchange.fail("connect", ReadFailed("no answer"))
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(floor.account.roster._listing.settle())
            await turns()
            answer.set()
        assert exchange.count("connect") == 1


async def test_they_are_read_again_only_now_and_then(exchange: FakeExchange) -> None:
    """Two hundred bots that are all refused would spend the weight of everybody."""
    async with opened(account_spec(bot_spec()), exchange=exchange) as floor:
        await held(floor)
        listing = floor.account.roster._listing
        asked = [ask.verb for ask in exchange.asked].count("connect")
        for _ in range(3):
            listing.doubt()
            await turns()
        assert [ask.verb for ask in exchange.asked].count("connect") == asked + 1
        exchange.clock.elapsed += PAUSE_S
        exchange.fail("connect", ReadFailed("no answer"))
        for _ in range(2):
            listing.doubt()
            await turns()
        assert [ask.verb for ask in exchange.asked].count("connect") == asked + 3


async def test_a_recovery_learns_of_them_too(exchange: FakeExchange) -> None:
    async with opened(account_spec(bot_spec()), exchange=exchange) as floor:
        keeper = await held(floor)
        await floor.account.recovery.again()
        assert keeper.standing.instrument == COARSE


async def test_they_are_read_every_hour_before_anything_is_refused(exchange: FakeExchange) -> None:
    """A minimum that was raised was learned of by the stop that it refused."""
    async with opened(account_spec(bot_spec()), exchange=exchange) as floor:
        keeper = await held(floor)
        exchange.clock.hurried = False
        floor.account.roster.drive()
        await turns()
        assert keeper.standing.instrument == INSTRUMENT
        await exchange.clock.advance(EVERY_S)
        await turns()
        assert keeper.standing.instrument == COARSE
