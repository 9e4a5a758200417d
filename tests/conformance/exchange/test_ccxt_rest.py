"""Unmodified ccxt takes the simulator for Binance: every call that a bot makes, by REST."""

from __future__ import annotations

from typing import Any

import ccxt
import pytest
from tests.conformance.exchange.conftest import Do

SYMBOL = "BTC/USDT"


async def test_markets_are_loaded_with_their_filters(rest: Any) -> None:
    markets = await rest.load_markets()
    assert set(markets) == {"BTC/USDT", "ETH/USDT"}
    btc = markets[SYMBOL]
    assert (btc["spot"], btc["active"], btc["type"]) == (True, True, "spot")
    assert btc["precision"] == {"amount": 0.00001, "price": 0.01} | btc["precision"]
    assert btc["limits"]["cost"]["min"] == 5
    assert rest.amount_to_precision(SYMBOL, 0.123456789) == "0.12345"


async def test_the_time_is_the_exchanges(rest: Any, do: Do) -> None:
    before = await rest.fetch_time()
    await do("clock", advance=1000)
    assert await rest.fetch_time() >= before + 1_000_000


@pytest.mark.parametrize("side", ["buy", "sell"])
async def test_a_market_order_is_filled(rest: Any, do: Do, side: str) -> None:
    await do("balance", asset="BTC", free="1")
    params = {"clientOrderId": "mine"}
    order = await rest.create_order(SYMBOL, "market", side, 0.01, None, params)
    assert (order["status"], order["filled"], order["clientOrderId"]) == ("closed", 0.01, "mine")
    assert order["side"] == side
    assert order["average"] == pytest.approx(61685.99)


async def test_a_limit_order_rests_is_found_and_cancelled(rest: Any) -> None:
    params = {"clientOrderId": "mine"}
    sent = await rest.create_order(SYMBOL, "limit", "buy", 0.01, 60000, params)
    assert (sent["status"], sent["remaining"], sent["price"]) == ("open", 0.01, 60000)
    by_id = await rest.fetch_order(sent["id"], SYMBOL)
    by_name = await rest.fetch_order(None, SYMBOL, {"clientOrderId": "mine"})
    assert by_id == by_name
    assert [each["id"] for each in await rest.fetch_open_orders(SYMBOL)] == [sent["id"]]
    cancelled = await rest.cancel_order(sent["id"], SYMBOL)
    assert cancelled["status"] == "canceled"
    assert cancelled["info"]["origClientOrderId"] == "mine"
    assert await rest.fetch_open_orders(SYMBOL) == []
    assert [each["status"] for each in await rest.fetch_orders(SYMBOL)] == ["canceled"]


async def test_a_stop_rests_until_the_market_is_there(rest: Any, do: Do) -> None:
    await do("balance", asset="BTC", free="1")
    params = {"stopLossPrice": 60000}
    sent = await rest.create_order(SYMBOL, "market", "sell", 0.01, None, params)
    order = await rest.fetch_order(sent["id"], SYMBOL)
    assert (order["status"], order["triggerPrice"], order["type"]) == ("open", 60000, "market")
    await do("price", symbol="BTCUSDT", price="59990")
    order = await rest.fetch_order(sent["id"], SYMBOL)
    assert (order["status"], order["average"]) == ("closed", 59990)


async def test_trades_carry_fee_and_order_but_no_client_id(rest: Any) -> None:
    order = await rest.create_order(SYMBOL, "market", "buy", 0.01)
    (trade,) = await rest.fetch_my_trades(SYMBOL)
    assert (trade["order"], trade["amount"], trade["takerOrMaker"]) == (order["id"], 0.01, "taker")
    assert trade["fee"] == {"cost": 0.00001, "currency": "BTC"}
    assert "clientOrderId" not in trade["info"]
    assert [each["id"] for each in await rest.fetch_order_trades(order["id"], SYMBOL)] == [
        trade["id"]
    ]
    after = await rest.fetch_my_trades(SYMBOL, None, 10, {"fromId": int(trade["id"]) + 1})
    assert after == []


async def test_the_balance_is_free_used_and_total(rest: Any) -> None:
    await rest.create_order(SYMBOL, "limit", "buy", 0.1, 60000)
    balance = await rest.fetch_balance()
    assert balance["USDT"] == {"free": 94000, "used": 6000, "total": 100_000}


async def test_candles_are_rows_in_order(rest: Any) -> None:
    rows = await rest.fetch_ohlcv(SYMBOL, "1m", None, 5)
    assert len(rows) == 5
    assert [row[0] for row in rows] == list(range(rows[0][0], rows[0][0] + 300_000, 60_000))
    again = await rest.fetch_ohlcv(SYMBOL, "1m", rows[2][0], 2)
    assert [row[0] for row in again] == [rows[2][0], rows[3][0]]


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((SYMBOL, "market", "sell", 1), ccxt.InsufficientFunds),
        ((SYMBOL, "limit", "buy", 0.00002, 60000), ccxt.BadRequest),  # worth 1.20
        ((SYMBOL, "limit", "buy", 0.001, 60000, {"clientOrderId": "a.b"}), ccxt.BadRequest),
        ((SYMBOL, "limit", "buy", 10, 60000), ccxt.InsufficientFunds),
    ],
)
async def test_a_refusal_is_the_error_that_ccxt_raises_for_binance(
    rest: Any, arguments: tuple[Any, ...], error: type[Exception]
) -> None:
    with pytest.raises(error):
        await rest.create_order(*arguments)


async def test_an_order_that_never_was_is_not_found(rest: Any) -> None:
    with pytest.raises(ccxt.OrderNotFound):
        await rest.fetch_order("1", SYMBOL)
    with pytest.raises(ccxt.OrderNotFound):
        await rest.cancel_order("1", SYMBOL)


async def test_a_second_order_with_an_open_client_id_is_an_invalid_order(rest: Any) -> None:
    """There is no DuplicateOrderId for Binance: the words must be read."""
    order = (SYMBOL, "limit", "buy", 0.001, 60000, {"clientOrderId": "a"})
    await rest.create_order(*order)
    with pytest.raises(ccxt.InvalidOrder, match="Duplicate order sent"):
        await rest.create_order(*order)


async def test_wrong_keys_are_an_authentication_error(rest: Any) -> None:
    rest.secret = "wrong"
    with pytest.raises(ccxt.AuthenticationError):
        await rest.fetch_balance()


async def test_a_clock_that_is_wrong_is_an_invalid_nonce(rest: Any, do: Do) -> None:
    await rest.load_markets()
    await do("clock", advance=60)
    with pytest.raises(ccxt.InvalidNonce):
        await rest.fetch_balance()
    await rest.load_time_difference()
    assert (await rest.fetch_balance())["USDT"]["total"] == 100_000


@pytest.mark.parametrize("status", [418, 429])
async def test_a_limit_is_ddos_protection(rest: Any, do: Do, status: int) -> None:
    await rest.load_markets()
    await do("arm", name="rate_limit", status=status)
    with pytest.raises(ccxt.DDoSProtection):
        await rest.fetch_balance()


async def test_an_empty_answer_is_an_order_without_an_id(rest: Any, do: Do) -> None:
    """The trap that our adapter must not fall into: ccxt raises nothing."""
    await rest.load_markets()
    await do("arm", name="empty_body", on="order.send")
    order = await rest.create_order(SYMBOL, "limit", "buy", 0.001, 60000)
    assert (order["id"], order["status"]) == (None, None)
    assert len(await rest.fetch_open_orders(SYMBOL)) == 1
