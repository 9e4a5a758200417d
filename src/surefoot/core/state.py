"""Applying records: `evolve(position, record) → position`, and nothing else.

Every record changes exactly what its docstring says. A record that cannot apply raises and the
position is unchanged, because positions are values. Replaying a stream from its first record
always gives the same position, on any machine and in any released version.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, assert_never

from msgspec.structs import replace

from surefoot.core.errors import InvalidValue
from surefoot.core.exits import Level
from surefoot.core.order import Amending, Order, OrderStatus, ReportedStatus, Role
from surefoot.core.position import Bound, Position, State, Taken, Tally, permit
from surefoot.core.records import (
    AmendIntended,
    AmendRefused,
    CancelIntended,
    CoinsBound,
    DustLeft,
    DustLost,
    ExitLapsed,
    ExitWished,
    FillBooked,
    LevelsSet,
    OrderAmended,
    OrderDoubted,
    OrderFinished,
    OrderIntended,
    OrderNever,
    OrderRecalled,
    OrderRefused,
    OrderReported,
    OrderShut,
    PartTaken,
    PositionChange,
    PositionFrozen,
    PositionProven,
    PositionRecord,
    PositionResolved,
    PositionSetBack,
    PositionStarted,
    PositionThawed,
    ReductionBooked,
    ShortageSeen,
    StateChanged,
)
from surefoot.core.reports import Fill, Grounds
from surefoot.core.values import ZERO, ClientOrderId


def evolve(position: Position | None, record: PositionRecord) -> Position:
    """Return the position after a record.

    Raises:
        InvalidValue: the record does not belong to this position.
        IllegalTransition: the state table has no such edge.
    """
    if isinstance(record, PositionStarted):
        if position is not None:
            raise InvalidValue(f"{record.position_id} is started twice")
        return _started(record)
    if position is None:
        raise InvalidValue("the first record of a position must start it")
    return replace(_changed(record, position), version=position.version + 1)


def fold(records: Iterable[PositionRecord]) -> Position | None:
    """Replay a whole stream; None if it is empty."""
    position: Position | None = None
    for record in records:
        position = evolve(position, record)
    return position


def _started(record: PositionStarted) -> Position:
    return Position(
        position_id=record.position_id,
        bot=record.bot,
        account=record.account,
        symbol=record.symbol,
        base=record.base,
        quote=record.quote,
        number=record.number,
        carried=record.carried,
        version=1,
    )


def _changed(record: PositionChange, position: Position) -> Position:  # noqa: C901, PLR0911, PLR0912 (one table)
    match record:
        case OrderIntended():
            return _intended(record, position)
        case OrderRecalled():
            return _recalled(record, position)
        case OrderReported():
            return _reported(record, position)
        case OrderRefused():
            return _refused(record, position)
        case OrderDoubted():
            return _doubted(record, position)
        case OrderNever():
            return _never(record, position)
        case OrderShut(client_order_id=name):
            return _with(position, replace(_order(position, name), shut=True))
        case OrderFinished():
            return _finished(record, position)
        case CancelIntended():
            return _cancel_intended(record, position)
        case AmendIntended():
            return _amend_intended(record, position)
        case AmendRefused():
            return _unamended(record, position)
        case OrderAmended():
            return _amended(record, position)
        case FillBooked():
            return _booked(record, position)
        case ExitWished():
            return _wished(record, position)
        case ExitLapsed():
            return replace(position, exit_wish=None, wished_at=None)
        case PartTaken():
            return _part_taken(record, position)
        case LevelsSet(levels=levels):
            return replace(position, levels=levels)
        case ReductionBooked():
            return _reduced(record, position)
        case ShortageSeen(missing=missing):
            return replace(position, missing=missing, denied_at=None)
        case CoinsBound():
            return _bound(record, position)
        case DustLeft(dust=dust):
            return replace(position, left=dust)
        case DustLost(quantity=quantity):
            return replace(position, written_off=position.written_off + quantity)
        case StateChanged():
            return _moved(record, position)
        case PositionFrozen(reason=reason, lacking=lacking):
            return replace(position, frozen=reason, lacking=lacking)
        case PositionThawed():
            return replace(position, frozen=None, lacking=False)
        case PositionSetBack():
            return replace(position, set_back_at=record.at)
        case PositionProven():
            return replace(position, set_back_at=None)
        case PositionResolved():
            return _resolved(record, position)
        case _:
            assert_never(record)


def _intended(record: OrderIntended, position: Position) -> Position:
    if record.order.attempt <= position.attempts:
        raise InvalidValue(
            f"{record.order.client_order_id} is attempt {record.order.attempt}, but there were "
            f"{position.attempts} before it: a name would be used twice",
        )
    before = position
    if record.order.replaces is not None:
        old = _order(position, record.order.replaces)
        name, cancel_name = record.order.client_order_id, record.cancel_name
        before = _with(position, replace(old, replaced_by=name, cancel_name=cancel_name))
    changed = replace(
        before,
        orders=_staying((*before.orders, record.order), record.at),
        attempts=record.order.attempt,
    )
    if record.order.role is not Role.ENTRY:
        return changed
    return replace(
        changed,
        plan=record.plan or position.plan,
        direction=record.direction or position.direction,
        least=position.least if record.least is None else record.least,
    )


def _staying(orders: Sequence[Order], now: datetime) -> tuple[Order, ...]:
    """Leave out what is over, counted, looked for no more, and not the newest of its role.

    What something open is to replace stays: the one is understood by what became of the other.
    Orders leave when one is written down, and at no other time: that is when they would pile up.
    """
    newest = {order.role: order for order in orders}
    replaced = {order.replaces for order in orders if not order.finished}
    return tuple(
        order
        for order in orders
        if not order.finished
        or order.is_lately_never(now)
        or order is newest[order.role]
        or order.client_order_id in replaced
    )


def _recalled(record: OrderRecalled, position: Position) -> Position:
    if position.find(record.order.client_order_id) is not None:
        raise InvalidValue(f"{record.order.client_order_id} has not left")
    together = (*position.orders, record.order)
    return replace(position, orders=tuple(sorted(together, key=lambda order: order.attempt)))


def _reported(record: OrderReported, position: Position) -> Position:
    order = _order(position, record.client_order_id)
    if order.exchange_order_id not in {None, record.exchange_order_id}:
        raise InvalidValue(
            f"{order.client_order_id} is {order.exchange_order_id} at the exchange, "
            f"not {record.exchange_order_id}",
        )
    over = record.status is not ReportedStatus.OPEN
    ours = order.cancel_at is not None or order.replaced_by is not None
    if record.status is ReportedStatus.CANCELED and order.role is not Role.ENTRY and not ours:
        position = replace(position, meddled_at=record.at)
    return _with(
        position,
        replace(
            order,
            status=OrderStatus.WORKING,
            exchange_order_id=record.exchange_order_id,
            reported=max(order.reported, record.filled),
            told_at=record.at,
            verdict=OrderStatus(record.status.value) if over else order.verdict,
            doubt=None,
            finished_at=None,
        ),
    )


def _refused(record: OrderRefused, position: Position) -> Position:
    order = _order(position, record.client_order_id)
    before = _standing_again(position, order)
    if record.grounds is Grounds.TOO_SMALL and order.role is Role.EXIT and order.limit is None:
        before = replace(before, too_small=max(before.too_small, order.quantity))
    if record.grounds is Grounds.FUNDS and order.role is not Role.ENTRY:
        bound = before.bound or Bound(quantity=ZERO, since=record.at)
        before = replace(before, bound=bound, denied_at=record.at)
    return _over(
        before,
        replace(
            order,
            status=OrderStatus.REJECTED,
            finished_at=record.at,
            doubt=f"{record.code}: {record.message}",
        ),
        says_nothing=record.grounds in {Grounds.UNTIMELY, Grounds.CLOSED},
    )


def _doubted(record: OrderDoubted, position: Position) -> Position:
    order = _order(position, record.client_order_id)
    return _with(position, replace(order, doubt=record.reason))


def _never(record: OrderNever, position: Position) -> Position:
    order = _order(position, record.client_order_id)
    if order.status is OrderStatus.NEVER:
        return _with(position, replace(order, may_have_left=record.may_have_left))
    return _over(
        _standing_again(position, order),
        replace(
            order,
            status=OrderStatus.NEVER,
            finished_at=record.at,
            may_have_left=record.may_have_left,
            doubt=None,
        ),
        why=None if record.may_have_left else record.evidence,
    )


def _standing_again(position: Position, refused: Order) -> Position:
    """Let go of the order that this one was to replace, unless another still tries to."""
    name = refused.client_order_id
    old = next((order for order in position.orders if order.replaced_by == name), None)
    if old is None:
        return position
    others = (each for each in position.rivals(old.client_order_id) if each is not refused)
    rival = next((each.client_order_id for each in others), None)
    return _with(position, replace(old, replaced_by=rival))


def _finished(record: OrderFinished, position: Position) -> Position:
    order = _order(position, record.client_order_id)
    return _over(position, replace(order, status=record.status, finished_at=record.at))


def _cancel_intended(record: CancelIntended, position: Position) -> Position:
    order = _order(position, record.client_order_id)
    return _with(
        position,
        replace(order, cancel_at=record.at, cancel_name=record.cancel_name, hailed=record.hailed),
    )


def _amend_intended(record: AmendIntended, position: Position) -> Position:
    asked = Amending(quantity=record.quantity, not_after=record.not_after)
    return _with(position, replace(_order(position, record.client_order_id), amending=asked))


def _amended(record: OrderAmended, position: Position) -> Position:
    order = _order(position, record.client_order_id)
    return _with(position, replace(order, quantity=record.quantity, amending=None))


def _unamended(record: AmendRefused, position: Position) -> Position:
    order = _order(position, record.client_order_id)
    asked = None if order.amending is None else replace(order.amending, refused=True)
    return _with(position, replace(order, amending=asked))


def _booked(record: FillBooked, position: Position) -> Position:
    order = _order(position, record.client_order_id)
    fill = record.fill
    filled = order.filled + fill.quantity
    # A fill on an order that we had finished re-opens it: the ear is never closed.
    booked = replace(
        order,
        status=OrderStatus.WORKING,
        exchange_order_id=order.exchange_order_id or fill.exchange_order_id,
        verdict=order.verdict or (order.status if order.finished else None),
        filled=filled,
        reported=max(order.reported, filled),
        cost=order.cost + fill.price * fill.quantity,
        trades=(*order.trades, fill.trade_id),
        doubt=None,
        finished_at=None,
    )
    if booked.verdict in {OrderStatus.NEVER, OrderStatus.REJECTED}:
        booked = replace(booked, verdict=None)
    changed = _with(_with_fee(position, fill, order), booked)
    worth = fill.price * fill.quantity
    if order.role is Role.ENTRY:
        bought = fill.quantity - (changed.base_fees - position.base_fees)
        wish, taken = changed.exit_wish, changed.taken
        return replace(
            changed,
            entries=changed.entries + (not order.filled),
            exit_wish=wish and replace(wish, keep=_grown(wish.keep, bought)),
            taken=replace(taken, keep=_grown(taken.keep, bought)),
            entered=changed.entered + fill.quantity,
            entry_cost=changed.entry_cost + worth,
            opened_at=changed.opened_at or fill.at,
        )
    return replace(
        changed,
        exited=changed.exited + fill.quantity,
        exit_proceeds=changed.exit_proceeds + worth,
        too_small=ZERO,
    )


def _grown(keep: Decimal, bought: Decimal) -> Decimal:
    """Let what is bought after a wish to sell a part stay: it was not what was wished about."""
    return keep + bought if keep else keep


def _wished(record: ExitWished, position: Position) -> Position:
    wish, taken = record.wish, position.taken
    if wish.level is Level.TAKE_PART:
        taken = replace(taken, keep=wish.keep)
    return replace(position, exit_wish=wish, wished_at=record.at, taken=taken)


def _part_taken(record: PartTaken, position: Position) -> Position:
    wish, parts = position.exit_wish, position.taken.parts + 1
    done = wish is not None and wish.level is Level.TAKE_PART
    return replace(
        position,
        taken=Taken(parts=parts, joins=record.joins),
        exit_wish=None if done else wish,
        wished_at=None if done else position.wished_at,
    )


def _reduced(record: ReductionBooked, position: Position) -> Position:
    return replace(
        position,
        exited=position.exited + record.quantity,
        exit_proceeds=position.exit_proceeds + record.quantity * record.price,
        outside=(*position.outside, *record.trades),
        outside_orders=(*position.outside_orders, *record.orders),
        missing=max(position.missing - record.quantity, ZERO),
        denied_at=None,
    )


def _bound(record: CoinsBound, position: Position) -> Position:
    if not record.quantity:
        return replace(position, bound=None)
    since = record.at if position.bound is None else position.bound.since
    bound = Bound(quantity=record.quantity, since=since, by=record.by)
    return replace(position, bound=bound, meddled_at=record.at)


def _moved(record: StateChanged, position: Position) -> Position:
    permit(position.state, record.target)
    over = record.target in {State.FLAT, State.CLOSED}
    return replace(
        position,
        state=record.target,
        exit_wish=None if over else position.exit_wish,
        wished_at=None if over else position.wished_at,
        closed_at=record.at if record.target is State.CLOSED else position.closed_at,
    )


def _resolved(record: PositionResolved, position: Position) -> Position:
    return replace(
        position,
        frozen=None,
        lacking=False,
        set_back_at=None,
        missing=ZERO,
        denied_at=None,
        written_off=position.written_off + record.written_off,
    )


def _order(position: Position, client_order_id: ClientOrderId) -> Order:
    order = position.find(client_order_id)
    if order is None:
        raise InvalidValue(f"{position.position_id} has no order {client_order_id}")
    return order


def _with(position: Position, changed: Order) -> Position:
    return replace(
        position,
        orders=tuple(
            changed if order.client_order_id == changed.client_order_id else order
            for order in position.orders
        ),
    )


def _over(
    position: Position, ended: Order, *, why: str | None = None, says_nothing: bool = False
) -> Position:
    """Put an order in that has just ended, and count how often its role came to nothing.

    A refusal that says nothing of the order neither adds to those that do nor ends their row.
    """
    changed = _with(position, ended)
    if changed.last(ended.role) is not ended or ended.finished_at is None:
        return changed  # What an older order came to says nothing about the next one.
    tallies = dict(position.tallies)
    before = tallies.pop(ended.role, None)
    # A limit that nobody met says nothing about the next exit: a stop may have to be honoured.
    unmet = ended.role is Role.EXIT and ended.immediate and ended.status is OrderStatus.EXPIRED
    if ended.status in _FRUITLESS and not ended.filled and not unmet:
        failed = ended.status is not OrderStatus.EXPIRED
        refused = before.refused if before else 0
        if not says_nothing:
            refused = refused + 1 if ended.status is OrderStatus.REJECTED else 0
        tallies[ended.role] = Tally(
            since=before.since if before else ended.signed_at,
            last_at=ended.finished_at,
            why=why or ended.doubt or (before.why if before else None),
            fruitless=1 + (before.fruitless if before else 0),
            failed=1 + (before.failed if before else 0) if failed else 0,
            refused=refused,
        )
    return replace(changed, tallies=tallies)


_FRUITLESS: Final = {OrderStatus.REJECTED, OrderStatus.NEVER, OrderStatus.EXPIRED}


def _with_fee(position: Position, fill: Fill, order: Order) -> Position:
    if not fill.fee or fill.fee_asset is None:
        return position
    fees = dict(position.fees)
    fees[fill.fee_asset] = fees.get(fill.fee_asset, ZERO) + fill.fee
    # Of what was bought the fee is kept back; when selling, the exchange takes it from elsewhere:
    # the whole quantity is sold (BNB/USDT with fees in BNB).
    kept_back = order.role is Role.ENTRY and fill.fee_asset == position.base
    in_base = fill.fee if kept_back else ZERO
    return replace(position, fees=fees, base_fees=position.base_fees + in_base)
