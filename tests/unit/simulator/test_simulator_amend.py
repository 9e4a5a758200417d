"""An open order is made smaller where it stands: same number, same place, another name."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import pytest
from tests.unit.simulator.trader import Answer, Trader


async def amend(trader: Trader, quantity: str, **given: Any) -> Answer:
    """Amend the order "mine", unless another is named."""
    given.setdefault("origClientOrderId", "mine")
    path = "order/amend/keepPriority"
    return await trader.ask("PUT", path, symbol="BTCUSDT", newQty=quantity, **given)


async def locked(trader: Trader) -> D:
    rows = (await trader.ledger())["balances"]
    return next(D(row["locked"]) for row in rows if row["asset"] == "USDT")


async def test_an_amended_order_is_smaller_and_frees_what_it_held(trader: Trader) -> None:
    sent = await trader.rest_buy(quantity="0.01", name="mine")
    answer = await amend(trader, "0.004")
    assert answer.status == 200, answer.body
    order = answer.body["amendedOrder"]
    assert (order["orderId"], order["qty"]) == (sent.body["orderId"], "0.00400000")
    assert order["origClientOrderId"] == "mine"
    assert order["clientOrderId"] not in {"mine", ""}
    assert await locked(trader) == 240
    ledger = await trader.ledger()
    assert ledger["order_counts"]["1D"] == 1  # an amendment is no order
    assert ledger["weight"] == 4
    assert [(o["clientOrderId"], o["origQty"]) for o in ledger["orders"]] == [
        ("mine", "0.00400000")
    ]


async def test_it_goes_by_a_new_name_unless_its_own_is_sent_along(trader: Trader) -> None:
    await trader.rest_buy(quantity="0.01", name="mine")
    await amend(trader, "0.009", newClientOrderId="mine")
    assert (await trader.query("mine")).body["origQty"] == "0.00900000"
    name = (await amend(trader, "0.008")).body["amendedOrder"]["clientOrderId"]
    assert (await trader.query("mine")).code == -2013
    assert (await trader.query(name)).body["origQty"] == "0.00800000"


async def test_it_keeps_its_place_in_the_queue(trader: Trader) -> None:
    await trader.rest_buy(quantity="0.01", name="mine")
    await trader.rest_buy(quantity="0.01", name="behind")
    await amend(trader, "0.004")
    await trader.price(60000)
    trades = (await trader.ledger())["trades"]
    assert [trade["qty"] for trade in trades] == ["0.00400000", "0.01000000"]


@pytest.mark.parametrize(
    ("quantity", "code", "message"),
    [
        ("0.01", -2038, "change no state"),
        ("0.011", -2038, "quantity increase"),
        ("0", -1013, "newQty"),
        ("0.0050001", -1013, "LOT_SIZE"),
        ("0.00008", -1013, "NOTIONAL"),
    ],
)
async def test_a_refused_amendment_leaves_the_order_as_it_was(
    trader: Trader, quantity: str, code: int, message: str
) -> None:
    await trader.rest_buy(quantity="0.01", name="mine")
    answer = await amend(trader, quantity)
    assert (answer.status, answer.code) == (400, code)
    assert message in answer.body["msg"]
    assert (await trader.query("mine")).body["origQty"] == "0.01000000"
    assert await locked(trader) == 600


async def test_what_is_over_or_unknown_is_not_amended(trader: Trader) -> None:
    assert (await amend(trader, "0.005")).code == -2038
    await trader.rest_buy(quantity="0.01", name="mine")
    await trader.do("cancel", client_order_id="mine")
    assert (await amend(trader, "0.005")).code == -2038


async def test_a_name_that_another_open_order_has_is_refused(trader: Trader) -> None:
    for name in ("mine", "other"):
        await trader.rest_buy(quantity="0.01", name=name)
    assert (await amend(trader, "0.005", newClientOrderId="other")).code == -2038


async def test_ten_amendments_and_no_more(trader: Trader) -> None:
    await trader.rest_buy(quantity="0.1", name="mine")
    for number in range(10):
        answer = await amend(trader, f"0.0{90 - number}", newClientOrderId="mine")
        assert answer.status == 200, answer.body
    answer = await amend(trader, "0.07", newClientOrderId="mine")
    assert (answer.code, answer.body["msg"]) == (-2038, "Filter failure: MAX_NUM_ORDER_AMENDS")


async def test_what_is_left_of_a_partly_filled_order_is_amended(trader: Trader) -> None:
    await trader.rest_buy(quantity="0.01", name="mine")
    await trader.do("fill", client_order_id="mine", quantity="0.004")
    await amend(trader, "0.006", newClientOrderId="mine")
    assert await locked(trader) == 120
    row = (await trader.query("mine")).body
    assert (row["status"], row["executedQty"]) == ("PARTIALLY_FILLED", "0.00400000")
    await trader.price(60000)
    assert (await trader.query("mine")).body["status"] == "FILLED"


async def test_an_order_that_is_left_nothing_to_fill_expires(trader: Trader) -> None:
    await trader.rest_buy(quantity="0.01", name="mine")
    await trader.do("fill", client_order_id="mine", quantity="0.004")
    answer = await amend(trader, "0.004", newClientOrderId="mine")
    assert answer.body["amendedOrder"]["status"] == "EXPIRED"
    assert await locked(trader) == 0


async def test_the_stream_says_replaced_with_both_names(trader: Trader) -> None:
    stream = await trader.user_stream()
    await trader.rest_buy(quantity="0.01", name="mine")
    await stream.account(2)
    await amend(trader, "0.004", newClientOrderId="smaller")
    event = (await stream.next())["event"]
    assert (event["x"], event["X"], event["q"]) == ("REPLACED", "NEW", "0.00400000")
    assert (event["c"], event["C"]) == ("smaller", "mine")


async def test_amendments_are_listed(trader: Trader) -> None:
    number = (await trader.rest_buy(quantity="0.01", name="mine")).body["orderId"]
    await amend(trader, "0.008", newClientOrderId="second")
    await amend(trader, "0.006", origClientOrderId="second", newClientOrderId="third")
    rows = await trader.listed("order/amendments", orderId=number)
    assert [(r["origClientOrderId"], r["newClientOrderId"], r["newQty"]) for r in rows] == [
        ("mine", "second", "0.00800000"),
        ("second", "third", "0.00600000"),
    ]
    later = await trader.listed(
        "order/amendments", orderId=number, fromExecutionId=rows[1]["executionId"]
    )
    assert later == rows[1:]


async def test_exchange_info_says_what_is_allowed(trader: Trader) -> None:
    info = (await trader.ask("GET", "exchangeInfo", signed=False)).body
    assert all(row["amendAllowed"] and row["cancelReplaceAllowed"] for row in info["symbols"])
