"""An account's positions together: what we believe, and how a comparison becomes durable.

One comparison may concern many positions. It is decided under their locks, against what they are
then, and committed as one change, with the watermark that says how far fills are read: a fill, its
projection and the watermark move together or not at all.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from surefoot.core.account_records import (
    AccountRecord,
    Coins,
    OrphanCancelIntended,
    OthersSeen,
    WatermarkMoved,
)
from surefoot.core.coins import held_of, sides_in_doubt
from surefoot.core.evidence import Belief, Evidence, Finding, FindingKind, Orphan
from surefoot.core.lanes import Lane
from surefoot.core.order import OrderStatus, Role
from surefoot.core.orphans import orphans
from surefoot.core.reconcile import Reconciliation
from surefoot.core.records import CancelIntended, FillBooked, OrderIntended
from surefoot.core.values import ZERO, Asset, Side, Symbol
from surefoot.crashpoint import crashpoint
from surefoot.engine.belief import Marks, others_seen, over_and_filled, with_departed, with_fees
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.capacity import NOTHING_HELD, Wanted
from surefoot.engine.gathered import Gathered
from surefoot.engine.keeper import Keeper
from surefoot.engine.login import Login
from surefoot.engine.staged import Staged, commit
from surefoot.journal.errors import RecordRefused
from surefoot.journal.port import Change, Journal

Compare: TypeAlias = Callable[[Belief, Gathered], Reconciliation]


class Applied(Struct, frozen=True, kw_only=True):
    """What a comparison changed: records written, fills booked, orders being cancelled."""

    records: int = 0
    fills: int = 0
    cancels: int = 0
    intents: int = 0

    def __add__(self, other: Applied) -> Applied:
        return Applied(
            records=self.records + other.records,
            fills=self.fills + other.fills,
            cancels=self.cancels + other.cancels,
            intents=self.intents + other.intents,
        )


class Books:
    """The keepers of one account."""

    def __init__(self, login: Login, keepers: BySymbol[Keeper], journal: Journal) -> None:
        self._login = login
        self._keepers = keepers
        self._journal = journal
        self._marks = Marks(login.exchange.venue, journal.epoch, login.name)
        # Orphans whose cancel is written down: asking for it again needs no second record.
        self._withdrawn: set[tuple[str, str]] = set()
        self._others: dict[Asset, Coins] | None = None
        self._assets: defaultdict[Asset, list[Symbol]] = defaultdict(list)
        self._assets_at = -1

    async def recall(self) -> None:
        """Recall, once, which coins were not the bots' when they were last weighed."""
        if self._others is None:
            self._others = await others_seen(self._login.name, self._journal)

    def belief(
        self, symbols: Collection[Symbol], held: Mapping[Role, str] = NOTHING_HELD
    ) -> Belief:
        """Return what is believed of some symbols, for the core to compare."""
        keepers = self._on(symbols)
        return Belief(
            positions=tuple(each for keeper in keepers for each in keeper.positions),
            terms={
                keeper.bot: replace(keeper.terms, held=held) if held else keeper.terms
                for keeper in keepers
            },
            is_ours=self.is_ours,
            is_named_here=self._marks.is_named_here,
            exclusive=self._login.spec.exclusive,
            others=dict(self._others or {}),
            beside=self._beside(symbols),
            bound=self._bound(symbols),
            locked=self._locked(symbols),
            doubted=self._doubted(symbols),
        )

    def _bound(self, symbols: Collection[Symbol]) -> dict[Asset, Decimal]:
        """Return what resting entries bind of the quotes of entries in doubt on these symbols."""
        doubted = {
            position.quote
            for keeper in self._on(symbols)
            for position in keeper.positions
            if (entry := position.last(Role.ENTRY)) and entry.status is OrderStatus.INTENDED
        }
        bound = dict.fromkeys(doubted, ZERO)
        for keeper in self._keepers.values() if doubted else ():
            for position in keeper.positions:
                entry = position.lane(Lane.ENTRY)
                if position.quote in doubted and entry is not None and entry.limit is not None:
                    working = entry.status is OrderStatus.WORKING
                    bound[position.quote] += entry.limit * entry.remaining if working else ZERO
        return bound

    def _locked(self, symbols: Collection[Symbol]) -> dict[Asset, Decimal]:
        """Return what bots on other symbols lock of assets of which others seem to lock some."""
        positions = [p for keeper in self._on(symbols) for p in keeper.positions]
        locked = {p.base: ZERO for p in positions if p.bound is not None}
        for base in locked:
            for symbol in {*self.of_asset(base)} - {*symbols}:
                for keeper in self._keepers.of(symbol):
                    locked[base] += sum((each.locked for each in keeper.positions), ZERO)
        return locked

    def _beside(self, symbols: Collection[Symbol]) -> dict[Asset, Decimal]:
        """Return what is held of these symbols' assets by bots on other symbols."""
        bases = {keeper.terms.instrument.base for keeper in self._on(symbols)}
        beside: dict[Asset, Decimal] = {}
        for base in bases:
            for symbol in {*self.of_asset(base)} - {*symbols}:
                for keeper in self._keepers.of(symbol):
                    held = sum((held_of(each) for each in keeper.positions), ZERO)
                    beside[base] = beside.get(base, ZERO) + held
        return beside

    def _doubted(self, symbols: Collection[Symbol]) -> dict[Asset, frozenset[Side]]:
        """Return the sides of orders in doubt of these symbols' assets, of bots on others."""
        return {
            base: sides_in_doubt(
                position
                for symbol in {*self.of_asset(base)} - {*symbols}
                for keeper in self._keepers.of(symbol)
                for position in keeper.positions
            )
            for base in {keeper.terms.instrument.base for keeper in self._on(symbols)}
        }

    def fee_assets(self) -> set[Asset]:
        """Return the assets in which fees were paid that came off nothing that was bought."""
        positions = (each for keeper in self._keepers.values() for each in keeper.positions)
        return {Asset(asset) for each in positions for asset in each.fees if asset != each.base}

    def of_asset(self, base: Asset) -> tuple[Symbol, ...]:
        """Return the symbols that are traded of one asset."""
        if self._assets_at != self._keepers.count_of_changes:
            self._assets_at = self._keepers.count_of_changes
            self._assets = defaultdict(list)
            for symbol in self._keepers.symbols:
                self._assets[self.base(symbol)].append(symbol)
        return tuple(self._assets.get(base, ()))

    def base(self, symbol: Symbol) -> Asset:
        """Return the asset that a symbol trades."""
        return next(iter(self._keepers.of(symbol))).terms.instrument.base

    def _on(self, symbols: Collection[Symbol]) -> list[Keeper]:
        """Return who is on some symbols, always in one order, so that locks never cross."""
        keepers = (keeper for symbol in symbols for keeper in self._keepers.of(symbol))
        return sorted(keepers, key=lambda keeper: keeper.bot)

    def is_ours(self, client_order_id: str) -> bool:
        """Tell whether an order carries the mark of any epoch of this journal."""
        return self._marks.is_ours(client_order_id)

    async def conclude(
        self, symbols: Collection[Symbol], gathered: Gathered, compare: Compare
    ) -> tuple[Reconciliation, Applied]:
        """Compare what was read with the belief of now, make what follows durable, and act on it.

        Raises:
            Halted: the exchange contradicts the journal as a whole.
        """
        async with AsyncExitStack() as locks:
            for keeper in self._on(symbols):
                await locks.enter_async_context(keeper.lock)
            outcome, staged = await self._decided(symbols, gathered, compare)
            appends = [append for _, each in staged for append in each.appends()]
            moves = (
                *self._moves(symbols, gathered),
                *self._weighed(outcome.others, outcome.findings),
            )
            appends += await locks.enter_async_context(self._login.appending(moves))
            if not appends:
                return outcome, Applied()
            crashpoint("recovery.before-commit")
            change = Change(at=self._login.now(), appends=tuple(appends))
            try:
                receipt = await commit(self._journal, change)
            except RecordRefused:
                return outcome, _count(await self._one_by_one(staged))
            crashpoint("recovery.after-commit")
            for keeper, each in staged:
                keeper.believe(each, receipt)
        return outcome, _count(each for _, each in staged)

    async def _one_by_one(self, staged: Iterable[tuple[Keeper, Staged]]) -> list[Staged]:
        """Commit what the journal will have, and freeze the position whose record it refuses.

        No watermark moves, and no coins are noted: what was refused is read again.
        """
        self._others = None
        kept: list[Staged] = []
        for keeper, each in staged:
            change = Change(at=self._login.now(), appends=each.appends())
            try:
                receipt = await self._journal.commit(change)
            except RecordRefused as refused:
                await keeper.give_up(each.after.position_id, refused)
            else:
                keeper.believe(each, receipt)
                kept.append(each)
        await self.recall()
        return kept

    async def _decided(
        self, symbols: Collection[Symbol], gathered: Gathered, compare: Compare
    ) -> tuple[Reconciliation, list[tuple[Keeper, Staged]]]:
        """Compare; orders that the venue has no room for are left out, and every fact stays.

        They are still owed: the rules find them again as time passes.
        """
        capacity = self._login.capacity
        belief = await self._belief_about(gathered.evidence, symbols)
        outcome = compare(belief, gathered)
        staged = self._stage(symbols, outcome)
        held = capacity.held(_wanted(staged))
        if held:
            outcome = compare(replace(belief, terms=self.belief(symbols, held).terms), gathered)
            staged = self._stage(symbols, outcome)
        capacity.keep(_wanted(staged))
        return outcome, staged

    async def _belief_about(self, evidence: Evidence, symbols: Collection[Symbol]) -> Belief:
        """Return the belief of now, with what has left it and the evidence speaks of.

        A settled position of which a fill has come is kept again: facts apply in any state.
        """
        account = self._login.name
        belief = await with_departed(self.belief(symbols), evidence, account, self._journal)
        belief = await with_fees(belief, account, self._journal)
        for position_id, bot in over_and_filled(belief, evidence).items():
            keeper = self._keepers.get(bot)
            if keeper is None or await keeper.recall(position_id) is None:
                self._login.log.error("fill of a position that nobody keeps", position=position_id)
        return replace(belief, positions=self.belief(symbols).positions)

    def _stage(
        self, symbols: Collection[Symbol], outcome: Reconciliation
    ) -> list[tuple[Keeper, Staged]]:
        return [
            (keeper, keeper.stage(position, outcome.decisions[position.position_id]))
            for keeper in self._on(symbols)
            for position in keeper.positions
            if position.position_id in outcome.decisions
        ]

    def _moves(self, symbols: Collection[Symbol], gathered: Gathered) -> tuple[AccountRecord, ...]:
        """Move a watermark only if no order came up on its symbol that the reads knew nothing of.

        Its fill may be among those that were read, without its name.
        """
        fresh = {
            position.symbol
            for keeper in self._on(symbols)
            for position in keeper.positions
            for order in position.orders
            if order.client_order_id not in gathered.known
        }
        return tuple(
            WatermarkMoved(
                at=self._login.now(), account=self._login.name, symbol=symbol, trade_id=trade
            )
            for symbol, trade in gathered.watermarks.items()
            if symbol not in fresh
        )

    def _weighed(
        self, coins: Mapping[Asset, Coins], findings: Iterable[Finding] = ()
    ) -> tuple[AccountRecord, ...]:
        """Return the record of coins that are not the bots', if there is news of any."""
        if not coins:
            return ()
        self._others = {**(self._others or {}), **coins}
        at, account = self._login.now(), self._login.name
        found = tuple(f.evidence for f in findings if f.kind is FindingKind.OTHERS_COINS)
        return (OthersSeen(at=at, account=account, coins=self._others, found=found),)

    async def note_others(self, coins: Mapping[Asset, Coins]) -> None:
        """Write down which coins are not the bots'."""
        await self._login.note(*self._weighed(coins))

    async def withdraw(self, symbol: Symbol, gathered: Gathered) -> tuple[Orphan, ...]:
        """Write down that what is still an orphan will be cancelled; only then may it be."""
        async with AsyncExitStack() as locks:
            for keeper in self._on([symbol]):
                await locks.enter_async_context(keeper.lock)
            belief = await self._belief_about(gathered.evidence, [symbol])
            found = orphans(belief, gathered.evidence, [])
            await self._intend_cancels(found)
        return found

    async def _intend_cancels(self, found: Iterable[Orphan]) -> None:
        fresh = [each for each in found if _name_of(each) not in self._withdrawn]
        records = [
            OrphanCancelIntended(
                at=self._login.now(),
                account=self._login.name,
                symbol=orphan.report.symbol,
                exchange_order_id=orphan.report.exchange_order_id,
                client_order_id=orphan.report.client_order_id,
                reason=orphan.reason,
            )
            for orphan in fresh
        ]
        await self._login.note(*records)
        self._withdrawn.update(_name_of(each) for each in fresh)


def _wanted(staged: Iterable[tuple[Keeper, Staged]]) -> list[Wanted]:
    return [(keeper.bot, keeper.terms, each.records) for keeper, each in staged]


def _name_of(orphan: Orphan) -> tuple[str, str]:
    """Return what identifies an order: the exchange counts per symbol."""
    return (orphan.report.symbol, orphan.report.exchange_order_id)


def _count(staged: Iterable[Staged]) -> Applied:
    records = [record for each in staged for record in each.records]
    return Applied(
        records=len(records),
        fills=sum(isinstance(record, FillBooked) for record in records),
        cancels=sum(isinstance(record, CancelIntended) for record in records),
        intents=sum(isinstance(record, OrderIntended) for record in records),
    )
