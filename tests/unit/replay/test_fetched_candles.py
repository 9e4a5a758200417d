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


def kept(tmp_path: Path) -> list[Path]:
    return [each for each in (tmp_path / "kept").rglob("*") if each.is_file()]


async def test_what_is_over_is_fetched_and_a_day_that_is_over_is_kept(
    venue: Simulator, tmp_path: Path
) -> None:
    """The simulator remembers ten hours of minutes, and fifty of five minutes."""
    source = fetched(venue, tmp_path, "5m")
    found = (await source.candles("BTC/USDT", TODAY, None))["BTCUSDT"]
    assert found[-1].at_ms + 300_000 <= StillClock().now_ms()
    assert {later.at_ms - earlier.at_ms for earlier, later in pairwise(found)} == {300_000}
    assert [each.name for each in kept(tmp_path)] == [
        f"BTCUSDT-5m-{datetime.fromtimestamp(NOON_MS / 1000 - 86_400, UTC):%Y-%m-%d}.csv.gz"
    ]
    venue.armory.arm("outage", {})
    with pytest.raises(Unreadable, match="cannot be fetched"):
        await source.candles("BTC/USDT", TODAY, None)  # today is not kept
    assert (await source.candles("BTC/USDT", TODAY, TODAY))["BTCUSDT"] == [
        each for each in found if each.at_ms < TODAY.timestamp() * 1000
    ]


@pytest.mark.parametrize("left", [0, 60, -8])
async def test_a_kept_day_that_is_cut_off_is_fetched_again(
    venue: Simulator, tmp_path: Path, left: int
) -> None:
    """Catches a replay that ends with a traceback for ever after one power cut."""
    source = fetched(venue, tmp_path, "5m")
    found = await source.candles("BTC/USDT", TODAY, TODAY)
    (day,) = kept(tmp_path)
    whole = day.read_bytes()
    day.write_bytes(whole[:left])
    assert await source.candles("BTC/USDT", TODAY, TODAY) == found
    assert kept(tmp_path) == [day]
    assert len(day.read_bytes()) == len(whole)


async def test_what_one_venue_said_is_not_taken_for_what_another_says(
    venue: Simulator, tmp_path: Path
) -> None:
    """Catches a replay over invented prices that passes for one over those of the exchange."""
    found = await fetched(venue, tmp_path, "5m").candles("BTC/USDT", TODAY, TODAY)
    async with Simulator(Settings(seed=2), StillClock()) as other:
        others = await fetched(other, tmp_path, "5m").candles("BTC/USDT", TODAY, TODAY)
    assert found != others


async def test_a_day_that_the_venue_has_not_finished_is_not_kept(
    venue: Simulator, tmp_path: Path
) -> None:
    """Catches a clock that runs ahead, by which a day is over and half of it missing for good."""
    ahead = StillClock()
    ahead.offset_ms += DAY_MS
    source = Fetched(Origin.at(venue.url, ()), "5m", tmp_path / "kept", ahead)
    await source.candles("BTC/USDT", TODAY, None)
    assert [TODAY.strftime("%F") in each.name for each in kept(tmp_path)] == [False]


async def test_where_nothing_can_be_kept_is_said(venue: Simulator, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(Unreadable, match="cannot be written"):
        await fetched(venue, tmp_path, "5m").candles("BTC/USDT", TODAY, TODAY)


async def test_the_day_before_is_history(venue: Simulator, tmp_path: Path) -> None:
    found = await fetched(venue, tmp_path, "5m").candles("BTC/USDT", TODAY, None)
    played = recording_of(found, None, spread=D(0), since=TODAY, until=None)
    assert played.ticks[0].at_ms == TODAY.timestamp() * 1000
    assert len(played.before["BTCUSDT"]) > 200


async def test_what_cannot_be_fetched_is_said(venue: Simulator, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="needs --from"):
        await fetched(venue, tmp_path).candles("BTC/USDT", None, None)
    with pytest.raises(Unreadable, match="nothing was traded then"):
        await fetched(venue, tmp_path).candles("BTC/USDT", datetime(1, 1, 1, tzinfo=UTC), None)
    with pytest.raises(Unreadable, match="Invalid symbol"):
        await fetched(venue, tmp_path).candles("NO/SUCH", TODAY, None)
    with pytest.raises(Unreadable, match="one of 1s, 1m"):
        fetched(venue, tmp_path, "7m")
