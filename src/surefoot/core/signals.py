"""What somebody wants of a position: a strategy's signals and an operator's orders.

A wish is not a fact. `decide` turns it into records, or refuses it and nothing happens.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from msgspec import Struct

from surefoot.core.exits import ExitPlan
from surefoot.core.values import ZERO, ClientOrderId, Direction


class EntrySignal(Struct, frozen=True, kw_only=True):
    """A sized wish to open: `quantity` in base units, already on the venue's grid.

    `immediate`: what the limit does not get at once is given up.
    """

    quantity: Decimal
    plan: ExitPlan
    direction: Direction = Direction.LONG
    limit: Decimal | None = None
    immediate: bool = False
    time_to_live: timedelta | None = None
    reason: str = ""


class AddSignal(Struct, frozen=True, kw_only=True):
    """A sized wish to hold more of what is open: `quantity` in base units, on the venue's grid.

    Its levels are those of the position. `immediate` as of an entry.
    """

    quantity: Decimal
    limit: Decimal | None = None
    immediate: bool = False
    time_to_live: timedelta | None = None
    reason: str = ""


class ExitSignal(Struct, frozen=True, kw_only=True):
    """A wish to leave the whole position, or a `fraction` of it."""

    fraction: Decimal | None = None
    limit: Decimal | None = None
    time_to_live: timedelta | None = None
    reason: str = ""


class Close(Struct, frozen=True, kw_only=True):
    """An operator wants this position closed, however often that must be tried."""

    by: str


class Freeze(Struct, frozen=True, kw_only=True):
    """Take no new risk here until an operator resolves it, or evidence that was `lacking` does."""

    reason: str
    lacking: bool = False


class Withhold(Struct, frozen=True, kw_only=True):
    """No entry is wanted any more, so that one that rests is withdrawn."""

    reason: str


class Adopt(Struct, frozen=True, kw_only=True):
    """Operator: what the exchange shows is right; go on from it."""

    by: str


class Flatten(Struct, frozen=True, kw_only=True):
    """Operator: nothing is held any more; write off what the journal still counts."""

    by: str


class Filled(Struct, frozen=True, kw_only=True):
    """Operator: this unresolved order filled so much at that price (history is gone).

    `denied` tells that the exchange was asked just now and contradicts none of it.
    """

    by: str
    client_order_id: ClientOrderId
    quantity: Decimal
    price: Decimal
    fee: Decimal = ZERO
    denied: bool = False


class Ignore(Struct, frozen=True, kw_only=True):
    """Operator: I have looked; go on as it is."""

    by: str
