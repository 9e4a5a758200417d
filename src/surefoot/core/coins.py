"""What of a balance the bots claim, what is others', and what it says of an order in doubt."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from surefoot.core.evidence import Belief, Evidence
from surefoot.core.order import Order
from surefoot.core.position import Position, State
from surefoot.core.values import ZERO, Asset, Side, plain


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


def contradiction(
    belief: Belief, evidence: Evidence, position: Position, order: Order
) -> str | None:
    """Return what the balance shows that speaks against the absence of an order, or None."""
    asset = position.base
    before = belief.others.get(asset)
    others = others_of(belief, evidence, asset)
    if before is None or others is None:
        return None
    change = others - before.amount
    if abs(change) < belief.terms[position.bot].instrument.lot:
        return None
    if order.side is Side.BUY and change > ZERO:
        return f"the balance shows {plain(change)} {asset} that nothing else explains"
    if order.side is Side.SELL and change < ZERO:
        return f"the balance lacks {plain(-change)} {asset}, and nothing else explains it"
    return None
