"""What reading an exchange has brought, before anything is concluded from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal

from msgspec import Struct

from surefoot.core.coins import held_of
from surefoot.core.evidence import Belief, Evidence
from surefoot.core.position import Position
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import Asset, ClientOrderId, PositionId, Symbol, TradeId


class Shared(Struct, frozen=True, kw_only=True):
    """Answers about the whole account, asked once for a round; None is one that did not come.

    `open_orders` is None also if listing them symbol by symbol is cheaper. The balances may have
    been `told` some seconds before the round began.
    """

    told: datetime

    open_orders: tuple[OrderReport, ...] | None = None
    balances: Mapping[Asset, Decimal] | None = None
    failures: tuple[str, ...] = ()


class Past(Struct, kw_only=True):
    """What a comparison has learned that a holding can be weighed with: nobody asks twice.

    It began `at` a time, when what is believed had these `versions` and `held` so much; the
    balances may have been `told` some seconds before. `trades` are all since what is held was
    bought, by symbol, the last of them `read` at a time; where none were read, `foreign` may tell
    whose orders there were, and `unshown` that none of them explains what is there.
    """

    at: datetime
    told: datetime
    versions: dict[PositionId, int]
    balances: Mapping[Asset, Decimal] | None
    trades: dict[Symbol, tuple[Fill, ...]]
    held: dict[PositionId, Decimal]
    read: datetime | None = None
    foreign: dict[Symbol, tuple[OrderReport, ...]] = {}
    unshown: set[Symbol] = set()

    def learn(self, gathered: Gathered, at: datetime) -> None:
        """Take over what was read of a symbol until then."""
        if gathered.trades:
            self.trades.update(gathered.trades)
            self.read = at
        self.foreign.update(gathered.evidence.foreign)
        if gathered.unshown:
            self.unshown.update(gathered.evidence.foreign)

    def follow(self, positions: Iterable[Position]) -> None:
        """Keep up with positions that have moved on and hold what they held; none has traded.

        That a stop was cancelled, or sent, makes the balances no older than what is believed.
        """
        for each in positions:
            if self.held.get(each.position_id) == held_of(each):
                self.versions[each.position_id] = each.version

    @property
    def evidence(self) -> Evidence:
        """Return what was told of the whole account, by itself."""
        return Evidence(
            started_at=self.told,
            versions=self.versions,
            balances=self.balances,
            balances_at=self.told,
            foreign=self.foreign,
        )

    def stands(self, belief: Belief) -> bool:
        """Tell whether the balances are as if told after the trades: none is younger, by V."""
        return self.balances is not None and all(
            self.versions.get(position.position_id) == position.version
            and (position.symbol in self.trades or not position.quantity)
            and all(
                fill.at + belief.terms[position.bot].visibility < self.told
                for fill in self.trades.get(position.symbol, ())
            )
            for position in belief.positions
        )


def begun(
    belief: Belief, *, at: datetime, told: datetime, balances: Mapping[Asset, Decimal] | None
) -> Past:
    """Return what a comparison begins with."""
    return Past(
        at=at,
        told=told,
        versions={each.position_id: each.version for each in belief.positions},
        held={each.position_id: held_of(each) for each in belief.positions},
        balances=balances,
        trades={},
    )


class Gathered(Struct, frozen=True, kw_only=True):
    """What was read of some symbols: the evidence, how far fills are read, and what failed.

    `trades` are all since what is held was bought, where they were read. `known` are the orders
    that belief had when the reads began, `unread` the symbols that a failed answer was about.
    `accounted` tells that list and balance are accounted for, order by order; `unshown` that no
    order is shown that would account for the balance, so that the trades are read next time.
    """

    evidence: Evidence
    watermarks: dict[Symbol, TradeId]
    failures: tuple[str, ...]
    trades: Mapping[Symbol, tuple[Fill, ...]] = {}
    known: frozenset[ClientOrderId] = frozenset()
    unread: frozenset[Symbol] = frozenset()
    reset: str | None = None
    accounted: bool = False
    unshown: bool = False
