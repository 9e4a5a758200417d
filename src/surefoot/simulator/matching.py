"""How orders meet the market: whenever the price touches them, or only where it must have been so.

`Touching` has no book behind the best bid and ask: a market order fills there in full, in one or
more trades, and a limit order at its own price when the market reaches it. It is for tests, which
move the price. `Through` doubts: what takes, takes the levels that were seen, one by one, and no
more than was there; what rests is filled only once somebody else has traded at a worse price than
its own, since until then others may stand before it.
"""

from __future__ import annotations

from decimal import ROUND_DOWN, Decimal
from typing import Protocol

from typing_extensions import override

from surefoot.simulator.model import ZERO, Level, Order, Quote, Rules, Side


class Matching(Protocol):
    """Which prices an order gets."""

    def taken(
        self,
        side: Side,
        quantity: Decimal,
        limit: Decimal,
        quote: Quote,
        rules: Rules,
        *,
        triggered: bool = False,
    ) -> list[Level]:
        """Return what a taker gets, the best first; a limit of zero is none.

        `triggered`: it is a stop, and the last trade is what has just triggered it.
        """
        ...

    def reaches(self, order: Order, quote: Quote, *, traded: bool) -> bool:
        """Tell whether a resting limit order is filled; `traded`: the last price is a new one."""
        ...


class Touching(Matching):
    """Everything fills that the price touches."""

    def __init__(self, slices: int) -> None:
        self._slices = slices

    @override
    def taken(
        self,
        side: Side,
        quantity: Decimal,
        limit: Decimal,
        quote: Quote,
        rules: Rules,
        *,
        triggered: bool = False,
    ) -> list[Level]:
        there = min(quantity, rules.depth or quantity)
        price = quote.ask if side == "BUY" else quote.bid
        if limit:
            if not _touched(side, limit, quote):
                return []
            return [Level(min(limit, price) if side == "BUY" else max(limit, price), there)]
        worse = rules.tick if side == "BUY" else -rules.tick
        part = floor(there / self._slices, rules.lot)
        parts = [part] * (self._slices - 1) if part > ZERO else []
        sizes = [*parts, there - sum(parts)]
        return [Level(price + worse * number, size) for number, size in enumerate(sizes)]

    @override
    def reaches(self, order: Order, quote: Quote, *, traded: bool) -> bool:
        return _touched(order.side, order.price, quote)


class Through(Matching):
    """Only what must have filled, fills."""

    @override
    def taken(
        self,
        side: Side,
        quantity: Decimal,
        limit: Decimal,
        quote: Quote,
        rules: Rules,
        *,
        triggered: bool = False,
    ) -> list[Level]:
        worst = max if side == "BUY" else min
        got = list[Level]()
        for level in quote.facing(side):
            # The book may be older than the trade: what was better than that trade is gone.
            price = worst(level.price, quote.last) if triggered else level.price
            beyond = price > limit if side == "BUY" else price < limit
            if not quantity or (limit and beyond):
                break
            size = min(level.quantity, quantity)
            got.append(Level(price, size))
            quantity -= size
        return got

    @override
    def reaches(self, order: Order, quote: Quote, *, traded: bool) -> bool:
        worse = quote.last < order.price if order.side == "BUY" else quote.last > order.price
        return traded and worse


def _touched(side: Side, price: Decimal, quote: Quote) -> bool:
    if side == "BUY":
        return price >= min(quote.ask, quote.last)
    return price <= max(quote.bid, quote.last)


def floor(value: Decimal, step: Decimal) -> Decimal:
    """Round down to a step."""
    return (value / step).to_integral_value(ROUND_DOWN) * step
