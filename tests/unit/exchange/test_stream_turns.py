"""What waits in a stream is told in one turn: nobody else gets in between."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from surefoot.exchange.binance.streams import _Life


async def test_what_waits_together_is_told_together() -> None:
    """Catches one event a turn of the loop: prices then wait for every bot, again and again."""

    async def close() -> None: ...

    client: Any = SimpleNamespace(on_raw=None, clients={}, close=close)
    life = _Life(client)
    for number in range(3):
        client.on_raw("trade", {"n": number})
    events = life.events([asyncio.Event().wait], None)
    told = [await anext(events)]
    for _ in range(2):
        with pytest.raises(StopIteration) as answered:
            next(anext(events).__await__())
        told.append(answered.value.value)
    assert [message["n"] for _, message in told] == [0, 1, 2]
    await events.aclose()
    await life.close()
