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
    FillBooked,
    OrderIntended,
    OrderNever,
    OrderRecalled,
    PositionFrozen,
    PositionRecord,
    PositionThawed,
)
from surefoot.core.reports import Fill
from surefoot.core.rules import RULES, withdrawal
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

    def book(self, fill: Fill, order: Order) -> None:
        """Count a trade, whoever tells of it, and first what can no longer be because of it."""
        self.rule_out_rivals(order, traded=True)
        if order.shut:
            self._withdraw_others(order)
        self.add(FillBooked(at=self.now, client_order_id=order.client_order_id, fill=fill))

    def rule_out_rivals(self, order: Order, *, traded: bool) -> None:
        """Call NEVER what can no longer come: its request could not cancel what it was to replace.

        What is in its place by now was cancelled once, for this order; and what has traded is not
        cancelled for another.
        """
        places = [order.replaces, order.client_order_id if traded else None]
        for rival in [r for place in places if place for r in self.position.rivals(place)]:
            if rival.client_order_id != order.client_order_id:
                evidence = f"{order.client_order_id} is there, so the request for this did nothing"
                name, now = rival.client_order_id, self.now
                self.add(
                    OrderNever(at=now, client_order_id=name, evidence=evidence, may_have_left=True)
                )

    def _withdraw_others(self, shut: Order) -> None:
        """Take back what was sent because an order seemed to have sold nothing: it has."""
        reason = f"{shut.client_order_id} has sold after all"
        for other in self.position.orders:
            if other is not shut and not other.finished and other.cancel_at is None:
                self.add(withdrawal(self.position, other, reason, self.now, self.terms))

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
