"""What people do to a position, and what is found out about its coins: moves of an unkind world."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from tests.property.adversary import MOVES, World
from tests.property.choices import QUANTITIES
from typing_extensions import override

from surefoot.core.position import State
from surefoot.core.reports import SetBack, Shortage
from surefoot.core.signals import Adopt, Freeze
from surefoot.core.values import ZERO


class Peopled(World):
    """A world in which somebody freezes, speaks, misses coins, and puts the journal back."""

    def freeze(self, _n: int) -> None:
        self.wish(Freeze(reason="look"))

    def adopt(self, _n: int) -> None:
        """Let an operator say that a position is as it is believed to be."""
        if self.wish(Adopt(by="ann")):
            self.seen.add("adopted")

    def lack(self, n: int) -> None:
        """Find that coins are not there, which is not so; or that they are there again.

        As in the engine nothing is found out of what has an order out, but a stop that rests.
        """
        position = self.life.position
        calm = all(order.finished or order.rests for order in position.orders)
        if position.state is State.OPEN and position.quantity and calm:
            most = (position.quantity, position.quantity / 2, QUANTITIES[n % 3], ZERO)[n % 4]
            missing = min(most, position.quantity)
            self.wish(Shortage(missing=missing, evidence="the balance"))
            self.seen.add("lacking" if missing else "found again")

    def clear(self) -> None:
        """Let everything be there that was missing, and somebody say that all is well."""
        self.wish(Shortage(missing=ZERO, evidence="the balance"))
        self.wish(Adopt(by="ann"))

    def set_back(self, _n: int) -> None:
        self.wish(SetBack(reason="an older copy was put back"))

    @override
    def _check_frozen(self) -> None:
        """Let it be frozen: that is what people do here."""


# Each move as often as it takes to be told of; `MOVES` are drawn as well.
PEOPLE: Final[tuple[Callable[[Peopled, int], None], ...]] = (
    *MOVES,
    *(3 * [Peopled.freeze]),
    *(2 * [Peopled.adopt]),
    *(2 * [Peopled.lack]),
    Peopled.set_back,
)
