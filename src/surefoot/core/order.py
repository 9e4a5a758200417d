"""An order: what we believe of it, what the exchange says of it, and the pair of the two.

    INTENDED ──▶ WORKING ──▶ FILLED | CANCELED | EXPIRED | REJECTED
        └──────▶ NEVER   (proven never accepted)

Between the send and the proof an order is INTENDED and its outcome unknown. Unknown is not
failure: nothing here turns silence into an answer. A terminal status is *told* by the exchange
(`verdict`) before it is *believed* (`status`): belief waits until the fills that we have booked
add up to the quantity that the exchange says was filled. Finished means counted.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

from msgspec import Struct

from surefoot.core.values import ZERO, ClientOrderId, ExchangeOrderId, Side, TradeId


class Role(StrEnum):
    """What an order is for."""

    ENTRY = "entry"
    EXIT = "exit"
    STOP = "stop"


class OrderStatus(StrEnum):
    """What we believe of an order."""

    INTENDED = "INTENDED"
    WORKING = "WORKING"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"
    NEVER = "NEVER"


class ReportedStatus(StrEnum):
    """What the exchange says of an order that it knows."""

    OPEN = "OPEN"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


# An order called NEVER is looked for this long; a late discovery is adopted and frozen.
LATE_SWEEP: Final = timedelta(hours=24)
FINISHED = frozenset(OrderStatus) - {OrderStatus.INTENDED, OrderStatus.WORKING}


class Amending(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """A request to make an order smaller where it stands, and whether it was refused.

    After `not_after` the exchange refuses it; what came of it is shown by the order itself.
    """

    quantity: Decimal
    not_after: datetime
    refused: bool = False


class Order(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """One order of one position.

    `quantity` is in base units; `limit` None means a market order; `trigger` is a stop's price.
    `signed_at` and `not_after` are exchange time: after `not_after` the exchange refuses the
    request, whoever still holds its bytes. `expires_at` is when an unfilled remainder is to be
    cancelled. `reported` is the largest cumulative filled quantity that the exchange has told,
    `told_at` when it last said something new. `immediate`: what a limit order cannot fill at
    once is not to rest. `replaces` names the order whose cancel leaves in one request with this
    one; that one knows it as `replaced_by`, until it is turned away. `cancel_name` is what an
    order's cancel is called: the exchange may know the order by that name afterwards.
    `may_have_left` is False once it is proven that no request for it was accepted. `hailed`: it is
    to be cancelled by its own name, because nobody knows whether the exchange has it; `shut`: the
    exchange then had nothing of it at work, when it could no longer come. What it may have done
    before is all that is left in doubt.
    """

    client_order_id: ClientOrderId
    role: Role
    attempt: int
    side: Side
    quantity: Decimal
    signed_at: datetime
    not_after: datetime
    limit: Decimal | None = None
    immediate: bool = False
    trigger: Decimal | None = None
    expires_at: datetime | None = None
    status: OrderStatus = OrderStatus.INTENDED
    exchange_order_id: ExchangeOrderId | None = None
    verdict: OrderStatus | None = None
    reported: Decimal = ZERO
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    trades: tuple[TradeId, ...] = ()
    told_at: datetime | None = None
    cancel_at: datetime | None = None
    cancel_name: ClientOrderId | None = None
    replaces: ClientOrderId | None = None
    replaced_by: ClientOrderId | None = None
    finished_at: datetime | None = None
    may_have_left: bool = True
    hailed: bool = False
    shut: bool = False
    doubt: str | None = None
    amending: Amending | None = None

    def is_named(
        self, client_order_id: ClientOrderId | None, exchange_order_id: ExchangeOrderId | None
    ) -> bool:
        """Tell whether either id is its own, or its cancel's: a venue may show that one instead."""
        if client_order_id is not None and client_order_id in {
            self.client_order_id,
            self.cancel_name,
        }:
            return True
        return exchange_order_id is not None and self.exchange_order_id == exchange_order_id

    @property
    def finished(self) -> bool:
        """Tell whether nothing more is expected of this order."""
        return self.status in FINISHED

    @property
    def counted(self) -> bool:
        """Tell whether every fill that the exchange has told of is booked."""
        return self.filled == self.reported

    def is_changing(self, now: datetime) -> bool:
        """Tell whether a request to replace it, or to make it smaller, may yet be accepted."""
        asked = self.amending
        amending = asked is not None and not asked.refused and now <= asked.not_after
        return self.replaced_by is not None or amending

    @property
    def remaining(self) -> Decimal:
        """Return the quantity that could still be filled."""
        return ZERO if self.finished else self.quantity - self.filled

    @property
    def rests_unfilled(self) -> bool:
        """Tell whether it waits at the exchange for its price, instead of trading at once."""
        return self.trigger is not None or (self.limit is not None and not self.immediate)

    @property
    def rests(self) -> bool:
        """Tell whether the exchange holds it whole, and nobody has asked for its cancel alone."""
        untouched = not self.reported and self.cancel_at is None
        return self.status is OrderStatus.WORKING and self.verdict is None and untouched

    @property
    def sought_until(self) -> datetime | None:
        """Return until when it is looked for although it was called NEVER; None: it is not.

        One that no request was accepted for cannot turn up, and asking costs weight.
        """
        if self.status is not OrderStatus.NEVER or not self.may_have_left:
            return None
        return None if self.finished_at is None else self.finished_at + LATE_SWEEP

    def is_lately_never(self, now: datetime) -> bool:
        """Tell whether it was called NEVER so recently that it is still looked for."""
        return self.sought_until is not None and now < self.sought_until


class Lesson(StrEnum):
    """What a report teaches, given what we believed."""

    ADOPT = "adopt"  # first evidence that it was accepted
    REFRESH = "refresh"  # still working; the filled quantity may have grown
    CONCLUDE = "conclude"  # the exchange says that it is over: count, then believe
    STALE = "stale"  # older than what we know, or the same again
    LATE = "late"  # we had proof that it did not exist; it does
    CONFLICT = "conflict"  # two different endings: somebody must look


def compare(believed: OrderStatus, reported: ReportedStatus) -> Lesson:  # noqa: C901, PLR0911 (one table)
    """Meet belief and report, pair by pair; every pair has an arm and mypy proves it."""
    match believed, reported:
        case OrderStatus.INTENDED, ReportedStatus.OPEN:
            return Lesson.ADOPT
        case OrderStatus.WORKING, ReportedStatus.OPEN:
            return Lesson.REFRESH
        case ((OrderStatus.INTENDED | OrderStatus.WORKING), _):
            return Lesson.CONCLUDE
        case ((OrderStatus.NEVER | OrderStatus.REJECTED), ReportedStatus.REJECTED):
            return Lesson.STALE
        case ((OrderStatus.NEVER | OrderStatus.REJECTED), _):
            return Lesson.LATE
        case _, ReportedStatus.OPEN:
            return Lesson.STALE
        case OrderStatus.FILLED, ReportedStatus.FILLED:
            return Lesson.STALE
        case (
            (OrderStatus.CANCELED | OrderStatus.EXPIRED),
            (ReportedStatus.CANCELED | ReportedStatus.EXPIRED),
        ):
            return Lesson.STALE
        case _:
            return Lesson.CONFLICT
