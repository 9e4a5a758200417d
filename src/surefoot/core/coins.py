"""What of a balance the bots claim, what is others', and what it says of an order in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Final

from surefoot.core.ebb import Ebb, ebb
from surefoot.core.evidence import Belief, Evidence
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import Position, State
from surefoot.core.protection import covers, stop_rests
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import ZERO, Asset, ClientOrderId, Side, Symbol, plain

# So many times V what is locked speaks against an absence: ten minutes, where V is one.
LOCKED_FOR: Final = 10


def held_of(position: Position) -> Decimal:
    """Return what a position claims of the balance, with dust that waits for its next entry."""
    if position.state is State.CLOSED:
        return ZERO
    return max(position.claim - position.missing, ZERO)


def coins_of(
    positions: Iterable[Position], balances: Mapping[Asset, Decimal]
) -> dict[Asset, Decimal]:
    """Return what is there of each asset of some positions beyond what they claim."""
    coins: dict[Asset, Decimal] = {}
    for position in positions:
        there = coins.get(position.base, balances.get(position.base, ZERO))
        coins[position.base] = there - held_of(position)
    return coins


def others_of(belief: Belief, evidence: Evidence, asset: Asset) -> Decimal | None:
    """Return what is there of an asset beyond what any bot claims; None: nobody told."""
    if evidence.balances is None:
        return None
    claimed = sum((held_of(p) for p in belief.positions if p.base == asset), ZERO)
    return evidence.balances.get(asset, ZERO) - claimed - belief.beside.get(asset, ZERO)


def only_of(belief: Belief, evidence: Evidence, position: Position) -> bool:
    """Tell whether the account holds no coins but a position's own, and never did beside it.

    Then the exchange itself refuses to sell them twice.
    """
    asset, lot = position.base, belief.terms[position.bot].instrument.lot
    before, others = belief.others.get(asset), others_of(belief, evidence, asset)
    if before is None or others is None or belief.beside.get(asset, ZERO):
        return False
    same = (
        p for p in belief.positions if p.base == asset and p.position_id != position.position_id
    )
    return max(before.amount, others) < lot and not any(held_of(each) for each in same)


def trades_of_others(
    belief: Belief, evidence: Evidence, symbols: Iterable[Symbol], since: datetime | None
) -> list[Fill]:
    """Return what others traded on some symbols since a time, and before the balance was told.

    What is booked as sold from outside is not of others any more.
    """
    until = evidence.balances_at
    return [
        fill
        for symbol in sorted({*symbols})
        for fill in (evidence.windows[symbol].fills if symbol in evidence.windows else ())
        if (since is None or fill.at >= since) and (until is None or fill.at <= until)
        if not (_is_ours(belief, fill) or _is_booked(belief, fill))
    ]


def _is_booked(belief: Belief, fill: Fill) -> bool:
    return any(
        fill.trade_id in each.outside or fill.exchange_order_id in each.outside_orders
        for each in belief.positions
        if each.symbol == fill.symbol
    )


def _is_ours(belief: Belief, fill: Fill) -> bool:
    name, number = fill.client_order_id, fill.exchange_order_id
    if name is not None and belief.is_ours(name):
        return True
    known = any(position.find(name, number) is not None for position in belief.positions)
    return known or any(owned.order.is_named(name, number) for owned in belief.departed)


def moves_of(trades: Iterable[Fill], asset: Asset) -> list[Decimal]:
    """Return what trades brought and took of the asset of their symbol, oldest first."""
    return [
        (fill.quantity if fill.side is Side.BUY else -fill.quantity)
        - (fill.fee if fill.fee_asset == asset else ZERO)
        for fill in sorted(trades, key=lambda each: each.at)
    ]


def bound_by_others(belief: Belief, evidence: Evidence, position: Position) -> Decimal | None:
    """Return how much of what a position holds orders of others lock; None: nobody can tell.

    An order of ours that is in doubt may lock it as well.
    """
    asset = position.base
    same = [each for each in belief.positions if each.base == asset]
    sellers = (o for p in same for o in p.orders if o.side is Side.SELL and not o.shut)
    doubted = any(each.status is OrderStatus.INTENDED for each in sellers)
    doubted = doubted or Side.SELL in belief.doubted.get(asset, ())
    if asset not in evidence.free or asset not in evidence.locked or doubted:
        return None
    ours = sum((each.locked for each in same), ZERO)
    others = evidence.locked[asset] - ours - belief.locked.get(asset, ZERO)
    wanted = position.present - position.locked - evidence.free[asset]
    return max(min(others, wanted), ZERO)


def ebb_beside(belief: Belief, evidence: Evidence, position: Position) -> Ebb:
    """Say how much others sold of what a position holds since the account was last weighed.

    Nothing, while a stop of it locks all of it.
    """
    asset, before = position.base, belief.others.get(position.base)
    others = others_of(belief, evidence, asset)
    if before is None or others is None or (stop_rests(position) and covers(position)):
        return Ebb()
    same = [each for each in belief.positions if each.base == asset]
    return ebb(
        before.amount,
        others,
        sum(map(held_of, same), ZERO),
        moves_of(
            trades_of_others(belief, evidence, {each.symbol for each in same}, before.at), asset
        ),
        lot=belief.terms[position.bot].instrument.lot,
        fees=belief.fees.get(asset, ZERO),
    )


def explained_by_others(
    belief: Belief, evidence: Evidence, position: Position, since: datetime
) -> Decimal:
    """Return what others brought of an asset since then on a position's symbol, less what went.

    As far as all trades there are shown, and whose they are is known: one that nobody is known of
    may be of the very order that is in doubt.
    """
    window = evidence.windows.get(position.symbol)
    if window is None or not window.complete:
        return ZERO
    trades = trades_of_others(belief, evidence, [position.symbol], since)
    named = (fill for fill in trades if fill.client_order_id is not None)
    return sum(moves_of(named, position.base), ZERO)


def locking(
    belief: Belief, looked_up: Mapping[ClientOrderId, OrderReport | None], started: datetime
) -> dict[Asset, list[ClientOrderId]]:
    """Return the entries whose absence is about to be concluded, by the quote they would lock."""
    found: dict[Asset, list[ClientOrderId]] = {}
    for position in belief.positions:
        late = started - belief.terms[position.bot].visibility
        for order in position.orders:
            denied = looked_up.get(order.client_order_id, ...) is None
            doubted = order.status is OrderStatus.INTENDED and order.not_after < late
            if denied and doubted and order.role is Role.ENTRY and order.rests_unfilled:
                found.setdefault(position.quote, []).append(order.client_order_id)
    return found


def _locked(belief: Belief, evidence: Evidence, position: Position, order: Order) -> str | None:
    """Return what is locked that only a resting entry explains, or None.

    Others may lock as much, and for as long as they like: the doubt must not last for ever.
    """
    terms, locked = belief.terms[position.bot], evidence.locked.get(position.quote)
    if order.side is not Side.BUY or order.limit is None or not order.rests_unfilled:
        return None
    if locked is None or evidence.started_at > order.not_after + terms.visibility * LOCKED_FOR:
        return None
    spare = locked - belief.bound.get(position.quote, ZERO)
    if spare < order.limit * order.quantity:
        return None
    return f"{plain(spare)} {position.quote} are locked, and no order that is known explains it"


def sides_in_doubt(positions: Iterable[Position]) -> frozenset[Side]:
    """Return what orders of which nobody knows whether they arrived may have done."""
    orders = (order for position in positions for order in position.orders)
    return frozenset(each.side for each in orders if each.status is OrderStatus.INTENDED)


def _may_be_offset(belief: Belief, asset: Asset, order: Order) -> bool:
    """Tell whether an order of the other side is in doubt as well: it may hide what this one did.

    The balance shows the sum of both: an entry that bought more than a sale sold leaves a surplus.
    """
    same = (each for each in belief.positions if each.base == asset)
    return order.side.opposite in sides_in_doubt(same) | belief.doubted.get(asset, frozenset())


def contradiction(
    belief: Belief, evidence: Evidence, position: Position, order: Order
) -> str | None:
    """Return what the balance shows that speaks against the absence of an order, or None.

    A trade moves both its sides in one balance. So quote that is gone is not asked for: what it
    bought is there and is weighed, as nobody else's coins can be; or it has left already, and
    another entry would hold nothing twice.
    """
    locked = _locked(belief, evidence, position, order)
    if locked is not None:
        return locked
    asset = position.base
    before = belief.others.get(asset)
    others = others_of(belief, evidence, asset)
    if before is None or others is None:
        return None
    change = others - before.amount - explained_by_others(belief, evidence, position, before.at)
    if 2 * abs(change) < belief.terms[position.bot].instrument.lot:
        return None  # A fill is a lot at least, less a fee.
    offset = _may_be_offset(belief, asset, order)
    if (order.side is Side.BUY or offset) and change > ZERO:
        return f"the balance shows {plain(change)} {asset} that nothing else explains"
    change += belief.fees.get(asset, ZERO)
    lacks = change <= -belief.terms[position.bot].instrument.lot
    if (order.side is Side.SELL or offset) and lacks:
        return f"the balance lacks {plain(-change)} {asset}, and nothing else explains it"
    return None
