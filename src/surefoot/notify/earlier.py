"""What came before a record, where what people are told of it needs that."""

from __future__ import annotations

from typing import Final

from msgspec import Struct

from surefoot.core.order import Order
from surefoot.core.position import TRANSITIONS, ExitWish, Position, State
from surefoot.core.records import ExitWished, OrderFinished, StateChanged
from surefoot.core.values import ClientOrderId
from surefoot.journal.port import Entry, Reader

# What is said of every position that opens tells nobody anything.
ORDINARY: Final = TRANSITIONS[State.OPENING][State.OPEN]


class Before(Struct, frozen=True, kw_only=True):
    """What came before a record: whether it was open, the wish that ends, the order that ended."""

    was_open: bool = False
    wish: ExitWish | None = None
    ended: Order | None = None


async def before(entry: Entry, reader: Reader, position: Position | None) -> Before:
    """Read what the end of an order, or of a wish to leave, has to be told with."""
    record, upto = entry.record, entry.sequence
    if isinstance(record, OrderFinished):
        state = await reader.last(entry.stream, "state-changed", before=upto)
        moved = None if state is None else state.record
        return Before(was_open=isinstance(moved, StateChanged) and moved.target is State.OPEN)
    if not isinstance(record, StateChanged) or record.why == ORDINARY:
        return Before()
    if record.target not in {State.OPEN, State.CLOSED}:
        return Before()
    wished = await reader.last(entry.stream, "exit-wished", before=upto)
    ended = await reader.last(entry.stream, "order-finished", before=upto)
    since = await reader.last(entry.stream, "state-changed", before=upto)
    if ended and since and ended.sequence < since.sequence:
        ended = None  # Before it began to leave: what that sold was told of then.
    name = (
        ended.record.client_order_id if ended and isinstance(ended.record, OrderFinished) else None
    )
    return Before(
        wish=wished.record.wish if wished and isinstance(wished.record, ExitWished) else None,
        ended=None if name is None or position is None else await _order(name, position, reader),
    )


async def _order(name: ClientOrderId, position: Position, reader: Reader) -> Order | None:
    """Return an order of a position, also one that has left it."""
    if (order := position.find(name)) is not None:
        return order
    left = (await reader.orders_of([position.position_id])).get(position.position_id, ())
    return next((each for each in left if each.client_order_id == name), None)
