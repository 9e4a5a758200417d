"""Reading the exchange so that the core can compare.

Each symbol is read by itself, so that trouble with one delays no other. The order of questions is
part of the proof: streams are already buffered, then open orders, then orders by id, then fills.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from surefoot.core.evidence import Belief
from surefoot.core.order import OrderStatus
from surefoot.core.outside import is_told, only_others
from surefoot.core.reconcile import is_missed, wanted
from surefoot.core.reports import OrderReport
from surefoot.core.values import AccountName, Asset, ClientOrderId, Symbol
from surefoot.crashpoint import crashpoint
from surefoot.engine.enquiry import Enquiry, unless_banned
from surefoot.engine.fates import Fates
from surefoot.engine.gathered import Gathered, Past, Shared
from surefoot.engine.marks import Marks
from surefoot.exchange.errors import Misconfigured, ReadFailed
from surefoot.exchange.port import Exchange, Question
from surefoot.journal.port import Reader


class Sweep:
    """Asks one exchange the questions that a belief raises."""

    def __init__(self, account: AccountName, exchange: Exchange, journal: Reader) -> None:
        self._account = account
        self._exchange = exchange
        self._journal = journal
        self._marks = Marks(exchange)
        self._fates = Fates(exchange)
        # Where the list of orders did not account for the balance; the trades are read until then.
        self._unshown: set[Symbol] = set()

    def _enquiry(self, belief: Belief) -> Enquiry:
        return Enquiry(
            self._account, self._exchange, self._journal, marks=self._marks, belief=belief
        )

    async def shared(self, symbols: Sequence[Symbol], since: datetime | None = None) -> Shared:
        """Read what is told of the whole account at once, where that is cheaper.

        What was said of the balances at or after `since` serves.
        """
        self._fates = Fates(self._exchange)
        listed, balances, told = None, None, since or self._exchange.now()
        failures: list[str] = []
        all_at_once = self._exchange.price(Question.ALL_OPEN_ORDERS)
        if all_at_once < len(symbols) * self._exchange.price(Question.OPEN_ORDERS):
            try:
                listed = await self._exchange.open_orders(symbols)
            except (ReadFailed, Misconfigured) as error:
                failures.append(unless_banned("open orders", error))
        try:
            balances = await self._exchange.balances(since=since)
        except (ReadFailed, Misconfigured) as error:
            failures.append(unless_banned("balances", error))
        return Shared(told=told, open_orders=listed, balances=balances, failures=tuple(failures))

    async def symbol(
        self, belief: Belief, symbol: Symbol, shared: Shared, lookback: timedelta | None = None
    ) -> Gathered:
        """Read all that bears on one symbol: recovery, reconnects and the slow timer.

        Trades are read only where they can have been: if the list and the balance are as believed,
        there was none of ours; and also if the orders that are not, asked for one by one, explain
        all of it; and if only coins of others have moved, by no order with our mark. A bot that
        never ordered starts reading at the newest one there is.
        With `lookback`, fills are read again from where the watermark stood so long ago: whatever
        became visible late is found.
        """
        enquiry = self._enquiry(belief)
        await enquiry.take(symbol, shared)
        await enquiry.free(symbol)
        crashpoint("recovery.after-orders")
        if enquiry.restored or not enquiry.is_as_believed(symbol):
            anew = not enquiry.restored and symbol not in self._unshown
            if anew:
                await enquiry.seek(symbol, self._fates)
            orders = wanted(belief.positions, enquiry.started)
            await enquiry.by_id(tuple(order for _, order in orders))
            if enquiry.restored or not (
                enquiry.is_explained(symbol)
                or enquiry.is_early()
                or await enquiry.begin(symbol)
                or await enquiry.is_told_by_orders(symbol, anew=anew)
            ):
                await enquiry.window(symbol, lookback, since_entry=True)
                enquiry.account()
        crashpoint("recovery.after-fills")
        gathered = enquiry.result()
        if gathered.unshown:
            self._unshown.add(symbol)
        elif gathered.accounted:
            self._unshown.discard(symbol)
        return gathered

    async def some(self, belief: Belief, orders: Collection[ClientOrderId]) -> Gathered:
        """Ask about some orders only: the quick way, between two full rounds."""
        enquiry = self._enquiry(belief)
        asked = [
            (position, order)
            for position in belief.positions
            for order in position.orders
            if order.client_order_id in orders
        ]
        await enquiry.by_id(tuple(order for _, order in asked))
        overdue = {
            position.symbol
            for position, order in asked
            if order.status is OrderStatus.INTENDED
            and enquiry.started > order.not_after + belief.terms[position.bot].visibility
        }
        evidence = enquiry.result().evidence
        # Before it is withdrawn, who traded meanwhile is known: what is there may be others'.
        missed = {p.symbol for p, order in asked if is_missed(p, order, belief, evidence)}
        if overdue | missed:
            await enquiry.balances()
        for symbol in sorted(overdue | missed):
            await enquiry.window(symbol)
        return enquiry.result()

    async def again(self, belief: Belief, listed: OrderReport) -> Gathered:
        """Look once more at an order that is to be cancelled: whether it is live, and whose."""
        enquiry = self._enquiry(belief)
        await enquiry.look_again(listed)
        return enquiry.result()

    async def holdings(
        self, belief: Belief, missing: frozenset[Asset], past: Past | None = None
    ) -> Gathered:
        """Read what may explain a holding: the fills back to the entry, then the balance again.

        Nothing where the balance says by itself that only coins of others have moved.
        """
        enquiry = self._enquiry(belief)
        if past is not None:
            enquiry.recall(past)
            evidence = past.evidence
            shown = past.unshown.intersection(p.symbol for p in belief.positions)
            if shown or only_others(belief, evidence) or is_told(belief, evidence):
                return Gathered(evidence=past.evidence, watermarks={}, failures=(), accounted=True)
        for symbol in sorted({each.symbol for each in belief.positions}):
            await enquiry.since_entry(symbol)
        await enquiry.balances()
        return enquiry.result(missing)
