"""Candles are fetched through the venue's adapter, page by page, and kept by day.

The exchange here lives at some noon; the clock of whoever asks is a year ahead of it or more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.unit.simulator.trader import NOON_MS, StillClock

from surefoot.replay.fetched import Fetched, keep, kept_at, public_side
from surefoot.replay.inputs import recording_of
from surefoot.simulator import Origin, Settings, Simulator
from surefoot.simulator.candle_files import Unreadable, read_candles
from surefoot.simulator.model import RecordedCandle

TODAY = datetime.fromtimestamp(NOON_MS / 1000, UTC).replace(hour=0, minute=0)
YESTERDAY = TODAY - timedelta(days=1)


@pytest.fixture
async def venue() -> AsyncIterator[Simulator]:
    async with Simulator(Settings(), StillClock()) as simulator:
        yield simulator


@asynccontextmanager
async def fetched(
    venue: Simulator, tmp_path: Path, timeframe: str = "5m"
) -> AsyncIterator[Fetched]:
    async with public_side("binance", Origin.at(venue.url, ())) as exchange:
        yield Fetched(exchange, timeframe, tmp_path / "kept")


async def read(
    venue: Simulator, tmp_path: Path, since: datetime | None = TODAY, **given: Any
) -> Sequence[RecordedCandle]:
    """Read the candles of one symbol, as one replay does."""
    symbol, until = given.pop("symbol", "BTC/USDT"), given.pop("until", None)
    async with fetched(venue, tmp_path, **given) as source:
        (found,) = (await source.candles(symbol, since, until)).values()
    return found


def kept(tmp_path: Path) -> list[Path]:
    return [each for each in (tmp_path / "kept").rglob("*") if each.is_file()]


async def test_what_is_over_is_fetched_and_a_day_that_is_over_is_kept(
    venue: Simulator, tmp_path: Path
) -> None:
    """The simulator remembers ten hours of minutes, and fifty of five minutes."""
    found = await read(venue, tmp_path)
    assert found[-1].at_ms + 300_000 <= NOON_MS
    assert {later.at_ms - earlier.at_ms for earlier, later in pairwise(found)} == {300_000}
    assert [each.name for each in kept(tmp_path)] == [f"BTCUSDT-5m-{YESTERDAY:%Y-%m-%d}.csv.gz"]
    venue.armory.arm("outage", {})
    with pytest.raises(Unreadable, match="cannot be fetched"):
        await read(venue, tmp_path)  # today is not kept
    assert await read(venue, tmp_path, until=TODAY) == [
        each for each in found if each.at_ms < TODAY.timestamp() * 1000
    ]


async def test_pages_join(tmp_path: Path) -> None:
    """A day of minutes is two answers. Red with a page too few, and with one that begins late."""
    begin_ms, midnight = round(TODAY.timestamp() * 1000), TODAY + timedelta(days=1)
    rows = [
        RecordedCandle(at_ms=at_ms, open=D(9), high=D(9), low=D(9), close=D(9), volume=D(1))
        for at_ms in range(begin_ms, begin_ms + 1441 * 60_000, 60_000)
    ]
    played = recording_of({"BTCUSDT": rows}, None, spread=D(0), since=midnight, until=None)
    clock = StillClock()
    clock.advance(12 * 3600)
    async with Simulator(Settings(market="recorded", recording=played), clock) as venue:
        found = await read(venue, tmp_path, timeframe="1m")
    assert [each.at_ms for each in found] == [each.at_ms for each in rows[:-1]]


@pytest.mark.parametrize("left", [0, 60, -8])
async def test_a_kept_day_that_is_cut_off_is_fetched_again(
    venue: Simulator, tmp_path: Path, left: int
) -> None:
    """Catches a replay that ends with a traceback for ever after one power cut."""
    found = await read(venue, tmp_path, until=TODAY)
    (day,) = kept(tmp_path)
    whole = day.read_bytes()
    day.write_bytes(whole[:left])
    assert await read(venue, tmp_path, until=TODAY) == found
    assert kept(tmp_path) == [day]
    assert len(day.read_bytes()) == len(whole)


def test_only_what_a_venue_itself_says_is_kept_and_by_its_host(tmp_path: Path) -> None:
    """Catches a replay over a simulator's prices of yesterday: today another one has its port."""
    for url in ("http://127.0.0.1:8790", "http://localhost:8790", "http://sim.internal:8790"):
        assert kept_at(tmp_path, "binance", Origin.at(url, ())) is None
    hosts = [
        kept_at(tmp_path, "binance", Origin(rest=f"https://{host}/api/v3", streams="", symbols=()))
        for host in ("data-api.binance.vision", "api.binance.us")
    ]
    assert kept_at(tmp_path, "binance", Origin.at(None, ())) == hosts[0]
    assert None not in hosts
    assert hosts[0] != hosts[1]


async def test_two_replays_keep_the_same_day_at_once(venue: Simulator, tmp_path: Path) -> None:
    """Whoever reads meanwhile finds all of it. Red with a day that is written in its place."""
    found = await read(venue, tmp_path, until=TODAY)
    (day,) = kept(tmp_path)
    with ThreadPoolExecutor(2) as others:
        writing = [others.submit(lambda: [keep(day, found) for _ in range(20)]) for _ in range(2)]
        while not all(each.done() for each in writing):
            assert read_candles(day) == found
    assert [each.result() and None for each in writing] == [None, None]
    assert [each.name for each in day.parent.iterdir()] == [day.name]


async def test_a_day_that_the_venue_has_not_finished_is_not_kept(
    venue: Simulator, tmp_path: Path
) -> None:
    """Catches a clock that runs ahead, by which a day is over and half of it missing for good."""
    await read(venue, tmp_path)
    assert [f"{TODAY:%F}" in each.name for each in kept(tmp_path)] == [False]


async def test_where_nothing_can_be_kept_is_said(venue: Simulator, tmp_path: Path) -> None:
    (tmp_path / "kept").touch()
    with pytest.raises(Unreadable, match="cannot be written"):
        await read(venue, tmp_path, until=TODAY)


async def test_the_day_before_is_history(venue: Simulator, tmp_path: Path) -> None:
    found = {"BTCUSDT": await read(venue, tmp_path)}
    played = recording_of(found, None, spread=D(0), since=TODAY, until=None)
    assert played.ticks[0].at_ms == TODAY.timestamp() * 1000
    assert len(played.before["BTCUSDT"]) > 200


async def test_what_cannot_be_fetched_is_said(venue: Simulator, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="needs --from"):
        await read(venue, tmp_path, None)
    with pytest.raises(Unreadable, match="nothing was traded then"):
        await read(venue, tmp_path, datetime(1, 1, 1, tzinfo=UTC))
    with pytest.raises(Unreadable, match="does not list BTC/DOLLAR; it lists BTC/USDT"):
        await read(venue, tmp_path, symbol="BTC/DOLLAR")
    with pytest.raises(Unreadable, match="one of 1s, 1m"):
        await read(venue, tmp_path, timeframe="7m")
