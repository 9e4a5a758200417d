"""How a delivery says no; the courier's question is whether, and when, to try again.

NotDelivered
├── Later        not now: try the same again, perhaps not before a given time
└── Parked       never: this message will not be taken, however often it is tried
"""

from __future__ import annotations

from surefoot.core.errors import SurefootError


class NotDelivered(SurefootError):
    """A destination did not take a message."""


class Later(NotDelivered):
    """It may work later; `after_s` is what the destination asked to wait, if it did."""

    def __init__(self, why: str, *, after_s: float | None = None) -> None:
        super().__init__(why)
        self.after_s = after_s


class Parked(NotDelivered):
    """The destination refuses this message for good; it must not hold up the rest."""
