"""Comparing what we believe with what the exchange shows: `reconcile → findings, decisions`.

The belief is that of now, the evidence may be some seconds older. Whatever it shows is a fact at
any time; what it lacks is told only of a position that has not moved on since the reads began.

Per position and total: one position that cannot be reconciled is frozen and reported, and the
others go on. Conclusions are drawn from evidence only. A read that failed is not in `Evidence` at
all, so nothing can be concluded from it; a list that lacks an order closes nothing. Applying the
result twice changes nothing the second time, because every record comes out of `decide`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from surefoot.core.account_records import Coins
from surefoot.core.coins import (
    bound_by_others,
    coins_of,
    contradiction,
    ebb_beside,
    held_of,
    only_of,
)
from surefoot.core.comparison import Comparison, as_read
from surefoot.core.draft import Decision
from surefoot.core.evidence import Belief, Evidence, Finding, FindingKind, Orphan
from surefoot.core.facts import decided_at, unproven
from surefoot.core.order import Order, OrderStatus, ReportedStatus, Role
from surefoot.core.orphans import Stranger, orphans, strangers
from surefoot.core.position import Position, State
from surefoot.core.records import FillBooked, OrderReported, PositionRecord
from surefoot.core.reports import Absence, Binding, Fill, OrderReport, Proof, SetBack, TimePassed
from surefoot.core.resolving import vanishing
from surefoot.core.setback import unexplained
from surefoot.core.signals import Freeze
from surefoot.core.terms import Terms
from surefoot.core.values import (
    ZERO,
    Asset,
    ClientOrderId,
    PositionId,
    Side,
    Symbol,
    counted,
    plain,
)

# This many live orders gone at once means another account or an exchange that started over.
VANISHED_MAX: Final = 1
_NO_STOP: Final = {Role.STOP: "what it would sell is not there"}


class Reconciliation(Struct, frozen=True, kw_only=True):
    """What follows: a decision per position, orders to cancel, and what to tell the operator.

    `halt` is a reason to stop everything on this account and ask; nothing else is then done.
    `others` is what the account holds of assets beyond what the bots hold, where that has changed.
    `vanished` are live orders that the exchange denies, `short` assets of which it holds too
    little; `weighed` are assets of which it is said what a balance means.
    """

    findings: tuple[Finding, ...] = ()
    decisions: Mapping[PositionId, Decision] = {}
    orphans: tuple[Orphan, ...] = ()
    halt: str | None = None
    vanished: frozenset[ClientOrderId] = frozenset()
    short: frozenset[Asset] = frozenset()
    weighed: frozenset[Asset] = frozenset()
    others: Mapping[Asset, Coins] = {}


def reconcile(
    belief: Belief, evidence: Evidence, now: datetime, gone: Collection[ClientOrderId] = ()
) -> Reconciliation:
    """Compare orders and fills, and say what follows. `now` is exchange time.

    `gone` are live orders that the exchange denied elsewhere on the account.
    """
    vanished = _vanished_of(belief, evidence)
    halt = _contradicted(belief, vanished, gone)
    if halt is not None:
        return Reconciliation(findings=(halt,), halt=halt.evidence)
    unknown_own = strangers(belief, evidence)
    shown = _Shown(evidence)
    others = _others(belief, evidence)
    comparisons = [_OfOrders(position, belief, evidence, now) for position in belief.positions]
    for each in comparisons:
        stranger = unknown_own.get(each.position.symbol)
        each.compare(shown, stranger, others.get(each.position.base, ZERO))
    findings = [finding for each in comparisons for finding in each.findings]
    to_cancel = orphans(belief, evidence, findings)
    return Reconciliation(
        findings=tuple(findings),
        decisions=decisions_of(comparisons),
        orphans=to_cancel,
        vanished=frozenset(order.client_order_id for _, order in vanished),
    )


def _others(belief: Belief, evidence: Evidence) -> dict[Asset, Decimal]:
    """Return what is there beyond all that is held, if somebody told."""
    if evidence.balances is None:
        return {}
    coins = coins_of(belief.positions, evidence.balances)
    return {asset: amount - belief.beside.get(asset, ZERO) for asset, amount in coins.items()}


def decisions_of(comparisons: Iterable[Comparison]) -> dict[PositionId, Decision]:
    """Return the decisions of those who learned something."""
    return {each.position.position_id: each.decided() for each in comparisons if each.records}


def _contradicted(
    belief: Belief, vanished: Sequence[tuple[Position, Order]], gone: Collection[ClientOrderId]
) -> Finding | None:
    names = {order.client_order_id for _, order in vanished} | set(gone)
    if len(names) <= VANISHED_MAX:
        return None
    listed = ", ".join(sorted(names))
    return Finding(
        kind=FindingKind.EXCHANGE_RESET,
        symbol=belief.positions[0].symbol,
        evidence=f"{len(names)} orders that were live are unknown to the exchange: {listed}",
        outcome="halted: is this the right account, and has the exchange been reset?",
    )


def _vanished_of(belief: Belief, evidence: Evidence) -> list[tuple[Position, Order]]:
    return [
        (position, order)
        for position in belief.positions
        for order in position.orders
        if as_read(position, evidence) and _vanished(order, evidence, belief.terms[position.bot])
    ]


def _vanished(order: Order, evidence: Evidence, terms: Terms) -> bool:
    return (
        order.status is OrderStatus.WORKING
        and order.verdict is None
        and evidence.started_at > order.not_after + terms.visibility
        and evidence.looked_up.get(order.client_order_id, ...) is None
    )


class _Shown:
    """What the exchange shows, by order: nobody has to go through all of it for one position."""

    def __init__(self, evidence: Evidence) -> None:
        self._listed = {report.client_order_id: report for report in evidence.open_orders}
        self._looked_up = evidence.looked_up
        self._fills: defaultdict[tuple[Symbol, str], list[Fill]] = defaultdict(list)
        for symbol, window in evidence.windows.items():
            for fill in window.fills:
                names = {fill.client_order_id, fill.exchange_order_id} - {None}
                for name in names:
                    self._fills[symbol, str(name)].append(fill)

    def reports(self, order: Order) -> tuple[OrderReport, ...]:
        """Return what the lists and the answers by id say of an order."""
        name = order.client_order_id
        found = (self._listed.get(name), self._looked_up.get(name))
        return tuple(report for report in found if report is not None)

    def fills(self, symbol: Symbol, orders: Iterable[Order]) -> list[Fill]:
        """Return the fills of some orders, oldest first; one trade may be of two of them."""
        found = {
            (fill.trade_id, fill.exchange_order_id): fill
            for order in orders
            for name in (order.client_order_id, order.exchange_order_id)
            for fill in self._fills.get((symbol, name or ""), ())
        }
        return sorted(found.values(), key=lambda fill: (fill.at, fill.trade_id))


class _OfOrders(Comparison):
    """Orders and fills of one position."""

    def compare(self, shown: _Shown, stranger: Stranger | None, others: Decimal) -> None:
        """Take in what the exchange says of this position's orders and fills.

        Coins that are not there are weighed before a stop is written for them: it would be refused.
        Until then it is owed, and a second later at most it is written all the same. `others` is
        what is there beyond all that is held.
        """
        terms, without_stop = self.terms, replace(self.terms, held={**self.terms.held, **_NO_STOP})
        with self.isolated():
            self.terms = without_stop if self._lacks(others) else terms
            if stranger is not None:
                self._beware(stranger)
            self._orders(shown)
            self._fills(shown)
            if self.as_read:
                self._absences()
            if self.as_read:
                self._binding()
            self._prove()
            self.terms = without_stop if self._lacks(others) else terms
            self.tell(TimePassed())

    def _binding(self) -> None:
        """Learn what others lock of it, where a sale was refused because coins are not free."""
        position = self.position
        if position.bound is None:
            return
        bound = bound_by_others(self.belief, self.evidence, position)
        if bound is None:
            return
        shown = [
            f"{plain(order.quantity - order.filled)} in order {order.exchange_order_id}"
            for order in self.evidence.open_orders
            if order.side is Side.SELL
            and order.symbol == position.symbol
            and all(
                each.find(order.client_order_id, order.exchange_order_id) is None
                for each in self.belief.positions
            )
        ]
        self.tell(Binding(quantity=bound, by=", ".join(shown[:8]) or "orders on other symbols"))

    def _lacks(self, others: Decimal) -> bool:
        """Tell whether less is there than is held, after what has been taken in."""
        left = others + held_of(self.before) - held_of(self.position)
        return left <= -self.terms.instrument.lot

    def _beware(self, stranger: Stranger) -> None:
        """Add no risk; and sell nothing of what an older journal believes in, or may yet learn of.

        What is out of it may have bought long ago, and the lost records have sold that again.
        """
        out = self.position.state is not State.CLOSED and wanted([self.position], self.now)
        concerned = self.position.quantity or out
        if stranger.lost and self.position.set_back_at is None and concerned:
            self.tell(SetBack(reason=stranger.said))
        self.tell(Freeze(reason=stranger.said))

    def _orders(self, shown: _Shown) -> None:
        for order in (*self.departed.values(), *self.before.orders):
            for report in shown.reports(order):
                if _taught(self.tell(report), OrderReported):
                    self._find_order(order, report)

    def _find_order(self, order: Order, report: OrderReport) -> None:
        kind = FindingKind.ORDER_FOUND
        if order.status in {OrderStatus.NEVER, OrderStatus.REJECTED}:
            kind = FindingKind.ORDER_LATE
        elif report.status is not ReportedStatus.OPEN:
            kind = FindingKind.ORDER_OVER
        self.find(
            kind,
            order,
            f"the exchange has it as {report.exchange_order_id}, {report.status}, "
            f"{plain(report.filled)} of {plain(report.quantity)} filled",
            f"noted, it was {order.status}; the position is {self.position.state}",
        )

    def _fills(self, shown: _Shown) -> None:
        orders = (*self.departed.values(), *self.position.orders)
        fills = shown.fills(self.position.symbol, orders)
        booked = [fill for fill in fills if _taught(self.tell(fill), FillBooked)]
        if booked:
            total = sum((fill.quantity for fill in booked), ZERO)
            self.find(
                FindingKind.FILLS_MISSED,
                None,
                f"{counted(len(booked), 'fill')}, {plain(total)} {self.position.base}, "
                f"trades {', '.join(fill.trade_id for fill in booked[:8])}",
                f"booked; the position is {self.position.state}",
            )

    def _prove(self) -> None:
        """Let go on what was set back, from a round that taught nothing and explains all."""
        position = self.position
        if position.set_back_at is None or not self.as_read or position is not self.before:
            return
        if unexplained(position, self.belief, self.evidence) is None:
            shown = "orders, fills and balance explain all that it holds"
            self.tell(Proof(evidence=shown))
            self.find(FindingKind.SETBACK_EXPLAINED, None, shown, "it goes on")

    def _absences(self) -> None:
        for order in self.before.orders:
            name = order.client_order_id
            if order.finished or name not in self.evidence.looked_up:
                continue
            if self.evidence.looked_up[name] is not None:
                continue
            if order.status is OrderStatus.WORKING:
                self._vanished(order)
            else:
                self._absent(order)

    def _absent(self, order: Order) -> None:
        absence = self._absence(order)
        why_not = unproven(order, absence, self.position, self.terms)
        self.tell(absence)
        if why_not is None:
            outcome = f"proven never accepted; the position is {self.position.state}"
            self.find(FindingKind.ORDER_ABSENT, order, "not found, and it is too late", outcome)
        else:
            outcome = f"still {order.status}; asking again, no new entry"
            self.find(FindingKind.ORDER_UNKNOWN, order, why_not, outcome)

    def _absence(self, order: Order) -> Absence:
        window = self.evidence.windows.get(self.position.symbol)
        fills = window.fills if window is not None else ()
        return Absence(
            client_order_id=order.client_order_id,
            read_started_at=self.evidence.started_at,
            not_found=True,
            fills_complete=window is not None and window.complete,
            named_by_a_fill=any(f.client_order_id == order.client_order_id for f in fills),
            # The one from before: what this very round taught counts as a change, so that absence
            # is only ever concluded from a round that taught nothing.
            version=self.before.version,
            group_answered=self._group_answered(order),
            contradicted=contradiction(self.belief, self.evidence, self.position, order),
            alone=window is not None and only_of(self.belief, self.evidence, self.position),
            ebb=ebb_beside(self.belief, self.evidence, self.position),
        )

    def _group_answered(self, order: Order) -> bool:
        """Tell whether this round was told of the order that this one was to replace."""
        old = self.position.find(order.replaces) if order.replaces is not None else None
        if old is None or old.finished:
            return True
        listed = any(
            report.exchange_order_id == old.exchange_order_id
            for report in self.evidence.open_orders
        )
        return listed or self.evidence.looked_up.get(old.client_order_id) is not None

    def _vanished(self, order: Order) -> None:
        overdue = self.evidence.started_at > order.not_after + self.terms.visibility
        evidence = f"it was live as {order.exchange_order_id}; now the exchange knows no such order"
        if overdue:
            self.tell(Freeze(reason=vanishing(order, evidence)))
        outcome = "frozen until somebody resolves it" if overdue else "asking again"
        self.find(FindingKind.ORDER_VANISHED, order, evidence, outcome)


def _taught(news: Sequence[PositionRecord], kind: type[Struct]) -> bool:
    """Tell whether a report was news; what else fell due in that moment is not its doing."""
    return any(isinstance(record, kind) for record in news)


def unmoved(
    belief: Belief,
    listed: Iterable[OrderReport],
    balances: Mapping[Asset, Decimal] | None,
    now: datetime,
) -> bool:
    """Tell whether the list and the balance show just what is believed, order by order.

    Then no order of ours can have traded: a fill would show in the one or in the other.
    """
    return (
        balances is not None
        and is_listed(belief, listed, now)
        and all(
            asset in belief.others
            and amount - belief.beside.get(asset, ZERO) == belief.others[asset].amount
            for asset, amount in coins_of(belief.positions, balances).items()
        )
    )


def is_listed(belief: Belief, listed: Iterable[OrderReport], now: datetime) -> bool:
    """Tell whether a list of live orders shows ours just as they are believed, and no other."""
    shown = {report.client_order_id: report for report in listed}
    open_ = {order.client_order_id: order for _, order in wanted(belief.positions, now)}
    strange = (name for name in shown if name is not None and belief.is_ours(name))
    return all(_is_shown(order, shown.get(name)) for name, order in open_.items()) and all(
        name in open_ for name in strange
    )


def explained(belief: Belief, evidence: Evidence, now: datetime) -> bool:
    """Tell whether list and balance show just what is believed once the evidence is taken.

    What would be written down because of it is in neither of them yet. An order that was called
    NEVER, and that the exchange denies again, is as believed.
    """
    return _is_as_told(belief, evidence, now, lambda _, order: order.is_lately_never(now))


def is_early(belief: Belief, evidence: Evidence, now: datetime) -> bool:
    """Tell whether nothing but orders in doubt keeps list and balance from being as believed.

    Of these it could not be proven yet that they are absent, whatever the trades show.
    """

    def is_awaited(position: Position, order: Order) -> bool:
        settled = order.not_after + belief.terms[position.bot].visibility
        awaited = order.status is OrderStatus.INTENDED and evidence.started_at <= settled
        return awaited or order.is_lately_never(now)

    asked = ((position, order) for position in belief.positions for order in position.orders)
    if any(is_missed(*each, belief, evidence) for each in asked):
        return False  # It is withdrawn at once, unless a trade says that it has sold.
    return _is_as_told(belief, evidence, now, is_awaited)


def _is_as_told(
    belief: Belief,
    evidence: Evidence,
    now: datetime,
    may_lack: Callable[[Position, Order], bool],
) -> bool:
    """Tell whether all is as believed but for orders that are denied and may lack."""

    def lacks(position: Position, order: Order) -> bool:
        denied = evidence.looked_up.get(order.client_order_id, ...) is None
        return denied and may_lack(position, order)

    believed, _ = taken(belief, evidence, now)
    positions = tuple(
        replace(each, orders=tuple(o for o in each.orders if not lacks(each, o)))
        for each in believed.positions
    )
    believed = replace(believed, positions=positions)
    return unmoved(believed, evidence.open_orders, evidence.balances, now)


def taken(belief: Belief, evidence: Evidence, now: datetime) -> tuple[Belief, Evidence]:
    """Return what is believed once the evidence is taken, and the evidence as if of then.

    What would be written down because of it is left out: nobody has been told of it.
    """
    outcome = reconcile(belief, evidence, now)
    after = [
        outcome.decisions[each.position_id].position
        if each.position_id in outcome.decisions
        else each
        for each in belief.positions
    ]
    known = {order.client_order_id for each in belief.positions for order in each.orders}
    positions = tuple(
        replace(each, orders=tuple(o for o in each.orders if o.client_order_id in known))
        for each in after
    )
    versions = {each.position_id: each.version for each in positions}
    return replace(belief, positions=positions), replace(evidence, versions=versions)


def _is_shown(order: Order, report: OrderReport | None) -> bool:
    shown = (ReportedStatus.OPEN, order.filled)
    return report is not None and is_unchanged(order) and (report.status, report.filled) == shown


def is_unchanged(order: Order) -> bool:
    """Tell whether an order is believed to be at work, and nothing has been asked of it since."""
    return (
        order.status is OrderStatus.WORKING
        and order.verdict is None
        and order.cancel_at is None
        and order.replaced_by is None
        and order.counted
    )


def wanted(positions: Iterable[Position], now: datetime) -> tuple[tuple[Position, Order], ...]:
    """Return the orders that must be asked about: every unfinished one, and recent NEVER ones."""
    return tuple(
        (position, order)
        for position in positions
        for order in position.orders
        if not order.finished or order.is_lately_never(now)
    )


def is_missed(position: Position, order: Order, belief: Belief, evidence: Evidence) -> bool:
    """Tell whether an order was denied that could no longer come before the reads began."""
    decided = decided_at(order, position, belief.terms[position.bot])
    late = decided is not None and evidence.started_at > decided
    unsure = order.status is OrderStatus.INTENDED and not (order.hailed or order.shut)
    denied = evidence.looked_up.get(order.client_order_id, ...) is None
    return denied and late and unsure and order.role is not Role.ENTRY
