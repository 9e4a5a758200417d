"""Making a stop smaller where it stands: it keeps its id and its place, and rests meanwhile.

Nothing hangs on an answer. As long as neither answer nor read shows the order smaller it counts
as large as it was; once the request can be accepted no more, or was refused, the order is replaced
instead, and that is right whether it became smaller or not.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from surefoot.core.order import Order
from surefoot.core.records import AmendIntended
from surefoot.core.terms import Terms
from surefoot.core.values import plain


def amendment(stop: Order, quantity: Decimal, now: datetime, terms: Terms) -> AmendIntended | None:
    """Return what makes a resting stop smaller where it stands; None: it has to be replaced."""
    smaller = quantity < stop.quantity
    if not smaller or not terms.instrument.amends or stop.amending is not None:
        return None
    return AmendIntended(
        at=now,
        client_order_id=stop.client_order_id,
        quantity=quantity,
        not_after=now + terms.request_lifetime,
        reason=f"it is to sell {plain(quantity)} instead of {plain(stop.quantity)}",
    )
