"""Cancel one order and send another: every outcome of both halves, as Binance documents them."""

from __future__ import annotations

from decimal import Decimal as D
from typing import Any

import aiohttp
import pytest
from tests.unit.simulator.trader import Answer, StillClock, Trader

STOPS = {"cancelReplaceMode": "STOP_ON_FAILURE"}
ALLOWS = {"cancelReplaceMode": "ALLOW_FAILURE"}
TOO_MUCH = {"quantity": "8"}  # passes every filter, and cannot be paid
NOT_THERE = {"cancelOrigClientOrderId": "nobody"}
CANCEL_ONLY = {"orderRateLimitExceededMode": "CANCEL_ONLY"}


@pytest.fixture(autouse=True)
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """No window of the order count ends by itself."""
    monkeypatch.setattr("surefoot.simulator.server.Clock", StillClock)


async def replace(trader: Trader, **given: Any) -> Answer:
    """Replace the order "old" by "new", unless something else is said."""
    usual = {
        "symbol": "BTCUSDT",
        "side": "BUY",
        "type": "LIMIT",
        "timeInForce": "GTC",
        "quantity": "0.001",
        "price": "59000",
        "newClientOrderId": "new",
        "cancelOrigClientOrderId": "old",
        **STOPS,
    }
    return await trader.ask("POST", "order/cancelReplace", **{**usual, **given})


async def truth(trader: Trader) -> dict[str, str]:
    """Return what every order really is."""
    orders = (await trader.ledger())["orders"]
    return {order["clientOrderId"]: order["status"] for order in orders}


def halves(answer: Answer) -> tuple[str, str]:
    both = answer.body.get("data", answer.body)
    return both["cancelResult"], both["newOrderResult"]


async def test_both_halves_work(trader: Trader) -> None:
    old = (await trader.rest_buy(name="old")).body["orderId"]
    answer = await replace(trader, cancelNewClientOrderId="by", **STOPS)
    assert (answer.status, halves(answer)) == (200, ("SUCCESS", "SUCCESS"))
    assert "code" not in answer.body
    cancelled, new = answer.body["cancelResponse"], answer.body["newOrderResponse"]
    assert (cancelled["orderId"], cancelled["status"]) == (old, "CANCELED")
    assert (cancelled["origClientOrderId"], cancelled["clientOrderId"]) == ("old", "by")
    assert (new["clientOrderId"], new["status"], new["fills"]) == ("new", "NEW", [])
    assert await truth(trader) == {"old": "CANCELED", "new": "NEW"}
    request = (await trader.ledger())["requests"][-1]
    assert (request["done"], request["order_id"]) == (True, new["orderId"])
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == "0"
    assert answer.headers["X-MBX-ORDER-COUNT-10S"] == "2"


@pytest.mark.parametrize(
    ("mode", "given", "status", "code", "outcome", "after"),
    [
        (STOPS, NOT_THERE, 400, -2022, ("FAILURE", "NOT_ATTEMPTED"), {"old": "NEW"}),
        (STOPS, TOO_MUCH, 409, -2021, ("SUCCESS", "FAILURE"), {"old": "CANCELED"}),
        (ALLOWS, TOO_MUCH, 409, -2021, ("SUCCESS", "FAILURE"), {"old": "CANCELED"}),
        (ALLOWS, NOT_THERE, 409, -2021, ("FAILURE", "SUCCESS"), {"old": "NEW", "new": "NEW"}),
        (ALLOWS, {**NOT_THERE, **TOO_MUCH}, 400, -2022, ("FAILURE", "FAILURE"), {"old": "NEW"}),
    ],
)
async def test_a_half_that_worked_stays_done(
    *,
    trader: Trader,
    mode: dict[str, str],
    given: dict[str, str],
    status: int,
    code: int,
    outcome: tuple[str, str],
    after: dict[str, str],
) -> None:
    """Whatever becomes of it, the new half is one more in the order count."""
    await trader.rest_buy(name="old")
    answer = await replace(trader, **mode, **given)
    assert (answer.status, answer.code, halves(answer)) == (status, code, outcome)
    assert await truth(trader) == after
    data = answer.body["data"]
    codes = {"cancelResponse": -2011, "newOrderResponse": -2010}
    for (name, refusal), result in zip(codes.items(), outcome, strict=True):
        if result == "NOT_ATTEMPTED":
            assert data[name] is None
        else:
            assert data[name].get("code") == (refusal if result == "FAILURE" else None)
    ledger = await trader.ledger()
    assert ledger["order_counts"]["10S"] == 2
    assert (ledger["requests"][-1]["cancelResult"], ledger["weight"]) == (outcome[0], 1)


# A full order count ------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [STOPS, ALLOWS])
async def test_with_a_full_count_nothing_is_tried(trader: Trader, mode: dict[str, str]) -> None:
    await trader.rest_buy(name="old")
    await trader.do("limits", orders_per_10s=1)
    answer = await replace(trader, **mode)
    assert (answer.status, answer.code, "data" in answer.body) == (429, -1015, False)
    assert await truth(trader) == {"old": "NEW"}


@pytest.mark.parametrize(
    ("mode", "given", "status", "code", "outcome"),
    [
        (STOPS, {}, 429, -2021, ("SUCCESS", "FAILURE")),
        (STOPS, NOT_THERE, 429, -2022, ("FAILURE", "NOT_ATTEMPTED")),
        (ALLOWS, {}, 409, -2021, ("SUCCESS", "FAILURE")),
        (ALLOWS, NOT_THERE, 400, -2022, ("FAILURE", "FAILURE")),
    ],
)
async def test_with_a_full_count_only_the_cancel_may_be_asked_for(
    *,
    trader: Trader,
    mode: dict[str, str],
    given: dict[str, str],
    status: int,
    code: int,
    outcome: tuple[str, str],
) -> None:
    """A 429 may carry a cancel that was done."""
    await trader.rest_buy(name="old")
    await trader.do("limits", orders_per_10s=1)
    answer = await replace(trader, **mode, **given, **CANCEL_ONLY)
    assert (answer.status, answer.code, halves(answer)) == (status, code, outcome)
    assert ("Retry-After" in answer.headers) == (status == 429)
    if outcome[1] == "FAILURE":
        assert answer.body["data"]["newOrderResponse"]["code"] == -1015
    assert await truth(trader) == {"old": "CANCELED" if outcome[0] == "SUCCESS" else "NEW"}


# Before the cancel -------------------------------------------------------------------------------


async def test_filters_are_judged_before_the_cancel(trader: Trader) -> None:
    """The slot that the cancel would free does not count yet: keep one."""
    await trader.rest_buy(name="old")
    for given in ({"price": "59000.001"}, {"price": "much"}, {"cancelRestrictions": "SOME"}):
        assert "data" not in (await replace(trader, **given)).body
    await trader.do("rules", symbol="BTCUSDT", max_orders=1)
    answer = await replace(trader)
    assert (answer.status, answer.body) == (
        400,
        {"code": -1013, "msg": "Filter failure: MAX_NUM_ORDERS"},
    )
    assert await truth(trader) == {"old": "NEW"}


@pytest.mark.parametrize("mode", [{"cancelReplaceMode": "HOPE"}, {"cancelReplaceMode": ""}])
async def test_a_mode_must_be_said(trader: Trader, mode: dict[str, str]) -> None:
    await trader.rest_buy(name="old")
    assert (await replace(trader, **mode)).status == 400
    assert await truth(trader) == {"old": "NEW"}


@pytest.mark.parametrize(
    ("restriction", "filled", "cancelled"),
    [
        ("ONLY_NEW", False, True),
        ("ONLY_NEW", True, False),
        ("ONLY_PARTIALLY_FILLED", True, True),
        ("ONLY_PARTIALLY_FILLED", False, False),
    ],
)
async def test_a_cancel_may_depend_on_what_is_filled(
    trader: Trader, restriction: str, *, filled: bool, cancelled: bool
) -> None:
    await trader.rest_buy(name="old")
    if filled:
        await trader.do("fill", client_order_id="old", quantity="0.001")
    answer = await replace(trader, cancelRestrictions=restriction)
    assert (answer.status == 200) is cancelled
    if not cancelled:
        assert answer.body["data"]["cancelResponse"]["code"] == -2011


async def test_both_ids_of_the_old_order_must_be_its_own(trader: Trader) -> None:
    number = (await trader.rest_buy(name="old")).body["orderId"]
    answer = await replace(trader, cancelOrderId=number, cancelOrigClientOrderId="other")
    assert answer.code == -2022
    assert (await replace(trader, cancelOrderId=number)).status == 200


# Names -------------------------------------------------------------------------------------------


async def test_the_new_order_may_take_the_name_of_the_old(trader: Trader) -> None:
    """The cancel gives the old order its own name; by its number it is still found."""
    old = (await trader.rest_buy(name="mine")).body["orderId"]
    given = {"cancelOrigClientOrderId": "mine", "cancelNewClientOrderId": "by"}
    new = await replace(trader, newClientOrderId="mine", **given)
    assert new.status == 200
    found = (await trader.query("mine")).body
    assert (found["orderId"], found["status"]) == (
        new.body["newOrderResponse"]["orderId"],
        "NEW",
    )
    gone = (await trader.ask("GET", "order", symbol="BTCUSDT", orderId=old)).body
    assert (gone["clientOrderId"], gone["status"]) == ("by", "CANCELED")
    assert (await trader.query("by")).body["orderId"] == old
    orders = (await trader.ledger())["orders"]
    assert [(o["clientOrderId"], o["knownAs"]) for o in orders] == [
        ("mine", "by"),
        ("mine", "mine"),
    ]


async def test_the_stream_tells_both_names(trader: Trader) -> None:
    stream = await trader.user_stream()
    await trader.rest_buy(name="old")
    await stream.account(2)
    await replace(trader, cancelNewClientOrderId="by")
    event = (await stream.next())["event"]
    assert (event["x"], event["c"], event["C"]) == ("CANCELED", "by", "old")


async def test_a_plain_cancel_gives_its_name(trader: Trader) -> None:
    await trader.rest_buy(name="old")
    answer = await trader.ask(
        "DELETE", "order", symbol="BTCUSDT", origClientOrderId="old", newClientOrderId="by"
    )
    assert (answer.body["origClientOrderId"], answer.body["clientOrderId"]) == ("old", "by")
    assert (await trader.query("old")).code == -2013
    assert (await trader.query("by")).body["status"] == "CANCELED"


# Faults ------------------------------------------------------------------------------------------


async def test_an_answer_can_be_lost_after_both_halves(trader: Trader) -> None:
    await trader.rest_buy(name="old")
    await trader.arm("lose_response", on="order.replace")
    with pytest.raises(aiohttp.ClientConnectionError):
        await replace(trader)
    assert await truth(trader) == {"old": "CANCELED", "new": "NEW"}


async def test_half_replace_stops_between_the_halves(trader: Trader) -> None:
    await trader.rest_buy(name="old")
    await trader.arm("half_replace", on="order.replace", code=-2010, message="No.")
    answer = await replace(trader)
    assert (answer.status, halves(answer)) == (409, ("SUCCESS", "FAILURE"))
    assert answer.body["data"]["newOrderResponse"] == {"code": -2010, "msg": "No."}
    assert await truth(trader) == {"old": "CANCELED"}
    balance = next(b for b in (await trader.ledger())["balances"] if b["asset"] == "USDT")
    assert (D(balance["free"]), D(balance["locked"])) == (D(100_000), 0)


async def test_half_replace_can_go_unheard(trader: Trader) -> None:
    await trader.rest_buy(name="old")
    await trader.arm("half_replace", on="order.replace")
    await trader.arm("lose_response", on="order.replace")
    with pytest.raises(aiohttp.ClientConnectionError):
        await replace(trader)
    assert await truth(trader) == {"old": "CANCELED"}
