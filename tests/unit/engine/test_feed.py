"""Streams in: each event to the position it belongs to, each gap to whoever reads instead."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from tests.builders import BTC, ORIGIN, D
from tests.unit.engine.clock import turns
from tests.unit.engine.desk import DIP, ENTER, SWING, Desk, candle, tick
from tests.unit.engine.fake import ETH

from surefoot.core.identity import order_identity
from surefoot.core.order import Role
from surefoot.core.position import Position, State
from surefoot.core.values import BotName, ClientOrderId
from surefoot.engine import feed as feed_module
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.feed import Feed
from surefoot.engine.quotes import Quote
from surefoot.exchange.binance.facts import BINANCE
from surefoot.exchange.port import Connected, Gap


class Ear:
    """A runner that only listens."""

    def __init__(self, symbol: str, timeframe: str | None = None) -> None:
        self.spec = SimpleNamespace(symbol=symbol, timeframe=timeframe)
        self.heard: list[Any] = []
        self.stale = 0

    def offer(self, event: Any) -> None:
        self.heard.append(event)

    def see(self, quote: Any) -> None:
        self.heard.append(quote)

    def go_stale(self) -> None:
        self.stale += 1


class Hearing:
    """A feed with its two streams being taken in."""

    def __init__(self, desk: Desk) -> None:
        self.gaps = 0
        self.candles: list[Any] = []
        self.rejoined = 0
        self.desk = desk
        self.ears: Any = BySymbol(lambda ear: ear.spec.symbol)
        self.ears.update({DIP: Ear(BTC, "1m"), SWING: Ear(ETH)})
        self.feed = Feed(
            desk.login,
            keepers=desk.keepers,
            journal=desk.journal,
            runners=self.ears,
            windows=self,  # type: ignore[arg-type]
            gap=self._gap,
            is_ours=desk.books.is_ours,
        )

    def hear(self, candle: Any) -> None:
        self.candles.append(candle)

    def rejoin(self) -> None:
        self.rejoined += 1

    def _gap(self) -> None:
        self.gaps += 1

    async def account(self, *events: Any) -> None:
        for event in events:
            self.desk.exchange.account_events.put_nowait(event)
        await turns()

    async def market(self, *events: Any) -> None:
        for event in events:
            self.desk.exchange.market_events.put_nowait(event)
        await turns()


@asynccontextmanager
async def hearing(desk: Desk) -> AsyncIterator[Hearing]:
    heard = Hearing(desk)
    async with asyncio.TaskGroup() as tasks:
        running = [
            tasks.create_task(heard.feed.account()),
            tasks.create_task(heard.feed.market([BTC, ETH], [(BTC, "1m")])),
        ]
        await turns()
        yield heard
        for task in running:
            task.cancel()


# The account -------------------------------------------------------------------------------------


async def test_a_gap_wants_a_sweep_and_so_does_the_stream_that_is_up_again(desk: Desk) -> None:
    """What a broken stream would have said is read; once at the break, once after it."""
    async with hearing(desk) as heard:
        assert (heard.gaps, await heard.feed.connected()) == (0, True)
        await heard.account(Gap(reason="reset"))
        assert heard.gaps == 1
        await heard.account(Connected())
        assert heard.gaps == 2
        await heard.account(Connected())
        assert heard.gaps == 2


async def test_recovery_does_not_wait_for_a_stream_for_ever(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "CONNECT_WAIT_S", 0)
    assert not await Hearing(desk).feed.connected()


async def test_a_gap_means_not_connected_until_it_is_up_again(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "CONNECT_WAIT_S", 0)
    async with hearing(desk) as heard:
        await heard.account(Gap(reason="reset"))
        assert not await heard.feed.connected()


async def test_a_fill_reaches_its_position_by_either_id(desk: Desk) -> None:
    keeper = await desk.keeper()
    await keeper.tell(ENTER)
    await desk.works.run()
    async with hearing(desk) as heard:
        await heard.account(desk.exchange.trades[0])  # carries the exchange's number only
    assert keeper.position.state is State.OPEN


async def test_the_same_event_twice_is_one_fact(desk: Desk) -> None:
    keeper = await desk.keeper()
    await keeper.tell(ENTER)
    await desk.works.run()
    trade = desk.exchange.trades[0]
    async with hearing(desk) as heard:
        await heard.account(trade, trade, desk.exchange.orders[0])
    assert (await desk.kinds()).count("fill-booked") == 1


async def test_the_same_number_on_another_symbol_is_not_ours(desk: Desk) -> None:
    """Catches a feed that books somebody's ETH trade 1 on our BTC order 1."""
    keeper = await desk.keeper()
    await keeper.tell(replace(ENTER, limit=D(49000)))
    await desk.works.run()
    number = desk.exchange.orders[0].exchange_order_id
    assert keeper.position.orders[0].exchange_order_id == number
    foreign = desk.exchange.trade(desk.exchange.orders[0].side, "0.001", number, symbol=ETH)
    async with hearing(desk) as heard:
        await heard.account(foreign)
    assert keeper.position.entered == 0
    assert [line["symbol"] for line in desk.log.said("foreign event")] == [ETH]


async def test_somebody_elses_order_is_said_and_left_alone(desk: Desk) -> None:
    keeper = await desk.keeper()
    await keeper.tell(ENTER)
    await desk.works.run()
    report = replace(
        desk.exchange.orders[0],
        client_order_id=ClientOrderId("web_1"),
        exchange_order_id="99",  # type: ignore[arg-type]
    )
    records = await desk.journal.records()
    async with hearing(desk) as heard:
        await heard.account(report)
    assert await desk.journal.records() == records
    assert len(desk.log.said("foreign event")) == 1


async def test_a_late_word_about_a_settled_position_is_not_foreign(desk: Desk) -> None:
    keeper = await desk.keeper()
    own = BINANCE.encode(order_identity(ORIGIN, keeper.position.position_id, Role.ENTRY, 9))
    await keeper.tell(ENTER)
    await desk.works.run()
    late = replace(desk.exchange.orders[0], client_order_id=own, exchange_order_id="99")  # type: ignore[arg-type]
    async with hearing(desk) as heard:
        await heard.account(late)
    assert desk.log.said("foreign event") == []


@pytest.mark.parametrize("others", [0, 60])
async def test_whose_an_order_is_is_not_looked_for_bot_by_bot(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, others: int
) -> None:
    """Every position on the symbol was gone through for each event: 60 bots, 60 looks."""
    for number in range(others):
        await desk.keeper(bot=BotName(f"a-{number}"))
    keeper = await desk.keeper()
    await keeper.tell(replace(ENTER, limit=D(49000)))
    await desk.works.run()
    looked: list[str] = []
    find = Position.find

    def looking(position: Position, *names: Any) -> Any:
        looked.append(position.position_id)
        return find(position, *names)

    monkeypatch.setattr(Position, "find", looking)
    working = desk.exchange.orders[-1]
    desk.exchange.execute(working.exchange_order_id, working.quantity)
    async with hearing(desk) as heard:
        await heard.account(desk.exchange.trades[-1])
    assert keeper.position.entered
    assert {*looked} == {keeper.position.position_id}


# The market --------------------------------------------------------------------------------------


async def test_ticks_and_candles_go_to_the_bots_that_want_them(desk: Desk) -> None:
    bitcoin, ether = tick(), tick("3000", symbol=ETH)
    minute, hour = candle(0), replace(candle(0), timeframe="1h")
    async with hearing(desk) as heard:
        await heard.market(bitcoin, ether, minute, hour, replace(minute, symbol=ETH))
    assert heard.ears[DIP].heard == [Quote.of(bitcoin)]
    assert heard.ears[SWING].heard == [Quote.of(ether)]
    assert heard.candles == [minute, hour, replace(minute, symbol=ETH)]


async def test_candles_are_joined_again_whenever_the_market_stream_comes_up(desk: Desk) -> None:
    async with hearing(desk) as heard:
        await heard.market(Connected(), Gap(reason="silent"), Connected())
    assert heard.rejoined == 3  # and when it came up first


async def test_ticks_that_wait_together_are_shown_as_one(desk: Desk) -> None:
    """The newest counts, and how far it went. Catches a queue of prices in front of the loop."""
    prices = [tick(price) for price in ("50000", "48000", "53000", "50500")]
    async with hearing(desk) as heard:
        await heard.market(*prices)
    first, low, high, newest = prices
    assert heard.ears[DIP].heard == [Quote(newest=newest, low=low, high=high)]
    assert first not in heard.ears[DIP].heard


async def test_only_the_bots_of_a_symbol_are_asked(desk: Desk) -> None:
    """Also those that come, or are replaced, while the stream is up."""
    async with hearing(desk) as heard:
        heard.ears[DIP] = later = Ear(ETH)
        await heard.market(tick(), tick("3000", symbol=ETH))
    assert later.heard == heard.ears[SWING].heard == [Quote.of(tick("3000", symbol=ETH))]


async def test_prices_that_stay_late_are_said_once(desk: Desk) -> None:
    """And shown all the same: a stop must not wait for better times."""
    async with hearing(desk) as heard:
        for elapsed in (1.5, 6.4, 6.5, 20):
            desk.clock.elapsed = elapsed
            await heard.market(tick())
            assert len(desk.log.said("prices late")) == (elapsed >= 6.5)
        await heard.market(replace(tick(), at=desk.clock.now()))
        assert len(desk.log.said("prices in time again")) == 1
    assert len(heard.ears[DIP].heard) == 5


async def test_a_broken_market_stream_is_stale_for_every_bot(desk: Desk) -> None:
    async with hearing(desk) as heard:
        await heard.market(Gap(reason="silent"))
    assert [ear.stale for ear in heard.ears.values()] == [1, 1]
    assert heard.gaps == 0  # prices are not read again, only the account is
