"""A start protects what it has proven while it goes on proving the rest; all has a price."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from tests.builders import BTC, D
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    SWING,
    Floor,
    PoisonableJournal,
    account_spec,
    bot_spec,
    opened,
    tick,
)
from tests.unit.engine.fake import ETH, FakeExchange

from surefoot.core.order import Role
from surefoot.core.position import State
from surefoot.core.values import BotName
from surefoot.exchange.errors import ReadFailed
from surefoot.exchange.port import Connected, Gap, Tick

UNDER = D(48000)  # the stops are 2 % under the entry, at 49000


def both(*, native_stop: bool) -> object:
    return account_spec(
        bot_spec(native_stop=native_stop), bot_spec(SWING, ETH, native_stop=native_stop)
    )


@asynccontextmanager
async def holding(*, native_stop: bool = False) -> AsyncIterator[Floor]:
    """Start on a journal in which two bots hold something, and no stop was ever written."""
    exchange, journal = FakeExchange(HandClock()), PoisonableJournal()
    async with opened(both(native_stop=False), exchange=exchange, journal=journal) as floor:  # type: ignore[arg-type]
        await floor.account.recovery.patiently()
        for bot in (DIP, SWING):
            await floor.account.roster.keepers[bot].tell(ENTER)
            await turns()
            await floor.account.roster.keepers[bot].tell(exchange.trades[-1])
    spec = both(native_stop=native_stop)
    async with opened(spec, exchange=exchange, journal=journal) as floor:  # type: ignore[arg-type]
        floor.account.attend()
        yield floor


@asynccontextmanager
async def recovering(floor: Floor, *, without: str) -> AsyncIterator[None]:
    """Recover while one symbol's answers do not come."""
    answered = floor.exchange.hold("open_orders", about=without)
    async with asyncio.TaskGroup() as tasks:
        recovery = tasks.create_task(floor.account.recovery.patiently())
        await turns()
        yield
        assert not recovery.done()
        answered.set()
    floor.account.start()
    await turns()


def state(floor: Floor, bot: BotName) -> State:
    return floor.account.roster.keepers[bot].position.state


async def test_what_is_proven_gets_its_stop_while_others_are_being_proven() -> None:
    """Stops were repaired between whole rounds: 25 positions waited 36 s for theirs."""
    async with holding(native_stop=True) as floor, recovering(floor, without=ETH):
        assert [order.role for order in floor.exchange.sent[2:]] == [Role.STOP]
        assert floor.account.roster.keepers[DIP].position.orders[-1].exchange_order_id


async def test_a_stop_that_was_refused_is_tried_again_while_others_are_being_proven() -> None:
    """Catches retries that wait for the end of recovery."""
    async with holding(native_stop=True) as floor:
        floor.exchange.answer(ReadFailed("odd"), accepted=False)
        async with recovering(floor, without=ETH):
            name = floor.account.roster.keepers[DIP].position.orders[-1].client_order_id
            asked = [each.about for each in floor.exchange.asked if each.verb == "order"]
            assert f"{BTC},{name}" not in asked
            await floor.clock.advance(1)
            asked = [each.about for each in floor.exchange.asked if each.verb == "order"]
            assert f"{BTC},{name}" in asked


async def test_levels_are_honoured_of_what_is_proven_and_of_nothing_else() -> None:
    """One price for each symbol that is held is read at a start: the market may be quiet."""
    async with holding() as floor:
        floor.exchange.last_price = UNDER
        async with recovering(floor, without=ETH):
            assert [order.role for order in floor.exchange.sent[2:]] == [Role.EXIT]
            assert state(floor, SWING) is State.OPEN
        assert [order.role for order in floor.exchange.sent[3:]] == [Role.EXIT]
    assert floor.exchange.count("ticks") == 1


async def test_no_bot_enters_before_everything_is_proven() -> None:
    async with holding() as floor, recovering(floor, without=ETH):
        assert floor.account.roster.refusal(DIP) == "recovery has not finished"


async def test_prices_of_what_is_held_are_asked_for_while_the_stream_is_silent() -> None:
    """The stream was dead for an hour, the price fell by 40 %, and nobody looked."""
    async with holding() as floor:
        async with recovering(floor, without=ETH):
            pass
        market = floor.exchange.market_events
        market.put_nowait(Connected())
        for symbol in (BTC, ETH):
            market.put_nowait(tick("50000", symbol=symbol))
        await floor.clock.advance(10)
        asked = floor.exchange.count("ticks")
        market.put_nowait(Gap(reason="reset"))
        await floor.clock.advance(5)
        assert floor.exchange.count("ticks") == asked + 1
        floor.exchange.last_price = UNDER
        await floor.clock.advance(5)
        assert [order.role for order in floor.exchange.sent[2:]] == [Role.EXIT, Role.EXIT]


async def test_a_symbol_that_the_stream_has_not_told_of_is_asked_for_although_it_is_up() -> None:
    async with holding() as floor:
        async with recovering(floor, without=ETH):
            pass
        floor.exchange.market_events.put_nowait(Connected())
        floor.exchange.market_events.put_nowait(tick("50000", symbol=ETH))
        await floor.clock.advance(5)
        assert [e.about for e in floor.exchange.asked if e.verb == "ticks"][-1] == BTC


async def test_one_socket_of_several_that_stands_still_hides_no_price() -> None:
    """The others told on, so the stream was up: nobody looked at this one, for ever."""
    async with holding() as floor:
        async with recovering(floor, without=ETH):
            pass
        market = floor.exchange.market_events
        market.put_nowait(Connected())
        for symbol in (BTC, ETH):
            market.put_nowait(tick("50000", symbol=symbol))
        for _ in range(9):
            await floor.clock.advance(5)
            market.put_nowait(tick("50000", symbol=ETH))
        about = [ask.about for ask in floor.exchange.asked if ask.verb == "ticks"]
        assert about[-1] == BTC, "once in a while, and only of what is quiet"
        floor.exchange.last_price = UNDER
        for _ in range(6):
            await floor.clock.advance(5)
            market.put_nowait(tick("50000", symbol=ETH))
        assert [order.role for order in floor.exchange.sent[2:]] == [Role.EXIT]
        assert not floor.account.login.senses.quiet([BTC], timedelta(0))


async def test_prices_that_cannot_be_read_are_asked_for_again() -> None:
    async with holding() as floor:
        floor.exchange.fail("ticks", ReadFailed("no answer"), times=1)
        floor.exchange.last_price = UNDER
        async with recovering(floor, without=ETH):
            assert state(floor, DIP) is State.OPEN
            await floor.clock.advance(5)
            assert state(floor, DIP) is State.CLOSING


@pytest.mark.parametrize(
    ("price", "bid", "ask", "level"),
    [
        ("100", "99", "101", "100"),  # the book is around the last trade
        ("100", "97", "98", "98"),  # it fell without a trade: somebody sells at 98
        ("100", "102", "103", "102"),  # it rose: somebody buys at 102
        ("100", "103", "102", "100"),  # a crossed book is no price
    ],
)
def test_bid_and_ask_are_prices(price: str, bid: str, ask: str, level: str) -> None:
    """A symbol whose book moved away was held against its last trade for as long as none came."""
    at = tick().at
    seen = Tick(symbol=BTC, price=D(price), bid=D(bid), ask=D(ask), at=at)
    assert seen.level == D(level)
