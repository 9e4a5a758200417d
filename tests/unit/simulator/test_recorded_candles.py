"""What a recording says is shown as it is: nothing is invented before, between or after."""

from __future__ import annotations

import gzip
import sys
from datetime import UTC, datetime
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from surefoot.replay.inputs import candles_of, recording_of
from surefoot.simulator.candle_files import Unreadable, read_candles, write_candles
from surefoot.simulator.model import Hole, Recording, Tick, default_rules
from surefoot.simulator.recorded import RecordedCandles, tape

MINUTE = 60_000
NOON_MS = 1_640_995_200_000
RULES = default_rules()[:1]
# Each opens elsewhere than the one before closed; two minutes are missing.
ROWS = [
    (0, "100", "110", "95", "105", "8"),
    (1, "106", "107", "101", "102", "4"),
    (4, "99", "99", "90", "98", "2"),
]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    lines = [",".join([str(NOON_MS + row[0] * MINUTE), *row[1:]]) for row in ROWS]
    path = tmp_path / "btc.csv"
    path.write_text("time,open,high,low,close,volume\n" + "\n".join(lines) + "\n")
    return path


def recorded(file: Path, since: datetime | None = None) -> Recording:
    found = candles_of([f"BTC/USDT={file}"])
    return recording_of(found, None, spread=D(0), since=since, until=None)


def played(found: Recording) -> RecordedCandles:
    kept = RecordedCandles(RULES, found)
    for tick in found.ticks:
        kept.catch_up(tick.at_ms)
        kept.trade(tick.symbol, tick.price, tick.quantity, tick.at_ms)
    return kept


def shown(kept: RecordedCandles, frame: str = "1m") -> list[tuple[int, list[D]]]:
    rows = kept.klines("BTCUSDT", frame, None, 100)
    return [((row[0] - NOON_MS) // MINUTE, [D(cell) for cell in row[1:6]]) for row in rows]


def test_what_is_shown_is_what_was_recorded(file: Path) -> None:
    """Red where a candle opened with the close before it, and minutes nobody recorded were flat."""
    figures = [(row[0], [D(cell) for cell in row[1:]]) for row in ROWS]
    assert shown(played(recorded(file))) == figures


def test_each_candle_is_told_once_and_none_of_a_hole(file: Path) -> None:
    found = recorded(file)
    kept = RecordedCandles(RULES, found)
    told = []
    for tick in found.ticks:
        told += kept.roll(tick.at_ms)
        kept.trade(tick.symbol, tick.price, tick.quantity, tick.at_ms)
    told += kept.roll(NOON_MS + 99 * MINUTE)
    minutes = [(each.open_ms - NOON_MS) // MINUTE for _, frame, each in told if frame == "1m"]
    assert minutes == [0, 1, 4]


def test_holes_are_found(file: Path) -> None:
    assert recorded(file).holes == (Hole("BTCUSDT", NOON_MS + 2 * MINUTE, NOON_MS + 4 * MINUTE, 2),)


def test_what_was_before_the_beginning_is_shown_and_not_played(file: Path) -> None:
    """Strategies begin warm: their history is there before the first price."""
    found = recorded(file, datetime(2022, 1, 1, 0, 4, tzinfo=UTC))
    assert {tick.at_ms // MINUTE for tick in found.ticks} == {NOON_MS // MINUTE + 4}
    kept = RecordedCandles(RULES, found)
    assert [minute for minute, _ in shown(kept)] == [0, 1]
    assert shown(kept, "5m") == [(0, [D(100), D(110), D(95), D(102), D(12)])]
    assert shown(played(found), "5m") == [(0, [D(100), D(110), D(90), D(98), D(14)])]


def test_a_quiet_minute_of_a_tape_is_known_to_be_quiet() -> None:
    found = Recording(ticks=(Tick(NOON_MS, "BTCUSDT", D(100)),), spread=D(0))
    kept = played(found)
    assert len(kept.roll(NOON_MS + 3 * MINUTE)) >= 3
    assert [minute for minute, _ in shown(kept)] == [0, 1, 2, 3]


def test_nothing_between_from_and_to_is_refused(file: Path) -> None:
    with pytest.raises(Unreadable, match="nothing of BTCUSDT is recorded"):
        recorded(file, datetime(2023, 1, 1, tzinfo=UTC))
    with pytest.raises(Unreadable, match="given twice"):
        candles_of([f"BTC/USDT={file}", f"BTC/USDT={file}"])


def test_what_is_written_is_read_again(file: Path, tmp_path: Path) -> None:
    rows = read_candles(file)
    write_candles(tmp_path / "again.csv.gz", rows)
    assert read_candles(tmp_path / "again.csv.gz") == rows


def test_an_open_outside_of_its_candle_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("0,100,90,80,85,1\n")
    with pytest.raises(Unreadable, match="row 1: its open and close are not between"):
        read_candles(path)


# Parquet -----------------------------------------------------------------------------------------


def parquet_of(file: Path, columns: dict[str, Any]) -> Path:
    arrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet  # noqa: PLC0415 (an extra)

    path = file.with_suffix(".parquet")
    parquet.write_table(arrow.table(columns), path)
    return path


def test_parquet_is_read_by_its_columns_names(file: Path) -> None:
    """Whatever their order is, with times that are times and prices that are floats."""
    rows = read_candles(file)
    path = parquet_of(
        file,
        {
            "volume": [float(row.volume) for row in rows],
            "Close": [float(row.close) for row in rows],
            "Open": [float(row.open) for row in rows],
            "High": [float(row.high) for row in rows],
            "Low": [float(row.low) for row in rows],
            "timestamp": [datetime.fromtimestamp(row.at_ms / 1000, UTC) for row in rows],
        },
    )
    assert read_candles(path) == rows


def test_parquet_without_what_is_needed_is_refused(file: Path) -> None:
    path = parquet_of(file, {"time": [0], "open": [1.0], "high": [1.0]})
    with pytest.raises(Unreadable, match="has no column low, close; it has time, open, high"):
        read_candles(path)
    path.write_bytes(b"no parquet")
    with pytest.raises(Unreadable, match="cannot be read"):
        read_candles(path)
    path.unlink()
    with pytest.raises(Unreadable, match="cannot be read: No such file"):
        read_candles(path)


def test_without_its_reader_parquet_is_refused_with_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(Unreadable, match=r"pip install 'surefoot\[parquet\]'"):
        read_candles(tmp_path / "btc.parquet")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("cut-off.csv.gz", gzip.compress(b"1704067200,1,1,1,1,1\n" * 9, mtime=0)[:-9]),
        ("spoiled.csv.gz", gzip.compress(b"1704067200,1,1,1,1,1\n", mtime=0)[:12] + b"\xff" * 20),
        ("no-archive.csv.gz", b"1704067200,1,1,1,1,1\n"),
        ("no-text.csv", b"\xf1\xff\x00"),
        ("one-cell.csv", b"1" * 200_000),
    ],
)
def test_a_file_that_is_cut_off_or_no_text_is_refused(
    tmp_path: Path, name: str, content: bytes
) -> None:
    """Catches a download that broke off, and is answered with a traceback."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(Unreadable, match=f"{name} cannot be read: "):
        read_candles(tmp_path / name)


def test_a_tape_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "cut-off.jsonl.gz"
    file.write_bytes(gzip.compress(b'[0, "BTCUSDT", "t", "1", "1"]\n' * 9)[:-9])
    with pytest.raises(Unreadable, match="cannot be read: Compressed file ended"):
        list(tape(file, 0))
