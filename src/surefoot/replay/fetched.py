"""Candles read from a venue's public side, without keys, and kept by day beside the journal.

A day that is over never changes, so it is asked for once. What is not over is not kept. What one
venue said is not taken for what another says, and what is kept and cannot be read is asked again.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from surefoot.replay.inputs import wire_name
from surefoot.simulator import Origin
from surefoot.simulator.candle_files import Unreadable, read_candles, write_candles
from surefoot.simulator.candles import FRAMES_MS
from surefoot.simulator.clock import Clock
from surefoot.simulator.model import ApiError, RecordedCandle
from surefoot.simulator.source import Source

_PAGE: Final = 1_000
_PAGE_PAUSE_S: Final = 0.1  # a page weighs 2 of 6000 a minute
# Strategies begin warm: the day before the beginning is read as well.
_DAY_MS: Final = 86_400_000


class Fetched:
    """The candles of one time frame at one venue, and where they are kept."""

    def __init__(
        self, origin: Origin, timeframe: str, cache: Path, clock: Clock | None = None
    ) -> None:
        if timeframe not in FRAMES_MS:
            raise Unreadable(f"--timeframe {timeframe}: one of {', '.join(FRAMES_MS)}")
        self._origin = origin
        self._frame = timeframe
        self._length = FRAMES_MS[timeframe]
        self._cache = cache / urlsplit(origin.rest).netloc.replace(":", "-")
        self._clock = clock or Clock()

    async def candles(
        self, symbol: str, since: datetime | None, until: datetime | None
    ) -> Mapping[str, Sequence[RecordedCandle]]:
        """Return a symbol's candles of a time, and of the day before it.

        Raises:
            Unreadable: it is not said which, the venue does not answer, or it has none.
        """
        if since is None:
            raise Unreadable("--fetch needs --from, such as --from 2024-01-01, and takes --to")
        now_ms = self._clock.now_ms()
        end_ms = now_ms if until is None else min(_ms(until), now_ms)
        name, found = wire_name(symbol), list[RecordedCandle]()
        begin_ms = _ms(since) // _DAY_MS * _DAY_MS - _DAY_MS
        if begin_ms < 0:
            raise Unreadable(f"--from {since:%Y-%m-%d}: nothing was traded then")
        async with Source(self._origin, self._clock) as source:
            for day_ms in range(begin_ms, end_ms, _DAY_MS):
                found += await self._day(source, name, day_ms, now_ms)
        if not found:
            raise Unreadable(f"{self._origin.rest} has no candles of {symbol} in that time")
        return {name: found}

    async def _day(
        self, source: Source, name: str, day_ms: int, now_ms: int
    ) -> list[RecordedCandle]:
        """Return one day's candles that are over, from where they are kept if they are."""
        day = datetime.fromtimestamp(day_ms / 1_000, UTC)
        path = self._cache / f"{name}-{self._frame}-{day:%Y-%m-%d}.csv.gz"
        kept = _kept(path)
        if kept is not None:
            return kept
        end_ms = min(day_ms + _DAY_MS, now_ms)
        found, next_ms = list[RecordedCandle](), day_ms
        while next_ms < end_ms:
            page = await self._page(source, name, next_ms)
            found += (each for each in page if each.at_ms + self._length <= end_ms)
            if len(page) < _PAGE:
                break
            next_ms = page[-1].at_ms + self._length
            await self._clock.sleep(_PAGE_PAUSE_S)
        # To its end as the venue tells it: our clock may run ahead.
        if found and found[-1].at_ms + self._length == day_ms + _DAY_MS:
            _keep(path, found)
        return found

    async def _page(self, source: Source, name: str, since_ms: int) -> list[RecordedCandle]:
        asked = {
            "symbol": name,
            "interval": self._frame,
            "startTime": str(since_ms),
            "limit": str(_PAGE),
        }
        try:
            return [_candle(row) for row in await source.ask("klines", asked)]
        except ApiError as error:
            raise Unreadable(f"the candles of {name} cannot be fetched: {error}") from error


def _kept(path: Path) -> list[RecordedCandle] | None:
    with suppress(Unreadable):
        return read_candles(path)
    return None


def _keep(path: Path, found: list[RecordedCandle]) -> None:
    """Write a day, whole or not at all; another replay may write the same.

    Raises:
        Unreadable: nothing can be kept there.
    """
    half = path.with_suffix(f".{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_candles(half, found)
        half.replace(path)
    except OSError as error:
        raise Unreadable(f"{path} cannot be written: {error.strerror}") from error


def _candle(row: Any) -> RecordedCandle:
    try:
        at_ms, first, high, low, last, volume, *_ = row
        return RecordedCandle(
            at_ms=int(at_ms),
            open=Decimal(first),
            high=Decimal(high),
            low=Decimal(low),
            close=Decimal(last),
            volume=Decimal(volume),
        )
    except (ValueError, TypeError, ArithmeticError) as error:
        raise Unreadable(f"a candle came as {str(row)[:80]}") from error


def _ms(at: datetime) -> int:
    """Return milliseconds of a time, which is UTC unless it says otherwise."""
    return round(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1_000)
