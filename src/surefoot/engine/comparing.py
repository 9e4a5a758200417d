"""Belief against evidence: read the exchange, then compare, and say what would follow.

Reading takes seconds, comparing takes none: in between belief moves on, so whoever concludes
brings the belief of then. Nothing is written and nothing is done here, so a journal that may only
be read is enough. What follows from a comparison is made durable by `books`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from surefoot.core.evidence import Belief
from surefoot.core.reconcile import Reconciliation, reconcile
from surefoot.core.reports import OrderReport
from surefoot.core.values import Asset, ClientOrderId
from surefoot.engine.clock import Clock
from surefoot.engine.specs import AccountSpec
from surefoot.engine.sweep import Gathered, Sweep
from surefoot.exchange.errors import ExchangeError
from surefoot.exchange.port import Exchange
from surefoot.journal.port import Reader

# A balance that is short is looked at again this soon.
SHORT_AGAIN_S: Final = 10.0


class Halted(ExchangeError):
    """The exchange contradicts the journal as a whole; nothing is sent until somebody looks."""


class Comparing:
    """Compares one account; remembers only since when which assets have been short."""

    def __init__(
        self, spec: AccountSpec, *, exchange: Exchange, reader: Reader, clock: Clock
    ) -> None:
        self._exchange = exchange
        self._clock = clock
        self._visibility = (spec.visibility or exchange.venue.visibility).total_seconds()
        self._sweep = Sweep(spec.account, exchange, reader)
        self._short_since: dict[Asset, float] = {}

    @property
    def again_in_s(self) -> float | None:
        """Return how soon a balance that is short should be looked at again; None: none is."""
        return min(SHORT_AGAIN_S, self._visibility) if self._short_since else None

    async def everything(self, belief: Belief, lookback: timedelta | None) -> Gathered:
        """Read all that bears on the account."""
        symbols = sorted({position.symbol for position in belief.positions})
        return await self._sweep.everything(belief, symbols, self._missing(), lookback)

    async def some(self, belief: Belief, orders: Sequence[ClientOrderId]) -> Gathered:
        """Ask about some orders only."""
        return await self._sweep.some(belief, orders)

    async def again(self, belief: Belief, listed: OrderReport) -> Gathered:
        """Look once more at a live order that nothing explains."""
        return await self._sweep.again(belief, listed)

    def compare(self, belief: Belief, gathered: Gathered) -> Reconciliation:
        """Compare the belief of now with what was read.

        Raises:
            Halted: the exchange contradicts the journal as a whole.
        """
        if gathered.reset is not None:
            raise Halted(gathered.reset)
        outcome = reconcile(belief, gathered.evidence, self._exchange.now())
        if outcome.halt is not None:
            raise Halted(outcome.halt)
        if gathered.evidence.balances is not None:
            self._note_short(outcome.short)
        return outcome

    def _note_short(self, short: frozenset[Asset]) -> None:
        now = self._clock.monotonic()
        self._short_since = {asset: self._short_since.get(asset, now) for asset in short}

    def _missing(self) -> frozenset[Asset]:
        """Return the base assets that have been short for longer than V."""
        now = self._clock.monotonic()
        return frozenset(
            asset for asset, since in self._short_since.items() if now - since > self._visibility
        )
