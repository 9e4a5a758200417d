"""What was believed, what was true, what was done: three lines for each kill."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from surefoot.core.account_records import Record
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import Position, State
from surefoot.core.records import (
    CancelIntended,
    FillBooked,
    OrderFinished,
    OrderNever,
    OrderReported,
    PositionFrozen,
)
from surefoot.core.values import plain
from surefoot.engine import report
from surefoot.journal.port import Reader, position_stream

_VERBS: Final = {Role.ENTRY: "entry", Role.EXIT: "exit", Role.STOP: "stop"}


async def concerned(reader: Reader, client_order_id: str | None) -> Position | None:
    """Return the position of an order, or the one that the last thing written down was about."""
    newest: Position | None = None
    latest = -1
    for position in await reader.positions():
        entries = await reader.entries(
            stream=position_stream(position.position_id), limit=1_000_000
        )
        orders = (await reader.orders_of([position.position_id])).get(position.position_id, ())
        if any(order.client_order_id == client_order_id for order in orders):
            return position
        busy = any(is_open_question(order) for order in position.orders)
        rank = entries[-1].sequence + (10_000_000 if busy else 0)
        if rank > latest:
            newest, latest = position, rank
    return newest


def is_open_question(order: Order) -> bool:
    """Tell whether the exchange has to say what became of an order."""
    asked = order.status is OrderStatus.INTENDED or order.verdict is not None
    return asked and not order.finished


def believed(position: Position | None) -> str:
    """Say what the journal says of a position."""
    if position is None:
        return "nothing yet"
    return f"{position.position_id} {report.believed(position)}"


def true(position: Position | None, ledger: Mapping[str, Any]) -> str:
    """Say what the exchange's ledger has for the orders of a position that are open questions."""
    if position is None:
        return "the exchange has no order of ours"
    rows = {row["clientOrderId"]: row for row in ledger["orders"]}
    asked = [order for order in position.orders if not order.finished] or position.orders[-1:]
    return "; ".join(_true_order(order, rows.get(order.client_order_id)) for order in asked) or (
        "the exchange has no order of it"
    )


def _true_order(order: Order, row: Mapping[str, Any] | None) -> str:
    if row is None:
        return f"the {_VERBS[order.role]} never reached the exchange"
    filled = row["executedQty"].rstrip("0").rstrip(".")
    return f"the {_VERBS[order.role]} is {row['status']} there, {filled} filled"


async def done(reader: Reader, position: Position | None) -> str:
    """Say what was written about a position since."""
    if position is None:
        return "recovered; nothing was to do"
    stream = position_stream(position.position_id)
    entries = await reader.entries(stream=stream, limit=1_000_000)
    unknown = {o.client_order_id for o in position.orders if o.status is OrderStatus.INTENDED}
    open_then = {o.client_order_id for o in position.orders if not o.finished}
    later = [
        entry.record
        for entry in entries
        if entry.version > position.version
        and getattr(entry.record, "client_order_id", None) in {None, *open_then}
    ]
    said = list(_deeds(later, unknown))
    after = next(p for p in await reader.positions() if p.position_id == position.position_id)
    ending = f"{after.position_id} is {after.state}"
    if after.state is State.CLOSED:
        ending += f", PnL {plain(round(after.realized_pnl, 4))} {after.quote}"
    if after.frozen:
        ending += f", FROZEN: {after.frozen}"
    return "; ".join([*said[:4], ending])


def _deeds(records: Sequence[Record], unknown: Collection[str]) -> Iterable[str]:
    fills = sum(isinstance(record, FillBooked) for record in records)
    for record in records:
        if isinstance(record, OrderReported) and record.client_order_id not in unknown:
            continue
        deed = _deed(record)
        if deed is not None:
            yield deed
    if fills:
        yield f"{fills} fill{'s' if fills > 1 else ''} booked"


def _deed(record: Record) -> str | None:
    match record:
        case OrderNever():
            return "proven never accepted, so it may be entered again"
        case OrderReported(exchange_order_id=known):
            return f"found as {known}, adopted, not sent again"
        case OrderFinished(status=status):
            return None if status is OrderStatus.FILLED else f"order {status}"
        case CancelIntended():
            return "cancel written down and asked for"
        case PositionFrozen():
            return "frozen"
        case _:
            return None
