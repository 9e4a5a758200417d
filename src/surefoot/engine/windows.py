"""Candle windows of one account: read once for all its bots, joined with the stream by time.

A window is shared by every bot on its symbol and time frame. Until it is joined nothing of it is
shown: what was missed is read first, at a start and after every outage, so that a strategy sees
each candle once and in order, whichever way it came. The stream is never trusted to be complete:
a candle that is overdue by the clock is read.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Final

from surefoot.engine.abreast import AT_ONCE, abreast
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.login import Login
from surefoot.engine.runner import Heard, Runner
from surefoot.engine.specs import Pair, length_of
from surefoot.exchange import port
from surefoot.exchange.errors import Banned, Misconfigured, ReadFailed
from surefoot.strategy import Candle, Candles

# Candles that are read after a time of not listening; older ones are not shown any more.
CATCH_UP_MAX: Final = 500
# Rows of one question; the venue asks the same weight for any number up to a thousand.
PAGE: Final = 500
# A candle that was not told this long after it closed is asked for.
OVERDUE: Final = timedelta(seconds=10)
# After a question that brought nothing the next one waits: a venue may pause for hours.
ASK_AGAIN: Final = timedelta(seconds=60)
# How often the venue may say that there is a hole before it is believed: its lists lag a little.
HOLE_TRIES: Final = 3
# Candles that the stream told while a window is being read; what is older is in the answer.
_AHEAD_MAX: Final = 10


class Window:
    """The newest candles of one symbol and time frame; rows are only ever added at the end."""

    def __init__(self, pair: Pair, began: datetime) -> None:
        self.symbol, self.timeframe = pair
        self.length = length_of(self.timeframe)
        self.joined = False
        self.ready = False  # it was joined once
        self.history = 0
        self.open: Candle | None = None
        self._began = began
        self._rows: list[Candle] = []
        self._ahead: list[port.Candle] = []
        self._holes = 0
        self._asked: datetime | None = None

    @property
    def newest(self) -> datetime | None:
        """Return when the newest candle opened."""
        return self._rows[-1].at if self._rows else None

    def view(self, most: int, until: datetime | None = None) -> Candles:
        """Return so many of the newest candles; `until` leaves those out that closed later."""
        stop = len(self._rows)
        while until is not None and stop and self._rows[stop - 1].at + self.length > until:
            stop -= 1
        return Candles(self._rows, stop - most, stop)

    def since(self, now: datetime, missed: datetime | None) -> datetime | None:
        """Return from which opening time on it must be read; None: there is nothing to read.

        `missed` is the last candle that some bot was shown before this process was born.
        """
        oldest = now - (self.history + CATCH_UP_MAX + 1) * self.length
        if self.newest is not None:
            return max(self.newest + self.length, oldest)
        known = self._began if missed is None else missed + self.length
        if not self.history and missed is None:
            known -= self.length - timedelta(milliseconds=1)  # one that closed since it began
            return max(known, oldest) if self.ready else None
        return max(min(known, now) - (self.history + 1) * self.length, oldest)

    def is_overdue(self, now: datetime) -> bool:
        """Tell whether a candle should have been told, or the last question was in vain."""
        due = (self.newest or self._began) + 2 * self.length + OVERDUE
        asked = self._asked or self._began
        return now > due and now > asked + ASK_AGAIN

    def hold(self, candle: port.Candle) -> None:
        """Keep what the stream tells while it is not joined."""
        self._ahead = [*self._ahead, candle][-_AHEAD_MAX:]

    def first_for(self, shown: datetime | None, now: datetime) -> datetime:
        """Return after which opening time a bot is shown candles; older ones are its history."""
        last = self._began - self.length if shown is None else shown
        return max(last, now - (CATCH_UP_MAX + 1) * self.length)

    def follows(self, candle: port.Candle) -> bool:
        """Tell whether nothing is missing between the newest candle and this one."""
        return self.newest is None or candle.at <= self.newest + self.length

    def add(self, candle: port.Candle) -> Candle | None:
        """Take a candle in and return it as it is shown; None if it is there already."""
        if self.newest is not None and candle.at <= self.newest:
            return None
        shown = Candle.of(candle)
        kept = self.history + CATCH_UP_MAX
        if len(self._rows) > 2 * kept:
            self._rows = self._rows[-kept:]  # another list: who reads the old one keeps it
        self._rows.append(shown)
        self.open = None
        return shown

    def take(self, read: Iterable[port.Candle], now: datetime) -> list[port.Candle]:
        """Return what follows, in order, from an answer and from what was told meanwhile.

        It is joined then, unless what was told leaves a hole that the venue may still fill.
        """
        self._asked = now
        newest, found = self.newest, list[port.Candle]()
        for candle in (*read, *self._ahead):
            if newest is not None and candle.at <= newest:
                continue
            if newest is not None and candle.at > newest + self.length and self._holes < HOLE_TRIES:
                self._holes += 1
                return found
            found.append(candle)
            newest = candle.at
        self.joined = self.ready = True
        self._ahead, self._holes = [], 0
        return found


class Windows:
    """Every window of one account; the runners are shown what they are to see."""

    def __init__(self, login: Login, runners: BySymbol[Runner]) -> None:
        self._login = login
        self._runners = runners
        self._windows: dict[Pair, Window] = {}
        self._wanted = asyncio.Event()
        self._failing: set[Pair] = set()
        self._waiting: defaultdict[Pair, list[Runner]] = defaultdict(list)

    def hear(self, candle: port.Candle) -> None:
        """Take in what the stream told; what does not follow waits until the rest is read."""
        window = self._windows.get((candle.symbol, candle.timeframe))
        if window is None:
            return  # It has not been read yet, and will be: the answer has this one in it.
        if not candle.closed:
            window.open = Candle.of(candle)
        elif window.joined and window.follows(candle):
            self._show(window, [candle])
        else:
            window.hold(candle)
            self._part(window)

    def rejoin(self) -> None:
        """Read what the stream did not tell: it was down."""
        for window in self._windows.values():
            self._part(window)

    def _part(self, window: Window) -> None:
        window.joined = False
        self._wanted.set()

    async def keep(self) -> None:
        """Open every window that somebody asked for, and join those that are not, for ever."""
        self._waiting.clear()
        self.open(self._runners.values())
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            parted = deque(each for each in self._windows.items() if not each[1].joined)
            await abreast(self._rejoin(parted) for _ in range(min(AT_ONCE, len(parted))))

    def open(self, runners: Collection[Runner]) -> None:
        """Open the windows that some bots asked for; they are joined in their turn."""
        for runner in runners:
            for pair in runner.spec.pairs:
                window = self._windows.setdefault(pair, Window(pair, self._login.now()))
                window.history = max(window.history, runner.spec.history)
                self._waiting[pair].append(runner)
        self._begin(runners)
        self._wanted.set()

    async def _rejoin(self, parted: deque[tuple[Pair, Window]]) -> None:
        while parted:
            await self._join(*parted.popleft())

    async def look(self) -> None:
        """Look again and again whether a candle is overdue, or a question was in vain."""
        while True:
            await self._login.clock.sleep(self._login.tempo.candles_s)
            now = self._login.now()
            for window in self._windows.values():
                if not window.joined:
                    self._wanted.set()
                elif window.is_overdue(now):
                    self._part(window)

    async def _join(self, pair: Pair, window: Window) -> None:
        since = window.since(self._login.now(), self._missed(pair))
        try:
            read = [] if since is None else await self._read(pair, since)
        except Banned as error:
            await self._login.note_ban(error.until)
            return
        except (ReadFailed, Misconfigured) as error:
            if pair not in self._failing:
                self._failing.add(pair)
                symbol, timeframe = pair
                log = self._login.log
                log.warning("candles not read", symbol=symbol, timeframe=timeframe, why=str(error))
            return
        self._failing.discard(pair)
        self._show(window, window.take(read, self._login.now()))
        self._begin(self._waiting[pair])

    def _missed(self, pair: Pair) -> datetime | None:
        """Return the oldest candle after which some bot on this window was shown none."""
        shown = [runner.candle_at for runner in self._on(pair)]
        return min((at for at in shown if at is not None), default=None)

    def _on(self, pair: Pair) -> list[Runner]:
        symbol, timeframe = pair
        return [r for r in self._runners.of(symbol) if r.spec.timeframe == timeframe]

    async def _read(self, pair: Pair, since: datetime) -> list[port.Candle]:
        """Read page by page until a short one."""
        symbol, timeframe = pair
        found: list[port.Candle] = []
        for _ in range(1 + (self._windows[pair].history + CATCH_UP_MAX) // PAGE):
            page = await self._login.exchange.candles(symbol, timeframe, since, PAGE)
            found += page
            if len(page) < PAGE:
                break
            since = page[-1].at + self._windows[pair].length
        return found

    def _show(self, window: Window, candles: Iterable[port.Candle]) -> None:
        """Add candles one by one: each bot sees every one with the window that ends with it."""
        now, runners = self._login.now(), self._on((window.symbol, window.timeframe))
        for candle in candles:
            added = window.add(candle)
            if added is None:
                continue
            for runner in runners:
                view = window.view(runner.spec.history)
                if candle.at > window.first_for(runner.candle_at, now):
                    runner.offer(Heard(candle=added, window=view))
                else:
                    runner.remember(view)

    def _begin(self, runners: Iterable[Runner]) -> None:
        """Let those bots be asked whose windows are all there."""
        for runner in runners:
            if all(self._windows[pair].ready for pair in runner.spec.pairs):
                runner.begin(self.of)

    def of(self, pair: Pair, most: int, until: datetime | None) -> tuple[Candles, Candle | None]:
        """Return a window as it is now, and its open candle."""
        window = self._windows[pair]
        return window.view(most, until), window.open
