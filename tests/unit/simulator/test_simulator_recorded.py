"""Recorded candles are read as they are, or refused by their row."""

from __future__ import annotations

import gzip
from collections.abc import Iterator
from decimal import Decimal as D
from pathlib import Path

import pytest

from surefoot.replay.inputs import recording_of
from surefoot.simulator.candle_files import Unreadable, length_of, read_candles
from surefoot.simulator.model import RecordedCandle, Tick
from surefoot.simulator.recorded import prices, tape

MINUTE = 60_000


def written(directory: Path, text: str) -> Path:
    path = directory / "btc.csv"
    path.write_text(text)
    return path


def candles(path: Path, symbol: str) -> Iterator[Tick]:
    rows = read_candles(path)
    return prices(symbol, rows, length_of(rows))


def test_inside_of_a_candle_the_farther_end_is_met_first(tmp_path: Path) -> None:
    """A stop before a target: the other way round a strategy would look better than it is."""
    path = written(tmp_path, "0,100,110,90,105,1\n60,105,106,80,85,1\n")
    ticks = list(candles(path, "BTCUSDT"))
    assert [each.price for each in ticks] == [100, 90, 110, 105, 105, 106, 80, 85]
    assert [each.at_ms for each in ticks][:5] == [0, 19_999, 39_999, 59_999, MINUTE]


@pytest.mark.parametrize(
    "first",
    [
        "1640995200",
        "1640995200000",
        "2022-01-01 00:00:00",
        "2022-01-01T01:00:00+01:00",
    ],
)
def test_times_are_seconds_milliseconds_or_dates(tmp_path: Path, first: str) -> None:
    path = written(tmp_path, f"time,open,high,low,close\n{first},1,1,1,1\n")
    assert next(candles(path, "BTCUSDT")).at_ms == 1_640_995_200_000


def test_what_is_packed_is_read_too(tmp_path: Path) -> None:
    path = tmp_path / "btc.csv.gz"
    with gzip.open(path, "wt") as file:
        file.write("0,1,1,1,1\n")
    assert next(candles(path, "BTCUSDT")) == Tick(0, "BTCUSDT", D(1))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "no candles"),
        ("time,open,high,low,close\n", "no candles"),
        ("0,1,1,1,1\n60,1,nan,1,1\n", "row 2: expected"),
        ("0,1,1,1,1\n60,1,1,0,1\n", "row 2: expected"),
        ("0,1,1,1,1\n60,1,1\n", "row 2: expected"),
        ("0,1,1,1,1\nsoon,1,1,1,1\n", "row 2: 'soon' is no time"),
        ("60,1,1,1,1\n0,1,1,1,1\n", "do not go up"),
        ("0,1,1,1,1\n0,1,1,1,1\n", "do not go up"),
    ],
)
def test_what_is_no_candle_is_refused(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        list(candles(written(tmp_path, text), "BTCUSDT"))


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match="cannot be read"):
        list(candles(tmp_path / "none.csv", "BTCUSDT"))
    with pytest.raises(Unreadable, match="is no tape"):
        list(tape(written(tmp_path, "{}\n[1, 2]\n"), 0))


def test_recordings_are_brought_into_one_order_of_time() -> None:
    rows = {
        symbol: [
            RecordedCandle(at_ms=at_ms, open=D(1), high=D(1), low=D(1), close=D(1), volume=D(1))
        ]
        for symbol, at_ms in (("A", 0), ("B", 1), ("C", 0))
    }
    played = recording_of(rows, None, spread=D(0), since=None, until=None).ticks
    assert len(played) == 12
    assert [(each.at_ms, each.symbol) for each in played][:6] == [
        (0, "A"),
        (0, "C"),
        (1, "B"),
        (19_999, "A"),
        (19_999, "C"),
        (20_000, "B"),
    ]
