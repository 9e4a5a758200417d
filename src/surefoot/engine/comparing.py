"""Belief against evidence: read the exchange, compare, and say what would follow.

Nothing is written and nothing is done here, so a journal that may only be read is enough. What
follows from a comparison is made durable by `books`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from msgspec import Struct

from surefoot.core.evidence import Belief
from surefoot.core.reconcile import Reconciliation, reconcile
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


class Compared(Struct, frozen=True, kw_only=True):
    """What was read, and what follows from it."""

    outcome: Reconciliation
    gathered: Gathered


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

    async def everything(self, belief: Belief, lookback: timedelta | None) -> Compared:
        """Read all that bears on the account, and compare.

        Raises:
            Halted: the exchange contradicts the journal as a whole.
        """
        symbols = sorted({position.symbol for position in belief.positions})
        gathered = await self._sweep.everything(belief, symbols, self._missing(), lookback)
        compared = self._compared(belief, gathered)
        now = self._clock.monotonic()
        short = compared.outcome.short
        self._short_since = {asset: self._short_since.get(asset, now) for asset in short}
        return compared

    async def some(self, belief: Belief, orders: Sequence[ClientOrderId]) -> Compared:
        """Ask about some orders only, and compare.

        Raises:
            Halted: the exchange contradicts the journal as a whole.
        """
        return self._compared(belief, await self._sweep.some(belief, orders))

    def _compared(self, belief: Belief, gathered: Gathered) -> Compared:
        if gathered.reset is not None:
            raise Halted(gathered.reset)
        outcome = reconcile(belief, gathered.evidence, self._exchange.now())
        if outcome.halt is not None:
            raise Halted(outcome.halt)
        return Compared(outcome=outcome, gathered=gathered)

    def _missing(self) -> frozenset[Asset]:
        """Return the base assets that have been short for longer than V."""
        now = self._clock.monotonic()
        return frozenset(
            asset for asset, since in self._short_since.items() if now - since > self._visibility
        )
