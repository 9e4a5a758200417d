"""Orders that the exchange ends by itself, why, and what they keep."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.simulator.trader import Trader

from surefoot.simulator import Settings
from surefoot.simulator.control import ControlRefused
from surefoot.simulator.model import default_rules

RANGE = {
    "reference_price": "60000",
    "range_bid_up": "1.1",
    "range_bid_down": "0.9",
    "range_ask_up": "1.1",
    "range_ask_down": "0.9",
}
OUT_OF_RANGE = "EXECUTION_RULE_PRICE_RANGE_EXCEEDED"
THIN = "INSUFFICIENT_LIQUIDITY"


async def ended(trader: Trader, name: str) -> tuple[str, str, Any]:
    """Return what an order has come to."""
    row = (await trader.query(name)).body
    return row["status"], row["executedQty"], row.get("expiryReason")


@pytest.mark.parametrize(
    ("kind", "price", "status"),
    [
        ("MARKET", "66000", "FILLED"),
        ("MARKET", "66000.01", "EXPIRED"),
        ("MARKET", "53999.99", "EXPIRED"),
        ("LIMIT", "66000.01", "EXPIRED"),
        ("LIMIT", "66000", "FILLED"),
    ],
)
async def test_a_taker_that_goes_beyond_the_range_expires(
    trader: Trader, kind: str, price: str, status: str
) -> None:
    await trader.price(price)
    await trader.do("rules", symbol="BTCUSDT", **RANGE)
    limit = {"price": "67000"} if kind == "LIMIT" else {}
    answer = (await trader.order("BUY", kind, "0.001", name="mine", **limit)).body
    reason = OUT_OF_RANGE if status == "EXPIRED" else None
    assert (answer["status"], answer.get("expiryReason")) == (status, reason)
    assert (await ended(trader, "mine"))[::2] == (status, reason)


@pytest.mark.parametrize("without", ["reference_price", "range_bid_up"])
async def test_a_range_that_is_not_whole_is_not_enforced(trader: Trader, without: str) -> None:
    await trader.price("70000")
    await trader.do("rules", symbol="BTCUSDT", **{**RANGE, without: "0"})
    assert (await trader.order("BUY", "MARKET", "0.001")).body["status"] == "FILLED"


async def test_a_maker_is_not_bound_by_the_range(trader: Trader) -> None:
    await trader.rest_buy(price="50000", quantity="0.001", name="mine")
    await trader.do("rules", symbol="BTCUSDT", **RANGE)
    await trader.price("50000")
    assert await ended(trader, "mine") == ("FILLED", "0.00100000", None)


async def test_a_stop_can_fail_in_a_crash(trader: Trader) -> None:
    """The very moment it was there for; the coins are free and unprotected."""
    await trader.order("BUY", "MARKET", "0.002")
    stop = {"stopPrice": "58000", "name": "stop"}
    await trader.order("SELL", "STOP_LOSS", "0.001", **stop)
    stream = await trader.user_stream()
    await trader.do("rules", symbol="BTCUSDT", **RANGE)
    await trader.price("50000")
    assert await ended(trader, "stop") == ("EXPIRED", "0.00000000", OUT_OF_RANGE)
    event = (await stream.next())["event"]
    assert (event["x"], event["X"], event["eR"]) == ("EXPIRED", "EXPIRED", OUT_OF_RANGE)


class TestInSlices:
    """A market order is several trades, each a tick worse."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(rules=default_rules()[:2], slices=2)

    async def test_what_was_filled_within_the_range_is_kept(self, trader: Trader) -> None:
        await trader.price("66000")
        await trader.do("rules", symbol="BTCUSDT", **RANGE)
        await trader.order("BUY", "MARKET", "0.002", name="mine")
        assert await ended(trader, "mine") == ("EXPIRED", "0.00100000", OUT_OF_RANGE)
        assert len(await trader.listed("myTrades")) == 1


async def test_on_a_thin_book_the_rest_of_a_market_order_expires(trader: Trader) -> None:
    await trader.do("rules", symbol="BTCUSDT", depth="0.0004")
    answer = (await trader.order("BUY", "MARKET", "0.001", name="mine")).body
    assert (answer["status"], answer["expiryReason"]) == ("EXPIRED", THIN)
    assert await ended(trader, "mine") == ("EXPIRED", "0.00040000", THIN)
    balances = (await trader.ledger())["balances"]
    assert {row["locked"] for row in balances} == {"0.00000000"}


async def test_on_a_thin_book_the_rest_of_a_limit_order_waits(trader: Trader) -> None:
    await trader.do("rules", symbol="BTCUSDT", depth="0.0004")
    await trader.rest_buy(price="62000", quantity="0.001", name="mine")
    assert await ended(trader, "mine") == ("PARTIALLY_FILLED", "0.00040000", None)


async def test_an_ack_gives_no_reason(trader: Trader) -> None:
    await trader.do("rules", symbol="BTCUSDT", depth="0.0004")
    answer = await trader.order("BUY", "MARKET", "0.001", newOrderRespType="ACK")
    assert "expiryReason" not in answer.body


async def test_a_trade_with_oneself_is_listed_twice_with_one_id(trader: Trader) -> None:
    await trader.order("BUY", "MARKET", "0.002")
    await trader.rest_buy(price="60000", quantity="0.001", name="bid")
    await trader.order("SELL", "LIMIT", "0.001", price="70000", name="offer")
    with pytest.raises(ControlRefused, match="opposite"):
        await trader.do("self_trade", maker="bid", taker="bid")
    await trader.do("self_trade", maker="bid", taker="offer", price="65000")
    first, second = (await trader.listed("myTrades"))[1:]
    assert first["id"] == second["id"]
    assert (first["isBuyer"], second["isBuyer"]) == (True, False)
    assert (first["isMaker"], second["isMaker"]) == (True, False)
    assert first["orderId"] != second["orderId"]
    assert {o["status"] for o in (await trader.ledger())["orders"]} == {"FILLED"}
