"""Log lines that tell the story: one a record, with fields, so that the log alone suffices."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from msgspec import Struct
from msgspec.structs import asdict

from surefoot.core.account_records import kind_of
from surefoot.core.evidence import Finding
from surefoot.core.order import Order, ReportedStatus, Role
from surefoot.core.position import Position
from surefoot.core.records import OrderReported, PositionFrozen, PositionRecord
from surefoot.core.values import plain


class Log(Protocol):
    """The part of a structured logger that is used here."""

    def bind(self, **fields: Any) -> Log:
        """Return a log that adds these fields to every line."""
        ...

    def debug(self, event: str, **fields: Any) -> Any:
        """Say what only a developer wants to know."""
        ...

    def info(self, event: str, **fields: Any) -> Any:
        """Say what happened."""
        ...

    def warning(self, event: str, **fields: Any) -> Any:
        """Say what somebody should know."""
        ...

    def error(self, event: str, **fields: Any) -> Any:
        """Say what somebody must look at."""
        ...


def say_record(log: Log, position: Position, record: PositionRecord) -> None:
    """Log one durable record of a position."""
    speak = log.warning if isinstance(record, PositionFrozen) else log.info
    if _fails_to_sell(position, record):
        speak = log.error
    speak(
        kind_of(record),
        bot=position.bot,
        position=position.position_id,
        state=position.state.value,
        **_fields(record),
    )


def say_outcome(log: Log, position: Position) -> None:
    """Log what a finished trade brought: one line, after the record that ended it."""
    pnl, paid = position.realized_pnl, position.paid
    opened, closed = position.opened_at, position.closed_at
    log.info(
        "trade finished",
        bot=position.bot,
        position=position.position_id,
        symbol=position.symbol,
        pnl=f"{pnl:+.8f}",
        quote=position.quote,
        share=f"{pnl / paid:+.2%}" if paid else None,
        fees={asset: plain(fee) for asset, fee in position.fees.items()},
        held=str(closed - opened).partition(".")[0] if opened and closed else None,
        dust=plain(position.left.quantity),
    )


def _fails_to_sell(position: Position, record: PositionRecord) -> bool:
    """Tell whether a stop or an exit ended by the venue's doing: out of range, a thin book."""
    if not isinstance(record, OrderReported):
        return False
    if record.status not in {ReportedStatus.EXPIRED, ReportedStatus.REJECTED}:
        return False
    order = position.find(record.client_order_id)
    # One that is followed by the next try has left the position; an entry never is at once.
    return order is None or order.role is not Role.ENTRY


def say_finding(log: Log, finding: Finding) -> None:
    """Log one difference between belief and reality."""
    fields = {key: value for key, value in _fields(finding).items() if key != "kind"}
    log.info("finding", kind=finding.kind.value, **fields)


def _fields(value: Struct) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for name, each in asdict(value).items():
        if name == "at" or each is None:
            continue
        if isinstance(each, Order):
            fields |= _order(each)
        elif isinstance(each, Struct):
            fields |= _fields(each)
        else:
            fields[_NAMES.get(name, name)] = _plain(each)
    return fields


_NAMES = {"client_order_id": "order", "position_id": "position"}


def _order(order: Order) -> dict[str, Any]:
    described = {
        "order": order.client_order_id,
        "role": order.role.value,
        "side": order.side.value,
        "quantity": plain(order.quantity),
        "not_after": order.not_after.isoformat(),
    }
    if order.limit is not None:
        described["limit"] = plain(order.limit)
    if order.trigger is not None:
        described["trigger"] = plain(order.trigger)
    return described


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return plain(value)
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, str) else value
