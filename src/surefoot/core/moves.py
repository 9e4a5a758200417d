"""What others traded of an asset: told by their trades, or by their orders that are over.

A list of orders costs as much as the trades, and tells at once whose each was and what became of a
stop. What it shows is evidence, and what it lacks is none: it may lag behind. So its rows serve
only where each lies wholly within the time in question, and where they account for a balance.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from datetime import datetime
from decimal import Decimal
from itertools import pairwise

from msgspec import Struct

from surefoot.core.coins import trades_of_others
from surefoot.core.evidence import Belief, Evidence
from surefoot.core.order import Order, ReportedStatus
from surefoot.core.position import Position
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import ZERO, Asset, ExchangeOrderId, Side, TradeId


class Move(Struct, frozen=True, kw_only=True):
    """What others bought or sold in one trade, or with one order from when it `began`.

    `change` is what it brought or took, less its fee; `known` tells that it was not ours.
    """

    side: Side
    quantity: Decimal
    worth: Decimal
    change: Decimal
    began: datetime
    at: datetime
    order: ExchangeOrderId
    trade: TradeId | None = None
    known: bool = True


class Moves(Struct, frozen=True, kw_only=True):
    """What is `told` of others, oldest first: by a list of orders, or by trades.

    `listed` tells that no trades were read, `of_orders` that what the list shows is all of use;
    `sellers` are the orders in it that sold something.
    """

    told: tuple[Move, ...] = ()
    sellers: tuple[ExchangeOrderId, ...] = ()
    listed: bool = False
    of_orders: bool = False


def moves_of_others(
    belief: Belief, evidence: Evidence, asset: Asset, since: datetime | None
) -> Moves:
    """Return what others traded of an asset since a time.

    What is booked as sold from outside is not of others any more.
    """
    positions = [each for each in belief.positions if each.base == asset]
    symbols = {each.symbol for each in positions}
    if since is not None and symbols <= {*evidence.foreign}:
        booked = {(each.symbol, order) for each in positions for order in each.outside_orders}
        rows = [row for symbol in sorted(symbols) for row in evidence.foreign[symbol]]
        rows = [row for row in rows if (row.symbol, row.exchange_order_id) not in booked]
        rows = [row for row in rows if row.at is None or row.at >= since]
        told = _of_orders(rows, since, _rate(positions))
        sold = tuple(row.exchange_order_id for row in rows if row.side is Side.SELL)
        return Moves(told=told or (), sellers=sold, listed=True, of_orders=told is not None)
    fills = trades_of_others(belief, evidence, symbols, since)
    return Moves(told=tuple(_of_trade(f, asset) for f in sorted(fills, key=lambda f: f.at)))


def foreign_among(
    rows: Iterable[OrderReport], belief: Belief, ours: Collection[Order], fills: Iterable[Fill]
) -> tuple[OrderReport, ...] | None:
    """Return which orders are others' and filled; None: of one of ours more than is known.

    Known is what is booked on ours, or told by these fills. A cancel may have changed a name.
    """
    known = {order.exchange_order_id: order.filled for order in ours}
    told: dict[ExchangeOrderId, Decimal] = {}
    for fill in fills:
        told[fill.exchange_order_id] = told.get(fill.exchange_order_id, ZERO) + fill.quantity
    foreign = list[OrderReport]()
    for row in rows:
        number, name = row.exchange_order_id, row.client_order_id
        if number not in known and not (name is not None and belief.is_ours(name)):
            foreign += [row] if row.filled else []
        elif row.filled > max(known.get(number, ZERO), told.get(number, ZERO)):
            return None
    return tuple(foreign)


def _of_trade(fill: Fill, asset: Asset) -> Move:
    fee = fill.fee if fill.fee_asset == asset else ZERO
    return Move(
        side=fill.side,
        quantity=fill.quantity,
        worth=fill.price * fill.quantity,
        change=_change(fill.side, fill.quantity, fee),
        began=fill.at,
        at=fill.at,
        order=fill.exchange_order_id,
        trade=fill.trade_id,
        known=fill.client_order_id is not None,
    )


def _of_orders(
    rows: Iterable[OrderReport], since: datetime, rate: Decimal
) -> tuple[Move, ...] | None:
    """Return what orders moved since a time, oldest first; None: their trades must tell it.

    Each must be over, and must not have been at work before that time, nor together with one of the
    other side. Of what is bought a part is kept back as a fee. If one of them came later than the
    balance was told, they do not account for it.
    """
    moves = list[Move]()
    for row in rows:
        if row.placed_at is None or row.at is None:
            return None
        if row.status is ReportedStatus.OPEN or row.placed_at < since:
            return None
        if row.filled and row.cost is None:
            return None
        moves.append(_of_order(row, row.placed_at, row.at, rate))
    moves.sort(key=lambda each: (each.began, each.at))
    mixed = len({each.side for each in moves}) > 1
    if mixed and any(later.began <= each.at for each, later in pairwise(moves)):
        return None
    return tuple(moves)


def _of_order(row: OrderReport, began: datetime, at: datetime, rate: Decimal) -> Move:
    fee = row.filled * rate if row.side is Side.BUY else ZERO
    return Move(
        side=row.side,
        quantity=row.filled,
        worth=row.cost or ZERO,
        change=_change(row.side, row.filled, fee),
        began=began,
        at=at,
        order=row.exchange_order_id,
    )


def _change(side: Side, quantity: Decimal, fee: Decimal) -> Decimal:
    return (quantity if side is Side.BUY else -quantity) - fee


def _rate(positions: Iterable[Position]) -> Decimal:
    """Return what part of what the bots bought a fee in the same asset kept back."""
    entered = [each for each in positions if each.entered]
    return max((each.base_fees / each.entered for each in entered), default=ZERO)
