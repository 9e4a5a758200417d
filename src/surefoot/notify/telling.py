"""From records to events: which of them people are told, how loudly, and in which words."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Final, assert_never

from msgspec import Struct

from surefoot.core.account_records import (
    AccountBound,
    BanNoted,
    BotStatusChanged,
    HealthChanged,
    LifeBegan,
    LossCapLifted,
    LossCapReached,
    OrphanCancelIntended,
    OthersSeen,
    Record,
    RecoveryFinished,
    StuckChanged,
    WatermarkMoved,
)
from surefoot.core.health import HealthState
from surefoot.core.order import Role
from surefoot.core.position import ExitWish, Position, State
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
    PositionFrozen,
    PositionProven,
    PositionResolved,
    PositionSetBack,
    PositionStarted,
    PositionThawed,
    ReductionBooked,
    ShortageSeen,
    StateChanged,
)
from surefoot.core.values import Asset, BotName, PositionId, counted, one_line, plain
from surefoot.journal.port import Entry, Reader
from surefoot.journal.sentences import sentence
from surefoot.notify.earlier import ORDINARY, Before, before
from surefoot.notify.event import Event, EventKind, Weight

_CENTS = Decimal("0.01")
_ROLES: Final = {Role.ENTRY: "entry", Role.EXIT: "exit", Role.STOP: "stop"}

# What is told in several lines; nothing from outside may add one.
_IN_LINES: Final = {EventKind.RECOVERY, EventKind.STUCK}


class _Told(Struct, frozen=True, kw_only=True):
    """The part of an event that depends on its record."""

    kind: EventKind
    weight: Weight
    text: str
    details: dict[str, str] = {}


async def events(entries: Iterable[Entry], reader: Reader) -> list[Event]:
    """Return what these records tell people, in their order, each once."""
    told: list[Event] = []
    known: dict[str, Position | None] = {}  # as they stand now: one reading each will do
    for entry in entries:
        name = entry.stream.partition("/")[2]
        position = await _position(entry, reader, known)
        part = _told(entry.record, name, position, await before(entry, reader, position))
        if part is None:
            continue
        told.append(
            Event(
                id=f"{reader.epoch[:8]}-{entry.sequence}",
                at=entry.at,
                kind=part.kind,
                weight=part.weight,
                text=part.text if part.kind in _IN_LINES else one_line(part.text),
                account=None if position is None else position.account,
                bot=_bot(entry, position),
                position=None if position is None else position.position_id,
                details=part.details,
            )
        )
    return _coalesced(told)


async def _position(
    entry: Entry, reader: Reader, known: dict[str, Position | None]
) -> Position | None:
    kind, _, name = entry.stream.partition("/")
    if kind != "position":
        return None
    if name not in known:
        known[name] = await reader.position(name)
    return known[name]


def _bot(entry: Entry, position: Position | None) -> BotName | None:
    kind, _, name = entry.stream.partition("/")
    if kind == "bot":
        return BotName(name)
    return None if position is None else position.bot


def _coalesced(told: list[Event]) -> list[Event]:
    """Keep only the last of a position's stop moves; everything else is said one by one."""
    last: dict[PositionId | None, str] = {
        event.position: event.id for event in told if event.kind is EventKind.STOP_MOVED
    }
    return [
        event
        for event in told
        if event.kind is not EventKind.STOP_MOVED or last[event.position] == event.id
    ]


def _told(  # noqa: C901, PLR0911, PLR0912 (one table)
    record: Record, name: str, position: Position | None, earlier: Before
) -> _Told | None:
    match record:
        case RecoveryFinished():
            return _recovery(record, name)
        case FillBooked():
            return _fill(record, position)
        case OrderFinished():
            return _added(record, position) if earlier.was_open else None
        case StateChanged():
            return _state(record, position, earlier)
        case LevelsSet():
            return _levels(record, position)
        case OrderRefused():
            return _refused(record, name, position)
        case ReductionBooked() | ShortageSeen():
            return _less(record, name, position)
        case OrphanCancelIntended():
            return _plainly(record, name, EventKind.ORPHAN)
        case PositionFrozen():
            return _frozen(record, name, position)
        case (
            PositionResolved() | PositionThawed() | PositionProven() | DustLost() | LossCapLifted()
        ):
            return _plainly(record, name, EventKind.RESOLVED)
        case BotStatusChanged():
            return _bot_status(record)
        case BanNoted() | LossCapReached():
            return _barred(record, name)
        case HealthChanged():
            return _health(record)
        case StuckChanged():
            return _stuck(record)
        case (
            PositionStarted()
            | OrderIntended()
            | OrderRecalled()
            | OrderReported()
            | OrderDoubted()
            | OrderNever()
            | OrderShut()
            | CancelIntended()
            | AmendIntended()
            | AmendRefused()
            | OrderAmended()
            | CoinsBound()
            | DustLeft()
            | ExitWished()
            | ExitLapsed()
            | PartTaken()
            | PositionSetBack()
            | AccountBound()
            | LifeBegan()
            | WatermarkMoved()
            | OthersSeen()
        ):
            return None
        case _:
            assert_never(record)


def _plainly(record: Record, name: str, kind: EventKind) -> _Told:
    return _Told(kind=kind, weight=Weight.NOTICE, text=f"{name}: {sentence(record)}")


def _recovery(record: RecoveryFinished, account: str) -> _Told:
    weight = {"complete": Weight.NOTICE, "partial": Weight.WARNING}.get(
        record.outcome, Weight.ALARM
    )
    review = record.bots_in_review
    who = counted(len(review), "bot") if len(review) > 1 else "".join(review)
    wanting = f"; {who} {'need' if len(review) > 1 else 'needs'} you" if review else ""
    lines = [f"{account}: recovery {record.outcome} in {record.seconds:.1f} s{wanting}."]
    found = ", ".join(f"{count} {what}" for what, count in record.positions.items() if count)
    lines.append(f"Positions: {found or 'none'}.")
    lines.append(
        f"Fills booked: {record.fills_booked}. Orders cancelled: {record.orders_cancelled}. "
        f"Bots restarted: {record.bots_restarted}."
    )
    lines += [f"{bot}: {why}" for bot, why in review.items()]
    return _Told(
        kind=EventKind.RECOVERY,
        weight=Weight.ALARM if record.bots_in_review else weight,
        text="\n".join(map(one_line, lines)),
        details={
            "outcome": record.outcome,
            "fills_booked": str(record.fills_booked),
            "orders_cancelled": str(record.orders_cancelled),
            "bots_restarted": str(record.bots_restarted),
            **{f"positions.{what}": str(count) for what, count in record.positions.items()},
        },
    )


def _refused(record: OrderRefused, name: str, position: Position | None) -> _Told:
    order = None if position is None else position.find(record.client_order_id)
    what = "an order" if order is None else f"its {_ROLES[order.role]} order"
    return _Told(
        kind=EventKind.REFUSED,
        weight=Weight.WARNING,
        text=f"{name}: the exchange refused {what} ({record.code}): {record.message}",
        details={"code": record.code},
    )


def _less(record: ReductionBooked | ShortageSeen, name: str, position: Position | None) -> _Told:
    base, quote = ("", "") if position is None else (f" {position.base}", f" {position.quote}")
    if isinstance(record, ShortageSeen):
        if not record.missing:
            return _plainly(record, name, EventKind.RESOLVED)
        details = {"missing": plain(record.missing)}
        text = f"the account lacks {plain(record.missing)}{base} of what it holds"
    else:
        details = {"quantity": plain(record.quantity), "price": plain(record.price)}
        text = f"{plain(record.quantity)}{base} went at {_price(record.price)}{quote} without us"
    return _Told(
        kind=EventKind.OUTSIDE,
        weight=Weight.WARNING,
        text=f"{name}: {text}: {record.evidence}",
        details=details,
    )


def _barred(record: BanNoted | LossCapReached, account: str) -> _Told:
    if isinstance(record, BanNoted):
        text = f"the exchange will not talk to us before {record.until:%d %b %H:%M:%S} UTC"
    else:
        text = (
            f"{_amount(record.lost, record.quote)} lost today, the limit is "
            f"{_amount(record.cap, record.quote)}. No entries before midnight UTC; stops and exits "
            f"work on. To allow entries, on the server: surefoot lift {account}"
        )
    return _Told(kind=EventKind.EXCHANGE, weight=Weight.WARNING, text=f"{account}: {text}")


def _frozen(record: PositionFrozen, name: str, position: Position | None) -> _Told:
    return _Told(
        kind=EventKind.FROZEN,
        weight=Weight.ALARM,
        text=f"{name} is frozen: {record.reason}. {_holding(position)}",
        details={"reason": record.reason},
    )


def _fill(record: FillBooked, position: Position | None) -> _Told | None:
    if position is None:
        return None
    fill = record.fill
    verb = "bought" if fill.side == "buy" else "sold"
    fee = "" if not fill.fee else f", fee {plain(fill.fee)} {fill.fee_asset}"
    return _Told(
        kind=EventKind.FILL,
        weight=Weight.INFO,
        text=(
            f"{position.bot} {verb} {plain(fill.quantity)} {position.base} at "
            f"{_price(fill.price)} {position.quote}{fee}"
        ),
        details={
            "side": fill.side.value,
            "quantity": plain(fill.quantity),
            "price": plain(fill.price),
            "trade": fill.trade_id,
        },
    )


def _added(record: OrderFinished, position: Position | None) -> _Told | None:
    order = None if position is None else position.find(record.client_order_id)
    if position is None or order is None or order.role is not Role.ENTRY or not order.filled:
        return None
    return _Told(
        kind=EventKind.ENTRY,
        weight=Weight.NOTICE,
        text=(
            f"{position.position_id} was added to: {plain(order.filled)} {position.base} at "
            f"{_price(order.cost / order.filled)} {position.quote}. {_holding(position)}"
        ),
    )


def _state(record: StateChanged, position: Position | None, earlier: Before) -> _Told | None:
    if position is None:
        return None
    match record.target:
        case State.OPEN:
            how = "is open" if record.why == ORDINARY else f"stays open: {record.why}"
            if position.state is State.CLOSED:
                how = "was opened" if record.why == ORDINARY else f"stayed open: {record.why}"
            sold = _sold_part(position, earlier)
            return _Told(
                kind=EventKind.ENTRY,
                weight=Weight.NOTICE,
                text=f"{position.position_id} {how}. {sold}{_holding(position)}",
            )
        case State.CLOSED:
            return _closed(record, position, earlier.wish)
        case State.FLAT | State.OPENING | State.CLOSING:
            return None
        case _:
            assert_never(record.target)


def _sold_part(position: Position, earlier: Before) -> str:
    """Say at which price the part was sold that has just gone."""
    order = earlier.ended
    if order is None or order.role is Role.ENTRY or not order.filled:
        return ""
    what = f"{plain(order.filled)} {position.base}"
    price = f"{_price(order.cost / order.filled)} {position.quote}"
    why = f", {earlier.wish.said}" if earlier.wish and order.role is Role.EXIT else ""
    return f"Sold {what} at {price}{why}. "


def _closed(record: StateChanged, position: Position, wish: ExitWish | None) -> _Told:
    pnl, cost = position.realized_pnl, position.entry_cost
    share = f" ({pnl / cost:+.2%})" if cost else ""
    third = {asset: fee for asset, fee in position.fees.items() if asset != position.quote}
    fees = "".join(f", and {plain(fee)} {asset} of fees" for asset, fee in third.items())
    return _Told(
        kind=EventKind.EXIT,
        weight=Weight.NOTICE,
        text=(
            f"{position.position_id} is closed: {_signed(pnl, position.quote)}{share}{fees}. "
            f"{_way_out(position, wish) or record.why}"
        ),
        details={"realized_pnl": plain(pnl), "quote": position.quote},
    )


def _way_out(position: Position, wish: ExitWish | None) -> str | None:
    """Say what sold it and at which price; None if it was not ours alone."""
    sold = [each for each in position.orders if each.role is not Role.ENTRY and each.filled]
    if not sold or position.outside or position.missing or position.written_off:
        return None
    last = max(sold, key=lambda each: each.attempt)
    price = f"{_price(last.cost / last.filled)} {position.quote}"
    if last.role is Role.STOP:
        return f"Its stop sold at {price}."
    return f"Sold at {price}{'' if wish is None else f', {wish.said}'}."


def _levels(record: LevelsSet, position: Position | None) -> _Told | None:
    if position is None or record.levels.stop is None:
        return None
    target = record.levels.take_profit
    to = "" if target is None else f", target {_price(target)} {position.quote}"
    return _Told(
        kind=EventKind.STOP_MOVED,
        weight=Weight.INFO,
        text=f"{position.position_id}: stop at {_price(record.levels.stop)} {position.quote}{to}",
        details={"stop": plain(record.levels.stop), "phase": record.levels.phase.value},
    )


def _bot_status(record: BotStatusChanged) -> _Told:
    why = f": {record.reason}" if record.reason else ""
    why += f"; and somebody should look: {record.review}" if record.review else ""
    review = record.status == "REVIEW" or record.review is not None
    status = "needs you" if record.status == "REVIEW" else f"is {record.status}, by {record.by}"
    return _Told(
        kind=EventKind.BOT,
        weight=Weight.ALARM if review else Weight.INFO,
        text=f"{record.bot} {status}{why}",
        details={"status": record.status},
    )


def _health(record: HealthChanged) -> _Told | None:
    health = record.health
    why = f": {health.why}" if health.why else ""
    match health.state:
        case HealthState.OK:
            weight, text = Weight.NOTICE, "all is reached and watched"
        case HealthState.STARTING:
            return None  # the recovery report says how it went
        case HealthState.DEGRADED:
            weight, text = Weight.WARNING, "it works with less than it should have"
        case HealthState.UNREACHABLE:
            weight, text = Weight.WARNING, "the exchange cannot be reached"
        case HealthState.BANNED:
            weight, text = Weight.WARNING, "the exchange asked us to stay away"
        case HealthState.HALTED:
            weight, text = Weight.ALARM, "halted until somebody acts"
        case _:
            assert_never(health.state)
    watched = "" if health.watched else " Stops that are watched here do not work meanwhile."
    return _Told(
        kind=EventKind.EXCHANGE,
        weight=weight,
        text=f"{record.account}: {text}{why}.{watched}",
        details={"state": health.state.value},
    )


def _stuck(record: StuckChanged) -> _Told:
    standing = {each.id: each for each in record.standing}
    lines = [
        f"{each.position_id or each.subject}, {each.kind.replace('-', ' ')}: {each.true}. "
        f"Believed: {each.believed}"
        for each in (standing[name] for name in record.raised if name in standing)
    ]
    for name in record.ended:
        kind, _, subject = name.partition("/")
        lines.append(f"No longer stuck: {subject} ({kind.replace('-', ' ')})")
    return _Told(
        kind=EventKind.STUCK,
        weight=Weight.ALARM if record.raised else Weight.NOTICE,
        text="\n".join(map(one_line, lines)),
        details={"raised": " ".join(record.raised), "ended": " ".join(record.ended)},
    )


def _holding(position: Position | None) -> str:
    if position is None:
        return ""
    if not position.quantity:
        return "It is closed by now." if position.state is State.CLOSED else "It holds nothing."
    price = position.entry_price
    paid = "" if price is None else f" bought at {_price(price)} {position.quote}"
    stop = position.levels.stop
    guard = "no stop" if stop is None else f"stop {_price(stop)}"
    return f"It holds {plain(position.quantity)} {position.base}{paid}, {guard}."


def _price(price: Decimal) -> str:
    """Write a price with the digits that a person reads; the record has all of them."""
    return plain(round(price, 8)) if price < 1 else f"{round(price, 2):,f}"


def _signed(amount: Decimal, asset: Asset) -> str:
    shown = amount.quantize(_CENTS) if abs(amount) >= _CENTS else round(amount, 8)
    return f"{shown:+,f} {asset}"


def _amount(amount: Decimal, asset: Asset) -> str:
    return f"{amount.quantize(_CENTS):,f} {asset}"
