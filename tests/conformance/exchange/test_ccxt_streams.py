"""Unmodified ccxt.pro takes the simulator for Binance: every stream that a bot watches."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import ccxt
from tests.conformance.exchange.conftest import Do

from surefoot.simulator import Simulator

SYMBOL = "BTC/USDT"
PATIENCE_S = 20


@asynccontextmanager
async def watching(watch: Callable[[], Awaitable[Any]]) -> AsyncIterator[list[Any]]:
    """Watch in the background and keep what was seen; the first sight may take a moment."""
    seen: list[Any] = []

    async def keep() -> None:
        while True:
            found = await watch()
            seen.extend(dict(each) if isinstance(each, dict) else each for each in found)

    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        task = group.create_task(keep())
        yield seen
        task.cancel()


async def listening(simulator: Simulator, kind: str) -> None:
    """Wait until somebody listens."""
    while not simulator.streams.counts()[kind]:
        await turn()


async def turn() -> None:
    """Let everybody else go on."""
    await asyncio.to_thread(lambda: None)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await turn()


async def test_orders_are_watched_from_new_to_filled(
    pro: Any, do: Do, simulator: Simulator
) -> None:
    async with watching(pro.watch_orders) as seen:
        await listening(simulator, "user")
        params = {"clientOrderId": "mine"}
        sent = await pro.create_order(SYMBOL, "limit", "buy", 0.01, 60000, params)
        await until(lambda: any(each["status"] == "open" for each in seen))
        await do("price", symbol="BTCUSDT", price="60000")
        await until(lambda: seen[-1]["status"] == "closed")
    last = seen[-1]
    assert (last["id"], last["clientOrderId"], last["filled"]) == (sent["id"], "mine", 0.01)
    assert last["fee"]["currency"] == "BTC"


async def test_a_cancelled_order_is_watched_under_its_own_name(
    pro: Any, simulator: Simulator
) -> None:
    async with watching(pro.watch_orders) as seen:
        await listening(simulator, "user")
        params = {"clientOrderId": "mine"}
        sent = await pro.create_order(SYMBOL, "limit", "buy", 0.01, 60000, params)
        await until(lambda: bool(seen))
        await pro.cancel_order(sent["id"], SYMBOL)
        await until(lambda: seen[-1]["status"] == "canceled")
    assert seen[-1]["clientOrderId"] == "mine"


async def test_my_trades_are_watched(pro: Any, simulator: Simulator) -> None:
    async with watching(pro.watch_my_trades) as seen:
        await listening(simulator, "user")
        order = await pro.create_order(SYMBOL, "market", "buy", 0.01)
        await until(lambda: bool(seen))
    assert (seen[0]["order"], seen[0]["amount"], seen[0]["side"]) == (order["id"], 0.01, "buy")


async def test_the_balance_is_watched(pro: Any, simulator: Simulator) -> None:
    async def watch() -> list[Any]:
        return [await pro.watch_balance()]

    async with watching(watch) as seen:
        await listening(simulator, "user")
        await pro.create_order(SYMBOL, "market", "buy", 0.01)
        await until(lambda: bool(seen) and seen[-1]["USDT"]["total"] < 100_000)
    assert seen[-1]["BTC"]["total"] == 0.00999


async def test_trades_of_the_market_are_watched(pro: Any, do: Do, simulator: Simulator) -> None:
    async with watching(lambda: pro.watch_trades(SYMBOL)) as seen:
        await listening(simulator, "market")
        await do("price", symbol="BTCUSDT", price="61000")
        await until(lambda: any(each["price"] == 61000 for each in seen))
    assert {each["symbol"] for each in seen} == {SYMBOL}


async def test_bids_and_asks_are_watched(pro: Any, do: Do, simulator: Simulator) -> None:
    async def watch() -> list[Any]:
        return list((await pro.watch_bids_asks([SYMBOL])).values())

    async with watching(watch) as seen:
        await listening(simulator, "market")
        await do("price", symbol="BTCUSDT", price="61000", spread="2")
        await until(lambda: any((s["bid"], s["ask"]) == (60998, 61002) for s in seen))


async def test_closed_candles_are_watched(pro: Any, do: Do, simulator: Simulator) -> None:
    async with watching(lambda: pro.watch_ohlcv(SYMBOL, "1h")) as seen:
        await listening(simulator, "market")
        await do("price", symbol="BTCUSDT", price="61000")
        await do("clock", advance=3600)
        await until(lambda: bool(seen))
    assert seen[0][4] == 61000


async def test_a_broken_socket_raises_and_the_next_watch_is_a_new_one(
    pro: Any, do: Do, simulator: Simulator
) -> None:
    async with asyncio.timeout(PATIENCE_S), asyncio.TaskGroup() as group:
        watch = group.create_task(_error_of(pro.watch_orders()))
        await listening(simulator, "user")
        await do("streams", kind="user")
        assert isinstance(await watch, ccxt.NetworkError)
    async with watching(pro.watch_orders) as seen:
        await listening(simulator, "user")
        await pro.create_order(SYMBOL, "market", "buy", 0.01)
        await until(lambda: bool(seen) and seen[-1]["status"] == "closed")


async def _error_of(watch: Awaitable[Any]) -> Exception | None:
    try:
        await watch
    except ccxt.BaseError as error:
        found: Exception = error
        return found
    return None
