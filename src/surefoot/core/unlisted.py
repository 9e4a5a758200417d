"""Orders that sell and that a list of live ones lacks: what the balance says became of them.

It proves nothing; it says what to ask first. One that has filled is cheap to ask about by its name;
else whose order took its coins is asked as well, and a list of orders tells both at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from enum import Enum, auto

from msgspec.structs import replace

from surefoot.core.coins import coins_of
from surefoot.core.evidence import Belief
from surefoot.core.order import Order
from surefoot.core.reconcile import is_listed, is_unchanged, wanted
from surefoot.core.reports import OrderReport
from surefoot.core.values import ZERO, Asset, Side


class Seems(Enum):
    """What has gone of the coins that they sell: none, as many, or others came or went too."""

    NOTHING = auto()
    AS_MANY = auto()
    ANOTHER = auto()


def unlisted(belief: Belief, listed: Iterable[OrderReport], now: datetime) -> tuple[Order, ...]:
    """Return the orders that a list lacks, if they rest, sell, and nothing else differs."""
    listed = tuple(listed)
    shown = {report.client_order_id for report in listed}
    lacking = [o for _, o in wanted(belief.positions, now) if o.client_order_id not in shown]
    if not all(is_unchanged(order) and order.side is Side.SELL for order in lacking):
        return ()
    names = {order.client_order_id for order in lacking}
    positions = tuple(
        replace(each, orders=tuple(o for o in each.orders if o.client_order_id not in names))
        for each in belief.positions
    )
    as_believed = is_listed(replace(belief, positions=positions), listed, now)
    return tuple(lacking) if as_believed else ()


def seems(
    belief: Belief, orders: Sequence[Order], balances: Mapping[Asset, Decimal]
) -> Seems | None:
    """Tell what has gone of the coins of one asset that these orders sell; None: nobody knows."""
    coins = coins_of(belief.positions, balances)
    if len(coins) != 1 or not coins.keys() <= belief.others.keys():
        return None
    ((asset, there),) = coins.items()
    change = there - belief.beside.get(asset, ZERO) - belief.others[asset].amount
    lot = min(belief.terms[each.bot].instrument.lot for each in belief.positions)
    if abs(change) < lot:
        return Seems.NOTHING
    selling = sum((order.remaining for order in orders), ZERO)
    return Seems.AS_MANY if abs(change + selling) < lot else Seems.ANOTHER
