"""When to ask about which order: often while something is unsure, seldom while all is well."""

from __future__ import annotations

from collections.abc import Container, Iterable
from datetime import datetime
from typing import Final

from surefoot.core.order import Order, OrderStatus
from surefoot.core.values import ClientOrderId, Symbol
from surefoot.exchange.port import Exchange, Question

# The stream usually answers sooner than this.
FIRST_S: Final = 0.3
LONGEST_S: Final = 10.0
SUSPECT_S: Final = 60.0
# Orders that rest may cost this share of the venue's weight; every list shows them as well.
RESTING_SHARE: Final = 0.1


class Questions:
    """Which orders are due to be asked about. Volatile: after a restart all are due at once."""

    def __init__(self, *, spacing_s: float = 0.0, resting_s: float = LONGEST_S) -> None:
        # Orders that rest are asked about at this distance from each other, on the average.
        self._spacing_s = spacing_s
        self._resting_s = resting_s
        self._due: dict[ClientOrderId, float] = {}
        self._tries: dict[ClientOrderId, int] = {}
        # When to look at what was denied, and how long to wait after that.
        self._suspects: dict[tuple[Symbol, datetime], tuple[float, float]] = {}

    @classmethod
    def within(cls, exchange: Exchange, resting_s: float = LONGEST_S) -> Questions:
        """Return questions whose resting orders use no more than their share of the weight."""
        a_second = exchange.venue.weight.limit * RESTING_SHARE / 60
        return cls(spacing_s=exchange.price(Question.ORDER) / a_second, resting_s=resting_s)

    def suspects(self, denied: Iterable[tuple[Symbol, datetime]], at: float) -> frozenset[Symbol]:
        """Return the symbols to compare now, of those of which a sale was denied at some time.

        At once, and then ever less often: nothing of them is sold meanwhile, but what keeps them
        from being weighed may last, and each look reads all of a symbol.
        """
        self._suspects = {each: self._suspects.get(each, (at, LONGEST_S)) for each in denied}
        due = [each for each, (when, _) in self._suspects.items() if when <= at]
        for each in due:
            _, wait_s = self._suspects[each]
            self._suspects[each] = (at + wait_s, min(2 * wait_s, SUSPECT_S))
        return frozenset(symbol for symbol, _ in due)

    def urge(self, name: ClientOrderId, at: float) -> None:
        """Ask about an order soon, and then ever less often: 0.3, 1, 2, 4, 8, 10 s."""
        self._due[name] = at + FIRST_S
        self._tries[name] = 0

    def due(
        self, orders: Iterable[Order], at: float, asked: Container[ClientOrderId] = ()
    ) -> tuple[ClientOrderId, ...]:
        """Return which unfinished orders to ask about now, and plan the next time for each.

        Those that are being asked about already keep their place.
        """
        orders = tuple(orders)
        live = {order.client_order_id for order in orders}
        for name in self._due.keys() - live:
            del self._due[name]
            self._tries.pop(name, None)
        found, fresh = [], 0
        rest_s = max(
            self._resting_s, self._spacing_s * sum(not _is_unsure(each) for each in orders)
        )
        for order in orders:
            name = order.client_order_id
            if name in asked:
                continue
            if name not in self._due:
                fresh += not _is_unsure(order)
                self._due[name] = at + FIRST_S + self._spacing_s * max(fresh - 1, 0)
            if self._due[name] <= at:
                found.append(name)
                self._due[name] = at + (self._wait(order) if _is_unsure(order) else rest_s)
        return tuple(found)

    def _wait(self, order: Order) -> float:
        tries = self._tries.get(order.client_order_id, 0)
        self._tries[order.client_order_id] = tries + 1
        return float(min(2 ** min(tries, 4), LONGEST_S))


def _is_unsure(order: Order) -> bool:
    return (
        order.status is OrderStatus.INTENDED
        or order.verdict is not None
        or order.cancel_at is not None
    )
