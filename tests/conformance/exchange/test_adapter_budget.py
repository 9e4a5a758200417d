"""The adapter spends what the exchange grants, knows what is left, and waits rather than asks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from tests.conformance.exchange.conftest import BRISK, KEYS, BriskTime, Do
from tests.conformance.exchange.orders import BTC, order, resting

from surefoot.core.order import Order
from surefoot.core.values import ClientOrderId
from surefoot.exchange import open_exchange
from surefoot.exchange.address import Address
from surefoot.exchange.budget import Urgency
from surefoot.exchange.errors import TooMany
from surefoot.exchange.port import Exchange, Question
from surefoot.simulator import Control, Settings, Simulator, ccxt_settings
from surefoot.simulator.model import default_rules

STOPS = Urgency.PROTECTION
ORDERS = 10


@pytest.fixture
def settings() -> Settings:
    return Settings(rules=default_rules()[:2], orders_per_10s=ORDERS)


def opened(simulator: Simulator, addresses: dict[str, Address] | None = None) -> Exchange:
    return open_exchange(
        "binance",
        keys=lambda: (KEYS["apiKey"], KEYS["secret"]),
        settings={**BRISK, **ccxt_settings(simulator.url)},
        allow_custom_host=False,
        time=BriskTime(),
        addresses=addresses,
    )


@pytest_asyncio.fixture
async def early(exchange: Exchange, do: Do) -> Exchange:
    """Move the exchange's clock to the beginning of a minute, so that no window ends by chance."""
    into_the_minute = exchange.now().timestamp() % 60
    await do("clock", advance=61 - into_the_minute)
    await exchange.measure_clock()
    await exchange.measure_clock()  # counted in the minute that has begun
    return exchange


@pytest_asyncio.fixture
async def other(early: Exchange, simulator: Simulator) -> AsyncIterator[Exchange]:
    """Open the same account once more, from another machine as it were."""
    stranger = opened(simulator)
    await stranger.connect()
    await early.measure_clock()
    yield stranger
    await stranger.close()


async def ledger(simulator: Simulator) -> dict[str, Any]:
    return await asyncio.to_thread(Control(simulator.url).ledger)


async def sends(simulator: Simulator) -> list[dict[str, Any]]:
    requests = (await ledger(simulator))["requests"]
    return [each for each in requests if each["operation"] == "order.send"]


def named(number: int, exchange: Exchange, **more: Any) -> Order:
    name = ClientOrderId(f"sf{number:032x}")
    return resting(exchange, client_order_id=name, **more)


def left(exchange: Any) -> int:
    """Return how much weight stops may still spend."""
    weight = exchange._carrier._address.weight
    amounts = range(weight.most(STOPS) + 1)
    may = [n for n in amounts if weight.later(STOPS, n, exchange.now()) is None]
    return max(may, default=0)


async def test_the_limits_are_those_that_the_exchange_tells(early: Exchange) -> None:
    assert early.later(STOPS, ORDERS) is None
    assert early.later(STOPS, ORDERS + 1) is not None
    assert early.later(Urgency.ENTRY, ORDERS // 2) is None
    assert early.later(Urgency.ENTRY, ORDERS // 2 + 1) is not None


async def test_the_places_for_stops_are_those_that_the_exchange_tells(exchange: Exchange) -> None:
    assert exchange.instrument(BTC).stops_max == default_rules()[0].max_algo_orders


async def test_with_places_kept_nothing_is_too_many(early: Exchange, simulator: Simulator) -> None:
    """Thirty at once: ten go, and the exchange never has to say no."""
    async with asyncio.TaskGroup() as tasks:
        for number in range(30):
            if early.later(STOPS, 1) is None:
                sent = named(number, early)
                early.reserve(sent)
                tasks.create_task(early.send(BTC, sent))
    assert [each.get("code") for each in await sends(simulator)] == [None] * ORDERS


async def test_what_is_told_with_each_answer_adds_up(early: Exchange) -> None:
    """Answers overtake each other; each one's headers are its own."""
    asked = early.venue.weight.limit - left(early)
    before = early.spending().weight
    async with asyncio.TaskGroup() as tasks:
        for number in range(4):
            tasks.create_task(early.send(BTC, named(number, early)))
            tasks.create_task(early.balances())
            tasks.create_task(early.order(BTC, ClientOrderId("nobody")))
            tasks.create_task(early.open_orders([BTC]))
    limit, spent = early.venue.weight.limit, early.spending().weight - before
    assert limit - left(early) == asked + spent
    assert early.later(STOPS, ORDERS - 4) is None
    assert early.later(STOPS, ORDERS - 3) is not None


async def test_a_first_fill_gives_back_and_a_cancel_does_not(early: Exchange) -> None:
    for number in range(3):
        bought = order(early, client_order_id=ClientOrderId(f"sf{number:032x}"))
        await early.send(BTC, bought)
    report = await early.send(BTC, named(9, early))
    await early.cancel(BTC, report.exchange_order_id)
    assert early.later(STOPS, ORDERS - 1) is None
    assert early.later(STOPS, ORDERS) is not None


async def test_what_others_use_is_known_from_the_next_answer(
    early: Exchange, other: Exchange
) -> None:
    await early.measure_clock()
    before = left(early)
    for _ in range(5):
        await other.balances()
    await early.candles(BTC, "1m", None, 1)
    assert left(early) == before - 5 * early.price(Question.BALANCES) - 2


async def test_too_many_teaches_and_nothing_more_is_sent(
    early: Exchange, other: Exchange, simulator: Simulator
) -> None:
    """Others on the account have used the count up; every further try would feed the limit."""
    for number in range(ORDERS):
        await other.send(BTC, named(100 + number, other))
    assert early.later(STOPS, 1) is None
    with pytest.raises(TooMany, match="-1015"):
        await early.send(BTC, named(1, early))
    until = early.later(STOPS, 1)
    assert until is not None
    assert (until - early.now()).total_seconds() < 11
    before = len(await sends(simulator))
    with pytest.raises(TooMany, match="no place was kept"):
        await early.send(BTC, named(2, early))
    assert len(await sends(simulator)) == before


async def test_accounts_behind_one_address_share_its_weight(simulator: Simulator) -> None:
    addresses: dict[str, Address] = {}
    first, second = opened(simulator, addresses), opened(simulator, addresses)
    await first.connect()
    assert left(second) == left(first) < first.venue.weight.limit
    await first.close()
