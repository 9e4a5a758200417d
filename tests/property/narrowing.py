"""A venue that changes how much one order may carry, and an account that lacks coins for a while.

What it lacks makes a stop smaller where it stands; what one order may carry does not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Final

from msgspec.structs import replace
from tests.builders import D
from tests.property.adversary import MOVES, World

from surefoot.core.position import Position, State
from surefoot.core.records import AmendIntended, PositionRecord
from surefoot.core.reports import Shortage, Unamended
from surefoot.core.signals import Freeze, Ignore
from surefoot.core.values import ZERO

LARGEST: Final = (None, D("0.001"), D("0.0005"), D("0.002"))


class Narrowing(World):
    """What was asked to be smaller becomes so or not, and that is heard or not."""

    def __init__(self) -> None:
        super().__init__(replacing=True)
        self.asked: list[AmendIntended] = []
        self.allow(None)

    def allow(self, largest: Decimal | None) -> None:
        instrument = replace(self.terms.instrument, amends=True, market_quantity_max=largest)
        self.terms = replace(self.terms, instrument=instrument)
        for life in self.lives:
            life.terms = self.terms

    def _follow(self, before: Position, records: Sequence[PositionRecord], after: Position) -> None:
        super()._follow(before, records, after)
        self.asked += [record for record in records if isinstance(record, AmendIntended)]

    def narrow(self, n: int) -> None:
        self.allow(LARGEST[n % len(LARGEST)])
        self.wait(0)

    def shrink(self, n: int) -> None:
        """Bring a stop to rest for all that is held, of which a part is missing for a moment."""
        self.allow(None)
        if self.life.position.state in {State.FLAT, State.CLOSED}:
            self.enter(0)
        self.fair(1)
        self.fair(1)
        self.lack(1 + n % 2)
        self.amend(n // 2)
        self.lack(0)

    def lack(self, n: int) -> None:
        """Let the account lack half of what is held, or a quarter; or have it all again."""
        share = (ZERO, D("0.5"), D("0.25"))[n % 3]
        if self.life.position.quantity > ZERO:
            missing = self.terms.instrument.sellable(self.life.position.quantity * share)
            self.tell(Freeze(reason="coins are missing", lacking=True), self.life)
            self.tell(Shortage(missing=missing, evidence="the balance"), self.life)
            if not missing:
                self.wish(Ignore(by="ann"))

    def amend(self, n: int) -> None:
        """Answer what was asked: done or refused, heard or lost; in time, or never."""
        for asked in self.asked:
            ticket = self.tickets[asked.client_order_id]
            fits = ticket.filled < asked.quantity < ticket.order.quantity
            if n % 3 and ticket.live and fits and self.now <= asked.not_after:
                ticket.order = replace(ticket.order, quantity=asked.quantity)
                self.seen.add("amended")
                self._say(ticket.report(), hear=n % 3 == 1)
            elif n & 4:
                self.seen.add("not amended")
                name = asked.client_order_id
                self.tell(Unamended(client_order_id=name, reason="it was refused"))
        self.asked = []


NARROWING: Final[tuple[Callable[..., None], ...]] = (
    *MOVES,
    *(3 * [Narrowing.narrow]),
    *(2 * [Narrowing.amend]),
    *(4 * [Narrowing.shrink]),
)
