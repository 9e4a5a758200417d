"""An order request that Binance would refuse is refused with Binance's code, over the wire."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.simulator.trader import Answer, Trader

from surefoot.simulator.control import ControlRefused

GOOD: dict[str, Any] = {
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.001",
    "price": "60000",
    "newClientOrderId": "mine",
}
STOP: dict[str, Any] = {"type": "STOP_LOSS", "stopPrice": "62000"}
MARKET: dict[str, Any] = {"type": "MARKET"}
REFUSED: list[tuple[int, dict[str, Any]]] = [
    (-1013, {"quantity": "0.001001"}),  # between two lots
    (-1013, {"quantity": "0.000001"}),  # under the smallest
    (-1013, {"price": "1000000.01", "side": "SELL"}),  # over the highest
    (-1013, {**STOP, "stopPrice": "1000000.01"}),
    (-1013, {"quantity": "151", "price": "60000"}),  # worth more than 9 million
    (-1013, {**STOP, "quantity": "0.00008065"}),  # worth 5 at its stop, less at the last price
    (-1130, {"newOrderRespType": "ALL"}),
    (-1013, {"quantity": "9001"}),  # over the largest
    (-1013, {"quantity": "0"}),
    (-1013, {"price": "60000.001"}),  # between two ticks
    (-1013, {"price": "0"}),
    (-1013, {**STOP, "stopPrice": "62000.001"}),
    (-1013, {"quantity": "0.00008"}),  # worth 4.80
    (-1013, {**MARKET, "quantity": "0.00008"}),
    (-1013, {**STOP, "quantity": "0.00008"}),
    (-1100, {"quantity": "-0.001"}),
    (-1100, {"quantity": "1e-3"}),
    (-1100, {"quantity": "NaN"}),
    (-1100, {"price": "60,000"}),
    (-1100, {"quantity": "\u0661"}),  # a digit, but not one of ours
    (-1100, {"newClientOrderId": "a" * 37}),
    (-1100, {"newClientOrderId": "a.b"}),
    (-1100, {"newClientOrderId": ""}),
    (-1102, {"symbol": None}),
    (-1102, {"side": None}),
    (-1102, {"type": None}),
    (-1102, {"quantity": None}),
    (-1102, {"price": None}),
    (-1102, {"timeInForce": None}),
    (-1102, {"type": "STOP_LOSS"}),  # without stopPrice
    (-1111, {"quantity": "0.001000001"}),
    (-1111, {"price": "60000.000000001"}),
    (-1115, {"timeInForce": "FOK"}),
    (-1116, {"type": "STOP_LOSS_LIMIT"}),
    (-1117, {"side": "buy"}),
    (-1121, {"symbol": "BTCUSD"}),
    (-2010, {"quantity": "8"}),  # more money than there is
    (-2010, {"side": "SELL"}),  # no coins at all
    (-2010, {**STOP, "stopPrice": "61000"}),  # reached already
]


@pytest.mark.parametrize(
    ("code", "change"), REFUSED, ids=[f"{code} {change}" for code, change in REFUSED]
)
async def test_a_bad_order_is_refused(trader: Trader, code: int, change: dict[str, Any]) -> None:
    given = {key: value for key, value in {**GOOD, **change}.items() if value is not None}
    answer = await trader.ask("POST", "order", **given)
    assert (answer.status, answer.code) == (400, code), answer.body
    assert (await trader.ledger())["orders"] == []


@pytest.mark.parametrize("change", [{}, MARKET, STOP, {"newClientOrderId": "a-Z_" + "9" * 32}])
async def test_a_good_order_is_accepted(trader: Trader, change: dict[str, Any]) -> None:
    """The refusals above mean something only if the request is fine otherwise."""
    answer = await trader.ask("POST", "order", **{**GOOD, **change})
    assert answer.status == 200, answer.body


async def test_zeros_at_the_end_are_no_precision(trader: Trader) -> None:
    given = {**GOOD, "quantity": "0.00100000000000", "price": "60000.000000000"}
    assert (await trader.ask("POST", "order", **given)).status == 200


async def test_a_halted_symbol_takes_no_orders(trader: Trader) -> None:
    await trader.do("rules", symbol="BTCUSDT", trading=False)
    answer = await trader.ask("POST", "order", **GOOD)
    assert (answer.code, answer.body["msg"]) == (-1013, "Market is closed.")
    await trader.do("rules", symbol="BTCUSDT", trading=True, notional_min="100")
    assert (await trader.ask("POST", "order", **GOOD)).code == -1013
    await trader.do("rules", symbol="BTCUSDT", notional_min="60", tick="0.5", lot="0.001")
    assert (await trader.ask("POST", "order", **GOOD)).status == 200


async def test_a_client_id_that_is_open_is_refused_until_it_is_not(trader: Trader) -> None:
    assert (await trader.ask("POST", "order", **GOOD)).status == 200
    twin = await trader.ask("POST", "order", **GOOD)
    assert (twin.code, twin.body["msg"]) == (-2010, "Duplicate order sent.")
    await trader.price(60000)
    assert (await trader.ask("POST", "order", **GOOD)).status == 200


async def test_without_a_client_id_the_exchange_makes_one(trader: Trader) -> None:
    answer = await trader.rest_buy()
    assert answer.body["clientOrderId"].startswith("web_")


# Filters that are set --------------------------------------------------------------------------


def named(answer: Answer) -> str:
    """Return the filter that an order has failed, or an empty name."""
    return str(answer.body.get("msg", "")).removeprefix("Filter failure: ")


@pytest.mark.parametrize(
    ("rules", "change", "name"),
    [
        ({"price_min": "60000.01"}, {}, "PRICE_FILTER"),
        ({"price_max": "59999.99"}, {}, "PRICE_FILTER"),
        ({"price_max": "61999.99"}, STOP, "PRICE_FILTER"),
        ({"market_quantity_min": "0.002"}, MARKET, "MARKET_LOT_SIZE"),
        ({"market_quantity_max": "0.0009"}, MARKET, "MARKET_LOT_SIZE"),
        ({"market_lot": "0.0003"}, MARKET, "MARKET_LOT_SIZE"),
        ({"market_lot": "0.0003"}, STOP, "MARKET_LOT_SIZE"),
        ({"market_lot": "0.0003"}, {}, ""),
        ({"notional_min": "100"}, {}, "NOTIONAL"),
        ({"notional_min": "100"}, MARKET, "NOTIONAL"),
        ({"notional_min": "100", "apply_min_to_market": False}, MARKET, ""),
        ({"notional_max": "50"}, {}, "NOTIONAL"),
        ({"notional_max": "50"}, MARKET, ""),
        ({"notional_max": "50", "apply_max_to_market": True}, MARKET, "NOTIONAL"),
        ({"percent_bid_down": "0.98"}, {}, "PERCENT_PRICE_BY_SIDE"),
        ({"percent_bid_up": "0.97"}, {}, "PERCENT_PRICE_BY_SIDE"),
        ({"percent_bid_down": "0.97"}, {}, ""),
        ({"percent_bid_down": "0.97", "reference_price": "62000"}, {}, "PERCENT_PRICE_BY_SIDE"),
        ({"percent_ask_down": "0.98"}, {}, ""),
        ({"percent_bid_up": "0.97"}, STOP, ""),
    ],
)
async def test_a_filter_that_is_set_is_named_when_it_refuses(
    trader: Trader, rules: dict[str, Any], change: dict[str, Any], name: str
) -> None:
    """The reference price, if there is one, is what a price is held against."""
    await trader.do("rules", symbol="BTCUSDT", **rules)
    answer = await trader.ask("POST", "order", **{**GOOD, **change})
    assert (named(answer), answer.code) == (name, -1013 if name else None), answer.body


async def test_every_filter_that_is_enforced_is_shown(trader: Trader) -> None:
    await trader.do("rules", symbol="BTCUSDT", percent_bid_up="1.5", max_orders=7)
    info = (await trader.ask("GET", "exchangeInfo", signed=False)).body
    shown = {row["filterType"]: row for row in info["symbols"][0]["filters"]}
    assert list(shown) == [
        "PRICE_FILTER",
        "LOT_SIZE",
        "MARKET_LOT_SIZE",
        "NOTIONAL",
        "MAX_NUM_ORDERS",
        "MAX_NUM_ALGO_ORDERS",
        "MAX_NUM_ORDER_AMENDS",
        "PERCENT_PRICE_BY_SIDE",
    ]
    assert shown["MAX_NUM_ORDERS"]["maxNumOrders"] == 7
    assert shown["MAX_NUM_ALGO_ORDERS"]["maxNumAlgoOrders"] == 5
    assert shown["PERCENT_PRICE_BY_SIDE"]["bidMultiplierUp"] == "1.5"
    other = {row["filterType"] for row in info["symbols"][1]["filters"]}
    assert "PERCENT_PRICE_BY_SIDE" not in other


async def test_a_symbol_takes_so_many_open_orders_and_no_more(trader: Trader) -> None:
    """Each symbol for itself; an order that is over makes room."""
    await trader.do("rules", symbol="BTCUSDT", max_orders=2)
    await trader.rest_buy(name="first")
    await trader.rest_buy()
    assert named(await trader.rest_buy()) == "MAX_NUM_ORDERS"
    assert (await trader.rest_buy(price="2600", quantity="0.1", symbol="ETHUSDT")).status == 200
    await trader.do("cancel", client_order_id="first")
    assert (await trader.rest_buy()).status == 200


async def test_five_stops_wait_on_a_symbol_and_no_more(trader: Trader) -> None:
    stop = {"stopPrice": "62000"}
    for _ in range(5):
        assert (await trader.order("BUY", "STOP_LOSS", "0.001", **stop)).status == 200
    assert named(await trader.order("BUY", "STOP_LOSS", "0.001", **stop)) == "MAX_NUM_ALGO_ORDERS"
    assert (await trader.rest_buy()).status == 200
    await trader.price("62000")
    assert (await trader.order("BUY", "STOP_LOSS", "0.001", stopPrice="63000")).status == 200


async def test_a_rule_that_does_not_exist_is_refused(trader: Trader) -> None:
    with pytest.raises(ControlRefused, match="no rule tik"):
        await trader.do("rules", symbol="BTCUSDT", tik="0.1")


# What is answered ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("change", "shape"),
    [({}, "FULL"), (MARKET, "FULL"), (STOP, "ACK")],
    ids=["limit", "market", "stop"],
)
async def test_what_is_answered_unless_something_else_is_asked_for(
    trader: Trader, change: dict[str, Any], shape: str
) -> None:
    usual = (await trader.ask("POST", "order", **{**GOOD, **change})).body
    assert ("fills" in usual, "status" in usual) == (shape == "FULL", shape != "ACK")
    for asked in ("ACK", "RESULT", "FULL"):
        name = {"newClientOrderId": asked, "newOrderRespType": asked}
        answer = (await trader.ask("POST", "order", **{**GOOD, **change, **name})).body
        assert ("fills" in answer, "status" in answer) == (asked == "FULL", asked != "ACK")


async def test_a_full_answer_lists_the_fills(trader: Trader) -> None:
    answer = (await trader.ask("POST", "order", **{**GOOD, **MARKET})).body
    (row,) = await trader.listed("myTrades")
    assert [(each["tradeId"], each["price"], each["qty"]) for each in answer["fills"]] == [
        (row["id"], row["price"], row["qty"])
    ]
