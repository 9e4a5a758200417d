"""How large an entry is: an amount, a share of what there is, or what a stop may cost.

Pure: what there is was asked for, what others may still spend is taken off before. No size is
ever more than is free.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from enum import StrEnum
from typing import TypeAlias, assert_never

from msgspec import Struct

from surefoot.core.errors import InvalidValue
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.values import ZERO, plain


class Pool(StrEnum):
    """What a share is a share of."""

    FREE = "free"
    TOTAL = "total"


class Amount(Struct, frozen=True, kw_only=True):
    """So much of the quote asset."""

    notional: Decimal


class Share(Struct, frozen=True, kw_only=True):
    """So much of what is free, or of all that there is."""

    fraction: Decimal
    pool: Pool = Pool.FREE


class Risk(Struct, frozen=True, kw_only=True):
    """As much as loses this fraction of all that there is when the stop is hit at its level."""

    fraction: Decimal


Size: TypeAlias = Amount | Share | Risk


class Funds(Struct, frozen=True, kw_only=True):
    """What an account has of one quote asset; `total` counts what its bots hold, at cost."""

    free: Decimal
    total: Decimal


def notional_of(size: Size, *, funds: Funds | None, stop: Decimal | None) -> Decimal:
    """Return what an entry may cost; `stop` is how far away its stop will be, as a fraction.

    Raises:
        InvalidValue: nothing is free, or there is no stop to risk anything to.
    """
    match size:
        case Amount(notional=notional):
            return notional
        case Share() | Risk() if funds is None:
            raise InvalidValue("what is free is not known")
        case Share(fraction=fraction, pool=pool):
            return _within(fraction * (funds.free if pool is Pool.FREE else funds.total), funds)
        case Risk(fraction=fraction):
            if stop is None:
                raise InvalidValue("a size by risk needs a stop-loss or a trailing stop")
            return _within(fraction * funds.total / stop, funds)
        case _:
            assert_never(size)


def told(size: Size) -> str:
    """Write a size as it is written in a configuration."""
    match size:
        case Amount(notional=notional):
            return plain(notional)
        case Share(fraction=fraction, pool=pool):
            return f"{plain(fraction * 100)}% of {pool}"
        case Risk(fraction=fraction):
            return f"risk {plain(fraction * 100)}%"
        case _:
            assert_never(size)


def _within(notional: Decimal, funds: Funds) -> Decimal:
    if funds.free <= ZERO:
        raise InvalidValue(f"nothing is free: {plain(funds.free)} after what others may spend")
    return min(notional, funds.free)


def committed(orders: Iterable[Order], most: Decimal, *, unsure: bool = False) -> Decimal:
    """Return what the entries among these may still cost; `most` is what one at the market may.

    With `unsure`: only those of which the exchange has not said that it has them, so that what it
    shows as free may still count them as free.
    """
    return sum((_cost(order, most) for order in orders if _counts(order, unsure=unsure)), ZERO)


def _counts(order: Order, *, unsure: bool) -> bool:
    if order.role is not Role.ENTRY or order.finished:
        return False
    return not unsure or order.status is OrderStatus.INTENDED


def _cost(order: Order, most: Decimal) -> Decimal:
    if order.limit is None:
        return most * order.remaining / order.quantity
    return order.remaining * order.limit
