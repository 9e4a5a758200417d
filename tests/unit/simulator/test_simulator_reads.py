"""What can be asked, page by page, and what is not shown yet."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.simulator.trader import Trader

from surefoot.simulator import Settings
from surefoot.simulator.model import default_rules

DAY_S = 86_400


def ids(rows: Any) -> list[int]:
    return [row["id"] for row in rows]


async def trades(trader: Trader, **given: Any) -> list[int]:
    return ids(await trader.listed("myTrades", **given))


async def bought(trader: Trader, number: int) -> list[int]:
    """Buy a few times, in one trade each, and return the trade ids."""
    for _ in range(number):
        assert (await trader.order("BUY", "MARKET", "0.001")).status == 200
    return await trades(trader)


# Orders ------------------------------------------------------------------------------------------


async def test_an_order_is_found_by_either_id(trader: Trader) -> None:
    sent = (await trader.rest_buy(name="mine")).body
    by_name = (await trader.query("mine")).body
    by_number = await trader.ask("GET", "order", symbol="BTCUSDT", orderId=sent["orderId"])
    assert by_name == by_number.body
    assert by_name | sent == sent | by_name
    assert (by_name["status"], by_name["origQty"]) == ("NEW", "0.01000000")


async def test_an_order_that_never_was_is_2013(trader: Trader) -> None:
    assert (await trader.query("nobody")).code == -2013
    assert (await trader.ask("GET", "order", symbol="BTCUSDT")).code == -1102
    assert (await trader.ask("GET", "order", symbol="BTCUSDT", orderId="x")).code == -1100


async def test_an_order_of_another_symbol_is_not_found(trader: Trader) -> None:
    sent = (await trader.rest_buy(name="mine")).body
    answer = await trader.ask("GET", "order", symbol="ETHUSDT", orderId=sent["orderId"])
    assert answer.code == -2013


async def test_the_newest_order_of_a_client_id_is_shown(trader: Trader) -> None:
    await trader.order("BUY", "MARKET", "0.001", name="twin")
    second = await trader.order("BUY", "MARKET", "0.002", name="twin")
    assert (await trader.query("twin")).body["orderId"] == second.body["orderId"]


async def test_a_cancel_is_answered_with_both_names(trader: Trader) -> None:
    """`clientOrderId` names the cancel: whoever stores it loses the order."""
    await trader.rest_buy(name="mine")
    given: dict[str, Any] = {"symbol": "BTCUSDT", "origClientOrderId": "mine"}
    answer = (await trader.ask("DELETE", "order", **given)).body
    assert (answer["origClientOrderId"], answer["status"]) == ("mine", "CANCELED")
    assert answer["clientOrderId"] != "mine"
    assert (await trader.query("mine")).body["code"] == -2013
    assert (await trader.query(answer["clientOrderId"])).body["status"] == "CANCELED"
    assert (await trader.ask("DELETE", "order", **given)).code == -2011


async def test_open_orders_of_one_symbol_or_of_all(trader: Trader) -> None:
    await trader.rest_buy(name="btc")
    await trader.rest_buy(price="2000", name="eth", symbol="ETHUSDT")
    await trader.order("BUY", "MARKET", "0.001", name="done")
    names = [row["clientOrderId"] for row in await trader.listed("openOrders")]
    everything = (await trader.ask("GET", "openOrders")).body
    assert (names, [row["clientOrderId"] for row in everything]) == (["btc"], ["btc", "eth"])
    assert (await trader.ask("GET", "openOrders", symbol="XXX")).code == -1121


async def test_all_orders_keeps_what_is_over_and_the_limit_keeps_the_newest(
    trader: Trader,
) -> None:
    for name in ("a", "b", "c"):
        await trader.order("BUY", "MARKET", "0.001", name=name)
    names = [row["clientOrderId"] for row in await trader.listed("allOrders", limit=2)]
    assert names == ["b", "c"]


async def test_an_archived_order_is_2026(trader: Trader) -> None:
    """What ended without a fill is forgotten after 90 days, and that is no -2013."""
    sent = (await trader.rest_buy(name="mine")).body
    await trader.do("expire", client_order_id="mine")
    assert (await trader.do("archive"))["archived"] == 1
    assert (await trader.query("mine")).code == -2026
    assert await trader.listed("allOrders", startTime=sent["transactTime"] - 1) == []


# Trades, by page ---------------------------------------------------------------------------------


async def test_from_id_shows_that_trade_again_and_what_follows(trader: Trader) -> None:
    first, second, third = await bought(trader, 3)
    assert await trades(trader, fromId=second) == [second, third]
    assert await trades(trader, fromId=second + 1) == [third]
    assert await trades(trader, fromId=third + 1) == []
    assert await trades(trader, fromId=0, limit=2) == [first, second]


async def test_without_from_id_the_newest_are_shown(trader: Trader) -> None:
    first, second, third = await bought(trader, 3)
    assert await trades(trader, limit=2) == [second, third]
    assert await trades(trader, startTime=1, limit=2) == [first, second]
    assert await trades(trader, endTime=2**60, limit=2) == [second, third]


async def test_the_trades_of_one_order(trader: Trader) -> None:
    await bought(trader, 1)
    sent = (await trader.order("BUY", "MARKET", "0.002")).body
    rows = await trader.listed("myTrades", orderId=sent["orderId"])
    assert [(row["orderId"], row["qty"]) for row in rows] == [(sent["orderId"], "0.00200000")]
    assert "clientOrderId" not in rows[0]


async def test_a_window_of_time_is_24_hours_at_most(trader: Trader) -> None:
    """Whoever asks for "since the last start" after a weekend is refused, not answered in part."""
    first, *_ = await bought(trader, 1)
    await trader.do("clock", advance=3 * DAY_S)
    _, second = await bought(trader, 1)
    now = trader.simulator.clock.now_ms()
    given: dict[str, Any] = {"symbol": "BTCUSDT", "startTime": now - DAY_S * 1000, "endTime": now}
    assert ids((await trader.ask("GET", "myTrades", **given)).body) == [second]
    given["startTime"] -= 1
    for path in ("myTrades", "allOrders"):
        assert (await trader.ask("GET", path, **given)).code == -1127
    assert await trades(trader, startTime=now - 4 * DAY_S * 1000) == [first, second]


@pytest.mark.parametrize("other", ["fromId", "orderId"])
@pytest.mark.parametrize("bound", ["startTime", "endTime"])
async def test_ids_and_times_do_not_go_together(trader: Trader, other: str, bound: str) -> None:
    given: dict[str, Any] = {"symbol": "BTCUSDT", other: 1, bound: 1}
    answer = await trader.ask("GET", "myTrades", **given)
    assert answer.code == -1128


@pytest.mark.parametrize(("limit", "code"), [("0", -1130), ("-1", -1130), ("many", -1100)])
async def test_a_limit_is_a_number_of_rows(trader: Trader, limit: str, code: int) -> None:
    assert (await trader.ask("GET", "myTrades", symbol="BTCUSDT", limit=limit)).code == code


class TestManyTrades:
    """More than one page: an order of 1200 trades."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(rules=default_rules()[:1], slices=1200)

    async def test_a_page_has_500_rows_unless_asked_and_1000_at_most(self, trader: Trader) -> None:
        assert (await trader.order("BUY", "MARKET", "1.2")).status == 200
        first = await trades(trader, fromId=0, limit=5000)
        assert len(first) == 1000
        assert len(await trades(trader, fromId=0)) == 500
        rest = await trades(trader, fromId=first[-1], limit=1000)
        assert (len(rest), rest[0]) == (201, first[-1])
        assert len({*first, *rest}) == 1200
        assert await trades(trader, limit=1000) == [*first[200:], *rest[1:]]


# Hidden ------------------------------------------------------------------------------------------


async def test_what_is_hidden_appears_with_the_time(trader: Trader) -> None:
    """An accepted order may be missing from every read for a while: -2013 is no proof."""
    await trader.arm("hide_order", on="order.send", seconds=100)
    assert (await trader.rest_buy(name="mine")).status == 200
    assert (await trader.query("mine")).code == -2013
    assert await trader.listed("openOrders") == await trader.listed("allOrders") == []
    await trader.do("clock", advance=101)
    assert (await trader.query("mine")).body["status"] == "NEW"
    assert len(await trader.listed("openOrders")) == 1


# The market, the account -------------------------------------------------------------------------


async def test_the_account_shows_free_and_locked(trader: Trader) -> None:
    await trader.rest_buy(price="60000", quantity="0.1")
    account = (await trader.ask("GET", "account")).body
    rows = {row["asset"]: (row["free"], row["locked"]) for row in account["balances"]}
    assert rows["USDT"] == ("94000.00000000", "6000.00000000")
    assert account["uid"] == Settings().uid


async def test_exchange_info_says_what_the_filters_do(trader: Trader) -> None:
    info = (await trader.ask("GET", "exchangeInfo", signed=False)).body
    (btc,) = [each for each in info["symbols"] if each["symbol"] == "BTCUSDT"]
    filters = {each["filterType"]: each for each in btc["filters"]}
    assert (btc["status"], filters["PRICE_FILTER"]["tickSize"]) == ("TRADING", "0.01000000")
    assert (filters["LOT_SIZE"]["stepSize"], filters["NOTIONAL"]["minNotional"]) == (
        "0.00001000",
        "5.00000000",
    )
    await trader.do("rules", symbol="BTCUSDT", trading=False)
    info = (await trader.ask("GET", "exchangeInfo", signed=False)).body
    assert info["symbols"][0]["status"] == "BREAK"


async def test_an_unknown_path_is_404(trader: Trader) -> None:
    assert (await trader.ask("GET", "ticker/24hr", signed=False)).status == 404
    assert (await trader.ask("PUT", "order")).status == 404
