"""A mirror of many symbols: the trouble of one is its own, and the others never hear of it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from decimal import Decimal as D
from typing import Any

import aiohttp
import pytest
from tests.unit.simulator.test_simulator_mirror import SYMBOLS, Pair, mirrored, source_settings
from tests.unit.simulator.trader import PATIENCE_S, Trader

from surefoot.simulator import Settings, Simulator
from surefoot.simulator.model import Origin


async def test_a_symbol_that_nobody_answers_for_is_not_believed_and_no_other_hears_of_it() -> None:
    """One question about one quiet symbol ended the whole market, for everybody."""
    async with (
        Simulator(source_settings(beat_s=3600)) as source,
        mirrored(source, silence_s=0.05) as pair,
    ):
        market = pair.mirror.market
        listener = await pair.trader.market_stream("btcusdt@trade")
        down = {"on": "depth", "symbol": "ETHUSDT", "status": 500, "times": 0}
        fault = source.armory.arm("error_before", down)
        await pair.until(lambda: market.blind("ETHUSDT") is not None)
        assert market.blind("BTCUSDT") is None
        assert (await pair.trader.order("BUY", "MARKET", "0.1", symbol="ETHUSDT")).code == -1013
        prices = await pair.trader.ask("GET", "ticker/price", signed=False)
        assert [each["symbol"] for each in prices.body] == ["BTCUSDT"]
        await pair.sees("60000")
        assert D((await listener.next())["p"]) == 60_000
        source.armory.disarm(fault.fault_id)
        await pair.fresh()


async def test_a_symbol_that_cannot_be_joined_lets_others_be() -> None:
    """At a start, and after every outage: it kept them all waiting for as long as it was so."""
    async with Simulator(source_settings(beat_s=3600)) as source:
        down = {"on": "depth", "symbol": "BTCUSDT", "status": 500, "times": 0}
        fault = source.armory.arm("error_before", down)
        settings = Settings.mirroring(Origin.at(source.url, SYMBOLS), beat_s=0.01, silence_s=0.05)
        for symbol in SYMBOLS:
            source.market.move(symbol, source.exchange.quotes[symbol].last, D(1))
        async with Simulator(settings) as mirror, aiohttp.ClientSession() as session:
            pair = Pair(source, Trader(mirror, session))
            await pair.until(lambda: mirror.market.blind("ETHUSDT") is None)
            assert mirror.market.blind("BTCUSDT") is not None
            source.armory.disarm(fault.fault_id)
            await pair.fresh()


async def test_trades_that_are_not_told_while_the_book_lives_are_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its stops and limits met no trade for as long as the book moved: it was never asked after."""
    async with (
        Simulator(source_settings(beat_s=3600)) as source,
        mirrored(source, silence_s=0.2) as pair,
    ):
        await pair.sees("60000")
        listener = await pair.trader.market_stream("btcusdt@trade")
        await pair.trader.do("balance", asset="BTC", free="1")
        await pair.trader.order("SELL", "STOP_LOSS", "0.001", stopPrice="59500", name="stop")
        floor = source.market._floor  # type: ignore[attr-defined]
        publish = floor.publish

        def but_trades(symbol: str, stream: str, make: Callable[[], dict[str, Any]]) -> None:
            if (symbol, stream) != ("BTCUSDT", "trade"):
                publish(symbol, stream, make)

        monkeypatch.setattr(floor, "publish", but_trades)
        number = 0
        async with asyncio.timeout(PATIENCE_S):
            while await pair.status("stop") == "NEW":
                number += 1
                source.market.move("BTCUSDT", D(59_000) + number, D(1))
                assert pair.mirror.market.blind("ETHUSDT") is None
                await pair.mirror.clock.sleep(0.1)
        heard = await listener.next()
        assert (heard["s"], D(heard["p"])) == ("BTCUSDT", 59_001)
        assert await pair.status("stop") == "FILLED"
