"""The unfilled order count of the account. Source: Binance spot API, "Unfilled order count".

An order counts when it is placed; its first fill gives some of that back; its end gives nothing.
Windows are fixed and aligned: they do not slide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from surefoot.simulator.clock import Clock
from surefoot.simulator.exchange import Execution
from surefoot.simulator.model import Order, Settings, Trade
from surefoot.simulator.security import RateLimited

_MS: Final = 1_000
_DAY_MS: Final = 86_400_000
_TAKER_GIVES_BACK: Final = 1


@dataclass(slots=True, kw_only=True)
class Window:
    """One window of time, and the orders that count in it."""

    name: str
    interval: str
    number: int
    length_ms: int
    limit: int
    started_ms: int = 0
    used: int = 0

    def roll(self, now_ms: int) -> None:
        """Begin anew if a new window has begun."""
        start = now_ms - now_ms % self.length_ms
        if start != self.started_ms:
            self.started_ms, self.used = start, 0

    def left_s(self, now_ms: int) -> int:
        """Return the seconds until it is over."""
        return -(-(self.started_ms + self.length_ms - now_ms) // _MS)


class OrderCounts:
    """Counts the orders that have not been filled, in every window."""

    def __init__(self, clock: Clock, settings: Settings) -> None:
        self._clock = clock
        self._short = Window(
            name="10S",
            interval="SECOND",
            number=10,
            length_ms=10 * _MS,
            limit=settings.orders_per_10s,
        )
        self._day = Window(
            name="1D", interval="DAY", number=1, length_ms=_DAY_MS, limit=settings.orders_per_day
        )
        self.maker_gives_back = settings.maker_gives_back

    @property
    def windows(self) -> tuple[Window, Window]:
        """Return the windows as they are now."""
        now = self._clock.now_ms()
        for window in (self._short, self._day):
            window.roll(now)
        return self._short, self._day

    def limit(self, per_10s: int, per_day: int) -> None:
        """Change how many orders the windows take."""
        self._short.limit, self._day.limit = per_10s, per_day

    def check(self) -> None:
        """Refuse one order too many.

        Raises:
            RateLimited: a window is full; the longer one is named first.
        """
        for window in reversed(self.windows):
            if window.used >= window.limit:
                span = f"{window.number} {window.interval}"
                message = f"Too many new orders; current limit is {window.limit} orders per {span}."
                raise RateLimited(-1015, message, 429, window.left_s(self._clock.now_ms()))

    def add(self) -> None:
        """Count one order."""
        for window in self.windows:
            window.used += 1

    def on_execution(self, execution: Execution, order: Order, trade: Trade | None) -> None:
        """Count what is placed; give back for its first fill, in the windows of that moment."""
        if order.origin != "api":
            return
        if execution == "NEW":
            self.add()
        elif trade is not None and order.executed == trade.quantity:
            back = self.maker_gives_back if trade.maker else _TAKER_GIVES_BACK
            for window in self.windows:
                window.used = max(window.used - back, 0)

    def headers(self) -> dict[str, str]:
        """Return what answers to orders carry."""
        return {f"X-MBX-ORDER-COUNT-{window.name}": str(window.used) for window in self.windows}
