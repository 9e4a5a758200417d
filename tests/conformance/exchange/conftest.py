"""A running exchange, whoever runs it, ccxt's own clients, and our adapter."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import ccxt.async_support
import ccxt.pro
import pytest
import pytest_asyncio
from typing_extensions import override

from surefoot.engine.clock import SystemClock
from surefoot.exchange import open_exchange
from surefoot.exchange.port import Exchange
from surefoot.simulator import Control, Settings, Simulator, ccxt_settings
from surefoot.simulator.model import default_rules

KEYS = {"apiKey": "simulated-key", "secret": "simulated-secret"}
# ccxt waits 50 ms for each unit of weight, and 250 ms when it is closed; here nobody minds.
BRISK = {"rateLimit": 1, "timeout_on_exit": 0}


class BriskTime(SystemClock):
    """The real time, but nobody waits before trying again."""

    @override
    async def sleep(self, seconds: float) -> None:
        await asyncio.to_thread(lambda: None)


Do = Callable[..., Awaitable[dict[str, Any]]]


@pytest.fixture
def settings() -> Settings:
    return Settings(rules=default_rules()[:2])


@pytest_asyncio.fixture
async def simulator(settings: Settings) -> AsyncIterator[Simulator]:
    async with Simulator(settings) as running:
        yield running


@pytest.fixture
def do(simulator: Simulator) -> Do:
    """Run a control command while the loop that serves it goes on."""
    control = Control(simulator.url)

    async def run(command: str, **given: Any) -> dict[str, Any]:
        return await asyncio.to_thread(control.do, command, **given)

    return run


@pytest_asyncio.fixture
async def rest(simulator: Simulator) -> AsyncIterator[Any]:
    """Open ccxt for REST, as it comes."""
    client = ccxt.async_support.binance({**KEYS, **BRISK, **ccxt_settings(simulator.url)})
    yield client
    await client.close()


@pytest_asyncio.fixture
async def pro(simulator: Simulator) -> AsyncIterator[Any]:
    """Open ccxt for WebSocket, as it comes."""
    client = ccxt.pro.binance({**KEYS, **BRISK, **ccxt_settings(simulator.url)})
    yield client
    await client.close()


@pytest.fixture
def changes() -> dict[str, Any]:
    """Return what a test wants otherwise in the settings of the adapter."""
    return {}


@pytest_asyncio.fixture
async def exchange(simulator: Simulator, changes: dict[str, Any]) -> AsyncIterator[Exchange]:
    """Open our adapter, and connect it."""
    opened = open_exchange(
        "binance",
        keys=lambda: (KEYS["apiKey"], KEYS["secret"]),
        settings={**BRISK, **ccxt_settings(simulator.url), **changes},
        allow_custom_host=False,
        time=BriskTime(),
    )
    await opened.connect()
    yield opened
    await opened.close()
