"""What is true, counted without the code under test: holdings, fees, and the design's own table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from tests.property.ticket import Ticket

from surefoot.core.order import Role
from surefoot.core.position import Position, State
from surefoot.core.records import PositionRecord
from surefoot.core.reports import Fill
from surefoot.core.state import evolve
from surefoot.core.values import ZERO, Side

# The table of the design, written out a second time: the code must agree with it.
EDGES: Final = frozenset(
    {
        (State.FLAT, State.OPENING),
        (State.OPENING, State.OPEN),
        (State.OPENING, State.FLAT),
        (State.OPEN, State.CLOSING),
        (State.CLOSING, State.CLOSED),
        (State.CLOSING, State.OPEN),
    },
)


def watch(before: Position, record: PositionRecord) -> Position:
    """Apply one record and hold it against the design, not against the code's own checks."""
    after = evolve(before, record)
    if after.state is not before.state:
        assert (before.state, after.state) in EDGES
    managed = {State.OPEN, State.CLOSING}
    if before.state in managed and after.state in managed and before.levels.stop is not None:
        assert after.levels.stop is not None
        assert after.levels.stop >= before.levels.stop, "a stop never loosens"
    if after.frozen is None:
        _check_lanes(after)
        assert after.quantity >= ZERO
    return after


def _check_lanes(position: Position) -> None:
    """One open intent a lane; an entry and an exit, or an exit and a stop, never together.

    What is to be replaced and what is sent in its place are one: of those one can trade.
    """
    live = [order for order in position.orders if not order.finished and not order.shut]
    places = {order.replaces for order in live if order.replaces is not None}
    intents = [order for order in live if order.client_order_id not in places]
    assert len(intents) == len({order.role for order in intents}), "one intent a lane"
    apart = {order.replaces or order.client_order_id for order in intents}
    roles = sorted(order.role.value for order in intents)
    assert len(apart) <= 1 or roles == ["entry", "stop"], roles


def check_able(able: Sequence[Ticket], held: Decimal, now: datetime) -> None:
    """Hold what can still trade against what is held, whatever anybody believes."""
    assert held >= ZERO, "never sold more than was held"
    buying = [ticket for ticket in able if ticket.order.role is Role.ENTRY]
    selling = [ticket for ticket in able if ticket.order.role is not Role.ENTRY]
    # What is to replace another and is not there yet can come only in its place.
    alone = [t for t in selling if t.live or t.order.replaces is None]
    assert len(alone) <= 1 >= len(buying), "never two orders that can still trade alike"
    leaving = [ticket for ticket in selling if ticket.order.role is Role.EXIT]
    assert not (buying and leaving), "nobody enters and leaves at once"
    for ticket in selling:
        assert ticket.may_sell_or_buy(now) <= held, "no order can sell too much"


def held_by(fills: Sequence[Fill]) -> Decimal:
    """Return what these fills leave in the account, counted without the code under test."""
    bought = sum((fill.quantity for fill in fills if fill.side is Side.BUY), ZERO)
    sold = sum((fill.quantity for fill in fills if fill.side is Side.SELL), ZERO)
    return bought - sold - fees_of(fills).get("BTC", ZERO)


def fees_of(fills: Sequence[Fill]) -> dict[str, Decimal]:
    fees: dict[str, Decimal] = {}
    for fill in fills:
        if fill.fee and fill.fee_asset is not None:
            fees[fill.fee_asset] = fees.get(fill.fee_asset, ZERO) + fill.fee
    return fees


def free(tickets: Iterable[Ticket]) -> Decimal:
    """Return the coins that no live order binds: an exchange lets no others be sold."""
    tickets = tuple(tickets)
    live = (each for each in tickets if each.live and each.order.side is Side.SELL)
    bound = sum((each.order.quantity - each.filled for each in live), ZERO)
    return held_by([fill for each in tickets for fill in each.fills]) - bound
