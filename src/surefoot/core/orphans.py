"""Orders that live at the exchange and that no live intent explains: orphans, ours or foreign."""

from __future__ import annotations

from msgspec import Struct

from surefoot.core.evidence import Belief, Evidence, Finding, FindingKind, Orphan
from surefoot.core.order import Order, OrderStatus, ReportedStatus
from surefoot.core.position import Position
from surefoot.core.reports import OrderReport
from surefoot.core.values import ClientOrderId, Symbol, plain


def orphans(belief: Belief, evidence: Evidence, findings: list[Finding]) -> tuple[Orphan, ...]:
    """Return the orders to cancel; what is only reported is added to `findings`."""
    known = {
        order.client_order_id: (position, order)
        for position in belief.positions
        for order in position.orders
    }
    kept = {position.position_id: position for position in belief.positions}
    departed = {owned.order.client_order_id: owned for owned in belief.departed}
    found: list[Orphan] = []
    for report in evidence.open_orders:
        name = report.client_order_id or ClientOrderId("")
        if name in known:
            orphan = _terminal_here(*known[name], report, evidence)
        elif (owned := departed.get(name)) is not None and owned.position_id in kept:
            orphan = _terminal_here(kept[owned.position_id], owned.order, report, evidence)
        elif owned is not None:
            orphan = Orphan(report=report, reason="its position is settled")
        elif belief.is_ours(name):
            orphan = None
            findings.append(_unknown_own(report))
        else:
            orphan = Orphan(report=report, reason="not ours") if belief.exclusive else None
            findings.append(_foreign(report, cancelled=belief.exclusive))
        if orphan is not None:
            found.append(orphan)
    findings += [_orphaned(orphan) for orphan in found if orphan.reason != "not ours"]
    return tuple(found)


def _terminal_here(
    position: Position, order: Order, report: OrderReport, evidence: Evidence
) -> Orphan | None:
    """Only an order that is over, and is live by the answer to its id, whatever its role.

    A stop or an exit like that sells beside what is known, and locks what it would sell.
    """
    confirmed = evidence.looked_up.get(order.client_order_id)
    if not order.finished or confirmed is None:
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


class Stranger(Struct, frozen=True, kw_only=True):
    """An order of ours that the journal has never heard of.

    One that it had `lost` was named by this very journal: it is older than it once was, and no file
    has told that. Any other is of a journal that is gone, or of another one.
    """

    said: str
    lost: bool


def strangers(belief: Belief, evidence: Evidence) -> dict[Symbol, Stranger]:
    """Return a stranger per symbol, one that was lost if there is one.

    It may be live, or have filled already: what a restored backup does not know.
    """
    orders = [order for position in belief.positions for order in position.orders]
    orders += [owned.order for owned in belief.departed]
    known = {name for order in orders for name in (order.client_order_id, order.cancel_name)}

    def is_strange(name: ClientOrderId) -> bool:
        return name not in known and belief.is_ours(name)

    shown = [
        (fill.symbol, fill.client_order_id, f"the order {fill.client_order_id} of {fill.trade_id}")
        for window in evidence.windows.values()
        for fill in window.fills
    ]
    shown += [
        (each.symbol, each.client_order_id, f"{each.client_order_id} ({each.exchange_order_id})")
        for each in evidence.open_orders
    ]
    found = [
        (symbol, Stranger(said=_carries_our_mark(what), lost=belief.is_named_here(name)))
        for symbol, name, what in shown
        if name is not None and is_strange(name)
    ]
    return dict(sorted(found, key=lambda each: each[1].lost))


def _carries_our_mark(what: str) -> str:
    return f"{what} at the exchange carries our mark, but the journal has no such order"


def _unknown_own(report: OrderReport) -> Finding:
    return Finding(
        kind=FindingKind.UNKNOWN_OWN_ORDER,
        symbol=report.symbol,
        order=report.client_order_id,
        evidence=_carries_our_mark(f"{report.client_order_id} ({report.exchange_order_id})"),
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
