"""An account held against its exchange, symbol by symbol, several at once.

Each symbol's conclusion is drawn when its own answers are there: trouble with one delays no other.
What is in doubt or leaving is asked first. Holdings are weighed when every symbol of an asset is
concluded, and only if the balance and the belief differ.
"""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from surefoot.core.account_records import Coins
from surefoot.core.evidence import Belief, Finding, Orphan
from surefoot.core.order import OrderStatus
from surefoot.core.outside import is_unclear
from surefoot.core.position import Position, State
from surefoot.core.protection import stop_rests
from surefoot.core.values import ZERO, Asset, ClientOrderId, Symbol
from surefoot.engine.abreast import AT_ONCE, abreast
from surefoot.engine.belief import BALANCE_LATE
from surefoot.engine.books import Applied, Books, Compare
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.comparing import Comparing
from surefoot.engine.gathered import Gathered, Past, Shared, begun
from surefoot.engine.keeper import Keeper
from surefoot.engine.login import Login
from surefoot.engine.voice import say_finding
from surefoot.exchange.errors import Banned, Misconfigured, ReadFailed

# The same finding is said again only after this long.
REPEAT_AFTER_S: Final = 60.0


class Inspected(Struct, frozen=True, kw_only=True):
    """What a comparison came to: what it found and wrote down, and what could not be read.

    `again` are the symbols of which something was written down that another look should confirm,
    `settled` those where what was weighed after that accounts for all of it.
    """

    applied: Applied = Applied()
    findings: tuple[Finding, ...] = ()
    failures: tuple[str, ...] = ()
    unread: frozenset[Symbol] = frozenset()
    again: frozenset[Symbol] = frozenset()
    settled: frozenset[Symbol] = frozenset()


class _Seen(Struct, kw_only=True):
    """What was answered for the whole account and since then, and what follows."""

    shared: Shared
    past: Past
    others: dict[Asset, Coins]
    # Assets that fees are paid in: what every symbol's trades took of one has to be known first.
    paying: set[Asset]
    later: list[Asset] = []


class Inspection:
    """Compares the symbols of one account, and sees to what follows."""

    def __init__(
        self, login: Login, *, keepers: BySymbol[Keeper], books: Books, comparing: Comparing
    ) -> None:
        self._login = login
        self._keepers = keepers
        self._books = books
        self._comparing = comparing
        # Two comparisons of one symbol at once would only ask the same twice.
        self._locks: defaultdict[Symbol, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._busy: set[Symbol] = set()
        # What the last comparison of everything cost, in weight.
        self.cost = 0
        self._said: dict[tuple[str | None, ...], float] = {}

    @property
    def again_in_s(self) -> float | None:
        """Return how soon some holding should be looked at again; None: there is no hurry."""
        return self._comparing.again_in_s

    def idle(self) -> tuple[Symbol, ...]:
        """Return the symbols that are not being read now, the most urgent first."""
        return self._in_order({*self._keepers.symbols} - self._busy)

    def _in_order(self, symbols: Iterable[Symbol]) -> tuple[Symbol, ...]:
        return tuple(sorted(symbols, key=lambda symbol: (self._leisure(symbol), symbol)))

    def _leisure(self, symbol: Symbol) -> int:
        """Return how long a symbol may wait: the least while something is in doubt or leaving."""
        positions = [p for keeper in self._keepers.of(symbol) for p in keeper.positions]
        return min((leisure(position) for position in positions), default=2)

    # Everything ----------------------------------------------------------------------------------

    async def everything(
        self,
        symbols: Iterable[Symbol] | None = None,
        *,
        lookback: timedelta | None = None,
        since: datetime | None = None,
        proven: Callable[[Symbol], None] | None = None,
    ) -> Inspected:
        """Compare some symbols, or all of them, in order of urgency.

        `proven` hears of each symbol as soon as all of it was read and concluded upon. What was
        said of the balances at or after `since` serves.

        Raises:
            Halted: the exchange contradicts the journal as a whole.
        """
        wanted = self._in_order(self._keepers.symbols if symbols is None else symbols)
        self._busy |= {*wanted}
        before = self._login.exchange.spending().weight
        try:
            return await self._everything(wanted, lookback, since, proven)
        finally:
            self._busy -= {*wanted}
            self.cost = self._login.exchange.spending().weight - before

    async def _everything(
        self,
        wanted: Sequence[Symbol],
        lookback: timedelta | None,
        since: datetime | None,
        proven: Callable[[Symbol], None] | None,
    ) -> Inspected:
        await self._books.recall()
        since = None if since is None or self._has_traded(since) else since
        belief, at = self._books.belief(wanted), self._login.now()
        shared = await self._comparing.sweep.shared(wanted, since)
        past = begun(belief, at=at, told=since or at, balances=shared.balances)
        seen = _Seen(shared=shared, past=past, others={}, paying=self._books.fee_assets())
        for failure in shared.failures:
            self._login.log.debug("read failed", why=failure)
        if shared.balances is not None:
            self._login.senses.answer()
        unread = frozenset(wanted) if shared.balances is None else frozenset[Symbol]()
        told = [Inspected(failures=shared.failures, unread=unread)]
        pending = deque(wanted)
        left = Counter(self._books.base(symbol) for symbol in wanted)

        async def work() -> None:
            while pending:
                symbol = pending.popleft()
                try:
                    told.append(await self._symbol(symbol, seen, lookback))
                    self._busy.discard(symbol)
                    if proven is not None and not told[-1].unread:
                        proven(symbol)
                    base = self._books.base(symbol)
                    left[base] += len(wanted) if told[-1].unread else -1
                    if not left[base]:
                        told.append(await self._holding(base, seen, last=False))
                except BaseException:
                    pending.clear()
                    raise

        await abreast(work() for _ in range(min(AT_ONCE, len(wanted))))
        told += [await self._holding(base, seen, last=True) for base in seen.later]
        await self._books.note_others(seen.others)
        return _summed(told)

    def _has_traded(self, since: datetime, symbols: Iterable[Symbol] | None = None) -> bool:
        """Tell whether a fill was booked that balances told since then, perhaps, do not show."""
        among, now = self._keepers.symbols if symbols is None else symbols, self._login.now()
        trades = False
        for keeper in (each for symbol in among for each in self._keepers.of(symbol)):
            if keeper.traded_at is not None and keeper.traded_at > now:
                keeper.recall_trade(now)  # It was noted by a clock that was ahead.
            trades = trades or (keeper.traded_at is not None and keeper.traded_at >= since)
        return trades

    async def _symbol(self, symbol: Symbol, seen: _Seen, lookback: timedelta | None) -> Inspected:
        async with self._locks[symbol]:
            belief = self._books.belief([symbol])
            gathered = await self._comparing.sweep.symbol(belief, symbol, seen.shared, lookback)
            seen.past.learn(gathered, self._login.now())
            self._login.senses.gather(gathered, whole=symbol)
            return await self._conclude([symbol], gathered, self._comparing.compare, listed=symbol)

    async def _holding(self, base: Asset, seen: _Seen, *, last: bool) -> Inspected:
        """Weigh what is held of an asset, if others have not what they had before.

        Where nothing is held there is nothing to ask: what is there is others', less the dust. Nor
        is anything concluded so soon after a trade of ours that the balance may not show it. What
        needs another balance comes last: one serves for all.
        """
        if base in seen.paying and not last:
            seen.later.append(base)
            return Inspected()
        symbols = self._books.of_asset(base)
        belief = self._books.belief(symbols)
        if seen.shared.balances is None:
            return Inspected()
        changed = self._comparing.changed(belief, seen.shared.balances)
        denied = any(each.denied_at is not None and each.quantity for each in belief.positions)
        if base not in changed and not denied:
            self._login.senses.weigh(symbols)
            return Inspected()
        self._login.senses.leave_unweighed(symbols)
        if self._has_traded(seen.past.told - BALANCE_LATE, symbols):
            return Inspected()
        seen.past.follow(belief.positions)
        short = changed.get(base, ZERO) < ZERO
        if not short and not any(each.quantity or each.unfinished for each in belief.positions):
            versions = seen.past.versions
            if all(versions.get(p.position_id) == p.version for p in belief.positions):
                seen.others[base] = Coins(amount=changed[base], at=seen.past.at)
                self._login.senses.weigh(symbols)
            return Inspected()
        if not (last or seen.past.stands(belief)):
            seen.later.append(base)
            return Inspected()
        return await self._weighed(symbols, belief, seen.past)

    async def _weighed(self, symbols: Sequence[Symbol], belief: Belief, past: Past) -> Inspected:
        """Weigh these symbols' asset; what is as believed then, or soon due, is settled."""
        gathered = await self._comparing.holdings(belief, past)
        inspected = await self._conclude(symbols, gathered, self._comparing.weigh)
        if inspected.unread or any(is_unclear(each) for each in belief.positions):
            return inspected
        after, balances = self._books.belief(symbols), gathered.evidence.balances
        weighed = self._comparing.is_weighed(after, balances)
        settled = weighed or not past.unshown.isdisjoint(symbols)
        return replace(inspected, settled=frozenset(symbols)) if settled else inspected

    # Some orders ---------------------------------------------------------------------------------

    async def ask_on(self, symbol: Symbol, orders: Collection[ClientOrderId]) -> None:
        """Ask about orders of one symbol, and again for cancels of them that are still owed.

        Raises:
            Halted: the exchange contradicts the journal as a whole.
        """
        async with self._locks[symbol]:
            gathered = await self._comparing.sweep.some(self._books.belief([symbol]), orders)
            self._login.senses.gather(gathered, whole=None)
            await self._conclude([symbol], gathered, self._comparing.compare)
        await self.pursue(symbol, orders)

    async def pursue(self, symbol: Symbol, orders: Collection[ClientOrderId]) -> None:
        """Ask once more for every cancel of these orders that is owed."""
        for keeper in self._keepers.of(symbol):
            for position in keeper.positions:
                await keeper.pursue(position, orders)

    # What follows --------------------------------------------------------------------------------

    async def _conclude(
        self,
        symbols: Sequence[Symbol],
        gathered: Gathered,
        compare: Compare,
        *,
        listed: Symbol | None = None,
    ) -> Inspected:
        for failure in gathered.failures:
            self._login.log.debug("read failed", why=failure)
        outcome, applied = await self._books.conclude(symbols, gathered, compare)
        for finding in outcome.findings:
            self._say(finding)
        for asset in outcome.weighed:
            self._login.senses.weigh(self._books.of_asset(asset))
        if listed is not None and listed not in gathered.unread:
            self._login.senses.list_orphans(listed, outcome.orphans)
        cancelled = [await self._cancel_orphan(orphan) for orphan in outcome.orphans]
        applied += Applied(cancels=sum(cancelled))
        moved = bool(applied.records) and not gathered.accounted
        return Inspected(
            applied=applied,
            findings=outcome.findings,
            failures=gathered.failures,
            unread=gathered.unread,
            again=frozenset(symbols) if moved else frozenset(),
        )

    def _say(self, finding: Finding) -> None:
        key = (finding.kind, finding.position_id, finding.order, finding.outcome)
        now = self._login.clock.monotonic()
        if now - self._said.get(key, -REPEAT_AFTER_S) >= REPEAT_AFTER_S:
            recent = ((k, at) for k, at in self._said.items() if now - at < REPEAT_AFTER_S)
            self._said = dict(recent) | {key: now}
            say_finding(self._login.log, finding)

    async def _cancel_orphan(self, orphan: Orphan) -> bool:
        """Cancel an orphan, if a second look says the same; tell whether it did."""
        listed = orphan.report
        try:
            again = await self._comparing.sweep.again(self._books.belief([listed.symbol]), listed)
        except (ReadFailed, Misconfigured) as error:
            if isinstance(error, Banned):
                raise
            self._login.log.warning("read failed", why=str(error))
            return False
        if not await self._books.withdraw(listed.symbol, again):
            return False
        answer = await self._login.dispatch.cancel(listed.symbol, listed.exchange_order_id)
        self._login.log.info(
            "orphan cancelled",
            order=listed.client_order_id,
            exchange_order=listed.exchange_order_id,
            evidence=orphan.reason,
            outcome=answer,
        )
        return True


def leisure(position: Position) -> int:
    """Return how long it may wait: 0 in doubt, leaving, bare; 1 holding something; 2 neither."""
    unsure = any(
        order.status is OrderStatus.INTENDED or order.verdict is not None or order.cancel_at
        for order in position.orders
        if not order.finished
    )
    bare = position.quantity and not stop_rests(position)
    if unsure or bare or position.exit_wish is not None or position.state is State.CLOSING:
        return 0
    return 1 if position.quantity or position.frozen else 2


def _summed(told: Iterable[Inspected]) -> Inspected:
    applied, findings, failures = Applied(), list[Finding](), list[str]()
    unread, again, settled = set[Symbol](), set[Symbol](), set[Symbol]()
    for each in told:
        applied += each.applied
        findings += each.findings
        failures += each.failures
        unread |= each.unread
        again |= each.again
        settled |= each.settled
    return Inspected(
        applied=applied,
        findings=tuple(findings),
        failures=tuple(failures),
        unread=frozenset(unread),
        again=frozenset(again - settled),
    )
