"""Caps that no strategy can pass. Pure; checked after the strategy and before the intent."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from surefoot.core.errors import SignalRefused
from surefoot.core.values import ZERO, Asset, Symbol, plain

MINUTE: Final = timedelta(minutes=1)


class Limits(Struct, frozen=True, kw_only=True):
    """Amounts are in the quote asset; `price_band` is a fraction of the last trade's price."""

    order_notional: Decimal
    position_notional: Decimal
    orders_per_minute: int
    price_band: Decimal


class Caps(Struct, frozen=True, kw_only=True):
    """What all bots of an account may do together, for each quote asset; None: as they like."""

    exposure: Decimal | None = None
    positions: int | None = None
    daily_loss: Decimal | None = None


class Standing(Struct, frozen=True, kw_only=True):
    """What the bots of an account have on: at cost, with what entries may still add."""

    exposure: Decimal
    positions: int
    quote: Asset


def check_caps(caps: Caps, standing: Standing, notional: Decimal, *, adds: bool = False) -> None:
    """Return if the account may have so much more on; what `adds` to a position is none more.

    Raises:
        SignalRefused: it passes a cap; the message says which, and by what figures.
    """
    exposure = standing.exposure + notional
    if caps.exposure is not None and exposure > caps.exposure:
        raise SignalRefused(
            f"the account would have {plain(exposure)} {standing.quote} on, of which "
            f"{plain(notional)} are this entry; the cap exposure is {plain(caps.exposure)}",
        )
    if caps.positions is not None and standing.positions >= caps.positions and not adds:
        raise SignalRefused(
            f"the account has {standing.positions} positions on; the cap positions is "
            f"{caps.positions}",
        )


def check_order(
    limits: Limits,
    *,
    symbol: Symbol,
    quantity: Decimal,
    price: Decimal,
    last: Decimal,
    held: Decimal = ZERO,
) -> None:
    """Return if an order of this size at this price may be written down; `held` is on already.

    Raises:
        SignalRefused: it passes a cap; the message says which, and by what figures.
    """
    check_price(limits, symbol=symbol, price=price, last=last)
    notional = quantity * price
    if notional > limits.order_notional:
        raise SignalRefused(
            f"{symbol}: an order worth {plain(notional)} passes the cap order_notional "
            f"{plain(limits.order_notional)}",
        )
    if held + notional > limits.position_notional:
        raise SignalRefused(
            f"{symbol}: a position worth {plain(held + notional)} passes the cap position_notional "
            f"{plain(limits.position_notional)}",
        )


def check_price(limits: Limits, *, symbol: Symbol, price: Decimal, last: Decimal) -> None:
    """Return if a price is near enough to the last trade.

    Raises:
        SignalRefused: it is outside the band.
    """
    if abs(price - last) > last * limits.price_band:
        raise SignalRefused(
            f"{symbol}: the price {plain(price)} is more than {plain(limits.price_band * 100)} % "
            f"from the last trade at {plain(last)} (cap price_band)",
        )


def check_rate(
    limits: Limits, written: Iterable[datetime], now: datetime, *, spare: int = 0
) -> None:
    """Return if another order that a strategy causes may be written this minute.

    Raises:
        SignalRefused: as many as allowed were written in the last 60 s.
    """
    recent = sum(1 for at in written if now - at < MINUTE)
    if recent >= limits.orders_per_minute + spare:
        raise SignalRefused(
            f"{recent} orders were written in the last minute; the cap orders_per_minute is "
            f"{limits.orders_per_minute}",
        )
