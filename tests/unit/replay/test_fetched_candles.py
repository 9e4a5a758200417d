"""Candles are fetched from where paper accounts read prices, page by page, and kept by day."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal as D
from itertools import pairwise
from pathlib import Path

import pytest
from tests.unit.simulator.trader import NOON_MS, StillClock

from surefoot.replay.fetched import Fetched
from surefoot.replay.inputs import recording_of
from surefoot.simulator import Origin, Settings, Simulator
from surefoot.simulator.candle_files import Unreadable

DAY_MS = 86_400_000
TODAY = datetime.fromtimestamp(NOON_MS / 1000, UTC).replace(hour=0, minute=0)


@pytest.fixture
async def venue() -> AsyncIterator[Simulator]:
    async with Simulator(Settings(), StillClock()) as simulator:
        yield simulator


def fetched(venue: Simulator, tmp_path: Path, timeframe: str = "1m") -> Fetched:
    return Fetched(Origin.at(venue.url, ()), timeframe, tmp_path / "kept", StillClock())


async def test_what_is_over_is_fetched_and_a_day_that_is_over_is_kept(
    venue: Simulator, tmp_path: Path
) -> None:
    """The simulator remembers ten hours of minutes, and fifty of five minutes."""
    source = fetched(venue, tmp_path, "5m")
    found = (await source.candles("BTC/USDT", TODAY, None))["BTCUSDT"]
    assert found[-1].at_ms + 300_000 <= StillClock().now_ms()
    assert {later.at_ms - earlier.at_ms for earlier, later in pairwise(found)} == {300_000}
    assert [each.name for each in (tmp_path / "kept").iterdir()] == [
        f"BTCUSDT-5m-{datetime.fromtimestamp(NOON_MS / 1000 - 86_400, UTC):%Y-%m-%d}.csv.gz"
    ]
    venue.armory.arm("outage", {})
    with pytest.raises(Unreadable, match="cannot be fetched"):
        await source.candles("BTC/USDT", TODAY, None)  # today is not kept
    assert (await source.candles("BTC/USDT", TODAY, TODAY))["BTCUSDT"] == [
        each for each in found if each.at_ms < TODAY.timestamp() * 1000
    ]


async def test_the_day_before_is_history(venue: Simulator, tmp_path: Path) -> None:
    found = await fetched(venue, tmp_path, "5m").candles("BTC/USDT", TODAY, None)
    played = recording_of(found, None, spread=D(0), since=TODAY, until=None)
    assert played.ticks[0].at_ms == TODAY.timestamp() * 1000
    assert len(played.before["BTCUSDT"]) > 200


async def test_what_cannot_be_fetched_is_said(venue: Simulator, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="needs --from"):
        await fetched(venue, tmp_path).candles("BTC/USDT", None, None)
    with pytest.raises(Unreadable, match="Invalid symbol"):
        await fetched(venue, tmp_path).candles("NO/SUCH", TODAY, None)
    with pytest.raises(Unreadable, match="one of 1s, 1m"):
        fetched(venue, tmp_path, "7m")
