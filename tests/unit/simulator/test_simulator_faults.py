"""Each fault of a request does what its sentence says: to the answer, and to the truth."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest
from tests.unit.simulator.trader import Trader

from surefoot.simulator.faults import (
    FAULTS,
    REPLACE_FAULTS,
    REQUEST_FAULTS,
    STORE_FAULTS,
    STREAM_FAULTS,
    WHOLE_FAULTS,
    Armory,
)

BROKEN = (aiohttp.ClientConnectionError, aiohttp.ClientPayloadError)


async def truth(trader: Trader) -> list[str]:
    """Return the status of every order that the exchange really has."""
    return [order["status"] for order in (await trader.ledger())["orders"]]


async def fails(trader: Trader) -> None:
    """Send an order whose answer never comes."""
    with pytest.raises(BROKEN):
        await trader.rest_buy(name="mine")


def test_every_fault_of_a_request_has_its_test_here() -> None:
    """A test belongs to the fault that its name begins with."""
    shown = [name.removeprefix("test_") for name in globals() if name.startswith("test_")]
    missing = [name for name in REQUEST_FAULTS if not any(s.startswith(name) for s in shown)]
    assert missing == []


# Not done ----------------------------------------------------------------------------------------


async def test_lose_request_breaks_before_the_exchange_has_seen_it(trader: Trader) -> None:
    await trader.arm("lose_request", on="order.send")
    await fails(trader)
    assert await truth(trader) == []


async def test_hold_request_arrives_late(trader: Trader) -> None:
    """Nothing is done while it waits; then it is as if it had just been sent."""
    await trader.arm("hold_request", on="order.send", seconds=0.3)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(trader.rest_buy(name="mine"))
        while not (await trader.ledger())["requests"]:
            pass
        assert await truth(trader) == []
    assert sending.result().status == 200
    assert await truth(trader) == ["NEW"]


async def test_error_before_answers_and_does_nothing(trader: Trader) -> None:
    await trader.arm("error_before", on="order.send", status=500, code=-1001, message="Down.")
    answer = await trader.rest_buy()
    assert (answer.status, answer.body) == (500, {"code": -1001, "msg": "Down."})
    assert await truth(trader) == []


async def test_reject_answers_400_and_does_nothing(trader: Trader) -> None:
    await trader.arm("reject", on="order.send", code=-2010, message="No.")
    answer = await trader.rest_buy()
    assert (answer.status, answer.body) == (400, {"code": -2010, "msg": "No."})
    assert await truth(trader) == []


@pytest.mark.parametrize("status", [429, 418])
async def test_rate_limit_says_when_to_come_back(trader: Trader, status: int) -> None:
    await trader.arm("rate_limit", on="order.send", status=status, seconds=7)
    answer = await trader.rest_buy()
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (status, -1003, "7")
    assert await truth(trader) == []


async def test_redirect_names_another_host(trader: Trader) -> None:
    await trader.arm("redirect", on="order.send", location="http://127.0.0.1:9/elsewhere")
    answer = await trader.rest_buy()
    assert (answer.status, answer.headers["Location"]) == (302, "http://127.0.0.1:9/elsewhere")
    assert await truth(trader) == []


# Done, and badly answered ------------------------------------------------------------------------


async def test_lose_response_has_done_it(trader: Trader) -> None:
    await trader.arm("lose_response", on="order.send")
    await fails(trader)
    assert await truth(trader) == ["NEW"]


async def test_slow_response_has_done_it_before_it_answers(trader: Trader) -> None:
    await trader.arm("slow_response", on="order.send", seconds=0.3)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(trader.rest_buy())
        while await truth(trader) == []:
            pass
        assert not sending.done()
    assert sending.result().body["status"] == "NEW"


async def test_error_after_has_done_it(trader: Trader) -> None:
    await trader.arm("error_after", on="order.send", status=504, code=-1007, message="Timeout.")
    answer = await trader.rest_buy()
    assert (answer.status, answer.body) == (504, {"code": -1007, "msg": "Timeout."})
    assert await truth(trader) == ["NEW"]


@pytest.mark.parametrize("status", [200, 502])
async def test_html_body_has_done_it(trader: Trader, status: int) -> None:
    """With 200 it looks like success to whoever reads only the status."""
    await trader.arm("html_body", on="order.send", status=status)
    answer = await trader.rest_buy()
    assert answer.status == status
    assert answer.body.startswith("<html>")
    assert await truth(trader) == ["NEW"]


async def test_empty_body_has_done_it(trader: Trader) -> None:
    await trader.arm("empty_body", on="order.send")
    answer = await trader.rest_buy()
    assert (answer.status, answer.body) == (200, "")
    assert await truth(trader) == ["NEW"]


async def test_truncated_body_has_done_it(trader: Trader) -> None:
    await trader.arm("truncated_body", on="order.send")
    with pytest.raises(aiohttp.ClientPayloadError):
        await trader.rest_buy()
    assert await truth(trader) == ["NEW"]


async def test_ack_without_id_has_done_it(trader: Trader) -> None:
    await trader.arm("ack_without_id", on="order.send")
    answer = await trader.rest_buy(name="mine")
    assert answer.status == 200
    assert "orderId" not in answer.body
    assert (await trader.query("mine")).body["orderId"] > 0


async def test_duplicate_request_of_a_market_order_is_two_orders(trader: Trader) -> None:
    """The client id does not help: the first one is filled when the second one comes."""
    await trader.arm("duplicate_request", on="order.send")
    await trader.order("BUY", "MARKET", "0.001", name="twin")
    assert await truth(trader) == ["FILLED", "FILLED"]


async def test_duplicate_request_of_a_resting_order_is_refused(trader: Trader) -> None:
    await trader.arm("duplicate_request", on="order.send")
    assert (await trader.rest_buy(name="twin")).status == 200
    assert await truth(trader) == ["NEW"]
    assert (await trader.ledger())["requests"][0]["twice"] == {"done": False, "code": -2010}


@pytest.mark.parametrize("fault", ["lose_response", "truncated_body"])
async def test_a_refusal_gets_lost_as_well(trader: Trader, fault: str) -> None:
    await trader.arm(fault, on="order.send")
    with pytest.raises(BROKEN):
        await trader.order("SELL", "MARKET", "1")
    answer = await trader.order("SELL", "MARKET", "1")
    assert (answer.status, answer.code) == (400, -2010)


# Done otherwise ----------------------------------------------------------------------------------


async def test_hide_order_hides_it_from_every_read(trader: Trader) -> None:
    await trader.arm("hide_order", on="order.send", seconds=100)
    sent = (await trader.order("BUY", "MARKET", "0.001", name="mine")).body
    by_id = await trader.ask("GET", "order", symbol="BTCUSDT", orderId=sent["orderId"])
    assert (await trader.query("mine")).code == by_id.code == -2013
    for path in ("openOrders", "allOrders", "myTrades"):
        assert await trader.listed(path) == []
    assert await truth(trader) == ["FILLED"]
    await trader.do("clock", advance=101)
    assert (await trader.query("mine")).body["status"] == "FILLED"
    assert len(await trader.listed("myTrades")) == 1


async def test_hide_fills_shows_a_filled_order_without_trades(trader: Trader) -> None:
    """The order says how much; the trades that would say at what price are not there yet."""
    await trader.arm("hide_fills", on="order.send", seconds=100)
    await trader.order("BUY", "MARKET", "0.001", name="mine")
    row = (await trader.query("mine")).body
    assert (row["status"], row["executedQty"]) == ("FILLED", "0.00100000")
    assert await trader.listed("myTrades") == []
    await trader.do("clock", advance=101)
    assert len(await trader.listed("myTrades")) == 1


async def test_hide_fills_hides_later_fills_of_the_order_too(trader: Trader) -> None:
    await trader.arm("hide_fills", on="order.send", seconds=100)
    await trader.rest_buy(price="60000", name="mine")
    await trader.price(60000)
    assert (await trader.query("mine")).body["status"] == "FILLED"
    assert await trader.listed("myTrades") == []


async def test_partial_fill_leaves_the_rest_open(trader: Trader) -> None:
    await trader.arm("partial_fill", on="order.send", fraction="0.3")
    answer = (await trader.order("BUY", "MARKET", "0.01", name="mine")).body
    assert (answer["status"], answer["executedQty"]) == ("PARTIALLY_FILLED", "0.00300000")
    await trader.price(50000)
    assert await truth(trader) == ["PARTIALLY_FILLED"]
    await trader.do("fill", client_order_id="mine")
    assert await truth(trader) == ["FILLED"]


async def test_partial_then_cancel_ends_the_rest(trader: Trader) -> None:
    await trader.arm("partial_then_cancel", on="order.send", fraction="0.3")
    answer = (await trader.order("BUY", "MARKET", "0.01")).body
    assert (answer["status"], answer["executedQty"]) == ("EXPIRED", "0.00300000")


# Reads that lie ----------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["openOrders", "allOrders", "myTrades"])
async def test_empty_list_lies_about(trader: Trader, path: str) -> None:
    await some_rows(trader)
    await trader.arm("empty_list", on=path)
    assert await trader.listed(path) == []
    assert await trader.listed(path) != []


@pytest.mark.parametrize("path", ["openOrders", "allOrders", "myTrades"])
async def test_omit_row_lies_about(trader: Trader, path: str) -> None:
    await some_rows(trader)
    await trader.arm("omit_row", on=path)
    fewer, rows = await trader.listed(path), await trader.listed(path)
    assert fewer == rows[1:]
    assert len(rows) > 1


async def some_rows(trader: Trader) -> None:
    for price in ("60000", "59000"):
        await trader.rest_buy(price=price)
        await trader.order("BUY", "MARKET", "0.001")


async def test_zero_balance_shows_nothing_of_anything(trader: Trader) -> None:
    await trader.arm("zero_balance", on="account")
    lie, account = [(await trader.ask("GET", "account")).body for _ in range(2)]
    assert {row["free"] for row in lie["balances"]} == {"0.00000000"}
    assert {row["asset"] for row in lie["balances"]} == {"USDT", "BNB"}
    assert {row["free"] for row in account["balances"]} != {"0.00000000"}


async def test_wrong_uid_is_somebody_else(trader: Trader) -> None:
    await trader.arm("wrong_uid", on="account", uid=42)
    uids = [(await trader.ask("GET", "account")).body["uid"] for _ in range(2)]
    assert uids == [42, trader.simulator.exchange.uid]


# Arming ------------------------------------------------------------------------------------------


async def test_a_fault_hits_only_what_matches(trader: Trader) -> None:
    await trader.arm("reject", on="order.send", symbol="BTCUSDT", side="SELL", type="LIMIT")
    assert (await trader.rest_buy()).status == 200
    assert (await trader.order("BUY", "MARKET", "0.001")).status == 200
    hit = await trader.order("SELL", "LIMIT", "0.0005", price="70000")
    assert (hit.status, hit.code) == (400, -1000)
    assert (await trader.order("SELL", "LIMIT", "0.0005", price="70000")).status == 200


async def test_skip_and_times_choose_which_requests_are_hit(trader: Trader) -> None:
    await trader.arm("error_before", on="time", skip=1, times=2)
    found = [(await trader.ask("GET", "time", signed=False)).status for _ in range(5)]
    assert found == [200, 503, 503, 200, 200]


async def test_times_0_hits_until_it_is_disarmed(trader: Trader) -> None:
    fault_id = await trader.arm("error_before", on="time", times=0)
    found = [(await trader.ask("GET", "time", signed=False)).status for _ in range(3)]
    await trader.do("disarm", fault_id=fault_id)
    assert found == [503, 503, 503]
    assert (await trader.ask("GET", "time", signed=False)).status == 200


async def test_the_ledger_names_the_faults_that_hit(trader: Trader) -> None:
    """A test that armed a fault can prove that it fired."""
    await trader.arm("hide_order", on="order.send")
    await trader.arm("ack_without_id", on="order.send")
    await trader.rest_buy()
    (request,) = (await trader.ledger())["requests"]
    assert request["faults"] == ["ack_without_id", "hide_order"]
    assert request["done"]


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("lose_everything", {}),
        ("lose_request", {"on": "orders"}),
        ("lose_request", {"on": "user"}),
        ("half_replace", {"on": "order.send"}),
        ("stream_drop", {"on": "order.send"}),
        ("stream_drop", {"side": "BUY"}),
        ("lose_request", {"operation": "order.send"}),
        ("hold_request", {"seconds": "long"}),
        ("partial_fill", {"fraction": "1.5"}),
        ("lose_request", {"times": "often"}),
    ],
)
def test_what_would_never_hit_or_hit_everything_is_refused(name: str, given: Any) -> None:
    """A misspelled `on` would otherwise break the next request, whatever it is."""
    armory = Armory()
    with pytest.raises(ValueError, match=r"."):
        armory.arm(name, given)
    assert armory.faults == {}


def test_every_fault_is_known_once() -> None:
    tables = (REQUEST_FAULTS, REPLACE_FAULTS, STREAM_FAULTS, STORE_FAULTS, WHOLE_FAULTS)
    assert len(FAULTS) == sum(len(table) for table in tables)
