"""An account's positions together: what we believe, and how a comparison becomes durable.

One comparison may concern many positions. What follows from it is committed as one change, with
the watermark that says how far fills are read: a fill, its projection and the watermark move
together or not at all.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack

from msgspec import Struct

from surefoot.core.evidence import Belief, Orphan
from surefoot.core.position import Position
from surefoot.core.reconcile import Reconciliation
from surefoot.core.records import (
    AccountRecord,
    CancelIntended,
    FillBooked,
    OrderIntended,
    OrphanCancelIntended,
    WatermarkMoved,
)
from surefoot.core.values import BotName, Symbol, TradeId
from surefoot.crashpoint import crashpoint
from surefoot.engine.belief import Marks
from surefoot.engine.keeper import Keeper, Staged, commit_points
from surefoot.engine.login import Login
from surefoot.journal.port import Change, Journal


class Applied(Struct, frozen=True, kw_only=True):
    """What a comparison changed: records written, fills booked, orders being cancelled."""

    records: int = 0
    fills: int = 0
    cancels: int = 0
    intents: int = 0


class Books:
    """The keepers of one account."""

    def __init__(self, login: Login, keepers: Mapping[BotName, Keeper], journal: Journal) -> None:
        self._login = login
        self._keepers = keepers
        self._journal = journal
        self._marks = Marks(login.exchange.venue, journal.epochs)

    def belief(self) -> Belief:
        """Return what the journal says, for the core to compare."""
        return Belief(
            positions=self.positions(),
            terms={bot: keeper.terms for bot, keeper in self._keepers.items()},
            is_ours=self.is_ours,
            exclusive=self._login.spec.exclusive,
        )

    def positions(self) -> tuple[Position, ...]:
        """Return every position that is kept, of every bot."""
        return tuple(each for keeper in self._keepers.values() for each in keeper.positions)

    def is_ours(self, client_order_id: str) -> bool:
        """Tell whether an order carries the mark of any epoch of this journal."""
        return self._marks.is_ours(client_order_id)

    async def apply(self, outcome: Reconciliation, watermarks: Mapping[Symbol, TradeId]) -> Applied:
        """Make what follows from a comparison durable, then act on it.

        A position that has moved on since the comparison is left for the next one, and then the
        watermarks stay where they are too.
        """
        async with AsyncExitStack() as locks:
            for keeper in self._touched(outcome):
                await locks.enter_async_context(keeper.lock)
            staged = self._stage(outcome)
            appends = [append for _, each in staged for append in each.appends()]
            moves = self._moves(outcome, watermarks)
            appends += await locks.enter_async_context(self._login.appending(moves))
            if not appends:
                return Applied()
            points = commit_points([record for _, each in staged for record in each.records])
            for point in points:
                crashpoint(f"{point}.before-commit")
            crashpoint("recovery.before-commit")
            receipt = await self._journal.commit(
                Change(at=self._login.now(), appends=tuple(appends))
            )
            crashpoint("recovery.after-commit")
            for point in points:
                crashpoint(f"{point}.after-commit")
            for keeper, each in staged:
                keeper.settle(each, receipt)
        return _count(each for _, each in staged)

    def _touched(self, outcome: Reconciliation) -> list[Keeper]:
        """Return the keepers concerned, always in the same order, so that locks never cross."""
        return [
            keeper
            for _, keeper in sorted(self._keepers.items())
            if any(keeper.find(position_id) for position_id in outcome.decisions)
        ]

    def _stage(self, outcome: Reconciliation) -> list[tuple[Keeper, Staged]]:
        staged = []
        for keeper in self._touched(outcome):
            for position_id, decision in outcome.decisions.items():
                position = keeper.find(position_id)
                if position is not None and not _moved_on(position, outcome):
                    staged.append((keeper, keeper.stage(position, decision)))
        return staged

    def _moves(
        self, outcome: Reconciliation, watermarks: Mapping[Symbol, TradeId]
    ) -> tuple[AccountRecord, ...]:
        """Move a watermark only if every position on its symbol was compared as it is now."""
        stale = {each.symbol for each in self.positions() if _moved_on(each, outcome)}
        return tuple(
            WatermarkMoved(
                at=self._login.now(), account=self._login.name, symbol=symbol, trade_id=trade
            )
            for symbol, trade in watermarks.items()
            if symbol not in stale
        )

    async def intend_orphan_cancels(self, orphans: Iterable[Orphan]) -> None:
        """Write down which orphans will be cancelled; only then may they be."""
        records = [
            OrphanCancelIntended(
                at=self._login.now(),
                account=self._login.name,
                symbol=orphan.report.symbol,
                exchange_order_id=orphan.report.exchange_order_id,
                client_order_id=orphan.report.client_order_id,
                reason=orphan.reason,
            )
            for orphan in orphans
        ]
        await self._login.note(*records)


def _moved_on(position: Position, outcome: Reconciliation) -> bool:
    """Tell whether a position is not any more what was compared; a new one without orders is."""
    compared = outcome.versions.get(position.position_id)
    return bool(position.orders) if compared is None else position.version != compared


def _count(staged: Iterable[Staged]) -> Applied:
    records = [record for each in staged for record in each.records]
    return Applied(
        records=len(records),
        fills=sum(isinstance(record, FillBooked) for record in records),
        cancels=sum(isinstance(record, CancelIntended) for record in records),
        intents=sum(isinstance(record, OrderIntended) for record in records),
    )
