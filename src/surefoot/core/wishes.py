"""What strategies and operators want, and what a position makes of it; `leaving` has the exits."""

from __future__ import annotations

from datetime import datetime

from surefoot.core.draft import Draft
from surefoot.core.errors import SignalRefused
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import State
from surefoot.core.records import (
    FillBooked,
    OrderFinished,
    OrderIntended,
    OrderNever,
    PositionRecord,
    PositionResolved,
)
from surefoot.core.reports import Fill
from surefoot.core.rules import is_dust, new_order, resting, retry_at
from surefoot.core.signals import (
    Adopt,
    EntrySignal,
    Filled,
    Flatten,
    Ignore,
)
from surefoot.core.values import (
    ZERO,
    ClientOrderId,
    Direction,
    ExchangeOrderId,
    TradeId,
    plain,
)


def take_entry(signal: EntrySignal, draft: Draft) -> None:
    """Write an entry down, if the position may have one.

    Raises:
        SignalRefused: not here and not now.
    """
    position = draft.position
    if position.state is not State.FLAT or position.unfinished is not None:
        raise SignalRefused(f"no entry while the position is {position.state}")
    if position.frozen is not None:
        raise SignalRefused(f"no entry while the position is frozen: {position.frozen}")
    if signal.direction is not Direction.LONG:
        raise SignalRefused("a short entry needs a venue with derivatives; this one is spot")
    if resting(position, draft.now, Role.ENTRY):
        until = retry_at(position, Role.ENTRY)
        raise SignalRefused(f"the last entry failed; the next may follow at {until}")
    order = new_order(
        position,
        Role.ENTRY,
        signal.quantity,
        draft.now,
        draft.terms,
        limit=signal.limit,
        expires_at=None if signal.time_to_live is None else draft.now + signal.time_to_live,
    )
    draft.add(
        OrderIntended(
            at=draft.now,
            order=order,
            reason=signal.reason,
            plan=signal.plan,
            direction=signal.direction,
        ),
    )


def take_look(word: Adopt | Ignore, draft: Draft) -> None:
    """Go on as it is: an operator has looked.

    Raises:
        SignalRefused: not here and not now.
    """
    _refuse_healthy(draft, in_doubt=False)
    position = draft.position
    if position.state is State.CLOSED and not is_dust(position, draft.terms):
        raise SignalRefused(
            f"{position.position_id} is CLOSED, yet {plain(position.quantity)} {position.base} "
            f"arrived late: deal with them at the exchange, then resolve it with --flat",
        )
    how = "adopt" if isinstance(word, Adopt) else "ignore"
    draft.add(PositionResolved(at=draft.now, by=word.by, how=how, written_off=ZERO))


def take_flatten(word: Flatten, draft: Draft) -> None:
    """Write off what is held, on an operator's word.

    Raises:
        SignalRefused: not here and not now.
    """
    position = draft.position
    unknown = position.unfinished is not None and not position.quantity
    _refuse_healthy(draft, in_doubt=unknown)
    for order in draft.position.orders:
        if not order.finished:
            draft.add(_abandoned(order, word.by, draft.now))
    quantity = draft.position.quantity
    draft.add(PositionResolved(at=draft.now, by=word.by, how="flat", written_off=quantity))


def take_filled(word: Filled, draft: Draft) -> None:
    """Book what an operator says that an order filled.

    Raises:
        SignalRefused: not here and not now.
    """
    order = draft.position.find(word.client_order_id)
    if order is None or order.finished:
        raise SignalRefused(f"{word.client_order_id} is no unfinished order of this position")
    _refuse_healthy(draft, in_doubt=order.status is OrderStatus.INTENDED)
    if word.quantity > order.quantity - order.filled:
        raise SignalRefused(f"only {plain(order.quantity - order.filled)} of it can be filled")
    if order.filled + word.quantity < order.reported:
        raise SignalRefused(
            f"the exchange has told of {plain(order.reported)} filled, {plain(order.filled)} are "
            f"booked: say at least the {plain(order.reported - order.filled)} in between",
        )
    if word.quantity:
        draft.add(_told_fill(order, word, draft))
    full = order.filled + word.quantity == order.quantity
    if order.status is OrderStatus.INTENDED and not word.quantity:
        draft.add(_abandoned(order, word.by, draft.now))
    else:
        status = OrderStatus.FILLED if full else OrderStatus.CANCELED
        name = order.client_order_id
        draft.add(OrderFinished(at=draft.now, client_order_id=name, status=status))
    draft.add(PositionResolved(at=draft.now, by=word.by, how="filled", written_off=ZERO))


def _refuse_healthy(draft: Draft, *, in_doubt: bool) -> None:
    """Resolve what is frozen or in doubt: a healthy position is not written off by a slip."""
    if draft.position.frozen is None and not in_doubt:
        raise SignalRefused(f"{draft.position.position_id} is not frozen: nothing is to resolve")


def _told_fill(order: Order, word: Filled, draft: Draft) -> FillBooked:
    fill = Fill(
        symbol=draft.position.symbol,
        trade_id=TradeId(f"operator-{order.client_order_id}"),
        exchange_order_id=order.exchange_order_id or ExchangeOrderId("operator"),
        client_order_id=order.client_order_id,
        side=order.side,
        price=word.price,
        quantity=word.quantity,
        fee=word.fee,
        fee_asset=draft.position.quote,
        at=draft.now,
    )
    return FillBooked(at=draft.now, client_order_id=order.client_order_id, fill=fill)


def _abandoned(order: Order, by: str, now: datetime) -> PositionRecord:
    name: ClientOrderId = order.client_order_id
    if order.status is OrderStatus.INTENDED:
        evidence = f"{by} says so"
        return OrderNever(at=now, client_order_id=name, evidence=evidence, may_have_left=True)
    if not order.counted:
        raise SignalRefused(
            f"{name} filled {plain(order.reported)} at the exchange, {plain(order.filled)} are "
            f"booked: say what it filled with --filled QUANTITY@PRICE first",
        )
    return OrderFinished(at=now, client_order_id=name, status=OrderStatus.CANCELED)
