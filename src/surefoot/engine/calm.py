"""Prices between which nothing follows, remembered: nearly every price is between two others."""

from __future__ import annotations

from decimal import Decimal

from surefoot.core.leaving import matters
from surefoot.core.position import Position
from surefoot.core.terms import Terms


class Calm:
    """What the core has denied of one position, until that is another one.

    Levels are left at a price below or above, so what lies between two prices that change nothing
    changes nothing. A stop that trails moves in ticks: of that one every price is asked.
    """

    def __init__(self) -> None:
        self._of: tuple[Position, Terms] | None = None
        self._low = self._high = Decimal(0)

    def has(self, position: Position, price: Decimal, terms: Terms) -> bool:
        """Tell whether nothing follows from a price."""
        known = self._of
        same = known is not None and known[0] is position and known[1] is terms
        if same and self._low <= price <= self._high:
            return True
        if matters(position, price, terms):
            return False
        if position.plan.trailing_stop is None:
            self._low = min(self._low, price) if same else price
            self._high = max(self._high, price) if same else price
            self._of = (position, terms)
        return True
