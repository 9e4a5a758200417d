"""What the engine does not ask the core about, because nothing would follow: here it is asked."""

from __future__ import annotations

from tests.builders import Life
from tests.property.adversary import World
from typing_extensions import override

from surefoot.core.decide import Input
from surefoot.core.leaving import is_at_rest, matters
from surefoot.core.position import Position
from surefoot.core.records import PositionRecord
from surefoot.core.reports import PriceSeen, TimePassed
from surefoot.core.terms import Terms


def silence(position: Position, event: Input, terms: Terms) -> str | None:
    """Return why nothing follows from an input, or None if something may."""
    if isinstance(event, TimePassed) and is_at_rest(position, terms):
        return "time changes nothing"
    if isinstance(event, PriceSeen) and not matters(position, event.price, terms):
        return "the price changes nothing"
    return None


class Questioned(World):
    """A world in which the core is asked all the same."""

    @override
    def tell(self, event: Input, life: Life | None = None) -> list[PositionRecord]:
        lives = self.lives if life is None else [life]
        before = [(each, each.position, len(each.records)) for each in lives]
        news = super().tell(event, life)
        for each, position, count in before:
            why = silence(position, event, self.terms)
            assert why is None or len(each.records) == count, f"something followed: {why}"
            if why is not None and position.quantity:
                self.seen.add(why)
        return news
