"""An order request that Binance would refuse is refused with Binance's code, over the wire."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.simulator.trader import Trader

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
    (-1115, {"timeInForce": "IOC"}),
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
