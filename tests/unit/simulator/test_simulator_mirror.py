"""A mirror shows what its source shows, fills what must have filled, and says when it is blind.

The source is a second simulator over the same wire: REST and WebSocket, on sockets of its own.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from tests.unit.simulator.trader import PATIENCE_S, Trader

from surefoot.simulator import Settings, Simulator
from surefoot.simulator.model import Level, Origin, default_rules
from surefoot.simulator.store import StateHeld, StateSpoiled, kept_uid

SYMBOLS = ("BTCUSDT", "ETHUSDT")


def source_settings(**given: Any) -> Settings:
    """Return a source with a filter of every kind."""
    rules = default_rules()[:2]
    rules[0].percent_bid_up = rules[0].percent_ask_up = D("1.2")
    rules[0].percent_bid_down = rules[0].percent_ask_down = D("0.8")
    rules[0].market_quantity_max = D(77)
    rules[1].notional_min = D(7)
    return Settings(rules=rules, **given)


class Pair:
    """A source and its mirror."""

    def __init__(self, source: Simulator, trader: Trader) -> None:
        self.source = source
        self.trader = trader
        self.mirror = trader.simulator

    async def until(self, fact: Callable[[], bool]) -> None:
        """Wait for a fact."""
        async with asyncio.timeout(PATIENCE_S):
            while not fact():
                await self.mirror.clock.sleep(0.01)

    async def sees(self, price: str, *, spread: str = "1") -> None:
        """Move the source, and wait until the mirror has followed."""
        self.source.market.move("BTCUSDT", D(price), D(spread))
        quotes = self.mirror.exchange.quotes
        bid = D(price) - D(spread)
        await self.until(lambda: quotes["BTCUSDT"].last == D(price))
        await self.until(lambda: quotes["BTCUSDT"].bids[:1] != () and quotes["BTCUSDT"].bid == bid)

    async def fresh(self) -> None:
        """Wait until its prices are believed."""
        await self.until(lambda: self.mirror.market.stale is None)

    async def blind(self) -> None:
        """Wait until it has noticed that nothing comes."""
        await self.until(lambda: self.mirror.market.stale is not None)

    async def status(self, name: str) -> str:
        """Return what has become of an order."""
        return str((await self.trader.query(name)).body["status"])


@asynccontextmanager
async def mirrored(source: Simulator, **given: Any) -> AsyncIterator[Pair]:
    """Start a mirror of a source that has traded."""
    for symbol in SYMBOLS:
        quote = source.exchange.quotes[symbol]
        source.market.move(symbol, quote.last, D(1))
    settings = Settings.mirroring(Origin.at(source.url, SYMBOLS), beat_s=0.01, **given)
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        Simulator(settings) as simulator,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        pair = Pair(source, Trader(simulator, session))
        await pair.fresh()
        yield pair


@pytest_asyncio.fixture
async def pair() -> AsyncIterator[Pair]:
    # The market is quiet: every price is one that a test has set.
    async with Simulator(source_settings(beat_s=3600)) as source, mirrored(source) as both:
        yield both


# What it shows -----------------------------------------------------------------------------------


async def test_its_filters_are_those_of_the_source(pair: Pair) -> None:
    async with aiohttp.ClientSession() as session:
        pages = [
            await (await session.get(f"{each.url}/api/v3/exchangeInfo")).json()
            for each in (pair.source, pair.mirror)
        ]
    assert pages[0]["symbols"] == pages[1]["symbols"]
    assert len(pages[1]["symbols"]) == 2


async def test_it_lists_something_though_the_source_has_none_of_its_symbols() -> None:
    """A symbol that was mistyped was told as an exchange that lists nothing at all."""
    async with Simulator(source_settings(market="manual")) as source:
        settings = Settings.mirroring(Origin.at(source.url, ("FOOBAR",)), beat_s=0.01)
        async with Simulator(settings) as mirror:
            assert [*mirror.exchange.rules] == ["BTCUSDT"]


async def test_its_prices_are_those_of_the_source(pair: Pair) -> None:
    await pair.sees("60000")
    async with aiohttp.ClientSession() as session:
        for path in (
            'ticker/price?symbols=["BTCUSDT"]',
            'ticker/bookTicker?symbols=["BTCUSDT"]',
            "klines?symbol=BTCUSDT&interval=1m&limit=5",
            "depth?symbol=BTCUSDT&limit=5",
            "aggTrades?symbol=BTCUSDT&limit=5",
        ):
            urls = [f"{each.url}/api/v3/{path}" for each in (pair.source, pair.mirror)]
            first, second = [await (await session.get(url)).json() for url in urls]
            assert first == second, path


async def test_its_streams_say_what_the_source_says(pair: Pair) -> None:
    names = ["btcusdt@trade", "btcusdt@bookTicker"]
    there = await Trader(pair.source, pair.trader._session).market_stream(*names)
    here = await pair.trader.market_stream(*names)
    pair.source.market.move("BTCUSDT", D(60_000), D(1))
    assert [await there.next(), await there.next()] == [await here.next(), await here.next()]


async def test_candles_that_somebody_listens_to_are_passed_on(pair: Pair) -> None:
    here = await pair.trader.market_stream("btcusdt@kline_1m")
    await pair.until(lambda: "btcusdt@kline_1m" in pair.source.streams.wanted())
    pair.source.streams.publish("BTCUSDT", "kline_1m", lambda: {"e": "kline", "s": "BTCUSDT"})
    assert await here.next() == {"e": "kline", "s": "BTCUSDT"}


async def test_nobody_moves_its_prices_by_hand(pair: Pair) -> None:
    for command in (
        {"command": "price", "symbol": "BTCUSDT", "price": "1"},
        {"command": "book", "symbol": "BTCUSDT", "bids": [["1", "1"]], "asks": [["2", "1"]]},
        {"command": "market", "mode": "random"},
    ):
        with pytest.raises(Exception, match=r"the mirrored exchange's|somebody else's"):
            await pair.trader.do(command.pop("command"), **command)


# How it fills ------------------------------------------------------------------------------------


async def test_a_market_order_takes_level_by_level(pair: Pair) -> None:
    levels = (Level(D(60_001), D("0.001")), Level(D(60_005), D("0.002")), Level(D(60_009), D(5)))
    pair.source.market.book("BTCUSDT", (Level(D(60_000), D(1)),), levels)
    quotes = pair.mirror.exchange.quotes
    await pair.until(lambda: len(quotes["BTCUSDT"].asks) == 3)
    await pair.trader.order("BUY", "MARKET", "0.004", name="mine")
    trades = (await pair.trader.ledger())["trades"]
    assert [(D(each["price"]), D(each["qty"])) for each in trades] == [
        (60_001, D("0.001")), (60_005, D("0.002")), (60_009, D("0.001")),
    ]  # fmt: skip
    # What was taken is not there for the next one, until the venue shows its book again.
    assert quotes["BTCUSDT"].asks == (Level(D(60_009), D("4.999")),)


async def test_what_the_book_does_not_hold_is_not_filled(pair: Pair) -> None:
    pair.source.market.book("BTCUSDT", (Level(D(60_000), D(1)),), (Level(D(60_001), D("0.001")),))
    await pair.until(lambda: pair.mirror.exchange.quotes["BTCUSDT"].ask == 60_001)
    await pair.trader.order("BUY", "MARKET", "0.004", name="mine")
    order = (await pair.trader.query("mine")).body
    assert (order["status"], D(order["executedQty"])) == ("EXPIRED", D("0.001"))


async def test_a_resting_order_waits_until_somebody_trades_beyond_it(pair: Pair) -> None:
    """At its own price others stand before it: only a worse price proves that they are gone."""
    await pair.sees("60000")
    await pair.trader.rest_buy(price="59990", name="mine")
    await pair.sees("59990")
    assert await pair.status("mine") == "NEW"
    pair.source.market.move("BTCUSDT", D("59989.99"), D(1))
    await pair.until(lambda: pair.mirror.exchange.trades != [])
    [trade] = (await pair.trader.ledger())["trades"]
    assert (D(trade["price"]), trade["isMaker"]) == (59_990, True)


async def test_an_old_price_beyond_it_fills_nothing(pair: Pair) -> None:
    """The book may move without a trade; the last one was before the order."""
    await pair.sees("60000")
    pair.source.market.book("BTCUSDT", (Level(D(60_100), D(1)),), (Level(D(60_200), D(1)),))
    await pair.until(lambda: pair.mirror.exchange.quotes["BTCUSDT"].bid == 60_100)
    await pair.trader.rest_buy(price="60050", name="mine")
    pair.source.market.book("BTCUSDT", (Level(D(60_090), D(1)),), (Level(D(60_190), D(1)),))
    await pair.until(lambda: pair.mirror.exchange.quotes["BTCUSDT"].bid == 60_090)
    assert await pair.status("mine") == "NEW"


async def test_a_stop_gets_no_better_price_than_the_trade_that_triggered_it(pair: Pair) -> None:
    await pair.sees("60000")
    await pair.trader.do("balance", asset="BTC", free="1")
    await pair.trader.order("SELL", "STOP_LOSS", "0.001", stopPrice="59000", name="stop")
    # The trade is there before the book has followed: the bids that it has eaten are still shown.
    pair.source.market._floor.trade("BTCUSDT", D(58_900))  # type: ignore[attr-defined]
    await pair.until(lambda: pair.mirror.exchange.trades != [])
    [trade] = (await pair.trader.ledger())["trades"]
    assert D(trade["price"]) == 58_900


# When the source is gone -------------------------------------------------------------------------


async def test_without_its_source_nothing_is_filled_and_everybody_is_told() -> None:
    async with Simulator(source_settings(beat_s=3600)) as source, mirrored(source) as pair:
        await pair.sees("60000")
        listener = await pair.trader.market_stream("btcusdt@trade")
        await pair.trader.rest_buy(price="59000", name="resting")
        await source.__aexit__(None, None, None)
        await pair.blind()
        assert await listener.closed()
        state = pair.mirror.market.stale
        assert state is not None
        assert "mirrored exchange" in state
        assert (await pair.trader.order("BUY", "MARKET", "0.001")).code == -1013
        prices = await pair.trader.ask("GET", "ticker/price", signed=False, symbols='["BTCUSDT"]')
        assert prices.status == 503
        # What needs no price is answered as ever.
        assert await pair.status("resting") == "NEW"
        assert (await pair.trader.rest_buy(price="58000", name="later")).status == 200


async def test_a_socket_that_lives_and_says_nothing_shows_no_price() -> None:
    """Pings are answered, and nothing else comes. Red if only a socket that breaks is stale."""
    async with (
        Simulator(source_settings(beat_s=3600)) as source,
        mirrored(source, silence_s=0.2) as pair,
    ):
        await pair.sees("60000")
        listener = await pair.trader.market_stream("btcusdt@trade")
        await pair.trader.rest_buy(price="59500", name="rested")
        source.armory.arm("stream_silence", {"on": "market", "seconds": 3600})
        source.market.move("BTCUSDT", D(58_000), D(1))
        await pair.blind()
        assert "its stream is silent" in (pair.mirror.market.stale or "")
        assert (await pair.trader.order("BUY", "MARKET", "0.001")).code == -1013
        assert await listener.closed()
        # It connects anew, and reads what was missed: what it shows then is what is.
        await pair.fresh()
        assert await pair.status("rested") == "FILLED"
        assert pair.mirror.exchange.quotes["BTCUSDT"].last == 58_000


async def test_a_market_in_which_nothing_happens_is_not_called_silent() -> None:
    """It is asked after, again and again, and nobody is cut off."""
    async with (
        Simulator(source_settings(beat_s=3600)) as source,
        mirrored(source, silence_s=0.05) as pair,
    ):
        await pair.sees("60000")
        listener = await pair.trader.market_stream("btcusdt@trade")
        asked = Trader(source, pair.trader._session)
        while len([each for each in await requests(asked) if each == "depth"]) < 8:
            assert pair.mirror.market.stale is None
            await pair.mirror.clock.sleep(0.02)
        source.market.move("BTCUSDT", D(60_001), D(1))
        assert D((await listener.next())["p"]) == 60_001


async def test_a_venue_that_wants_to_be_left_alone_does_not_end_a_stream_that_lives() -> None:
    """Red while a quiet market and one bot's question too many made every price unbelieved."""
    async with (
        Simulator(source_settings(beat_s=3600)) as source,
        mirrored(source, silence_s=0.05) as pair,
    ):
        await pair.sees("60000")
        listener = await pair.trader.market_stream("btcusdt@trade")
        limit = source.armory.arm("rate_limit", {"on": "depth", "seconds": 30})
        await pair.until(lambda: limit.hits == 1)
        await pair.mirror.clock.sleep(0.3)
        assert pair.mirror.market.stale is None
        source.market.move("BTCUSDT", D(60_001), D(1))
        assert D((await listener.next())["p"]) == 60_001
        assert limit.hits == 1


async def requests(trader: Trader) -> list[str]:
    return [each["operation"] for each in (await trader.ledger())["requests"]]


async def test_what_was_missed_is_played_through_the_orders_that_rested() -> None:
    """At the time at which it happened, and not through an order that came later."""
    async with Simulator(source_settings(beat_s=3600)) as source, mirrored(source) as pair:
        await pair.sees("60000")
        await pair.trader.rest_buy(price="59500", name="rested")
        source.armory.arm("outage", {})
        source.streams.disconnect()
        await pair.blind()
        source.market.move("BTCUSDT", D(59_000), D(1))
        source.market.move("BTCUSDT", D(60_500), D(1))
        there = source.clock.now_ms()
        await source.clock.sleep(0.02)
        await pair.trader.rest_buy(price="59400", name="later")
        source.armory.disarm()
        await pair.fresh()
        assert await pair.status("rested") == "FILLED"
        assert await pair.status("later") == "NEW"
        [trade] = (await pair.trader.ledger())["trades"]
        assert D(trade["price"]) == 59_500
        assert trade["time"] <= there
        assert pair.mirror.exchange.quotes["BTCUSDT"].last == 60_500


async def test_what_comes_while_the_missed_is_read_is_not_lost() -> None:
    """It is on neither page, and was heard before the symbol's prices were believed again."""
    async with Simulator(source_settings(beat_s=3600)) as source, mirrored(source) as pair:
        await pair.sees("60000")
        await pair.trader.rest_buy(price="59500", name="rested")
        source.armory.arm("outage", {})
        source.streams.disconnect()
        await pair.blind()
        # The second question is for what was missed; its answer is on its way for a while.
        slow = source.armory.arm("slow_response", {"on": "aggTrades", "skip": 1, "seconds": 0.5})
        [outage] = [each for each in source.armory.faults.values() if each.name == "outage"]
        source.armory.disarm(outage.fault_id)
        await pair.until(lambda: slow.hits == 1)
        source.market.move("BTCUSDT", D(59_000), D(1))
        source.market.move("BTCUSDT", D(60_500), D(1))
        assert pair.mirror.market.stale is not None
        await pair.fresh()
        assert await pair.status("rested") == "FILLED"
        assert pair.mirror.exchange.quotes["BTCUSDT"].last == 60_500


async def test_a_stop_that_was_jumped_over_meanwhile_sells_below_the_trade() -> None:
    """Nobody knows the book of that moment: it is taken to be as wide as it is now."""
    async with Simulator(source_settings(beat_s=3600)) as source, mirrored(source) as pair:
        await pair.sees("60000")
        await pair.trader.do("balance", asset="BTC", free="1")
        await pair.trader.order("SELL", "STOP_LOSS", "0.001", stopPrice="59000", name="stop")
        source.armory.arm("outage", {})
        source.streams.disconnect()
        await pair.blind()
        source.market.move("BTCUSDT", D(58_000), D(1))
        source.market.move("BTCUSDT", D(60_000), D(3))
        source.armory.disarm()
        await pair.fresh()
        [trade] = (await pair.trader.ledger())["trades"]
        assert D(trade["price"]) == 58_000 - 6
        # The invented depth of the past is no book of now.
        assert pair.mirror.exchange.quotes["BTCUSDT"].bids[0].quantity == 1


async def test_a_source_that_was_never_there_is_waited_for() -> None:
    """The exchange answers, and lists nothing until it knows what there is."""
    origin = Origin.at("http://127.0.0.1:9", SYMBOLS)
    async with Simulator(Settings.mirroring(origin)) as mirror, aiohttp.ClientSession() as session:
        trader = Trader(mirror, session)
        assert (await trader.ask("GET", "exchangeInfo", signed=False)).status == 503
        assert (await trader.ask("GET", "account")).status == 200


async def test_a_source_that_wants_to_be_left_alone_is_left_alone(pair: Pair) -> None:
    """Its patience is ours, and whoever asks here is told so too."""
    pair.source.armory.arm("rate_limit", {"on": "klines", "seconds": 30})
    given = {"symbol": "BTCUSDT", "interval": "1m"}
    for _ in range(3):
        answer = await pair.trader.ask("GET", "klines", signed=False, **given)
        assert answer.status == 429
        assert int(answer.headers["Retry-After"]) > 25
    asked = [each for each in pair.source.armory.history if each.name == "rate_limit"]
    assert [each.hits for each in asked] == [1]


# What is kept ------------------------------------------------------------------------------------


async def test_it_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Orders, trades, balances and its name are kept; what it missed while it was off is played."""
    state = tmp_path / "paper"
    async with Simulator(source_settings(beat_s=3600)) as source:
        async with mirrored(source, state=state) as pair:
            await pair.sees("60000")
            await pair.trader.order("BUY", "MARKET", "0.002", name="bought")
            await pair.trader.rest_buy(price="59500", name="rested")
            before, uid = await pair.trader.ledger(), pair.mirror.exchange.uid
            modes = {each.stat().st_mode & 0o777 for each in tmp_path.iterdir()}
            assert modes == {0o600}, "others may read what is traded"
        source.market.move("BTCUSDT", D(59_000), D(1))
        source.market.move("BTCUSDT", D(61_000), D(1))
        async with mirrored(source, state=state) as pair:
            after = await pair.trader.ledger()
            assert pair.mirror.exchange.uid == uid != Settings().uid
            assert await pair.status("bought") == await pair.status("rested") == "FILLED"
            assert after["trades"][: len(before["trades"])] == before["trades"]
            # Ids go on: nothing new has the name of something old.
            ids = [each["id"] for each in after["trades"]]
            assert ids == sorted(set(ids))
            answer = await pair.trader.order("BUY", "MARKET", "0.001", name="next")
            assert answer.body["orderId"] not in {each["orderId"] for each in before["orders"]}


@pytest.mark.parametrize("empty", [False, True])
async def test_an_older_copy_gives_nothing_new_an_old_name(tmp_path: Path, empty: bool) -> None:
    """A program that traded since knows ids that the copy does not.

    A new fill under one of them would be taken for that one, and never booked. Red while ids went
    on from what was kept, and from the beginning on a symbol of which nothing was.
    """
    state, copy = tmp_path / "paper", tmp_path / "copy"
    async with Simulator(source_settings(beat_s=3600)) as source:
        async with mirrored(source, state=state) as pair:
            await pair.sees("60000")
            if not empty:
                await pair.trader.order("BUY", "MARKET", "0.002", name="first")
        shutil.copy(state, copy)
        async with mirrored(source, state=state) as pair:
            await pair.trader.order("BUY", "MARKET", "0.002", name="forgotten")
            known = await pair.trader.ledger()
        shutil.copy(copy, state)
        async with mirrored(source, state=state) as pair:
            answer = await pair.trader.order("BUY", "MARKET", "0.002", name="new")
            after = await pair.trader.ledger()
    assert answer.body["orderId"] not in {each["orderId"] for each in known["orders"]}
    fresh = [each["id"] for each in after["trades"] if each["orderId"] == answer.body["orderId"]]
    assert not {*fresh} & {each["id"] for each in known["trades"]}


async def test_two_exchanges_do_not_keep_one_state(tmp_path: Path) -> None:
    """By two configurations, or by hand: the second would sell what the first one holds."""
    state = tmp_path / "paper"
    async with Simulator(source_settings(beat_s=3600)) as source:
        async with mirrored(source, state=state):
            with pytest.raises(StateHeld, match="in use by another"):
                Simulator(Settings.mirroring(Origin.at(source.url, SYMBOLS), state=state))
        async with mirrored(source, state=state) as pair:
            await pair.sees("60000")


async def test_a_state_that_was_begun_and_not_written_is_a_new_one(tmp_path: Path) -> None:
    """Catches a `check` that ends with a traceback after a first start was killed."""
    state = tmp_path / "paper"
    state.touch()
    assert kept_uid(state) is None
    async with Simulator(source_settings(beat_s=3600)) as source, mirrored(source, state=state):
        pass
    assert kept_uid(state) is not None


def test_a_spoiled_state_is_said_and_left_alone(tmp_path: Path) -> None:
    state = tmp_path / "paper"
    state.write_bytes(b"no state" * 999)
    with pytest.raises(StateSpoiled, match="the journal away together"):
        kept_uid(state)
    with pytest.raises(StateSpoiled, match="cannot be read: file is not a database"):
        Simulator(Settings.mirroring(Origin.at("http://127.0.0.1:1", SYMBOLS), state=state))
    assert state.read_bytes() == b"no state" * 999


async def test_a_source_that_counts_anew_is_joined_by_time(tmp_path: Path) -> None:
    state = tmp_path / "paper"
    async with Simulator(source_settings(beat_s=3600)) as source:
        for _ in range(50):
            source.market.move("BTCUSDT", D(60_000), D(1))
        async with mirrored(source, state=state) as pair:
            await pair.sees("60000")
            await pair.trader.rest_buy(price="59500", name="rested")
        await source.clock.sleep(0.01)
    async with Simulator(source_settings(beat_s=3600)) as source:
        source.market.move("BTCUSDT", D(59_000), D(1))
        async with mirrored(source, state=state) as pair:
            assert await pair.status("rested") == "FILLED"


# Recorded streams --------------------------------------------------------------------------------


async def test_every_recorded_trade_passes_through_the_mirror_once() -> None:
    """A tape of the real exchange, played by the source fifty times as fast."""
    played = source_settings(market="tape", speed=50, beat_s=0.05)
    async with Simulator(played) as source, mirrored(source) as pair:
        listener = await pair.trader.market_stream("btcusdt@trade")
        heard = [await listener.next() for _ in range(200)]
        numbers = [each["t"] for each in heard]
        assert numbers == sorted(set(numbers))
        rows = await source.market.read(
            "aggTrades", {"symbol": "BTCUSDT", "fromId": str(numbers[0]), "limit": "1000"}
        )
        there = {each["a"]: each for each in rows if each["a"] <= numbers[-1]}
        assert [(each["t"], each["p"], each["q"], each["T"]) for each in heard] == [
            (each["a"], each["p"], each["q"], each["T"]) for each in there.values()
        ]
