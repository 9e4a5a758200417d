"""When to ask about which order: often while something is unsure, seldom while all is well."""

from __future__ import annotations

from collections.abc import Container, Iterable
from typing import Final

from surefoot.core.order import Order, OrderStatus
from surefoot.core.values import ClientOrderId, Symbol

# The stream usually answers sooner than this.
FIRST_S: Final = 0.3
LONGEST_S: Final = 10.0


class Questions:
    """Which orders are due to be asked about. Volatile: after a restart all are due at once."""

    def __init__(self) -> None:
        self._due: dict[ClientOrderId, float] = {}
        self._tries: dict[ClientOrderId, int] = {}
        self._suspects: set[Symbol] = set()

    def suspect(self, symbol: Symbol) -> None:
        """Doubt what is held on a symbol: the exchange refused to sell it."""
        self._suspects.add(symbol)

    def suspects(self) -> frozenset[Symbol]:
        """Return the symbols to compare now, once for each doubt."""
        suspects, self._suspects = frozenset(self._suspects), set()
        return suspects

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
        found = []
        for order in orders:
            name = order.client_order_id
            if name in asked:
                continue
            if self._due.setdefault(name, at + FIRST_S) <= at:
                found.append(name)
                self._due[name] = at + self._wait(order)
        return tuple(found)

    def _wait(self, order: Order) -> float:
        unsure = (
            order.status is OrderStatus.INTENDED
            or order.verdict is not None
            or order.cancel_at is not None
        )
        if not unsure:
            return LONGEST_S
        tries = self._tries.get(order.client_order_id, 0)
        self._tries[order.client_order_id] = tries + 1
        return float(min(2 ** min(tries, 4), LONGEST_S))
