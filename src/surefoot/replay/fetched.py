"""Candles read from a venue's public side through its adapter, without keys, and kept by day.

A day that is over never changes, so it is asked for once. What is not over is not kept, what is
kept and cannot be read is asked again, and only what a venue's own hosts say is kept at all: at any
other address there may be another market tomorrow.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from surefoot.core.values import Symbol
from surefoot.engine.clock import SystemClock
from surefoot.exchange import open_exchange
from surefoot.exchange.errors import Misconfigured, ReadFailed
from surefoot.exchange.hosts import is_own
from surefoot.exchange.port import Candle, Exchange, Time
from surefoot.exchange.venues import venue
from surefoot.replay.inputs import wire_name
from surefoot.simulator import Origin
from surefoot.simulator.candle_files import Unreadable, read_candles, write_candles
from surefoot.simulator.candles import FRAMES_MS
from surefoot.simulator.model import RecordedCandle

# The adapter asks for one more, which may not be closed: a thousand are an answer of Binance's.
_PAGE: Final = 999
# Strategies begin warm: the day before the beginning is read as well.
_DAY_MS: Final = 86_400_000


def kept_at(directory: Path, name: str, origin: Origin) -> Path | None:
    """Return where what an origin says is kept; None: it is not."""
    host = urlsplit(origin.rest).hostname or ""
    return directory / host if is_own(venue(name), host) else None


@asynccontextmanager
async def public_side(
    name: str, origin: Origin, time: Time | None = None
) -> AsyncIterator[Exchange]:
    """Open a venue without keys, so that every address leads to its public side."""
    everywhere = {
        "public": origin.rest,
        "private": origin.rest,
        "ws": {"spot": origin.streams, "ws-api": {"spot": origin.streams}},
    }
    exchange = open_exchange(
        name,
        keys=lambda: ("", ""),
        settings={"urls": {"api": everywhere}},
        allow_custom_host=True,  # there is nothing that could be signed
        time=time or SystemClock(),
    )
    try:
        yield exchange
    finally:
        await exchange.close()


class Fetched:
    """The candles of one time frame at one venue, and where they are kept."""

    def __init__(self, exchange: Exchange, timeframe: str, cache: Path | None) -> None:
        if timeframe not in FRAMES_MS:
            raise Unreadable(f"--timeframe {timeframe}: one of {', '.join(FRAMES_MS)}")
        self._exchange = exchange
        self._frame = timeframe
        self._length = FRAMES_MS[timeframe]
        self._cache = cache
        self._connected = False

    async def candles(
        self, symbol: str, since: datetime | None, until: datetime | None
    ) -> Mapping[str, Sequence[RecordedCandle]]:
        """Return a symbol's candles of a time, and of the day before it.

        Raises:
            Unreadable: it is not said which, the venue does not answer, or it has none.
        """
        if since is None:
            raise Unreadable("--fetch needs --from, such as --from 2024-01-01, and takes --to")
        day_ms = _ms(since) // _DAY_MS * _DAY_MS - _DAY_MS
        if day_ms < 0:
            raise Unreadable(f"--from {since:%Y-%m-%d}: nothing was traded then")
        found = list[RecordedCandle]()
        # What time it is may become clear by asking: our clock may run ahead.
        while day_ms < (self._now_ms if until is None else min(_ms(until), self._now_ms)):
            found += await self._day(symbol, day_ms)
            day_ms += _DAY_MS
        if not found:
            raise Unreadable(f"there are no candles of {symbol} in that time")
        return {wire_name(symbol): found}

    @property
    def _now_ms(self) -> int:
        return _ms(self._exchange.now())

    async def _day(self, symbol: str, day_ms: int) -> list[RecordedCandle]:
        """Return one day's candles that are over, from where they are kept if they are."""
        path, end_ms = self._path(symbol, day_ms), day_ms + _DAY_MS
        kept = _kept(path)
        if kept is not None:
            return kept
        found, next_ms = list[RecordedCandle](), day_ms
        while next_ms < end_ms:
            page = await self._page(symbol, next_ms)
            found += (each for each in page if each.at_ms + self._length <= end_ms)
            if len(page) < _PAGE:
                break
            next_ms = page[-1].at_ms + self._length
        # To its end as the venue tells it: a day that is not over is not kept.
        if path is not None and found and found[-1].at_ms + self._length == end_ms:
            keep(path, found)
        return found

    def _path(self, symbol: str, day_ms: int) -> Path | None:
        if self._cache is None:
            return None
        day = datetime.fromtimestamp(day_ms / 1_000, UTC)
        return self._cache / f"{wire_name(symbol)}-{self._frame}-{day:%Y-%m-%d}.csv.gz"

    async def _page(self, symbol: str, since_ms: int) -> list[RecordedCandle]:
        since = datetime.fromtimestamp(since_ms / 1_000, UTC)
        try:
            if not self._connected:
                await self._exchange.connect()
                self._connected = True
            self._exchange.instrument(Symbol(symbol))  # which names what else is listed
            page = await self._exchange.candles(Symbol(symbol), self._frame, since, _PAGE)
        except (ReadFailed, Misconfigured) as error:
            raise Unreadable(f"the candles of {symbol} cannot be fetched: {error}") from error
        return [_recorded(each) for each in page]


def _kept(path: Path | None) -> list[RecordedCandle] | None:
    with suppress(Unreadable):
        return None if path is None else read_candles(path)
    return None


def keep(path: Path, found: Sequence[RecordedCandle]) -> None:
    """Write a day, whole or not at all; another replay may write the same.

    Raises:
        Unreadable: nothing can be kept there.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".half-", dir=path.parent) as aside:
            half = Path(aside, path.name)
            write_candles(half, found)
            half.replace(path)
    except OSError as error:
        raise Unreadable(f"{path} cannot be written: {error.strerror}") from error


def _recorded(candle: Candle) -> RecordedCandle:
    return RecordedCandle(
        at_ms=_ms(candle.at),
        open=candle.open,
        high=candle.high,
        low=candle.low,
        close=candle.close,
        volume=candle.volume,
    )


def _ms(at: datetime) -> int:
    """Return milliseconds of a time, which is UTC unless it says otherwise."""
    return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1_000)
