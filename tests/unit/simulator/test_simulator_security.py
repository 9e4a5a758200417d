"""Who may ask, for how long, and how much."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import urlencode

import pytest
from tests.unit.simulator.trader import NOON_MS, StillClock, Trader

from surefoot.simulator import Settings
from surefoot.simulator.model import ApiError, default_rules
from surefoot.simulator.security import Meter, RateLimited, check_window


def signed(trader: Trader, **given: Any) -> str:
    """Return a good query for an order, or one that is wrong in a single way."""
    query = urlencode(
        {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "MARKET",
            "quantity": "0.001",
            "timestamp": trader.simulator.clock.now_ms(),
            **given,
        }
    )
    return f"{query}&signature={trader.sign(query)}"


# Keys and signatures -----------------------------------------------------------------------------


async def test_a_good_request_is_accepted(trader: Trader) -> None:
    assert (await trader.raw("POST", "order", signed(trader))).status == 200


@pytest.mark.parametrize("key", ["", "simulated-keys"])
async def test_another_key_is_refused(trader: Trader, key: str) -> None:
    answer = await trader.raw("POST", "order", signed(trader), key=key)
    assert (answer.status, answer.code) == (401, -2015)


async def test_a_changed_request_is_refused(trader: Trader) -> None:
    """The quantity was raised after it was signed."""
    query = signed(trader).replace("0.001", "0.002")
    answer = await trader.raw("POST", "order", query)
    assert (answer.status, answer.code) == (400, -1022)


@pytest.mark.parametrize("signature", ["%F0%9F%99%82", "00", "A" * 64])
async def test_a_wrong_signature_is_refused(trader: Trader, signature: str) -> None:
    query = signed(trader).partition("&signature=")[0]
    answer = await trader.raw("POST", "order", f"{query}&signature={signature}")
    assert (answer.status, answer.code) == (400, -1022)


async def test_no_signature_is_refused(trader: Trader) -> None:
    query = signed(trader).partition("&signature=")[0]
    assert (await trader.raw("POST", "order", query)).code == -1102


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "order"),
        ("DELETE", "order"),
        ("GET", "order"),
        ("GET", "openOrders"),
        ("GET", "allOrders"),
        ("GET", "myTrades"),
        ("GET", "account"),
    ],
)
async def test_everything_about_the_account_is_signed(
    trader: Trader, method: str, path: str
) -> None:
    answer = await trader.raw(method, path, "symbol=BTCUSDT")
    assert answer.code == -1102
    assert (await trader.raw(method, path, "symbol=BTCUSDT", key="other")).code == -2015


@pytest.mark.parametrize("query", ["time?", "ping?", "exchangeInfo?"])
async def test_what_is_public_needs_no_key(trader: Trader, query: str) -> None:
    assert (await trader.raw("GET", query.rstrip("?"), "", key="other")).status == 200


async def test_the_account_stream_is_signed_too(trader: Trader) -> None:
    """A refused subscription answers 401 and sends no event."""
    stream = await trader.socket("ws-api/v3")
    answer = await stream.ask(trader.subscription(key="other"))
    assert (answer["status"], answer["error"]["code"]) == (401, -2015)
    request = trader.subscription()
    request["params"]["signature"] = "00"
    assert (await stream.ask(request))["error"]["code"] == -1022
    request = trader.subscription()
    await trader.do("clock", advance=6)
    assert (await stream.ask(request))["error"]["code"] == -1021
    await trader.rest_buy()
    assert (await stream.ask(trader.subscription()))["status"] == 200


# recvWindow --------------------------------------------------------------------------------------


def refusal(timestamp: object, window: object = None) -> int | None:
    params = {"timestamp": str(timestamp)}
    if window is not None:
        params["recvWindow"] = str(window)
    try:
        check_window(params, StillClock())
    except ApiError as error:
        return error.code
    return None


@pytest.mark.parametrize(
    ("age_ms", "window", "code"),
    [
        (0, None, None),
        (5000, None, None),  # the default, to the millisecond
        (5001, None, -1021),
        (100, 100, None),
        (101, 100, -1021),
        (60_000, 60_000, None),
        (0, 60_001, -1131),
        (-999, None, None),  # the client's clock is fast
        (-1000, None, -1021),
    ],
)
def test_the_window_is_exact(age_ms: int, window: int | None, code: int | None) -> None:
    assert refusal(NOON_MS - age_ms, window) == code


@pytest.mark.parametrize(("timestamp", "window"), [("", None), ("now", None), (NOON_MS, "inf")])
def test_a_window_that_is_no_number_is_refused(timestamp: object, window: object) -> None:
    assert refusal(timestamp, window) == -1102


async def test_a_request_that_is_old_on_arrival_is_refused(trader: Trader) -> None:
    query = signed(trader, recvWindow=1000)
    await trader.do("clock", advance=1.5)
    assert (await trader.raw("POST", "order", query)).code == -1021
    assert (await trader.ledger())["orders"] == []


async def test_a_request_that_grows_old_on_its_way_is_refused(trader: Trader) -> None:
    """It was fresh when it left, and is held: this is what makes a lost order safe to replace."""
    await trader.arm("hold_request", on="order.send", seconds=0.3)
    async with asyncio.TaskGroup() as group:
        sending = group.create_task(trader.raw("POST", "order", signed(trader, recvWindow=2000)))
        while not (await trader.ledger())["requests"]:
            pass
        await trader.do("clock", advance=3)
    assert sending.result().code == -1021
    assert (await trader.ledger())["orders"] == []


async def test_a_request_that_is_held_within_its_window_is_accepted(trader: Trader) -> None:
    await trader.arm("hold_request", on="order.send", seconds=0.05)
    assert (await trader.raw("POST", "order", signed(trader, recvWindow=60_000))).status == 200


# Weight ------------------------------------------------------------------------------------------


def test_too_much_weight_is_429_and_then_418() -> None:
    clock = StillClock()
    meter = Meter(clock, limit=10)
    meter.charge(10)
    for _ in range(6):
        with pytest.raises(RateLimited) as limited:
            meter.charge(1)
        assert (limited.value.status, limited.value.code) == (429, -1003)
        assert limited.value.retry_after == 60
    with pytest.raises(RateLimited) as banned:
        meter.charge(1)
    assert (banned.value.status, banned.value.retry_after) == (418, 120)
    clock.advance(119)
    with pytest.raises(RateLimited) as banned:
        meter.charge(1)
    assert (banned.value.status, banned.value.retry_after) == (418, 1)
    clock.advance(1)
    meter.charge(1)


def test_a_new_minute_is_a_new_budget() -> None:
    clock = StillClock()
    meter = Meter(clock, limit=10)
    meter.charge(10)
    clock.advance(59)
    with pytest.raises(RateLimited) as limited:
        meter.charge(1)
    assert limited.value.retry_after == 1
    clock.advance(1)
    meter.charge(10)
    assert (meter.used, meter.total) == (10, 21)


@pytest.mark.parametrize(
    ("method", "path", "given", "weight"),
    [
        ("GET", "time", {}, 1),
        ("GET", "exchangeInfo", {}, 20),
        ("GET", "klines", {"symbol": "BTCUSDT", "interval": "1m"}, 2),
        ("GET", "account", {}, 20),
        ("GET", "openOrders", {"symbol": "BTCUSDT"}, 6),
        ("GET", "openOrders", {}, 80),
        ("GET", "allOrders", {"symbol": "BTCUSDT"}, 20),
        ("GET", "myTrades", {"symbol": "BTCUSDT"}, 20),
        ("GET", "myTrades", {"symbol": "BTCUSDT", "orderId": 1}, 5),
        ("GET", "depth", {"symbol": "BTCUSDT"}, 5),
        ("GET", "depth", {"symbol": "BTCUSDT", "limit": 101}, 25),
        ("GET", "depth", {"symbol": "BTCUSDT", "limit": 1_000}, 50),
        ("GET", "order", {"symbol": "BTCUSDT", "orderId": 1}, 4),
        ("DELETE", "order", {"symbol": "BTCUSDT", "orderId": 1}, 1),
    ],
)
async def test_what_each_request_costs(
    trader: Trader, method: str, path: str, given: dict[str, Any], weight: int
) -> None:
    answer = await trader.ask(method, path, **given)
    assert (await trader.ledger())["weight"] == weight
    assert answer.headers["X-MBX-USED-WEIGHT-1M"] == str(weight)


async def test_what_the_account_s_stream_costs(trader: Trader) -> None:
    """Two to connect and two to subscribe: the WebSocket API shares the budget of the address."""
    await trader.user_stream()
    assert (await trader.ledger())["weight"] == 4


class TestOnTheWire:
    """A budget that one list of everything is too much for."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(rules=default_rules()[:2], weight_limit=79)

    async def test_who_asks_too_much_is_told_when_to_come_back(self, trader: Trader) -> None:
        answer = await trader.ask("GET", "openOrders")
        assert (answer.status, answer.code) == (429, -1003)
        assert 1 <= int(answer.headers["Retry-After"]) <= 60

    async def test_who_goes_on_is_banned_from_everything(self, trader: Trader) -> None:
        answer = await trader.ask("GET", "openOrders")
        for _ in range(20):
            if answer.status == 418:
                break
            answer = await trader.ask("GET", "openOrders")
        assert 1 <= int(answer.headers["Retry-After"]) <= 120
        assert (await trader.ask("GET", "time", signed=False)).status == 418
        await trader.do("clock", advance=121)
        assert (await trader.ask("GET", "time", signed=False)).status == 200
