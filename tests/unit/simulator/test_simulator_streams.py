"""Streams say what happened, in order, unless a fault does what its sentence says."""

from __future__ import annotations

import aiohttp
import pytest
from tests.unit.simulator.trader import Stream, Trader

from surefoot.simulator.faults import STREAM_FAULTS, WHOLE_FAULTS

BOUGHT = ["NEW", "balances", "TRADE", "balances"]


async def buy(trader: Trader, stream: Stream, number: int = 4) -> list[str]:
    """Buy, and return the events that follow."""
    assert (await trader.order("BUY", "MARKET", "0.001")).status == 200
    return await stream.account(number)


def test_every_fault_of_a_stream_has_its_test_here() -> None:
    """A test belongs to the fault that its name begins with."""
    shown = [name.removeprefix("test_") for name in globals() if name.startswith("test_")]
    faults = [*STREAM_FAULTS, *WHOLE_FAULTS]
    assert [name for name in faults if not any(each.startswith(name) for each in shown)] == []


# Without faults ----------------------------------------------------------------------------------


async def test_an_order_is_told_from_its_first_moment_to_its_last(trader: Trader) -> None:
    stream = await trader.user_stream()
    assert await buy(trader, stream) == BOUGHT


async def test_a_report_after_a_cancel_has_both_names(trader: Trader) -> None:
    """`c` is the cancel's name, `C` the order's: whoever reads `c` sees a stranger."""
    stream = await trader.user_stream()
    await trader.rest_buy(name="mine")
    assert await stream.account(2) == ["NEW", "balances"]
    await trader.do("cancel", client_order_id="mine")
    event = (await stream.next())["event"]
    assert (event["x"], event["X"], event["c"], event["C"]) == (
        "CANCELED", "CANCELED", "outside_cancel", "mine",
    )  # fmt: skip


async def test_a_fill_is_told_with_its_fee_and_its_trade_id(trader: Trader) -> None:
    stream = await trader.user_stream()
    await trader.order("BUY", "MARKET", "0.001", name="mine")
    event = [(await stream.next())["event"] for _ in range(3)][2]
    (row,) = await trader.listed("myTrades")
    told = (event["t"], event["L"], event["l"], event["n"], event["N"], event["z"], event["c"])
    assert told == (
        row["id"], row["price"], row["qty"], row["commission"], row["commissionAsset"],
        "0.00100000", "mine",
    )  # fmt: skip


async def test_what_happened_before_the_subscription_is_not_told(trader: Trader) -> None:
    await trader.rest_buy()
    stream = await trader.user_stream()
    assert await buy(trader, stream) == BOUGHT


async def test_only_what_was_subscribed_is_told(trader: Trader) -> None:
    stream = await trader.market_stream("btcusdt@trade")
    await trader.price(2500, "ETHUSDT")
    await trader.price(61000)
    event = await stream.next()
    while event["p"] != "61000.00000000":  # what a quiet market repeats
        assert event["s"] == "BTCUSDT"
        event = await stream.next()
    assert event["e"] == "trade"


async def test_the_best_bid_and_ask_are_told(trader: Trader) -> None:
    stream = await trader.market_stream("btcusdt@bookTicker")
    await trader.do("price", symbol="BTCUSDT", price="61000", spread="2")
    event = await stream.next()
    while event["b"] != "60998.00000000":
        event = await stream.next()
    assert event["a"] == "61002.00000000"


async def test_who_unsubscribes_is_told_no_more(trader: Trader) -> None:
    stream = await trader.market_stream("btcusdt@trade", "btcusdt@bookTicker")
    await stream._socket.send_json({"id": 2, "method": "UNSUBSCRIBE", "params": ["btcusdt@trade"]})
    while (await stream.next()) != {"id": 2, "result": None}:
        pass
    await trader.price(61000)
    while (event := await stream.next())["b"] != "61000.00000000":
        assert "e" not in event


async def test_an_unknown_request_is_refused(trader: Trader) -> None:
    stream = await trader.socket("stream/ws/0")
    assert "error" in await stream.ask({"id": 1, "method": "LIST"})
    stream = await trader.socket("ws-api/v3")
    assert (await stream.ask({"id": 1, "method": "order.place", "params": {}}))["status"] == 400


# Faults ------------------------------------------------------------------------------------------


async def test_stream_drop_never_sends_it(trader: Trader) -> None:
    stream = await trader.user_stream()
    await trader.arm("stream_drop", on="user")
    assert await buy(trader, stream, 3) == BOUGHT[1:]
    assert await buy(trader, stream) == BOUGHT


async def test_stream_duplicate_sends_it_twice(trader: Trader) -> None:
    stream = await trader.user_stream()
    await trader.arm("stream_duplicate", on="user", skip=2)
    assert await buy(trader, stream, 5) == ["NEW", "balances", "TRADE", "TRADE", "balances"]


async def test_stream_delay_sends_it_late(trader: Trader) -> None:
    stream = await trader.user_stream()
    await trader.arm("stream_delay", on="user", seconds=0.2)
    assert await buy(trader, stream) == [*BOUGHT[1:], "NEW"]


async def test_stream_reorder_sends_it_after_the_next(trader: Trader) -> None:
    """A report that an order is new, after the report that it is filled."""
    stream = await trader.user_stream()
    await trader.arm("stream_reorder", on="user", times=2)
    assert await buy(trader, stream) == ["TRADE", "NEW", "balances", "balances"]


async def test_stream_reorder_of_a_market_reaches_who_listens_to_it(trader: Trader) -> None:
    """The next event is of another symbol, which this socket does not hear."""
    other = await trader.market_stream("ethusdt@bookTicker")
    stream = await trader.market_stream("btcusdt@trade")
    await trader.arm("stream_reorder", on="market", symbol="BTCUSDT")
    await trader.price(61000)
    await trader.price(2500, "ETHUSDT")
    while (event := await stream.next())["p"] != "61000.00000000":
        assert event["s"] == "BTCUSDT"
    assert (await other.next())["s"] == "ETHUSDT"


async def test_stream_replay_sends_everything_again(trader: Trader) -> None:
    stream = await trader.user_stream()
    assert await buy(trader, stream) == BOUGHT
    await trader.arm("stream_replay", on="user")
    assert await buy(trader, stream, 8) == [*BOUGHT, *BOUGHT]


async def test_stream_silence_says_nothing_and_stays_open(trader: Trader) -> None:
    """A socket that lives and says nothing looks just like a quiet market."""
    stream = await trader.user_stream()
    await trader.arm("stream_silence", on="user", seconds=600)
    await trader.order("BUY", "MARKET", "0.001")
    assert (await stream.ask(trader.subscription()))["status"] == 200


async def test_stream_disconnect_closes_the_socket_first(trader: Trader) -> None:
    stream = await trader.user_stream()
    market = await trader.market_stream("btcusdt@trade")
    await trader.arm("stream_disconnect", on="user")
    await trader.rest_buy()
    assert await stream.closed()
    assert (await market.next())["s"] == "BTCUSDT"
    again = await trader.user_stream()
    assert await buy(trader, again) == BOUGHT


async def test_outage_breaks_every_connection_until_it_is_over(trader: Trader) -> None:
    streams = [await trader.user_stream(), await trader.market_stream("btcusdt@trade")]
    await trader.arm("outage")
    assert [await stream.closed() for stream in streams] == [True, True]
    for _ in range(2):
        with pytest.raises(aiohttp.ClientConnectionError):
            await trader.rest_buy()
        with pytest.raises(aiohttp.ClientError):
            await trader.socket("ws-api/v3")
    assert (await trader.ledger())["orders"] == []
    await trader.do("disarm")
    assert await buy(trader, await trader.user_stream()) == BOUGHT


async def test_hidden_orders_are_told_when_they_appear(trader: Trader) -> None:
    stream = await trader.user_stream()
    await trader.arm("hide_order", on="order.send", seconds=0.2)
    assert await buy(trader, stream) == BOUGHT


async def test_hidden_fills_are_not_told_before_they_appear(trader: Trader) -> None:
    """The order is told at once, its fill is not."""
    stream = await trader.user_stream()
    await trader.arm("hide_fills", on="order.send", seconds=600)
    await trader.order("BUY", "MARKET", "0.001")
    await trader.rest_buy()
    assert await stream.account(4) == ["NEW", "balances", "NEW", "balances"]


@pytest.mark.parametrize("kind", ["user", "market", "*"])
async def test_sockets_can_be_broken_by_hand(trader: Trader, kind: str) -> None:
    streams = {
        "user": await trader.user_stream(),
        "market": await trader.market_stream("btcusdt@trade"),
    }
    await trader.do("streams", kind=kind)
    for name, stream in streams.items():
        if kind in {name, "*"}:
            assert await stream.closed()
