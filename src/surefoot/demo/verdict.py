"""What the exchange's own ledger says in the end, held against the journal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from decimal import Decimal
from itertools import pairwise
from typing import Any, Final

from msgspec import Struct

from surefoot.core.order import Order, Role
from surefoot.core.position import Position
from surefoot.core.records import FillBooked
from surefoot.core.values import plain
from surefoot.journal.port import Reader

_OPEN: Final = frozenset({"NEW", "PARTIALLY_FILLED"})


class Verdict(Struct, frozen=True, kw_only=True):
    """Counted at the exchange; everything but `orders` and `fills` has to be zero.

    `duplicates`: orders of a name that was used before, or filled entries of a position that were
    written down before the one before them was over.
    `orphans`: live orders that the journal does not expect. `unbooked`: fills in one of the two
    only. `unexplained`: per asset, what is held less what the positions add up to.
    """

    orders: int
    fills: int
    duplicates: int
    orphans: int
    unbooked: int
    unexplained: dict[str, str]

    @property
    def clean(self) -> bool:
        """Tell whether nothing went wrong."""
        return not (self.duplicates or self.orphans or self.unbooked or self.unexplained)


async def judge(reader: Reader, ledger: Mapping[str, Any]) -> Verdict:
    """Hold the journal against the ledger of a quiet exchange."""
    positions = await reader.positions()
    orders = await reader.orders_of([position.position_id for position in positions])
    booked = await _booked(reader)
    ours = [order for order in ledger["orders"] if order["origin"] == "api"]
    names = {(order["symbol"], order["orderId"]) for order in ours}
    traded = Counter(
        (trade["symbol"], str(trade["id"]))
        for trade in ledger["trades"]
        if (trade["symbol"], trade["orderId"]) in names
    )
    return Verdict(
        orders=len(ours),
        fills=sum(traded.values()),
        duplicates=_duplicates(orders.values(), ours),
        orphans=_orphans(positions, ours),
        unbooked=sum(((traded - booked) + (booked - traded)).values()),
        unexplained=_unexplained(positions, ledger),
    )


async def _booked(reader: Reader) -> Counter[tuple[str, str]]:
    entries = await reader.entries(limit=10_000_000)
    return Counter(
        (record.fill.symbol.replace("/", ""), str(record.fill.trade_id))
        for entry in entries
        if isinstance(record := entry.record, FillBooked)
    )


def _duplicates(positions: Iterable[Iterable[Order]], ours: list[dict[str, Any]]) -> int:
    """Count names that were accepted twice, and positions that were entered twice."""
    names = Counter(order["clientOrderId"] for order in ours)
    filled = {order["clientOrderId"] for order in ours if Decimal(order["executedQty"]) > 0}
    twice = sum(count - 1 for count in names.values())
    for orders in positions:
        entries = [
            order for order in sorted(orders, key=lambda order: order.attempt)
            if order.role is Role.ENTRY and order.client_order_id in filled
        ]  # fmt: skip
        twice += sum(_overlap(one, following) for one, following in pairwise(entries))
    return twice


def _overlap(one: Order, following: Order) -> bool:
    """Tell whether an entry was written down before the one before it was over."""
    return one.finished_at is None or following.signed_at < one.finished_at


def _orphans(positions: Iterable[Position], ours: list[dict[str, Any]]) -> int:
    expected = {
        order.client_order_id
        for position in positions
        for order in position.orders
        if not order.finished
    }
    live = [order for order in ours if order["status"] in _OPEN]
    return sum(1 for order in live if order["clientOrderId"] not in expected)


def _unexplained(positions: Iterable[Position], ledger: Mapping[str, Any]) -> dict[str, str]:
    held = {
        row["asset"]: Decimal(row["free"]) + Decimal(row["locked"]) for row in ledger["balances"]
    }
    believed: dict[str, Decimal] = {}
    for position in positions:
        believed[position.base] = believed.get(position.base, Decimal(0)) + position.claim
    bases = {asset for asset in {*held, *believed} if asset not in {"USDT", "BNB"}}
    gaps = {
        asset: held.get(asset, Decimal(0)) - believed.get(asset, Decimal(0))
        for asset in sorted(bases)
    }
    return {asset: plain(gap) for asset, gap in gaps.items() if gap}
