"""Some questions about a belief, and what came of them: an answer that did not come is not there.

A read that failed is left out of the evidence and listed in `failures`; nothing can be concluded
from what is not there. Exchange time is noted before the first question.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec.structs import replace

from surefoot.core.coins import locking
from surefoot.core.evidence import Belief, Evidence, Window
from surefoot.core.moves import foreign_among
from surefoot.core.order import Order, OrderStatus, ReportedStatus
from surefoot.core.outside import is_told, is_unshown, may_be_told, only_others
from surefoot.core.reconcile import explained, is_early, is_listed, taken, unmoved
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.unlisted import Seems, seems, unlisted
from surefoot.core.values import (
    AccountName,
    Asset,
    ClientOrderId,
    ExchangeOrderId,
    Symbol,
    TradeId,
)
from surefoot.engine.fates import Fates
from surefoot.engine.gathered import Gathered, Past, Shared
from surefoot.engine.marks import EARLIER, Marks
from surefoot.exchange.errors import Banned, ExchangeError, Misconfigured, ReadFailed
from surefoot.exchange.port import Exchange, FillsRead, OrdersRead
from surefoot.journal.port import Reader, account_stream

# Unknown order ids named by fills are looked up one by one; no more than this in one round.
LOOK_UPS_MAX: Final = 20
LOOK_UPS_RESTORED: Final = 200


def unless_banned(what: str, error: ExchangeError) -> str:
    """Describe a failure; a ban ends the round, because everything else would fail too."""
    if isinstance(error, Banned):
        raise error
    return f"{what}: {error}"


class Enquiry:
    """Asks what bears on one belief, and gathers the answers."""

    def __init__(
        self,
        account: AccountName,
        exchange: Exchange,
        journal: Reader,
        *,
        marks: Marks,
        belief: Belief,
    ) -> None:
        self._account = account
        self._exchange = exchange
        self._journal = journal
        self._marks = marks
        self._belief = belief
        self.started: datetime = self._exchange.now()
        self._known = frozenset(o.client_order_id for p in belief.positions for o in p.orders)
        self._versions = {p.position_id: p.version for p in belief.positions}
        self._open: tuple[OrderReport, ...] = ()
        self._looked_up: dict[ClientOrderId, OrderReport | None] = {}
        self._windows: dict[Symbol, Window] = {}
        self._watermarks: dict[Symbol, TradeId] = {}
        self._trades: dict[Symbol, tuple[Fill, ...]] = {}
        self._balances: Mapping[Asset, Decimal] | None = None
        # What was said of them at or after this time serves; None: they are asked for.
        self._balances_since: datetime | None = None
        self._balances_at: datetime | None = None
        self._locked: dict[Asset, Decimal] = {}
        self._free: dict[Asset, Decimal] = {}
        self._foreign: dict[Symbol, tuple[OrderReport, ...]] = {}
        self._newest: dict[Symbol, OrdersRead] = {}
        self._failures: list[str] = []
        self._unread: set[Symbol] = set()
        self._reset: str | None = None
        # Since when somebody's orders are not all known, where only others seem to have traded.
        self._unseen_since: datetime | None = None
        self._accounted = self._unshown = False

    @property
    def restored(self) -> bool:
        """Tell whether the journal went back in time: what it does not know may be anywhere."""
        return len(self._journal.epochs) > 1

    async def _bound_at(self) -> datetime | None:
        """Return since when the journal has been this account's: it ordered nothing before."""
        entry = await self._journal.last(account_stream(self._account), "account-bound")
        return None if entry is None else entry.record.at

    def recall(self, past: Past) -> None:
        """Go on from what was learned before: then this round began."""
        self.started, self._trades = past.at, dict(past.trades)
        self._balances_since = past.read
        if past.stands(self._belief):
            self.started, self._balances = past.told, past.balances
            self._balances_at = past.told
            self._accounted = True

    def _failed(self, what: str, error: ExchangeError, *symbols: Symbol) -> None:
        self._failures.append(unless_banned(what, error))
        self._unread.update(symbols)

    async def take(self, symbol: Symbol, shared: Shared) -> None:
        """Take over what is told of the whole account, and ask for what is not."""
        self._balances, self.started = shared.balances, min(self.started, shared.told)
        self._balances_at = shared.told
        if shared.open_orders is not None:
            self._open = tuple(r for r in shared.open_orders if r.symbol == symbol)
            return
        try:
            self._open = await self._exchange.open_orders([symbol])
        except (ReadFailed, Misconfigured) as error:
            self._failed(f"open orders of {symbol}", error, symbol)

    async def look_again(self, listed: OrderReport) -> None:
        """Look once more at an order that a list shows."""
        report = await self._exchange.order_by_exchange_id(listed.symbol, listed.exchange_order_id)
        if report is None or report.status is not ReportedStatus.OPEN:
            return
        self._open = (report,)
        if report.client_order_id is not None:
            self._looked_up[report.client_order_id] = report

    async def by_id(self, orders: Sequence[Order]) -> None:
        """Ask for every order that no list has told of, and for listed ones that are over."""
        listed = {report.client_order_id for report in self._open}
        for position in self._belief.positions:
            for order in position.orders:
                name = order.client_order_id
                suspicious = name in listed and order.finished
                if (order in orders and name not in listed | self._looked_up.keys()) or suspicious:
                    await self._ask(position.symbol, order)
        for report in self._open:
            for order in await self._departed(report.symbol, (report,)):
                await self._ask(report.symbol, order)
        await self._lock()

    async def seek(self, symbol: Symbol, fates: Fates) -> None:
        """Learn what became of stops that are not live in the way that seems to cost less."""
        lacking = unlisted(self._belief, self._open, self.started)
        tellable = may_be_told(self._belief, self.result().evidence)
        if not (lacking and tellable) or self._balances is None:
            return
        seem = seems(self._belief, lacking, self._balances)
        if seem is Seems.ANOTHER:
            await self._by_list(symbol, lacking)
        elif seem is Seems.AS_MANY:
            async with fates.turn():
                if fates.is_filled:
                    await self.by_id(lacking)
                else:
                    await self._by_list(symbol, lacking)
                fates.note(self._looked_up.get(order.client_order_id) for order in lacking)

    async def _by_list(self, symbol: Symbol, lacking: Sequence[Order]) -> None:
        """Take what the newest orders tell of some of ours that are over: that never changes."""
        read = await self._orders(symbol)
        rows: dict[ExchangeOrderId | None, OrderReport] = {
            row.exchange_order_id: row
            for row in read.orders
            if row.status is not ReportedStatus.OPEN
        }
        for order in lacking:
            if (row := rows.get(order.exchange_order_id)) is not None:
                await self._learn(symbol, order, row)

    async def _orders(self, symbol: Symbol) -> OrdersRead:
        """Read the newest orders once, back to when the coins of others were weighed."""
        if symbol not in self._newest:
            weighed = min(self._belief.others[each.base].at for each in self._belief.positions)
            try:
                self._newest[symbol] = await self._marks.newest(symbol, weighed)
                self._unseen_since = None if self._newest[symbol].complete else weighed
            except (ReadFailed, Misconfigured) as error:
                unless_banned("newest orders", error)
                self._newest[symbol] = OrdersRead(orders=(), complete=False)
        return self._newest[symbol]

    async def _lock(self) -> None:
        """Read what is locked of a quote, if an entry that would lock it seems to be absent."""
        for quote, missed in locking(self._belief, self._looked_up, self.started).items():
            try:
                held = await self._exchange.holding(quote, since=self.started)
                self._locked[quote] = held.locked
            except (ReadFailed, Misconfigured) as error:
                self._failed(f"what is locked of {quote}", error)
                self._looked_up = {k: v for k, v in self._looked_up.items() if k not in missed}

    async def free(self, symbol: Symbol) -> None:
        """Read what is free of an asset, if a sale was refused because its coins are not."""
        bases = {p.base for p in self._belief.positions if p.symbol == symbol and p.bound}
        for base in bases:
            try:
                held = await self._exchange.holding(base, since=self.started)
            except (ReadFailed, Misconfigured) as error:
                self._failed(f"what is free of {base}", error)
                return
            self._free[base], self._locked[base] = held.free, held.locked

    async def _departed(
        self, symbol: Symbol, facts: Sequence[OrderReport | Fill]
    ) -> tuple[Order, ...]:
        """Return the orders that these facts are about and that belief does not have any more."""
        kept = {order.exchange_order_id for order in self._orders_on(symbol)}
        strange = {fact.exchange_order_id for fact in facts} - kept
        found = await self._journal.find_orders(self._account, symbol, numbers=strange)
        return tuple(owned.order for owned in found)

    async def _ask(self, symbol: Symbol, order: Order) -> None:
        name = order.client_order_id
        try:
            report = await self._found(symbol, order)
        except (ReadFailed, Misconfigured) as error:
            self._failed(f"order {name}", error, symbol)
            return
        await self._learn(symbol, order, report)

    async def _learn(self, symbol: Symbol, order: Order, report: OrderReport | None) -> None:
        self._looked_up[order.client_order_id] = report
        if report is not None and report.filled > order.filled:
            await self._fills_of(symbol, report)

    async def _found(self, symbol: Symbol, order: Order) -> OrderReport | None:
        """Look an order up by its name, and by what else the exchange may know it by."""
        report = await self._exchange.order(symbol, order.client_order_id)
        if report is None and order.exchange_order_id is not None:
            return await self._exchange.order_by_exchange_id(symbol, order.exchange_order_id)
        if report is None and order.hailed and order.cancel_name is not None:
            return await self._exchange.order(symbol, order.cancel_name)
        return report

    async def _fills_of(self, symbol: Symbol, report: OrderReport) -> None:
        try:
            fills = await self._exchange.fills_of(symbol, report.exchange_order_id)
        except (ReadFailed, Misconfigured) as error:
            self._failed(f"fills of {report.exchange_order_id}", error, symbol)
            return
        self._merge(symbol, fills, complete=False)

    def is_as_believed(self, symbol: Symbol) -> bool:
        """Tell whether list and balance leave no room for a fill of ours that is not read."""
        if not unmoved(self._belief, self._open, self._balances, self.started):
            return False
        self._windows[symbol] = Window(fills=(), complete=True)
        self._accounted = True
        return True

    def is_explained(self, symbol: Symbol) -> bool:
        """Tell whether the orders that were looked up leave no room for another fill of ours."""
        if self.account():
            self._merge(symbol, (), complete=True)
        return self._accounted

    def account(self) -> bool:
        """Tell whether what is shown is what is believed once all that was read is taken."""
        self._accounted = explained(self._belief, self.result().evidence, self.started)
        return self._accounted

    def is_early(self) -> bool:
        """Tell whether no trade could prove anything yet, and none is hinted at.

        What is in doubt may still come; it is asked about again, and then the trades are read.
        """
        return is_early(self._belief, self.result().evidence, self.started)

    async def begin(self, symbol: Symbol) -> bool:
        """Prove that nothing of ours has traded, if this journal has ordered nothing here before.

        Another one may have, that is lost. What is live of it is in the list, and what it bought is
        there: only where coins lie are the newest trades asked for, and those with our mark are
        evidence.
        """
        if any(each.attempts or each.number > 1 for each in self._belief.positions):
            return False
        if await self._journal.watermark(self._account, symbol) is not None:
            return False
        if self._is_empty(symbol):
            self._windows[symbol] = Window(fills=(), complete=True)
            return True
        try:
            newest = await self._exchange.newest_fills(symbol)
            named = await self._attributed(symbol, newest, ())
        except (ReadFailed, Misconfigured) as error:
            self._failed(f"fills of {symbol}", error, symbol)
            return True
        ours = (fill for fill in named if self._belief.is_ours(fill.client_order_id or ""))
        self._windows[symbol] = Window(fills=tuple(ours), complete=True)
        if newest:
            self._watermarks[symbol] = newest[-1].trade_id
        return True

    async def is_told_by_orders(self, symbol: Symbol, *, anew: bool) -> bool:
        """Tell whether orders of others account for what came or went, and none has our mark.

        No trade would say more then. If one is ours and not booked, or the list does not reach back
        to when the coins of others were weighed, the trades are read: then whose each of them is.
        It may only lag, where it shows nothing: `anew` tells that the trades are read next time.
        """
        after, evidence = taken(self._belief, self.result().evidence, self.started)
        theirs = only_others(after, evidence)
        plain = anew and not self._windows
        asked = theirs or (plain and may_be_told(after, evidence))
        if not (asked and is_listed(after, self._open, self.started)):
            return False
        read = await self._orders(symbol)
        if not read.complete:
            return False
        ours = (*self._orders_on(symbol), *await self._departed(symbol, read.orders))
        fills = self._windows[symbol].fills if symbol in self._windows else ()
        foreign = foreign_among(read.orders, self._belief, ours, fills)
        if foreign is None:
            return False
        shown = replace(evidence, foreign={symbol: foreign})
        self._accounted = theirs or is_told(after, shown)
        self._unshown = not self._accounted and is_unshown(after, shown)
        if self._accounted:
            self._merge(symbol, (), complete=True)
        if self._accounted or self._unshown:
            self._foreign[symbol] = foreign
        return self._accounted or self._unshown

    def _is_empty(self, symbol: Symbol) -> bool:
        """Tell whether the account has been told to hold nothing of what a symbol trades."""
        bases = {each.base for each in self._belief.positions if each.symbol == symbol}
        return self._balances is not None and bases.isdisjoint(self._balances)

    async def window(
        self, symbol: Symbol, lookback: timedelta | None = None, *, since_entry: bool = False
    ) -> None:
        """Read the fills since the watermark, and learn whose the unknown ones are.

        Without one, those since the journal has been the account's: it ordered nothing before. With
        `since_entry` one read brings also those with which a holding is weighed.
        """
        before = None if lookback is None else self.started - lookback
        watermark = await self._journal.watermark(self._account, symbol, before=before)
        entry = self._entry(symbol) if since_entry else None
        try:
            read, whole = await self._read(symbol, watermark, entry)
            departed = await self._departed(symbol, read.fills)
            if whole is not None and whole.complete:
                self._trades[symbol] = whole.fills
            fills = await self._attributed(symbol, _unbooked(read.fills, departed), departed)
        except (ReadFailed, Misconfigured) as error:
            self._failed(f"fills of {symbol}", error, symbol)
            return
        if read.reset:
            self._reset = (
                f"{symbol}: the newest trade is older than trade {watermark}, which is in the "
                f"journal; is this the right account, and has the exchange been reset?"
            )
            return
        # No absence is proven beside a balance that nobody told.
        proven = read.complete and self._balances is not None
        self._merge(symbol, fills, complete=proven)
        intended = any(o.status is OrderStatus.INTENDED for o in self._orders_on(symbol))
        if read.complete and read.fills and not intended:
            self._watermarks[symbol] = read.fills[-1].trade_id

    async def _read(
        self, symbol: Symbol, watermark: TradeId | None, entry: TradeId | None
    ) -> tuple[FillsRead, FillsRead | None]:
        """Read from the watermark on; of one read from an older entry on, also all of it."""
        bound_at = await self._bound_at() if watermark is None else None
        if bound_at is not None:
            read = await self._exchange.fills_since(symbol, bound_at - EARLIER)
            return read, read if entry is not None else None
        if watermark is None or entry is None:
            return await self._exchange.fills(symbol, watermark), None
        start = self._exchange.oldest((watermark, entry))
        whole = await self._exchange.fills(symbol, start)
        if start == watermark:
            return whole, whole
        shown = [fill.trade_id for fill in whole.fills]
        if watermark not in shown:  # it is too far away, or an answer lacks it
            return await self._exchange.fills(symbol, watermark), None
        later = whole.fills[shown.index(watermark) + 1 :]
        return FillsRead(fills=later, complete=whole.complete), whole

    async def _attributed(
        self,
        symbol: Symbol,
        fills: Sequence[Fill],
        departed: Sequence[Order],
        *,
        every: bool = False,
    ) -> tuple[Fill, ...]:
        """Give each fill its client order id; all if told to, or if something is in doubt."""
        orders = self._orders_on(symbol)
        self._marks.note(symbol, (*departed, *orders, *self._open))
        doubted = [order.signed_at for order in orders if order.status is OrderStatus.INTENDED]
        unseen = self._unseen_since
        since = min([*doubted, *([] if unseen is None else [unseen])], default=None)
        every = every or self.restored
        most = LOOK_UPS_MAX if unseen is None and not self.restored else LOOK_UPS_RESTORED
        await self._marks.ask(symbol, fills, since=since, every=every, most=most)
        return self._marks.on(symbol, fills)

    def _orders_on(self, symbol: Symbol) -> list[Order]:
        return [
            order
            for position in self._belief.positions
            if position.symbol == symbol
            for order in position.orders
        ]

    def _merge(self, symbol: Symbol, fills: Sequence[Fill], *, complete: bool) -> None:
        before = self._windows.get(symbol, Window(fills=(), complete=False))
        # One trade may be listed twice: of two orders of ours that met each other.
        together = {(f.trade_id, f.exchange_order_id): f for f in (*before.fills, *fills)}
        ordered = sorted(together.values(), key=lambda fill: (fill.at, fill.trade_id))
        self._windows[symbol] = Window(
            fills=tuple(ordered),
            complete=complete or before.complete,
        )

    async def balances(self) -> None:
        """Ask what the account has, if nobody has told it yet."""
        if self._balances is not None:
            return
        self._balances_at = self._exchange.now()
        try:
            self._balances = await self._exchange.balances(since=self._balances_since)
        except (ReadFailed, Misconfigured) as error:
            self._failed("balances", error, *(p.symbol for p in self._belief.positions))

    async def since_entry(self, symbol: Symbol) -> None:
        """Read the fills back to the entry of what is held, and whose all of them are."""
        entry = self._entry(symbol)
        if entry is None:
            return
        try:
            if symbol not in self._trades:
                self._trades[symbol] = (await self._exchange.fills(symbol, entry)).fills
                self._balances_since = self._exchange.now()
            departed = await self._departed(symbol, self._trades[symbol])
            fresh = _unbooked(self._trades[symbol], departed)
            self._merge(symbol, fresh, complete=False)  # also if nobody tells whose they are
            fills = await self._attributed(symbol, fresh, departed, every=True)
        except (ReadFailed, Misconfigured) as error:
            self._failed(f"fills of {symbol}", error, symbol)
            return
        self._merge(symbol, fills, complete=False)

    def _entry(self, symbol: Symbol) -> TradeId | None:
        """Return the trade with which what is held began; not what an operator told of."""
        return self._exchange.oldest(
            order.trades[0]
            for position in self._belief.positions
            if position.symbol == symbol and position.quantity
            for order in position.orders
            if order.trades
        )

    def result(self, missing: frozenset[Asset] = frozenset()) -> Gathered:
        """Return what was answered, and what was not."""
        evidence = Evidence(
            started_at=self.started,
            versions=self._versions,
            open_orders=self._open,
            looked_up=self._looked_up,
            windows=self._windows,
            balances=self._balances,
            balances_at=self._balances_at,
            missing=missing,
            locked=self._locked,
            free=self._free,
            foreign=self._foreign,
        )
        return Gathered(
            evidence=evidence,
            watermarks=self._watermarks,
            trades=self._trades,
            failures=tuple(self._failures),
            known=self._known,
            unread=frozenset(self._unread),
            reset=self._reset,
            accounted=self._accounted,
            unshown=self._unshown,
        )


def _unbooked(fills: Sequence[Fill], departed: Sequence[Order]) -> tuple[Fill, ...]:
    """Leave out what is booked on orders that have left: it is no news, and nobody else's trade."""
    booked = {(trade, order.exchange_order_id) for order in departed for trade in order.trades}
    return tuple(f for f in fills if (f.trade_id, f.exchange_order_id) not in booked)
