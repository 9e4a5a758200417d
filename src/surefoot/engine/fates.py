"""What became of stops that a list lacked while as many coins were gone as they sell.

One that filled is told by its own name and its fills. One that somebody cancelled, to sell by hand,
wants a list of orders beside its name, and that list tells both: it is asked first where most of
those before were cancelled. A guess proves nothing: whatever is asked first, the rest is asked too.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager

from surefoot.core.order import ReportedStatus
from surefoot.core.reports import OrderReport
from surefoot.exchange.port import Exchange, Question


class Fates:
    """Learns from one round of questions what to ask first."""

    def __init__(self, exchange: Exchange) -> None:
        self._name, self._list = exchange.price(Question.ORDER), exchange.price(Question.ORDERS)
        self._told = 0
        self._filled = 0
        self._first = asyncio.Lock()

    def note(self, reports: Iterable[OrderReport | None]) -> None:
        """Learn of some more, as far as there were answers."""
        told = [report for report in reports if report is not None]
        self._told += len(told)
        self._filled += sum(report.status is ReportedStatus.FILLED for report in told)

    @property
    def is_filled(self) -> bool:
        """Guess whether the next one has filled: so often that its name costs less than a list."""
        return not self._told or self._filled * self._list > self._told * self._name

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Wait until something is known, so that many at once do not all guess blindly."""
        if self._told:
            yield
            return
        async with self._first:
            yield
