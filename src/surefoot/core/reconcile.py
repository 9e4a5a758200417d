"""Comparing what we believe with what the exchange shows: `reconcile → findings, records`.

Per position and total: one position that cannot be reconciled is frozen and reported, and the
others go on. Conclusions are drawn from evidence only. A read that failed is not in `Evidence` at
all, so nothing can be concluded from it; a list that lacks an order closes nothing; a balance only
raises a question, and the exchange's own trades answer it. Applying the result twice changes
nothing the second time, because every record comes out of `decide`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

from surefoot.core.decide import Input, decide, unproven
from surefoot.core.errors import InvariantViolated, SurefootError
from surefoot.core.order import Order, OrderStatus, ReportedStatus, Role
from surefoot.core.position import Position, State
from surefoot.core.records import PositionFrozen, PositionRecord
from surefoot.core.reports import Absence, Fill, OrderReport, Reduction, TimePassed
from surefoot.core.rules import Terms
from surefoot.core.signals import Freeze
from surefoot.core.state import evolve
from surefoot.core.values import (
    ZERO,
    Asset,
    BotName,
    ClientOrderId,
    PositionId,
    Side,
    Symbol,
    plain,
)

# An order called NEVER is looked for this long; a late discovery is adopted and frozen.
LATE_SWEEP: Final = timedelta(hours=24)
# This many live orders gone at once means another account or an exchange that started over.
VANISHED_MAX: Final = 1


class FindingKind(StrEnum):
    """What a comparison can come to."""

    ORDER_FOUND = "order-found"
    ORDER_OVER = "order-over"
    ORDER_UNKNOWN = "order-unknown"
    ORDER_ABSENT = "order-absent"
    ORDER_VANISHED = "order-vanished"
    ORDER_LATE = "order-late"
    FILLS_MISSED = "fills-missed"
    REDUCED_OUTSIDE = "reduced-outside"
    HOLDING_MISSING = "holding-missing"
    ORPHAN = "orphan"
    UNKNOWN_OWN_ORDER = "unknown-own-order"
    FOREIGN_ORDER = "foreign-order"
    EXCHANGE_RESET = "exchange-reset"
    FAILED = "failed"


class Finding(Struct, frozen=True, kw_only=True):
    """One difference: where, on what evidence, and what follows from it."""

    kind: FindingKind
    symbol: Symbol
    evidence: str
    outcome: str
    bot: BotName | None = None
    position_id: PositionId | None = None
    order: str | None = None


class Window(Struct, frozen=True, kw_only=True):
    """The account's fills of one symbol, read without a gap if `complete`."""

    fills: tuple[Fill, ...]
    complete: bool


class Evidence(Struct, frozen=True, kw_only=True):
    """What one round of reading brought; a question that failed is simply not in here.

    `started_at` is exchange time before the first read, `versions` are the positions' then.
    `looked_up` holds the answers to by-id questions; None is the exchange's own "no such order".
    `missing` are base assets whose balance was short in an earlier round as well.
    """

    started_at: datetime
    versions: Mapping[PositionId, int]
    open_orders: tuple[OrderReport, ...] = ()
    looked_up: Mapping[ClientOrderId, OrderReport | None] = {}
    windows: Mapping[Symbol, Window] = {}
    balances: Mapping[Asset, Decimal] | None = None
    missing: frozenset[Asset] = frozenset()


class Belief(Struct, frozen=True, kw_only=True):
    """What the journal says of one account. `is_ours` recognises our client order ids."""

    positions: tuple[Position, ...]
    terms: Mapping[Symbol, Terms]
    is_ours: Callable[[str], bool]
    exclusive: bool


class Orphan(Struct, frozen=True, kw_only=True):
    """An order that is to be cancelled, as a journaled intent."""

    report: OrderReport
    reason: str


class Reconciliation(Struct, frozen=True, kw_only=True):
    """What follows: records per position, orders to cancel, and what to tell the operator.

    `halt` is a reason to stop everything on this account and ask; nothing else is then done.
    """

    findings: tuple[Finding, ...] = ()
    records: Mapping[PositionId, tuple[PositionRecord, ...]] = {}
    orphans: tuple[Orphan, ...] = ()
    halt: str | None = None


def reconcile(belief: Belief, evidence: Evidence, now: datetime) -> Reconciliation:
    """Compare, and say what follows. `now` is exchange time."""
    halt = _contradicted(belief, evidence)
    if halt is not None:
        return Reconciliation(findings=(halt,), halt=halt.evidence)
    findings: list[Finding] = []
    records: dict[PositionId, tuple[PositionRecord, ...]] = {}
    short = _short_assets(belief, evidence)
    strangers = _strangers(belief, evidence)
    for position in belief.positions:
        comparison = _Comparison(position, belief.terms[position.symbol], evidence, now)
        comparison.run(
            short.get(position.base, ZERO),
            _holders(belief, position.base),
            strangers.get(position.symbol),
        )
        findings += comparison.findings
        if comparison.records:
            records[position.position_id] = tuple(comparison.records)
    orphans = _orphans(belief, evidence, findings)
    return Reconciliation(findings=tuple(findings), records=records, orphans=orphans)


def _contradicted(belief: Belief, evidence: Evidence) -> Finding | None:
    gone = [
        (position, order)
        for position in belief.positions
        for order in position.orders
        if _vanished(order, evidence)
    ]
    if len(gone) <= VANISHED_MAX:
        return None
    names = ", ".join(order.client_order_id for _, order in gone)
    return Finding(
        kind=FindingKind.EXCHANGE_RESET,
        symbol=gone[0][0].symbol,
        evidence=f"{len(gone)} orders that were live are unknown to the exchange: {names}",
        outcome="halted: is this the right account, and has the exchange been reset?",
    )


def _vanished(order: Order, evidence: Evidence) -> bool:
    return (
        order.status is OrderStatus.WORKING
        and order.verdict is None
        and evidence.looked_up.get(order.client_order_id, ...) is None
    )


class _Comparison:
    """One position against the evidence. Anything that goes wrong freezes this one only."""

    def __init__(self, position: Position, terms: Terms, evidence: Evidence, now: datetime) -> None:
        self.before = position
        self.position = position
        self.terms = terms
        self.evidence = evidence
        self.now = now
        self.records: list[PositionRecord] = []
        self.findings: list[Finding] = []

    def run(self, short: Decimal, holders: int, stranger: OrderReport | None) -> None:
        try:
            if stranger is not None:
                self._tell(Freeze(reason=_carries_our_mark(stranger)))
            self._orders()
            self._fills()
            self._absences()
            self._holding(short, holders)
            self._tell(TimePassed())
        except SurefootError as error:
            # Total per position (L6): what was gathered is dropped, the reason is kept.
            self.findings = []
            self.records = []
            if self.before.frozen is None:
                self.records.append(PositionFrozen(at=self.now, reason=_reason(error)))
            self._find(FindingKind.FAILED, None, _reason(error), "frozen until somebody looks")

    def _tell(self, event: Input) -> bool:
        news = decide(self.position, event, self.now, self.terms)
        for record in news:
            self.position = evolve(self.position, record)
        self.records += news
        return bool(news)

    def _orders(self) -> None:
        listed = {report.client_order_id: report for report in self.evidence.open_orders}
        for order in self.before.orders:
            name = order.client_order_id
            answers = (listed.get(name), self.evidence.looked_up.get(name))
            for report in answers:
                if report is not None and self._tell(report):
                    self._find_order(order, report)

    def _find_order(self, order: Order, report: OrderReport) -> None:
        kind = FindingKind.ORDER_FOUND
        if order.status in {OrderStatus.NEVER, OrderStatus.REJECTED}:
            kind = FindingKind.ORDER_LATE
        elif report.status is not ReportedStatus.OPEN:
            kind = FindingKind.ORDER_OVER
        self._find(
            kind,
            order,
            f"the exchange has it as {report.exchange_order_id}, {report.status}, "
            f"{plain(report.filled)} of {plain(report.quantity)} filled",
            f"believed {order.status}; the position is {self.position.state}",
        )

    def _fills(self) -> None:
        window = self.evidence.windows.get(self.position.symbol)
        booked = [fill for fill in (window.fills if window else ()) if self._tell(fill)]
        if booked:
            total = sum((fill.quantity for fill in booked), ZERO)
            self._find(
                FindingKind.FILLS_MISSED,
                None,
                f"{len(booked)} fills, {plain(total)} {self.position.base}, "
                f"trades {', '.join(fill.trade_id for fill in booked[:8])}",
                f"booked; the position is {self.position.state}",
            )

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
        self._tell(absence)
        if why_not is None:
            outcome = f"proven never accepted; the position is {self.position.state}"
            self._find(FindingKind.ORDER_ABSENT, order, "not found, and it is too late", outcome)
        else:
            outcome = f"still {order.status}; asking again, no new entry"
            self._find(FindingKind.ORDER_UNKNOWN, order, why_not, outcome)

    def _absence(self, order: Order) -> Absence:
        window = self.evidence.windows.get(self.position.symbol)
        fills = window.fills if window is not None else ()
        # The version is the one from before this comparison: what this very round taught counts
        # as a change, so that absence is only ever concluded from a round that taught nothing.
        unchanged = self.evidence.versions.get(self.position.position_id, -1)
        return Absence(
            client_order_id=order.client_order_id,
            read_started_at=self.evidence.started_at,
            not_found=True,
            fills_complete=window is not None and window.complete,
            named_by_a_fill=any(f.client_order_id == order.client_order_id for f in fills),
            version=unchanged,
        )

    def _vanished(self, order: Order) -> None:
        overdue = self.evidence.started_at > order.not_after + self.terms.visibility
        evidence = f"it was live as {order.exchange_order_id}; now the exchange knows no such order"
        if overdue:
            self._tell(Freeze(reason=f"{order.client_order_id}: {evidence}"))
        outcome = "frozen until somebody resolves it" if overdue else "asking again"
        self._find(FindingKind.ORDER_VANISHED, order, evidence, outcome)

    def _holding(self, short: Decimal, holders: int) -> None:
        position = self.position
        if not short or position.state is not State.OPEN or position.frozen is not None:
            return
        if any(order.role is not Role.STOP for order in position.orders if not order.finished):
            return
        if position.base not in self.evidence.missing:
            outcome = "looking again before anything is concluded"
            self._find(FindingKind.HOLDING_MISSING, None, _lacks(position, short), outcome)
            return
        sold = self._sold_by_others()
        quantity = sum((fill.quantity for fill in sold), ZERO)
        if holders != 1 or quantity < short:
            reason = f"{_lacks(position, short)}, and no trades explain it"
            self._tell(Freeze(reason=reason))
            outcome = "frozen until somebody resolves it"
            self._find(FindingKind.HOLDING_MISSING, None, reason, outcome)
            return
        worth = sum((fill.price * fill.quantity for fill in sold), ZERO)
        trades = ", ".join(fill.trade_id for fill in sold[:8])
        evidence = f"sold outside Surefoot in trades {trades}"
        self._tell(Reduction(quantity=short, price=worth / quantity, evidence=evidence))
        self._find(
            FindingKind.REDUCED_OUTSIDE,
            None,
            evidence,
            f"{plain(short)} {position.base} booked; the position is {self.position.state}",
        )

    def _sold_by_others(self) -> list[Fill]:
        window = self.evidence.windows.get(self.position.symbol)
        opened = self.position.opened_at
        return [
            fill
            for fill in (window.fills if window else ())
            if fill.side is Side.SELL
            and (opened is None or fill.at >= opened)
            and self.position.find(fill.client_order_id, fill.exchange_order_id) is None
        ]

    def _find(self, kind: FindingKind, order: Order | None, evidence: str, outcome: str) -> None:
        self.findings.append(
            Finding(
                kind=kind,
                symbol=self.position.symbol,
                bot=self.position.bot,
                position_id=self.position.position_id,
                order=None if order is None else order.client_order_id,
                evidence=evidence,
                outcome=outcome,
            ),
        )


def _reason(error: SurefootError) -> str:
    prefix = "invariant " if isinstance(error, InvariantViolated) else ""
    return f"{prefix}{error}"


def _lacks(position: Position, short: Decimal) -> str:
    return (
        f"the account holds {plain(short)} {position.base} less than the "
        f"{plain(position.quantity)} that its fills add up to"
    )


def _holders(belief: Belief, base: Asset) -> int:
    return sum(1 for position in belief.positions if position.base == base and position.quantity)


def _short_assets(belief: Belief, evidence: Evidence) -> dict[Asset, Decimal]:
    """Return how much of each base asset the account lacks; sold dust does not count."""
    if evidence.balances is None:
        return {}
    expected: dict[Asset, Decimal] = {}
    for position in belief.positions:
        if position.state is not State.CLOSED and position.quantity > ZERO:
            expected[position.base] = expected.get(position.base, ZERO) + position.quantity
    held = evidence.balances
    return {
        asset: quantity - held.get(asset, ZERO)
        for asset, quantity in expected.items()
        if held.get(asset, ZERO) < quantity
    }


def short_symbols(belief: Belief, evidence: Evidence) -> tuple[Symbol, ...]:
    """Return the symbols whose fills must be read back to the entry to explain a short balance."""
    short = _short_assets(belief, evidence)
    symbols = {p.symbol for p in belief.positions if p.base in short and p.quantity > ZERO}
    return tuple(sorted(symbols))


def short_assets(belief: Belief, evidence: Evidence) -> frozenset[Asset]:
    """Return the base assets of which the account holds less than our fills add up to."""
    return frozenset(_short_assets(belief, evidence))


def wanted(positions: Iterable[Position], now: datetime) -> tuple[tuple[Position, Order], ...]:
    """Return the orders that must be asked about: every unfinished one, and recent NEVER ones."""
    return tuple(
        (position, order)
        for position in positions
        for order in position.orders
        if not order.finished or _lately_never(order, now)
    )


def _lately_never(order: Order, now: datetime) -> bool:
    return (
        order.status is OrderStatus.NEVER
        and order.finished_at is not None
        and now - order.finished_at < LATE_SWEEP
    )


def _orphans(belief: Belief, evidence: Evidence, findings: list[Finding]) -> tuple[Orphan, ...]:
    known = {
        order.client_order_id: (position, order)
        for position in belief.positions
        for order in position.orders
    }
    orphans: list[Orphan] = []
    for report in evidence.open_orders:
        name = report.client_order_id or ClientOrderId("")
        if name in known:
            orphan = _terminal_here(*known[name], report, evidence)
        elif belief.is_ours(name):
            orphan = None
            findings.append(_unknown_own(report))
        else:
            orphan = Orphan(report=report, reason="not ours") if belief.exclusive else None
            findings.append(_foreign(report, cancelled=belief.exclusive))
        if orphan is not None:
            orphans.append(orphan)
    findings += [_orphaned(orphan) for orphan in orphans if orphan.reason != "not ours"]
    return tuple(orphans)


def _terminal_here(
    position: Position, order: Order, report: OrderReport, evidence: Evidence
) -> Orphan | None:
    """Only an entry whose intent is over, and which a by-id answer confirms to be live."""
    confirmed = evidence.looked_up.get(order.client_order_id)
    if not order.finished or order.role is not Role.ENTRY or confirmed is None:
        return None
    if order.status in {OrderStatus.NEVER, OrderStatus.REJECTED}:
        return None  # Adopted, frozen and withdrawn through its position.
    if confirmed.status is not ReportedStatus.OPEN:
        return None
    return Orphan(report=report, reason=f"{position.position_id} has it as {order.status}")


def _orphaned(orphan: Orphan) -> Finding:
    return Finding(
        kind=FindingKind.ORPHAN,
        symbol=orphan.report.symbol,
        order=orphan.report.client_order_id,
        evidence=f"live as {orphan.report.exchange_order_id}, but {orphan.reason}",
        outcome="cancelling it",
    )


def _strangers(belief: Belief, evidence: Evidence) -> dict[Symbol, OrderReport]:
    """Return, per symbol, a live order of ours that the journal has never heard of."""
    known = {o.client_order_id for position in belief.positions for o in position.orders}
    return {
        report.symbol: report
        for report in evidence.open_orders
        if report.client_order_id is not None
        and report.client_order_id not in known
        and belief.is_ours(report.client_order_id)
    }


def _carries_our_mark(report: OrderReport) -> str:
    return (
        f"{report.client_order_id} ({report.exchange_order_id} at the exchange) carries our mark, "
        f"but the journal has no such order"
    )


def _unknown_own(report: OrderReport) -> Finding:
    return Finding(
        kind=FindingKind.UNKNOWN_OWN_ORDER,
        symbol=report.symbol,
        order=report.client_order_id,
        evidence=_carries_our_mark(report),
        outcome="its bots are frozen; was an older journal restored?",
    )


def _foreign(report: OrderReport, *, cancelled: bool) -> Finding:
    return Finding(
        kind=FindingKind.FOREIGN_ORDER,
        symbol=report.symbol,
        order=report.client_order_id,
        evidence=f"{report.side} {plain(report.quantity)} as {report.exchange_order_id}",
        outcome="cancelling it: the account is ours alone" if cancelled else "left alone",
    )
