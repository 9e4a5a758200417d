"""The control API: what its commands do, and that it takes no nonsense."""

from __future__ import annotations

import asyncio
from decimal import Decimal as D
from typing import Any

import aiohttp
import pytest
from tests.unit.simulator.trader import Trader

from surefoot.simulator import Control, ccxt_settings
from surefoot.simulator.control import ControlRefused


async def test_the_ledger_is_the_truth(trader: Trader) -> None:
    """Hidden or not, with every request and what became of it."""
    await trader.arm("hide_order", on="order.send", seconds=600)
    await trader.order("BUY", "MARKET", "0.001", name="mine")
    await trader.order("BUY", "MARKET", "1000", name="too much")
    ledger = await trader.ledger()
    assert [(o["clientOrderId"], o["origin"]) for o in ledger["orders"]] == [("mine", "api")]
    assert len(ledger["trades"]) == 1
    done, refused = ledger["requests"]
    assert (done["operation"], done["client_order_id"], done["done"]) == (
        "order.send", "mine", True,
    )  # fmt: skip
    assert done["order_id"] == ledger["orders"][0]["orderId"]
    assert (refused["done"], refused["code"]) == (False, -1100)


async def test_the_state_says_who_listens(trader: Trader) -> None:
    control = Control(trader.simulator.url)
    streams = [await trader.user_stream(), await trader.market_stream("btcusdt@trade")]
    await trader.price(61000)
    state = await asyncio.to_thread(control.state)
    assert state["sockets"] == {"user": 1, "market": 1}
    assert len(streams) == 2  # kept until here: a forgotten socket is closed
    assert state["quotes"]["BTCUSDT"]["last"] == "61000"
    assert (state["market"], state["orders"], state["requests"]) == ("manual", 0, 0)


async def test_faults_are_listed_known_armed_and_past(trader: Trader) -> None:
    control = Control(trader.simulator.url)
    await trader.arm("error_before", on="time")
    await trader.ask("GET", "time", signed=False)
    await trader.arm("lose_response", on="order.send", side="BUY", skip=3)
    faults = await asyncio.to_thread(control.faults)
    assert "outage" in faults["known"]
    assert [(each["name"], each["match"]) for each in faults["armed"]] == [
        ("lose_response", {"side": "BUY"})
    ]
    assert [(each["name"], each["hits"]) for each in faults["history"]] == [
        ("error_before", 1),
        ("lose_response", 0),
    ]


async def test_ccxt_is_told_where_to_go(trader: Trader) -> None:
    control = Control(trader.simulator.url)
    url = trader.simulator.url.replace("http://", "")
    settings = ccxt_settings(trader.simulator.url)
    async with aiohttp.ClientSession() as session, session.get(f"{control.url}/sim/ccxt") as answer:
        assert await answer.json() == settings == control.ccxt()
    sockets = settings["urls"]["api"]["ws"]
    assert sockets["spot"] == f"ws://{url}/stream/ws"  # ccxt looks for "/stream" to know spot


async def test_trading_by_hand_is_marked(trader: Trader) -> None:
    """The owner uses the app: an order that no bot knows."""
    await trader.do("order", symbol="BTCUSDT", side="buy", quantity="0.001")
    row = await trader.do("order", symbol="BTCUSDT", side="sell", quantity="0.0005", price="70000")
    assert (row["status"], row["type"]) == ("NEW", "LIMIT")
    orders = (await trader.ledger())["orders"]
    assert [(o["clientOrderId"], o["origin"], o["status"]) for o in orders] == [
        ("outside_1", "outside", "FILLED"),
        ("outside_2", "outside", "NEW"),
    ]


async def test_an_order_is_filled_cancelled_and_revived_by_hand(trader: Trader) -> None:
    sent = (await trader.rest_buy(price="60000", quantity="0.01", name="mine")).body
    row = await trader.do("fill", client_order_id="mine", quantity="0.004")
    assert (row["status"], row["executedQty"]) == ("PARTIALLY_FILLED", "0.00400000")
    where = {"symbol": "BTCUSDT", "order_id": sent["orderId"]}
    assert (await trader.do("cancel", **where))["status"] == "CANCELED"
    with pytest.raises(ControlRefused, match="is CANCELED"):
        await trader.do("fill", **where)
    assert (await trader.do("revive", **where))["status"] == "PARTIALLY_FILLED"
    with pytest.raises(ControlRefused, match="is PARTIALLY_FILLED"):
        await trader.do("revive", **where)
    row = await trader.do("fill", **where, price="59000")
    assert (row["status"], D(row["cummulativeQuoteQty"])) == ("FILLED", D(594))


async def test_an_expired_order_is_over(trader: Trader) -> None:
    await trader.rest_buy(name="mine")
    assert (await trader.do("expire", client_order_id="mine"))["status"] == "EXPIRED"
    assert await trader.listed("openOrders") == []


async def test_the_account_can_be_changed(trader: Trader) -> None:
    await trader.do("balance", asset="BTC", free="2.5")
    await trader.do("account", uid=42)
    await trader.do("fees", mode="bnb")
    account = (await trader.ask("GET", "account")).body
    assert account["uid"] == 42
    assert {"asset": "BTC", "free": "2.50000000", "locked": "0.00000000"} in account["balances"]
    await trader.order("SELL", "MARKET", "0.001")
    assert (await trader.listed("myTrades"))[0]["commissionAsset"] == "BNB"


async def test_starting_over_is_a_testnet_reset(trader: Trader) -> None:
    first = (await trader.order("BUY", "MARKET", "0.001")).body
    await trader.do("reset")
    assert await trader.listed("myTrades") == []
    assert (await trader.order("BUY", "MARKET", "0.001")).body["orderId"] == first["orderId"]


@pytest.mark.parametrize(
    ("command", "given", "words"),
    [
        ("explode", {}, "no such command; known: arm, "),
        ("arm", {"name": "explosion"}, "no fault 'explosion'"),
        ("arm", {}, "'name' is unknown or missing"),
        ("price", {"symbol": "BTCUSDT"}, "'price' is unknown or missing"),
        ("price", {"symbol": "BTCUSDT", "price": "NaN"}, "expected more than zero"),
        ("price", {"symbol": "BTCUSDT", "price": "-1"}, "expected more than zero"),
        ("price", {"symbol": "XYZ", "price": "1"}, "Invalid symbol"),
        ("market", {"mode": "wild"}, "expected one of tape, random, manual"),
        ("fees", {"mode": "none"}, "expected one of received, quote, bnb, mixed"),
        ("order", {"symbol": "BTCUSDT", "side": "buy", "quantity": "-1"}, "more than zero"),
        ("order", {"symbol": "BTCUSDT", "side": "hold", "quantity": "1"}, "BUY, SELL"),
        ("order", {"symbol": "BTCUSDT", "side": "sell", "quantity": "1"}, "insufficient"),
        ("fill", {"client_order_id": "nobody"}, "there is no order 'nobody'"),
        ("cancel", {"symbol": "BTCUSDT", "order_id": 1}, "unknown or missing"),
        ("clock", {"advance": "soon"}, "could not convert"),
        ("clock", {"advance": "inf"}, "infinity"),
    ],
)
async def test_nonsense_is_refused_in_words(
    trader: Trader, command: str, given: dict[str, Any], words: str
) -> None:
    before = (await trader.ledger())["orders"], trader.simulator.exchange.quotes["BTCUSDT"]
    with pytest.raises(ControlRefused, match=words):
        await trader.do(command, **given)
    assert before == (
        (await trader.ledger())["orders"],
        trader.simulator.exchange.quotes["BTCUSDT"],
    )


@pytest.mark.parametrize("body", ["[]", "[1]", "3", "null", "{", '"arm"'])
async def test_a_body_that_is_no_object_is_refused(trader: Trader, body: str) -> None:
    url = f"{trader.simulator.url}/sim/price"
    async with aiohttp.ClientSession() as session, session.post(url, data=body) as answer:
        assert answer.status == 400
        assert "error" in await answer.json()


async def test_a_page_in_a_browser_cannot_use_it(trader: Trader) -> None:
    """Any site could otherwise send orders to an exchange on its visitor's machine."""
    url = f"{trader.simulator.url}/sim/price"
    async with (
        aiohttp.ClientSession(headers={"Origin": "https://example.org"}) as session,
        session.post(url, json={"symbol": "BTCUSDT", "price": "1"}) as answer,
    ):
        assert answer.status == 403
    assert trader.simulator.exchange.quotes["BTCUSDT"].last != 1


def test_the_client_wants_an_address_of_the_simulator() -> None:
    with pytest.raises(ValueError, match="expected the http:// address"):
        Control("https://api.binance.com")
