"""Prices between two looks: of each symbol the newest, and how far it went meanwhile.

Prices come faster than they can be served, so they do not queue: the newest replaces the one
before. What a stop needs of those between is kept: the lowest and the highest, in the order in
which they arrived. Their times do not tell it: trades carry the exchange's clock, book events none.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from surefoot.core.values import AccountName, Symbol
from surefoot.engine.voice import Log
from surefoot.exchange.port import Tick

# A newest price that is older than this for so long means that this process does not keep up.
LATE_AFTER: Final = timedelta(seconds=1)
LATE_FOR: Final = timedelta(seconds=5)


class Quote(Struct, frozen=True, kw_only=True):
    """The newest tick, and the extremes since somebody last looked, which may be itself.

    `rising` tells that the low came before the high.
    """

    newest: Tick
    low: Tick
    high: Tick
    rising: bool = True

    @classmethod
    def of(cls, tick: Tick) -> Quote:
        """Return the quote of a single tick."""
        return cls(newest=tick, low=tick, high=tick)

    def then(self, later: Quote) -> Quote:
        """Return both as one; what replaces an extreme came after the other one."""
        lower, higher = later.low.level < self.low.level, later.high.level > self.high.level
        rising = self.rising
        if lower or higher:
            rising = later.rising if lower and higher else higher
        return Quote(
            newest=later.newest,
            low=later.low if lower else self.low,
            high=later.high if higher else self.high,
            rising=rising,
        )

    def path(self) -> tuple[Decimal, ...]:
        """Return the prices that must be looked at, in their order, the newest last."""
        return tuple(tick.level for tick in self.ticks())

    def ticks(self) -> tuple[Tick, ...]:
        """Return what must be looked at, in its order, the newest last."""
        if self.low is self.high:
            return (self.newest,)
        extremes = (self.low, self.high) if self.rising else (self.high, self.low)
        ticks = (*extremes, self.newest)
        return tuple(t for n, t in enumerate(ticks) if n == 0 or t.level != ticks[n - 1].level)


class Quotes:
    """One quote for each symbol that moved since they were taken."""

    def __init__(self) -> None:
        self._quotes: dict[Symbol, Quote] = {}

    def note(self, tick: Tick) -> None:
        """Take a tick in."""
        quote, before = Quote.of(tick), self._quotes.get(tick.symbol)
        self._quotes[tick.symbol] = quote if before is None else before.then(quote)

    def take(self) -> dict[Symbol, Quote]:
        """Return what moved; from now on it is what moves next."""
        taken, self._quotes = self._quotes, {}
        return taken


class Lag:
    """Says once that prices come too late, and once that they are in time again."""

    def __init__(self, account: AccountName, log: Log) -> None:
        self._account = account
        self._log = log
        self._since: datetime | None = None
        self._said = False

    def note(self, at: datetime, now: datetime) -> None:
        """Look at the time of the newest price of all."""
        late = now - at
        if late <= LATE_AFTER:
            if self._said:
                self._log.info("prices in time again", account=self._account)
            self._since, self._said = None, False
            return
        self._since = self._since or now
        if now - self._since >= LATE_FOR and not self._said:
            self._said = True
            self._log.warning(
                "prices late",
                account=self._account,
                seconds=round(late.total_seconds(), 1),
                outcome="older ones are left out; stops see every extreme",
            )
