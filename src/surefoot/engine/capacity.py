"""What an account has room for: orders in the venue's count, and who waits for it.

Reserve, then write, then send. An order is written down only when its place in the venue's count
is kept, so waiting never eats its lifetime. An entry without room is refused as a signal. A stop
or an exit without room stays owed: the facts that led to it are committed without it, the rules
find it again when time passes, and until it has gone no entry is let in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from surefoot.core.order import Order, Role
from surefoot.core.records import OrderIntended, Record
from surefoot.core.values import BotName
from surefoot.exchange.budget import Urgency
from surefoot.exchange.port import Orders

NOTHING_HELD: Mapping[Role, str] = {}


class Capacity:
    """Says which orders may be written down now, and keeps their places."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        # Bots whose stop or exit is owed and found no room; volatile, because the rules know.
        self._waiting: set[BotName] = set()

    def held(self, decided: Iterable[tuple[BotName, Iterable[Record]]]) -> Mapping[Role, str]:
        """Return the roles of orders that these records may not contain now, and why."""
        wanted = [(bot, intended(records)) for bot, records in decided]
        leaving = {bot for bot, orders in wanted if any(map(_protects, orders))}
        self._waiting -= {bot for bot, _ in wanted} - leaving
        orders = [order for _, found in wanted for order in found]
        if not orders:
            return NOTHING_HELD
        if self._waiting and not leaving:
            return {Role.ENTRY: f"stops or exits of {len(self._waiting)} bots go first"}
        urgency = Urgency.PROTECTION if leaving else Urgency.ENTRY
        at = self._orders.later(urgency, len(orders))
        if at is None:
            self._waiting -= leaving
            return NOTHING_HELD
        self._waiting |= leaving
        return dict.fromkeys(Role, f"the exchange takes no more of them until {at:%H:%M:%S} UTC")

    def keep(self, records: Iterable[Record]) -> None:
        """Keep the places of the orders that are about to be written down."""
        for order in intended(records):
            self._orders.reserve(order)


def intended(records: Iterable[Record]) -> list[Order]:
    """Return the orders that these records write down."""
    return [record.order for record in records if isinstance(record, OrderIntended)]


def _protects(order: Order) -> bool:
    """Tell whether an order takes risk away."""
    return order.role is not Role.ENTRY
