"""A running exchange with two symbols, and somebody to trade there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from tests.unit.simulator.trader import Trader

from surefoot.simulator import Settings, Simulator
from surefoot.simulator.model import default_rules


@pytest.fixture
def settings() -> Settings:
    return Settings(rules=default_rules()[:2])


@pytest_asyncio.fixture
async def trader(settings: Settings) -> AsyncIterator[Trader]:
    # Without kept-alive connections aiohttp repeats nothing behind our back.
    connector = aiohttp.TCPConnector(force_close=True)
    async with (
        Simulator(settings) as simulator,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        yield Trader(simulator, session)
