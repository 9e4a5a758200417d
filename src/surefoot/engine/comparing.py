"""Belief against evidence: read the exchange, then compare, and say what would follow.

Reading takes seconds, comparing takes none: in between belief moves on, so whoever concludes
brings the belief of then. Nothing is written and nothing is done here, so a journal that may only
be read is enough. What follows from a comparison is made durable by `books`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

from surefoot.core.coins import coins_of
from surefoot.core.evidence import Belief
from surefoot.core.outside import weigh
from surefoot.core.reconcile import Reconciliation, reconcile
from surefoot.core.values import ZERO, Asset, ClientOrderId, Symbol
from surefoot.engine.belief import with_departed, with_fees
from surefoot.engine.clock import Clock
from surefoot.engine.gathered import Gathered, Past, begun
from surefoot.engine.specs import AccountSpec
from surefoot.engine.sweep import Sweep
from surefoot.exchange.errors import ExchangeError
from surefoot.exchange.port import Exchange
from surefoot.journal.port import Reader

# A balance that is short is looked at again this soon.
SHORT_AGAIN_S: Final = 10.0


class Halted(ExchangeError):
    """The exchange contradicts the journal as a whole; nothing is sent until somebody looks."""


class Comparing:
    """Compares one account; remembers what was short, and what was denied, since when."""

    def __init__(
        self, spec: AccountSpec, *, exchange: Exchange, reader: Reader, clock: Clock
    ) -> None:
        self._account = spec.account
        self._exchange = exchange
        self._reader = reader
        self._clock = clock
        self._visibility = (spec.visibility or exchange.venue.visibility).total_seconds()
        self.sweep = Sweep(spec.account, exchange, reader)
        self._short_since: dict[Asset, float] = {}
        self._vanished: dict[ClientOrderId, Symbol] = {}

    @property
    def again_in_s(self) -> float | None:
        """Return how soon a balance that is short should be looked at again; None: none is."""
        return min(SHORT_AGAIN_S, self._visibility) if self._short_since else None

    # Reading -------------------------------------------------------------------------------------

    async def holdings(self, belief: Belief, past: Past | None = None) -> Gathered:
        """Read what may explain that less is there than some positions add up to."""
        now = self._clock.monotonic()
        missing = frozenset(
            asset for asset, since in self._short_since.items() if now - since > self._visibility
        )
        return await self.sweep.holdings(belief, missing, past)

    # Comparing -----------------------------------------------------------------------------------

    def compare(self, belief: Belief, gathered: Gathered) -> Reconciliation:
        """Compare the belief of now with what was read of orders and fills.

        Raises:
            Halted: the exchange contradicts the journal as a whole.
        """
        if gathered.reset is not None:
            raise Halted(gathered.reset)
        asked = gathered.evidence.looked_up
        gone = [name for name in self._vanished if name not in asked]
        outcome = reconcile(belief, gathered.evidence, self._exchange.now(), gone)
        if outcome.halt is not None:
            raise Halted(outcome.halt)
        self._note_vanished(belief, gathered, outcome.vanished)
        return outcome

    def _note_vanished(
        self, belief: Belief, gathered: Gathered, vanished: frozenset[ClientOrderId]
    ) -> None:
        """Remember which live orders are denied, for as long as they are believed in."""
        symbols = {position.symbol for position in belief.positions}
        live = {o.client_order_id for p in belief.positions for o in p.orders if not o.finished}
        for name, symbol in tuple(self._vanished.items()):
            if name in gathered.evidence.looked_up or (symbol in symbols and name not in live):
                del self._vanished[name]
        for position in belief.positions:
            for order in position.orders:
                if order.client_order_id in vanished:
                    self._vanished[order.client_order_id] = position.symbol

    def changed(
        self, belief: Belief, balances: Mapping[Asset, Decimal] | None
    ) -> dict[Asset, Decimal]:
        """Return what others have of the assets of which they had something else before."""
        if balances is None:
            return {}
        coins = coins_of(belief.positions, balances)
        known = {asset: before.amount for asset, before in belief.others.items()}
        changed = {asset: amount for asset, amount in coins.items() if known.get(asset) != amount}
        # What else is not explained only weighing tells, and it goes on being so until then.
        self._note_short(coins.keys() - changed.keys(), ())
        short = [asset for asset, amount in changed.items() if amount < ZERO]
        self._note_short(short, short)
        return changed

    def is_weighed(self, belief: Belief, balances: Mapping[Asset, Decimal] | None) -> bool:
        """Tell whether an asset is as believed, or so short that it is soon looked at again."""
        return {*self.changed(belief, balances)} <= {*self._short_since}

    def weigh(self, belief: Belief, gathered: Gathered) -> Reconciliation:
        """Compare the belief of now with what is there of some assets."""
        outcome = weigh(belief, gathered.evidence, self._exchange.now())
        if gathered.evidence.balances is not None:
            self._note_short({each.base for each in belief.positions}, outcome.short)
        return outcome

    def _note_short(self, assets: Iterable[Asset], short: Collection[Asset]) -> None:
        now = self._clock.monotonic()
        for asset in assets:
            if asset in short:
                self._short_since.setdefault(asset, now)
            else:
                self._short_since.pop(asset, None)

    # Both, for a look ----------------------------------------------------------------------------

    async def look(
        self, belief: Belief, lookback: timedelta
    ) -> tuple[Reconciliation, tuple[str, ...]]:
        """Read everything and compare it with one belief; return what would follow, what failed.

        Raises:
            Halted: the exchange contradicts the journal as a whole.
        """
        symbols = sorted({position.symbol for position in belief.positions})
        at = self._exchange.now()
        shared = await self.sweep.shared(symbols)
        past = begun(belief, at=at, told=at, balances=shared.balances)
        outcomes, failures = list[Reconciliation](), [*shared.failures]
        for symbol in symbols:
            on_symbol = belief.on([symbol])
            gathered = await self.sweep.symbol(on_symbol, symbol, shared, lookback)
            past.learn(gathered, self._exchange.now())
            outcomes.append(self.compare(await self._about(on_symbol, gathered), gathered))
            failures += gathered.failures
        changed = self.changed(belief, shared.balances)
        if changed:
            of_assets = {p.symbol for p in belief.positions if p.base in changed}
            gathered = await self.holdings(belief.on(of_assets), past)
            on_assets = await self._about(belief.on(of_assets), gathered)
            outcomes.append(self.weigh(on_assets, gathered))
            failures += gathered.failures
        return together(outcomes), tuple(failures)

    async def _about(self, belief: Belief, gathered: Gathered) -> Belief:
        belief = await with_fees(belief, self._account, self._reader)
        return await with_departed(belief, gathered.evidence, self._account, self._reader)


def together(outcomes: Iterable[Reconciliation]) -> Reconciliation:
    """Return what follows from several comparisons of different things."""
    outcomes = tuple(outcomes)
    return Reconciliation(
        findings=tuple(finding for each in outcomes for finding in each.findings),
        decisions={name: d for each in outcomes for name, d in each.decisions.items()},
        orphans=tuple(orphan for each in outcomes for orphan in each.orphans),
        short=frozenset(asset for each in outcomes for asset in each.short),
    )
