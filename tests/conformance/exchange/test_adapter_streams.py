"""Streams of the adapter: every event once and whole, and a Gap for every break."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal as D
from typing import Any

import pytest
from tests.conformance.exchange.conftest import Do
from tests.conformance.exchange.orders import BTC, ETH, NAME, order, resting

from surefoot.core.order import ReportedStatus
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import ClientOrderId, Symbol
from surefoot.exchange.port import Candle, Connected, Exchange, Gap, Tick
from surefoot.simulator import Settings, Simulator
from surefoot.simulator.model import Rules, default_rules

PATIENCE_S = 20


@asynccontextmanager
async def following(events: AsyncIterator[Any]) -> AsyncIterator[list[Any]]:
    """Follow a stream and keep what it says."""
    seen: list[Any] = []

    async def keep() -> None:
        async for event in events:
            seen.append(event)  # noqa: PERF401 (seen while it goes on)

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        task = group.create_task(keep())
        yield seen
        task.cancel()


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.to_thread(lambda: None)


def of(kind: Any, seen: list[Any]) -> list[Any]:
    return [event for event in seen if isinstance(event, kind)]


@asynccontextmanager
async def account(exchange: Exchange) -> AsyncIterator[list[Any]]:
    """Follow the account, from the moment that it is connected."""
    async with following(exchange.account()) as seen:
        await until(lambda: seen == [Connected()])
        yield seen


# The account -------------------------------------------------------------------------------------


async def test_an_order_is_told_from_its_first_moment_to_its_last(exchange: Exchange) -> None:
    """The fill comes before the report that counts it, so that it is booked when it is believed."""
    async with account(exchange) as seen:
        sent = await exchange.send(BTC, order(exchange))
        await until(lambda: len(seen) == 4)
    new, fill, done = seen[1:]
    assert (new.client_order_id, new.status, new.filled) == (NAME, ReportedStatus.OPEN, 0)
    assert (done.client_order_id, done.status) == (NAME, ReportedStatus.FILLED)
    assert (done.filled, done.exchange_order_id) == (D("0.001"), sent.exchange_order_id)
    (read,) = (await exchange.fills(BTC, None)).fills
    assert (fill.trade_id, fill.price, fill.quantity, fill.fee, fill.fee_asset, fill.at) == (
        read.trade_id, read.price, read.quantity, read.fee, read.fee_asset, read.at,
    )  # fmt: skip
    assert fill.client_order_id == NAME


async def test_a_cancelled_order_is_told_under_its_own_name(exchange: Exchange) -> None:
    async with account(exchange) as seen:
        report = await exchange.send(BTC, resting(exchange))
        await exchange.cancel(BTC, report.exchange_order_id)
        await until(lambda: len(seen) == 3)
    assert [(each.client_order_id, each.status) for each in seen[1:]] == [
        (NAME, ReportedStatus.OPEN),
        (NAME, ReportedStatus.CANCELED),
    ]


async def test_what_a_person_does_is_told_too(exchange: Exchange, do: Do) -> None:
    async with account(exchange) as seen:
        await do("order", symbol="ETHUSDT", side="buy", quantity="0.1")
        await until(lambda: len(of(Fill, seen)) == 1)
    assert {each.symbol for each in seen[1:]} == {ETH}
    assert {each.client_order_id for each in seen[1:]} == {"outside_1"}


class TestBurst:
    """Many trades at once, faster than anybody reads."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(rules=default_rules()[:1], slices=300)

    async def test_nothing_in_a_burst_is_merged_or_lost(
        self, exchange: Exchange, simulator: Simulator
    ) -> None:
        """Of updates of one order in one burst, ccxt keeps the last; a sum would be short."""
        async with account(exchange) as seen:
            await exchange.send(BTC, order(exchange, quantity=D("0.3")))
            await until(lambda: len(of(OrderReport, seen)) == 301)
        told = [fill.trade_id for fill in of(Fill, seen)]
        assert told == [str(trade.trade_id) for trade in simulator.exchange.trades]
        filled = [report.filled for report in of(OrderReport, seen)]
        assert filled == [D("0.001") * number for number in range(301)]


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("stream_duplicate", [OrderReport, OrderReport, Fill, OrderReport]),
        ("stream_drop", [Fill, OrderReport]),
        ("stream_reorder", [OrderReport, Fill, OrderReport]),
    ],
)
async def test_the_stream_is_passed_on_as_it_is(
    exchange: Exchange, do: Do, fault: str, kinds: list[type]
) -> None:
    """Sorting out is the core's business; the adapter must not guess."""
    async with account(exchange) as seen:
        await do("arm", name=fault, on="user")
        await exchange.send(BTC, order(exchange))
        await until(lambda: len(seen) == 1 + len(kinds))
    assert [type(event) for event in seen[1:]] == kinds


@pytest.mark.parametrize("how", ["by hand", "fault", "outage"])
async def test_a_break_is_a_gap_and_then_a_new_connection(
    exchange: Exchange, do: Do, how: str
) -> None:
    async with account(exchange) as seen:
        if how == "by hand":
            await do("streams", kind="user")
        elif how == "fault":
            await do("arm", name="stream_disconnect", on="user")
            await exchange.send(BTC, resting(exchange, client_order_id=ClientOrderId("sffirst")))
        else:
            await do("arm", name="outage")
            await until(lambda: len(of(Gap, seen)) > 1)  # it tries again while it lasts
            await do("disarm")
        await until(lambda: seen[-1] == Connected() and len(seen) > 2)
        gaps = len(of(Gap, seen))
        await exchange.send(ETH, order(exchange, quantity=D("0.01")))
        await until(lambda: len(of(Fill, seen)) == 1)
    assert gaps >= 1
    assert all(gap.reason for gap in of(Gap, seen))
    assert isinstance(seen[1], Gap)


async def test_a_refused_subscription_is_a_gap(exchange: Exchange, do: Do) -> None:
    """The exchange's clock has moved: the signature is too old, again and again."""
    await do("clock", advance=3600)
    async with following(exchange.account()) as seen:
        await until(lambda: len(seen) > 1)
        assert {type(event) for event in seen} == {Gap}
        await exchange.measure_clock()
        await until(lambda: seen[-1] == Connected())


async def test_an_end_that_the_exchange_announces_is_a_gap(
    exchange: Exchange, simulator: Simulator
) -> None:
    """The socket stays open and says nothing any more: ccxt would wait for ever."""
    async with account(exchange) as seen:
        ended = {"subscriptionId": 0, "event": {"e": "eventStreamTerminated", "E": 1}}
        simulator.streams._emit("user", "BTCUSDT", ended)
        await until(lambda: seen[-1] == Connected() and len(seen) > 2)
    assert isinstance(seen[1], Gap)


# The market --------------------------------------------------------------------------------------


async def test_ticks_have_the_last_price_and_the_book(exchange: Exchange, do: Do) -> None:
    async with following(exchange.market([BTC, ETH], [])) as seen:
        await until(lambda: {tick.symbol for tick in of(Tick, seen)} == {BTC, ETH})
        assert isinstance(seen[0], Connected)
        await do("price", symbol="BTCUSDT", price="61000", spread="2")
        await until(lambda: any(tick.price == D(61000) for tick in of(Tick, seen)))
    tick = next(each for each in of(Tick, seen) if each.price == D(61000))
    assert (tick.symbol, tick.bid, tick.ask) == (BTC, D(60998), D(61002))
    assert of(Gap, seen) == []


class TestManySymbols:
    """More than ccxt watches over one socket."""

    SYMBOLS = tuple(f"C{number}" for number in range(201))

    @pytest.fixture
    def settings(self) -> Settings:
        rules = (
            Rules(symbol=f"{base}USDT", base=base, quote="USDT", price=D(100))
            for base in self.SYMBOLS
        )
        return Settings(rules=tuple(rules))

    async def test_every_one_of_them_is_told(self, exchange: Exchange) -> None:
        """With 201 symbols the market stream once came up never, for any of them."""
        wanted = [Symbol(f"{base}/USDT") for base in self.SYMBOLS]
        async with following(exchange.market(wanted, [])) as seen:
            await until(lambda: {tick.symbol for tick in of(Tick, seen)} == set(wanted))
        assert of(Gap, seen) == []


async def test_candles_are_told_when_they_close(exchange: Exchange, do: Do) -> None:
    async with following(exchange.market([BTC], [(BTC, "1h")])) as seen:
        await until(lambda: bool(of(Tick, seen)))
        await do("price", symbol="BTCUSDT", price="61000")
        await do("clock", advance=3600)
        await until(lambda: any(each.closed for each in of(Candle, seen)))
    candle = next(each for each in of(Candle, seen) if each.closed)
    assert (candle.symbol, candle.timeframe, candle.close) == (BTC, "1h", D(61000))
    await exchange.measure_clock()
    read = await exchange.candles(BTC, "1h", candle.at, 1)
    assert read == (candle,)


async def test_a_break_of_the_market_is_a_gap_too(exchange: Exchange, do: Do) -> None:
    async with following(exchange.market([BTC], [])) as seen:
        await until(lambda: bool(of(Tick, seen)))
        await do("streams", kind="market")
        await until(lambda: len(of(Connected, seen)) == 2)
        await do("price", symbol="BTCUSDT", price="61000")
        await until(lambda: any(tick.price == D(61000) for tick in of(Tick, seen)))
    assert len(of(Gap, seen)) == 1


# The end -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("which", ["account", "market"])
async def test_who_stops_listening_leaves_nothing_behind(
    exchange: Exchange, simulator: Simulator, which: str
) -> None:
    """No task, no socket: bots start and stop all day."""
    before = asyncio.all_tasks()
    events = exchange.account() if which == "account" else exchange.market([BTC], [])
    async with following(events) as seen:
        await until(lambda: Connected() in seen)
    await until(lambda: simulator.streams.counts() == {"user": 0, "market": 0})
    await until(lambda: asyncio.all_tasks() <= before)


@pytest.mark.parametrize("moved_s", [30.0, -30.0])
async def test_a_subscription_that_is_refused_for_its_time_denies_our_clock(
    exchange: Exchange, simulator: Simulator, moved_s: float
) -> None:
    """Only answers to requests were heard: without any, the account was deaf for a minute."""
    simulator.clock.advance(moved_s)
    async with following(exchange.account()) as seen:
        async with asyncio.timeout(PATIENCE_S):
            await exchange.clock_denied()
        assert "Timestamp for this request" in seen[0].reason, "and not what ccxt says of it"
        await exchange.measure_clock()
        await until(lambda: bool(of(Connected, seen)))
