"""The proof that money adds up: what an account had, what its bots did, what it has.

    what it had at the first start + profit - fees taken apart + what is held = what it has

What is held counts at cost: less of what was paid with, more of what was bought. Whatever the two
sides differ by is not the bots' doing: a deposit, a withdrawal, a trade of the owner, interest, or
coins that were written off and are there. It is said, to the last digit, and explained by nobody
here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

from msgspec import Struct

from surefoot.core.account_records import Record
from surefoot.core.position import Position
from surefoot.core.records import (
    DustLeft,
    DustLost,
    FillBooked,
    PositionResolved,
    PositionStarted,
    ReductionBooked,
)
from surefoot.core.values import ZERO, Asset, Side


class Line(Struct, frozen=True, kw_only=True):
    """One asset of an account. `fees` are those that no profit contains: taken in another asset."""

    asset: Asset
    start: Decimal
    profit: Decimal
    fees: Decimal
    held: Decimal
    written_off: Decimal
    expected: Decimal
    now: Decimal
    unexplained: Decimal


class _Sums:
    """What the bots did with one asset."""

    def __init__(self) -> None:
        self.profit = self.fees = self.held = self.written_off = ZERO


def lines(
    positions: Iterable[Position],
    start: Mapping[Asset, Decimal],
    now: Mapping[Asset, Decimal],
) -> tuple[Line, ...]:
    """Return one line for each asset that the bots have touched."""
    sums: dict[Asset, _Sums] = {}

    def of(asset: Asset) -> _Sums:
        return sums.setdefault(asset, _Sums())

    for position in positions:
        of(position.quote).profit += position.realized_pnl
        of(position.quote).held -= position.held_cost
        of(position.base).held += position.claim
        of(position.base).written_off += position.written_off
        for asset, fee in position.fees.items():
            contained = position.base_fees if asset == position.base else ZERO
            if asset != position.quote:
                of(Asset(asset)).fees += fee - contained
    return tuple(
        _line(asset, each, start.get(asset, ZERO), now.get(asset, ZERO))
        for asset, each in sorted(sums.items())
    )


def _line(asset: Asset, sums: _Sums, start: Decimal, now: Decimal) -> Line:
    expected = start + sums.profit - sums.fees + sums.held
    return Line(
        asset=asset,
        start=start,
        profit=sums.profit,
        fees=sums.fees,
        held=sums.held,
        written_off=sums.written_off,
        expected=expected,
        now=now,
        unexplained=now - expected,
    )


def differs(  # noqa: C901 (one table)
    position: Position, records: Iterable[Record]
) -> str | None:
    """Count a position's trades once more, by its records alone; say what differs, or None."""
    cash = coins = ZERO
    for record in records:
        match record:
            case PositionStarted(carried=dust):
                cash, coins = cash - dust.cost, coins + dust.quantity
            case FillBooked(fill=fill):
                sign = -1 if fill.side is Side.BUY else 1
                cash += sign * fill.price * fill.quantity
                cash -= fill.fee if fill.fee_asset == position.quote else ZERO
                coins -= sign * fill.quantity
                kept = fill.side is Side.BUY and fill.fee_asset == position.base
                coins -= fill.fee if kept else ZERO
            case ReductionBooked(quantity=quantity, price=price):
                cash, coins = cash + quantity * price, coins - quantity
            case DustLeft(dust=dust):
                cash, coins = cash + dust.cost, coins - dust.quantity
            case DustLost(quantity=quantity) | PositionResolved(written_off=quantity):
                coins -= quantity
            case _:
                pass
    if coins != position.claim:
        return f"{position.position_id} has {position.claim}, but its trades leave {coins}"
    if cash != position.realized_pnl - position.held_cost:
        return (
            f"{position.position_id} brought {position.realized_pnl} with {position.held_cost} "
            f"still in it, but its trades brought {cash}"
        )
    return None
