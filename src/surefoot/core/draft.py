"""Records being gathered: each is applied and checked before the next is thought of."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

from surefoot.core.errors import InvalidValue
from surefoot.core.invariants import check
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.records import (
    OrderIntended,
    OrderRecalled,
    PositionFrozen,
    PositionRecord,
    PositionThawed,
)
from surefoot.core.rules import RULES
from surefoot.core.state import evolve
from surefoot.core.terms import Terms
from surefoot.core.values import ClientOrderId, ExchangeOrderId

# Every rule adds at most one record a round; a position that is not complete by then never will be.
ROUNDS_MAX: Final = 32


class Decision(Struct, frozen=True, kw_only=True):
    """Records in order, and the position that they lead to: the very one that was checked.

    `left` are the orders that these records let go, as they were.
    """

    records: tuple[PositionRecord, ...]
    position: Position
    left: tuple[Order, ...] = ()


class Draft:
    """Records being gathered, and the position that they lead to; checked one by one."""

    def __init__(
        self, position: Position, now: datetime, terms: Terms, departed: Order | None = None
    ) -> None:
        self.position = position
        self.now = now
        self.terms = terms
        self.records: list[PositionRecord] = []
        self.left: list[Order] = []
        self._departed = departed

    def add(self, record: PositionRecord) -> None:
        """Apply one record and check every promise; raise InvariantViolated if one breaks."""
        after = evolve(self.position, record)
        check(self.position, after)
        if isinstance(record, OrderIntended):  # the moment at which orders leave
            staying = {order.client_order_id for order in after.orders}
            self.left += [o for o in self.position.orders if o.client_order_id not in staying]
        self.position = after
        self.records.append(record)

    def find(
        self, name: ClientOrderId | None, number: ExchangeOrderId | None = None
    ) -> Order | None:
        """Return the order with either id, also if it is the one that had left."""
        found = self.position.find(name, number)
        gone = self._departed
        if found is None and gone is not None and gone.is_named(name, number):
            return gone
        return found

    def recall(self, order: Order) -> None:
        """Bring an order back if it had left: there is news of it."""
        if self.position.find(order.client_order_id) is None:
            self.add(OrderRecalled(at=self.now, order=order))

    def freeze(self, reason: str, *, lacking: bool = False) -> None:
        """Add no risk from here on, unless that is so already.

        What only somebody's word ends comes before what evidence may end.
        """
        graver = self.position.lacking and not lacking
        if self.position.frozen is None or graver:
            self.add(PositionFrozen(at=self.now, reason=reason, lacking=lacking))

    def thaw(self, evidence: str) -> None:
        """Go on, if it is only for a lack of this evidence that it is frozen."""
        if self.position.frozen is not None and self.position.lacking:
            self.add(PositionThawed(at=self.now, evidence=evidence))

    def decided(self) -> Decision:
        """Return what was gathered."""
        left = tuple(self.left)
        return Decision(records=tuple(self.records), position=self.position, left=left)

    def complete(self) -> None:
        """Run the rules until none has anything to add."""
        for _ in range(ROUNDS_MAX):
            record = self._owed()
            if record is None:
                return
            self.add(record)
        raise InvalidValue(f"{self.position.position_id} is not complete after {ROUNDS_MAX} rounds")

    def _owed(self) -> PositionRecord | None:
        position, now, terms = self.position, self.now, self.terms
        for rule in RULES:  # a loop: this runs many times for every input
            record = rule(position, now, terms)
            if record is not None:
                return record
        return None
