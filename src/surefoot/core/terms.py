"""What the venue and the operator have fixed for one bot: every rule is told it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct

from surefoot.core.instrument import Instrument
from surefoot.core.order import Role
from surefoot.core.values import ClientOrderId, PositionId

# A resting stop that is moved with every step of the watched one is a stream of requests, each of
# which may fail; a fifth of a percent is what a market moves while nobody looks.
STOP_STEP: Final = Decimal("0.002")


class Terms(Struct, frozen=True, kw_only=True):
    """What the venue and the operator have fixed for one bot.

    `request_lifetime` bounds how long an order request may travel, `visibility` (V) how late an
    accepted order may still be missing from every read. `native_stop` asks for a stop order that
    rests at the exchange; it follows the watched level in steps of `stop_step`, a fraction of its
    price; `stop_may_wait_here` if there is no place for one. `name_order` encodes identities the
    venue's way: of an order of this role, or of a CANCEL, by the attempt that it is. `held` are the
    roles of orders that may not be written down now, because the venue has no room for them, and
    why. `raised` tells that the venue trades only more by now than when the position was entered:
    `instrument` has the minimum of then.
    """

    instrument: Instrument
    request_lifetime: timedelta
    visibility: timedelta
    native_stop: bool
    name_order: Callable[[PositionId, str, int], ClientOrderId]
    stop_step: Decimal = STOP_STEP
    stop_may_wait_here: bool = False
    held: Mapping[Role, str] = {}
    raised: bool = False
