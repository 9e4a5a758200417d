"""Candles as a strategy reads them: one, and the window of those that closed before.

A window is shared by every bot on the same symbol and time frame and never changes under a
reader: what it shows is a stretch of rows to which others are only ever added at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib import import_module
from typing import Any, Final, Protocol, overload

from typing_extensions import override

from surefoot.core.errors import InvalidValue

# What a frame and the arrays have a column of, beside the time.
COLUMNS: Final = ("open", "high", "low", "close", "volume")
# The first of these that is installed makes the frame.
FRAMES: Final = ("pandas", "polars")


class ExactCandle(Protocol):
    """A candle as the exchange gave it."""

    @property
    def symbol(self) -> str: ...  # noqa: D102 (as in Candle)
    @property
    def timeframe(self) -> str: ...  # noqa: D102
    @property
    def at(self) -> datetime: ...  # noqa: D102
    @property
    def open(self) -> Decimal: ...  # noqa: D102
    @property
    def high(self) -> Decimal: ...  # noqa: D102
    @property
    def low(self) -> Decimal: ...  # noqa: D102
    @property
    def close(self) -> Decimal: ...  # noqa: D102
    @property
    def volume(self) -> Decimal: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One candle; `at` is its opening time (UTC), `volume` in base units."""

    symbol: str
    timeframe: str
    at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

    @classmethod
    def of(cls, candle: ExactCandle) -> Candle:
        """Show an exchange's candle."""
        return cls(
            symbol=candle.symbol,
            timeframe=candle.timeframe,
            at=candle.at,
            open=float(candle.open),
            high=float(candle.high),
            low=float(candle.low),
            close=float(candle.close),
            volume=float(candle.volume),
        )


class Candles(Sequence[Candle]):
    """Closed candles of one symbol and time frame, oldest first; a list to read, not to write."""

    __slots__ = ("_rows", "_start", "_stop")

    def __init__(
        self, rows: Sequence[Candle] = (), start: int = 0, stop: int | None = None
    ) -> None:
        self._rows = rows
        self._stop = len(rows) if stop is None else stop
        self._start = min(max(start, 0), self._stop)

    @override
    def __len__(self) -> int:
        return self._stop - self._start

    @overload
    def __getitem__(self, index: int) -> Candle: ...

    @overload
    def __getitem__(self, index: slice) -> list[Candle]: ...

    @override
    def __getitem__(self, index: int | slice) -> Candle | list[Candle]:
        where = range(self._start, self._stop)[index]
        return self._rows[where] if isinstance(where, int) else [self._rows[n] for n in where]

    @override
    def __repr__(self) -> str:
        last = f", the last of {self[-1].at:%Y-%m-%d %H:%M}" if self else ""
        return f"<{len(self)} candles{last}>"

    @property
    def at(self) -> list[datetime]:
        """Return when each opened."""
        return [candle.at for candle in self]

    @property
    def open(self) -> list[float]:
        """Return the first price of each."""
        return [candle.open for candle in self]

    @property
    def high(self) -> list[float]:
        """Return the highest price of each."""
        return [candle.high for candle in self]

    @property
    def low(self) -> list[float]:
        """Return the lowest price of each."""
        return [candle.low for candle in self]

    @property
    def close(self) -> list[float]:
        """Return the last price of each."""
        return [candle.close for candle in self]

    @property
    def volume(self) -> list[float]:
        """Return what was traded in each, in base units."""
        return [candle.volume for candle in self]

    def to_arrays(self) -> dict[str, Any]:
        """Return a NumPy array of floats for each column.

        Raises:
            InvalidValue: NumPy is not installed.
        """
        numpy = _imported("numpy")
        return {name: numpy.array(getattr(self, name), dtype=float) for name in COLUMNS}

    def to_frame(self, library: str | None = None) -> Any:
        """Return a data frame of "pandas" or "polars"; by itself of the first that is installed.

        Raises:
            InvalidValue: it is not installed.
        """
        columns = {"at": self.at, **{name: getattr(self, name) for name in COLUMNS}}
        return _imported(*(FRAMES if library is None else (library,))).DataFrame(columns)


def _imported(*names: str) -> Any:
    """Import the first of these that is there; late, because most strategies need none."""
    for name in names:
        try:
            return import_module(name)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    raise InvalidValue(f"{' or '.join(names)} is not installed here; pip install {names[0]}")
