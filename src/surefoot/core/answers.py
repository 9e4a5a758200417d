"""What an operator says of a position, and what the position makes of it.

Which answers fit is one table, in `resolving`; what does not fit is refused with the reason.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from surefoot.core.draft import Draft
from surefoot.core.dust import is_dust
from surefoot.core.errors import SignalRefused
from surefoot.core.order import Order, OrderStatus
from surefoot.core.position import State
from surefoot.core.records import (
    OrderFinished,
    OrderNever,
    PositionRecord,
    PositionResolved,
)
from surefoot.core.reports import Fill
from surefoot.core.resolving import Answer, is_in_doubt, misfit
from surefoot.core.signals import Adopt, Filled, Flatten, Ignore
from surefoot.core.values import ZERO, ClientOrderId, ExchangeOrderId, TradeId, plain


def take_look(word: Adopt | Ignore, draft: Draft) -> None:
    """Go on as it is: an operator has looked.

    Raises:
        SignalRefused: not here and not now.
    """
    answer = Answer.ADOPT if isinstance(word, Adopt) else Answer.IGNORE
    _refuse_misfit(answer, draft)
    position = draft.position
    if position.state is State.CLOSED and not is_dust(position, draft.terms):
        raise SignalRefused(
            f"{position.position_id} is CLOSED, yet {plain(position.quantity)} {position.base} "
            f"arrived late: deal with them at the exchange, then resolve it with --flat",
        )
    draft.add(PositionResolved(at=draft.now, by=word.by, how=answer, written_off=ZERO))


def take_flatten(word: Flatten, draft: Draft) -> None:
    """Write off what is held, on an operator's word.

    Raises:
        SignalRefused: not here and not now.
    """
    _refuse_misfit(Answer.FLAT, draft)
    for order in draft.position.orders:
        if not order.finished:
            draft.add(_abandoned(order, word.by, draft.now))
    quantity = draft.position.claim
    draft.add(
        PositionResolved(at=draft.now, by=word.by, how=Answer.FLAT, written_off=quantity),
    )


# A price that is so many times another one is a slip of the keyboard.
FAR: Final = 5


def take_filled(word: Filled, draft: Draft) -> None:
    """Book what an operator says that an order in doubt filled.

    Raises:
        SignalRefused: not here and not now.
    """
    order = draft.position.find(word.client_order_id)
    if order is None or order.finished:
        raise SignalRefused(f"{word.client_order_id} is no unfinished order of this position")
    if not word.denied and not is_in_doubt(draft.position, order):
        raise SignalRefused(
            f"{word.client_order_id} is no order in doubt: the exchange has this {order.role} "
            f"({order.side} {plain(order.quantity)}) live, and tells itself what it fills",
        )
    if word.quantity > order.quantity - order.filled:
        raise SignalRefused(f"only {plain(order.quantity - order.filled)} of it can be filled")
    if order.filled + word.quantity < order.reported:
        raise SignalRefused(
            f"the exchange has told of {plain(order.reported)} filled, {plain(order.filled)} are "
            f"booked: say at least the {plain(order.reported - order.filled)} in between",
        )
    _refuse_absurd(word, order, draft)
    if word.quantity:
        draft.book(_told_fill(order, word, draft), order)
    full = order.filled + word.quantity == order.quantity
    if order.status is OrderStatus.INTENDED and not word.quantity:
        draft.add(_abandoned(order, word.by, draft.now))
    else:
        status = OrderStatus.FILLED if full else OrderStatus.CANCELED
        name = order.client_order_id
        draft.add(OrderFinished(at=draft.now, client_order_id=name, status=status))
    draft.add(PositionResolved(at=draft.now, by=word.by, how=Answer.FILLED, written_off=ZERO))


def _refuse_absurd(word: Filled, order: Order, draft: Draft) -> None:
    """Refuse what no exchange could have filled: off the grid, or far from any price we know of."""
    instrument = draft.terms.instrument
    if word.quantity % instrument.lot:
        raise SignalRefused(
            f"{plain(word.quantity)} is no quantity here: the step is {plain(instrument.lot)}"
        )
    known = order.limit or order.trigger or draft.position.entry_price
    apart = known is not None and not known / FAR <= word.price <= known * FAR
    if word.quantity and known is not None and apart:
        raise SignalRefused(
            f"{plain(word.price)} is too far from the {plain(known)} that is known of this order"
        )


def _refuse_misfit(answer: Answer, draft: Draft) -> None:
    """Resolve what is frozen or in doubt: a healthy position is not written off by a slip."""
    reason = misfit(draft.position, answer)
    if reason is not None:
        raise SignalRefused(reason)


def _told_fill(order: Order, word: Filled, draft: Draft) -> Fill:
    return Fill(
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
