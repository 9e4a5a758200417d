"""Recorded candles in files: CSV, packed or not, and Parquet; each row is read or refused."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, TextIO

from surefoot.simulator.model import ZERO, RecordedCandle

_MS: Final = 1_000
# A number of seconds since 1970 is below this, of milliseconds above; then micro- and nanoseconds.
_SECONDS_MAX: Final = 10**11
_MILLISECONDS_MAX: Final = 10**14
_MICROSECONDS_MAX: Final = 10**17
_PRICES: Final = slice(1, 5)
_COLUMNS: Final = 5
_MINUTE_MS: Final = 60_000
# What the columns of a Parquet file are called by those who write them.
_TIMES: Final = ("time", "timestamp", "date", "datetime", "open_time", "at")
_NAMES: Final = ("open", "high", "low", "close")


class Unreadable(ValueError):
    """A recording is not what it should be; the message names the row."""


def read_candles(path: Path) -> list[RecordedCandle]:
    """Read the candles of a file, the oldest first.

    Raises:
        Unreadable: it has none, or something else.
    """
    if path.suffix == ".parquet":
        rows = _parquet(path)
    else:
        with opened(path) as file:
            rows = [row for row in csv.reader(file) if row]
    if rows and not _are_prices(rows[0][1:2]):
        rows = rows[1:]  # the names of the columns
    if not rows:
        raise Unreadable(f"{path} has no candles")
    found = [_candle(row, path, number) for number, row in enumerate(rows, start=1)]
    if any(later.at_ms <= earlier.at_ms for earlier, later in pairwise(found)):
        raise Unreadable(f"{path}: its times do not go up")
    return found


def length_of(candles: Sequence[RecordedCandle]) -> int:
    """Return how long one lasts: the shortest way from one to the next."""
    return min((b.at_ms - a.at_ms for a, b in pairwise(candles)), default=_MINUTE_MS)


@contextmanager
def opened(path: Path) -> Iterator[TextIO]:
    """Open a text, packed or not, for as long as the body reads it.

    Raises:
        Unreadable: it cannot be, or it is cut off, or no text.
    """
    packed = path.suffix == ".gz"
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8") if packed else path.open(encoding="utf-8") as f
        ):
            yield f
    except (OSError, EOFError, zlib.error, UnicodeDecodeError, csv.Error) as error:
        raise Unreadable(f"{path} cannot be read: {_why(error)}") from error


def _why(error: Exception) -> str:
    return error.strerror if isinstance(error, OSError) and error.strerror else str(error)


def _parquet(path: Path) -> list[list[str]]:
    """Read the columns that matter, by name, as texts: a price is what its shortest text says."""
    try:
        from pyarrow import parquet  # noqa: PLC0415 (an extra, and a heavy one)
    except ImportError as error:
        raise Unreadable(
            f"{path} is a Parquet file: pip install 'surefoot[parquet]', or write it as CSV"
        ) from error
    try:
        with path.open(
            "rb"
        ) as file:  # it says why a file cannot be opened, and its reader does not
            table: Any = parquet.read_table(file)
    except (OSError, ValueError) as error:  # what it raises for a file that is none is a ValueError
        raise Unreadable(f"{path} cannot be read: {_why(error)}") from error
    columns = {name.lower(): name for name in table.column_names}
    time = next((columns[name] for name in _TIMES if name in columns), None)
    missing = [name for name in _NAMES if name not in columns]
    if time is None or missing:
        wanted = ", ".join((*(() if time else ("time",)), *missing))
        raise Unreadable(f"{path} has no column {wanted}; it has {', '.join(table.column_names)}")
    names = [time, *(columns[name] for name in _NAMES)]
    names += [columns["volume"]] if "volume" in columns else []
    values = [table.column(name).to_pylist() for name in names]
    return [[str(cell) for cell in row] for row in zip(*values, strict=True)]


def _candle(row: list[str], path: Path, number: int) -> RecordedCandle:
    if len(row) < _COLUMNS or not _are_prices(row[_PRICES]):
        raise Unreadable(f"{path}, row {number}: expected time, open, high, low and close")
    first, high, low, last = (Decimal(cell) for cell in row[_PRICES])
    if not low <= min(first, last) <= max(first, last) <= high:
        raise Unreadable(f"{path}, row {number}: its open and close are not between low and high")
    return RecordedCandle(
        at_ms=_time(row[0], path, number),
        open=first,
        high=high,
        low=low,
        close=last,
        volume=_volume(row[_COLUMNS:]),
    )


def _volume(rest: list[str]) -> Decimal:
    """Return the sixth column if it is an amount: not every recording has one."""
    with suppress(InvalidOperation, IndexError):
        volume = Decimal(rest[0])
        return volume if volume.is_finite() and volume > 0 else ZERO
    return ZERO


def _are_prices(cells: Iterable[str]) -> bool:
    with suppress(InvalidOperation):
        prices = [Decimal(cell) for cell in cells]
        return bool(prices) and all(each.is_finite() and each > 0 for each in prices)
    return False


def _time(text: str, path: Path, number: int) -> int:
    """Return milliseconds of a number or of a date, which is UTC unless it says otherwise."""
    try:
        if text.strip().isdigit():
            return _milliseconds(int(text))
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise Unreadable(f"{path}, row {number}: {text[:40]!r} is no time") from None
    return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * _MS)


def _milliseconds(value: int) -> int:
    """Return milliseconds of seconds, milli-, micro- or nanoseconds: by their size."""
    if value < _SECONDS_MAX:
        return value * _MS
    if value < _MILLISECONDS_MAX:
        return value
    return value // _MS if value < _MICROSECONDS_MAX else value // _MS**2


def write_candles(path: Path, candles: Iterable[RecordedCandle]) -> None:
    """Write candles so that they are read again as they are."""
    lines = ["time,open,high,low,close,volume", *_lines(candles)]
    with gzip.open(path, "wt", encoding="utf-8") as file:
        file.write("\n".join(lines) + "\n")


def _lines(candles: Iterable[RecordedCandle]) -> Iterator[str]:
    for each in candles:
        amounts = (each.open, each.high, each.low, each.close, each.volume)
        yield ",".join([str(each.at_ms), *(format(amount, "f") for amount in amounts)])
