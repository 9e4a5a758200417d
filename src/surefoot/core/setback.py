"""After a setback: what must be shown before anything is sold on what an older journal says.

An older journal may believe in coins that were sold since, and the account may hold as many that
are the owner's. So it sells nothing until an operator has spoken, or until the exchange's own
record explains the holding wholly:

    every fill since the watermark is known by its order's name, and none is of an order of ours
    that the journal does not have; nor is any live order
    every order of it that should be live is there as believed, and nobody else cancelled one
    the account holds as much beyond what the bots hold as when it was last weighed, or what others
    bought on the symbol since more: lost coins of one bot may make up for those of another
    the reads began late enough that nothing sent by a lost life can still turn up

What no record of an exchange shows is a word of an operator that was lost with the records: coins
that were written off then, beside no stop, count as the bot's again.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from surefoot.core.coins import others_of
from surefoot.core.evidence import Belief, Evidence
from surefoot.core.order import Order, OrderStatus, ReportedStatus
from surefoot.core.position import Position
from surefoot.core.values import ZERO, Side


def unexplained(position: Position, belief: Belief, evidence: Evidence) -> str | None:  # noqa: PLR0911 (one condition a line)
    """Return what is not explained of a position that was set back, or None: all of it is.

    Asked of a position that has learned nothing in this round.
    """
    since, terms = position.set_back_at, belief.terms[position.bot]
    if since is None:
        return None
    if not position.lacking:
        return "it is frozen for what evidence does not end"
    if evidence.started_at <= since + terms.request_lifetime + terms.visibility:
        return "something that was sent before may still turn up"
    window = evidence.windows.get(position.symbol)
    if window is None or not window.complete:
        return "the window of fills is not proven complete"
    if any(fill.client_order_id is None for fill in window.fills):
        return "a trade is not known by the name of its order"
    if position.meddled_at is not None and position.meddled_at >= since:
        return "what sells it was cancelled, or what it holds locked, by somebody"
    if not all(_stands(order, evidence) for order in position.orders if not order.finished):
        return "an order of it is not as believed"
    return _short(position, belief, evidence) if position.quantity else None


def _stands(order: Order, evidence: Evidence) -> bool:
    """Tell whether the exchange shows a live order just as it is believed."""
    name = order.client_order_id
    listed = (each for each in evidence.open_orders if each.client_order_id == name)
    report = next(listed, None) or evidence.looked_up.get(name)
    if report is None or order.status is not OrderStatus.WORKING or order.verdict is not None:
        return False
    return (report.status, report.filled) == (ReportedStatus.OPEN, order.filled)


def _short(position: Position, belief: Belief, evidence: Evidence) -> str | None:
    others, before = others_of(belief, evidence, position.base), belief.others.get(position.base)
    if others is None:
        return "nobody told the balance"
    if before is None:
        return "what the account held beside it was never weighed"
    lot = belief.terms[position.bot].instrument.lot
    if others <= before.amount - belief.fees.get(position.base, ZERO) - lot:
        return "the account holds less than what is explained"
    if others >= before.amount + _bought(belief, evidence, position, before.at) + lot:
        return "the account holds more than what is explained"
    return None


def _bought(belief: Belief, evidence: Evidence, position: Position, since: datetime) -> Decimal:
    """Return how much more others bought than they sold on a position's symbol."""
    others = (
        fill
        for fill in evidence.windows[position.symbol].fills
        if fill.at >= since and not belief.is_ours(fill.client_order_id or "")
    )
    net = sum((f.quantity * (1 if f.side is Side.BUY else -1) for f in others), ZERO)
    return max(net, ZERO)
