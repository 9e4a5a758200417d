"""Records being gathered: each is applied and checked before the next is thought of."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from msgspec import Struct

from surefoot.core.errors import InvalidValue
from surefoot.core.invariants import check
from surefoot.core.position import Position
from surefoot.core.records import PositionFrozen, PositionRecord
from surefoot.core.rules import RULES, Terms
from surefoot.core.state import evolve

# Every rule adds at most one record a round; a position that is not settled by then never will be.
ROUNDS_MAX: Final = 32


class Decision(Struct, frozen=True, kw_only=True):
    """Records in order, and the position that they lead to: the very one that was checked."""

    records: tuple[PositionRecord, ...]
    position: Position


class Draft:
    """Records being gathered, and the position that they lead to; checked one by one."""

    def __init__(self, position: Position, now: datetime, terms: Terms) -> None:
        self.position = position
        self.now = now
        self.terms = terms
        self.records: list[PositionRecord] = []

    def add(self, record: PositionRecord) -> None:
        """Apply one record and check every promise; raise InvariantViolated if one breaks."""
        after = evolve(self.position, record)
        check(self.position, after)
        self.position = after
        self.records.append(record)

    def freeze(self, reason: str) -> None:
        """Add no risk from here on, unless that is so already."""
        if self.position.frozen is None:
            self.add(PositionFrozen(at=self.now, reason=reason))

    def decided(self) -> Decision:
        """Return what was gathered."""
        return Decision(records=tuple(self.records), position=self.position)

    def settle(self) -> None:
        """Run the rules until none has anything to add."""
        for _ in range(ROUNDS_MAX):
            found = (rule(self.position, self.now, self.terms) for rule in RULES)
            record = next((record for record in found if record is not None), None)
            if record is None:
                return
            self.add(record)
        raise InvalidValue(f"{self.position.position_id} does not settle in {ROUNDS_MAX} rounds")
