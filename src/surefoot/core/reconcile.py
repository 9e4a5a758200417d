"""Comparing what we believe with what the exchange shows: `reconcile → findings, decisions`.

The belief is that of now, the evidence may be some seconds older. Whatever it shows is a fact at
any time; what it lacks is told only of a position that has not moved on since the reads began.

Per position and total: one position that cannot be reconciled is frozen and reported, and the
others go on. Conclusions are drawn from evidence only. A read that failed is not in `Evidence` at
all, so nothing can be concluded from it; a list that lacks an order closes nothing; a balance only
raises a question, and the exchange's own trades answer it. Applying the result twice changes
nothing the second time, because every record comes out of `decide`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from surefoot.core.decide import Input, decide, freeze_only
from surefoot.core.draft import Decision
from surefoot.core.errors import InvariantViolated, SurefootError
from surefoot.core.evidence import Belief, Evidence, Finding, FindingKind, Orphan
from surefoot.core.facts import unproven
from surefoot.core.order import Order, OrderStatus, ReportedStatus, Role
from surefoot.core.orphans import orphans, strangers
from surefoot.core.position import Position, State
from surefoot.core.records import FillBooked, OrderReported, PositionRecord
from surefoot.core.reports import Absence, Fill, OrderReport, Reduction, TimePassed
from surefoot.core.rules import Terms
from surefoot.core.signals import Freeze
from surefoot.core.values import (
    ZERO,
    Asset,
    PositionId,
    Side,
    Symbol,
    plain,
)

# This many live orders gone at once means another account or an exchange that started over.
VANISHED_MAX: Final = 1


class Reconciliation(Struct, frozen=True, kw_only=True):
    """What follows: a decision per position, orders to cancel, and what to tell the operator.

    `halt` is a reason to stop everything on this account and ask; nothing else is then done.
    """

    findings: tuple[Finding, ...] = ()
    decisions: Mapping[PositionId, Decision] = {}
    orphans: tuple[Orphan, ...] = ()
    halt: str | None = None
    short: frozenset[Asset] = frozenset()


def reconcile(belief: Belief, evidence: Evidence, now: datetime) -> Reconciliation:
    """Compare, and say what follows. `now` is exchange time."""
    halt = _contradicted(belief, evidence)
    if halt is not None:
        return Reconciliation(findings=(halt,), halt=halt.evidence)
    unknown_own = strangers(belief, evidence)
    comparisons = [
        _Comparison(position, belief.terms[position.bot], evidence, now)
        for position in belief.positions
    ]
    for each in comparisons:
        each.compare(unknown_own.get(each.position.symbol))
    short = _unexplained(comparisons, evidence)
    for each in comparisons:
        each.weigh(short.get(each.position.base, ZERO), _holders(comparisons, each.position.base))
    findings = [finding for each in comparisons for finding in each.findings]
    to_cancel = orphans(belief, evidence, findings)
    return Reconciliation(
        findings=tuple(findings),
        decisions={
            each.position.position_id: each.decided() for each in comparisons if each.records
        },
        orphans=to_cancel,
        short=frozenset(short),
    )


def _unexplained(comparisons: Sequence[_Comparison], evidence: Evidence) -> Mapping[Asset, Decimal]:
    """Return what the account lacks of each base asset, as this round left its positions.

    An asset whose positions have just learned something, or have moved on since the reads began, is
    left for the next round: balance, fills and belief may be of different moments.
    """
    busy = {each.position.base for each in comparisons if each.records or not each.as_read}
    short = _short(evidence.balances, [each.position for each in comparisons])
    return {asset: amount for asset, amount in short.items() if asset not in busy}


def _contradicted(belief: Belief, evidence: Evidence) -> Finding | None:
    gone = [
        (position, order)
        for position in belief.positions
        for order in position.orders
        if _as_read(position, evidence) and _vanished(order, evidence, belief.terms[position.bot])
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


def _as_read(position: Position, evidence: Evidence) -> bool:
    """Tell whether a position is still what it was when the reads began."""
    return evidence.versions.get(position.position_id) == position.version


def _vanished(order: Order, evidence: Evidence, terms: Terms) -> bool:
    return (
        order.status is OrderStatus.WORKING
        and order.verdict is None
        and evidence.started_at > order.not_after + terms.visibility
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
        self.failed = False
        self.as_read = _as_read(position, evidence)

    def compare(self, stranger: str | None) -> None:
        """Take in what the exchange says of this position's orders and fills."""
        with self._isolated():
            if stranger is not None:
                self._tell(Freeze(reason=stranger))
            self._orders()
            self._fills()
            if self.as_read:
                self._absences()

    def weigh(self, short: Decimal, holders: int) -> None:
        """Hold what is left against the account's balance, and let time pass."""
        if self.failed:
            return
        with self._isolated():
            self._holding(short, holders)
            self._tell(TimePassed())

    def decided(self) -> Decision:
        """Return all that followed, as one decision."""
        return Decision(records=tuple(self.records), position=self.position)

    @contextmanager
    def _isolated(self) -> Iterator[None]:
        """Be total per position (L6): what was gathered is dropped, the reason is kept."""
        try:
            yield
        except SurefootError as error:
            self.failed = True
            self.position = self.before
            self.findings = []
            self.records = []
            if self.before.frozen is None:
                self._follow(freeze_only(self.before, _reason(error), self.now))
            self._find(FindingKind.FAILED, None, _reason(error), "frozen until somebody looks")

    def _tell(self, event: Input) -> Sequence[PositionRecord]:
        return self._follow(decide(self.position, event, self.now, self.terms))

    def _follow(self, decision: Decision) -> Sequence[PositionRecord]:
        self.position = decision.position
        self.records += decision.records
        return decision.records

    def _orders(self) -> None:
        listed = {report.client_order_id: report for report in self.evidence.open_orders}
        for order in self.before.orders:
            name = order.client_order_id
            answers = (listed.get(name), self.evidence.looked_up.get(name))
            for report in answers:
                if report is not None and _taught(self._tell(report), OrderReported):
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
        fills = window.fills if window else ()
        booked = [fill for fill in fills if _taught(self._tell(fill), FillBooked)]
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
        return Absence(
            client_order_id=order.client_order_id,
            read_started_at=self.evidence.started_at,
            not_found=True,
            fills_complete=window is not None and window.complete,
            named_by_a_fill=any(f.client_order_id == order.client_order_id for f in fills),
            # The one from before: what this very round taught counts as a change, so that absence
            # is only ever concluded from a round that taught nothing.
            version=self.before.version,
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
        # Whatever may still explain it has the word first: an order that is out or uncounted.
        if any(
            order.role is not Role.STOP or order.verdict is not None or not order.counted
            for order in position.orders
            if not order.finished
        ):
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
        self._tell(
            Reduction(
                quantity=short,
                price=worth / quantity,
                evidence=evidence,
                trades=tuple(fill.trade_id for fill in sold),
            ),
        )
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
            and fill.trade_id not in self.position.outside
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


def _taught(news: Sequence[PositionRecord], kind: type[Struct]) -> bool:
    """Tell whether a report was news; what else fell due in that moment is not its doing."""
    return any(isinstance(record, kind) for record in news)


def _reason(error: SurefootError) -> str:
    prefix = "invariant " if isinstance(error, InvariantViolated) else ""
    return f"{prefix}{error}"


def _lacks(position: Position, short: Decimal) -> str:
    return (
        f"the account holds {plain(short)} {position.base} less than the "
        f"{plain(position.quantity)} that its fills add up to"
    )


def _holders(comparisons: Iterable[_Comparison], base: Asset) -> int:
    return sum(1 for e in comparisons if e.position.base == base and e.position.quantity)


def _short(
    balances: Mapping[Asset, Decimal] | None, positions: Iterable[Position]
) -> dict[Asset, Decimal]:
    """Return how much of each base asset the account lacks; sold dust does not count."""
    if balances is None:
        return {}
    expected: dict[Asset, Decimal] = {}
    for position in positions:
        if position.state is not State.CLOSED and position.quantity > ZERO:
            expected[position.base] = expected.get(position.base, ZERO) + position.quantity
    return {
        asset: quantity - balances.get(asset, ZERO)
        for asset, quantity in expected.items()
        if balances.get(asset, ZERO) < quantity
    }


def short_symbols(belief: Belief, evidence: Evidence) -> tuple[Symbol, ...]:
    """Return the symbols whose fills must be read back to the entry to explain a short balance."""
    short = _short(evidence.balances, belief.positions)
    symbols = {p.symbol for p in belief.positions if p.base in short and p.quantity > ZERO}
    return tuple(sorted(symbols))


def wanted(positions: Iterable[Position], now: datetime) -> tuple[tuple[Position, Order], ...]:
    """Return the orders that must be asked about: every unfinished one, and recent NEVER ones."""
    return tuple(
        (position, order)
        for position in positions
        for order in position.orders
        if not order.finished or order.is_lately_never(now)
    )
