"""Records as sentences, for people: what happened, to which order, on what evidence."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

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
from surefoot.core.exits import Levels
from surefoot.core.order import Order, ReportedStatus, Role
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
from surefoot.core.values import counted, one_line, plain


def sentence(record: Record) -> str:
    """Say what a record says, in one line, whatever was planted in it."""
    return one_line(_said(record))


def _said(record: Record) -> str:  # noqa: C901, PLR0911, PLR0912 (one table)
    """Say what a record says, in its own words."""
    match record:
        case PositionStarted():
            return _started(record)
        case OrderIntended():
            return _intended(record)
        case OrderRecalled(order=order):
            return f"{order.client_order_id}, which was over, is looked at again."
        case OrderReported():
            return _reported(record)
        case OrderRefused():
            return _refused(record)
        case OrderDoubted():
            return _doubted(record)
        case OrderNever() | OrderShut():
            return _never(record)
        case OrderFinished():
            return _finished(record)
        case CancelIntended() | AmendIntended() | AmendRefused() | OrderAmended():
            return _lessened(record)
        case FillBooked():
            return _booked(record)
        case ExitWished():
            return _wished(record)
        case ExitLapsed() | PartTaken():
            return _lapsed(record)
        case LevelsSet():
            return _protected(record)
        case ReductionBooked() | DustLeft() | DustLost():
            return _went(record)
        case CoinsBound() | ShortageSeen():
            return _unsellable(record)
        case PositionThawed() | PositionSetBack() | PositionProven() | PositionFrozen():
            return _evident(record)
        case StateChanged():
            return _moved(record)
        case PositionResolved():
            return _resolved(record)
        case BotStatusChanged():
            return _bot_status(record)
        case AccountBound() | LifeBegan():
            return _bound(record)
        case WatermarkMoved():
            return _watermark(record)
        case OthersSeen():
            return _others(record)
        case OrphanCancelIntended():
            return _orphan(record)
        case BanNoted() | LossCapReached() | LossCapLifted():
            return _barred(record)
        case RecoveryFinished():
            return _recovered(record)
        case HealthChanged():
            return _stands(record)
        case StuckChanged():
            return _stuck(record)
        case _:
            assert_never(record)


def _started(record: PositionStarted) -> str:
    dust = record.carried
    of = f"{plain(dust.quantity)} of dust that cost {plain(_short(dust.cost))}"
    carried = f", with {of}" if dust.quantity else ""
    return f"{record.position_id} begins, FLAT, on {record.symbol}{carried}."


def _intended(record: OrderIntended) -> str:
    order = record.order
    why = f" because: {record.reason}" if record.reason else ""
    return (
        f"Written down before it is sent: {_described(order, adds=record.plan is None)} as "
        f"{order.client_order_id}, void "
        f"after {order.not_after:%H:%M:%S}{why}."
    )


def _reported(record: OrderReported) -> str:
    name, known = record.client_order_id, record.exchange_order_id
    if record.status is ReportedStatus.OPEN:
        told = "it is live" if not record.filled else f"{plain(record.filled)} of it is filled"
    else:
        told = f"it is {record.status} with {plain(record.filled)} filled"
    return f"The exchange on {name} ({known}): {told}."


def _refused(record: OrderRefused) -> str:
    return (
        f"The exchange refused {record.client_order_id} for good ({record.code}): {record.message}"
    )


def _doubted(record: OrderDoubted) -> str:
    return (
        f"No believable answer to {record.client_order_id} ({record.reason}): it may or may not "
        f"be there, so it is asked about and never sent again."
    )


def _never(record: OrderNever | OrderShut) -> str:
    if isinstance(record, OrderShut):
        name = record.client_order_id
        return f"{name} can trade no more: {record.evidence}. Whether it has is being asked."
    return f"{record.client_order_id} was never accepted: {record.evidence}."


def _finished(record: OrderFinished) -> str:
    return f"{record.client_order_id} is {record.status}, and its fills add up."


def _lessened(record: CancelIntended | AmendIntended | AmendRefused | OrderAmended) -> str:
    name = record.client_order_id
    match record:
        case CancelIntended(reason=reason):
            return f"{name} is to be cancelled: {reason}."
        case AmendIntended(quantity=quantity, reason=reason):
            return f"{name} is to be made smaller where it stands, {plain(quantity)}: {reason}."
        case AmendRefused(reason=reason):
            return f"{name} was not made smaller: {reason}. It is replaced instead."
        case OrderAmended(quantity=quantity):
            return f"{name} is {plain(quantity)} at the exchange now."


def _booked(record: FillBooked) -> str:
    fill = record.fill
    fee = "" if fill.fee_asset is None else f", fee {plain(fill.fee)} {fill.fee_asset}"
    verb = "bought" if fill.side == "buy" else "sold"
    return (
        f"{plain(fill.quantity)} {verb} at {plain(fill.price)} (trade {fill.trade_id}{fee}), "
        f"booked to {record.client_order_id}."
    )


def _wished(record: ExitWished) -> str:
    wish = record.wish
    if wish.keep:
        return f"A part is to be sold, so that {plain(wish.keep)} are left, says {wish.said}."
    return f"It is to be closed, says {wish.said}."


def _lapsed(record: ExitLapsed | PartTaken) -> str:
    if isinstance(record, PartTaken):
        share = f"; {plain(record.joins * 100)} % go with the next" if record.joins else ""
        return f"A part of the take-profit is done with: {record.why}{share}."
    return f"The wish to leave is over, and what follows is decided anew: {record.why}."


def _protected(record: LevelsSet) -> str:
    return f"Protection is {_levels(record.levels)}."


def _went(record: ReductionBooked | DustLeft | DustLost) -> str:
    match record:
        case DustLeft(dust=dust):
            return (
                f"{plain(dust.quantity)} are too little to trade: they go into the next position, "
                f"for the {plain(_short(dust.cost))} that they cost."
            )
        case DustLost(quantity=quantity, evidence=evidence):
            return f"{plain(quantity)} of dust are written off: {evidence}."
        case ReductionBooked(quantity=quantity, price=price, evidence=evidence):
            return f"{plain(quantity)} went at {plain(_short(price))} without us: {evidence}."


def _moved(record: StateChanged) -> str:
    return f"The position is {record.target}: {record.why}."


def _resolved(record: PositionResolved) -> str:
    off = f", {plain(record.written_off)} written off" if record.written_off else ""
    return f"{record.by} resolved it ({record.how}){off}."


def _bot_status(record: BotStatusChanged) -> str:
    why = f": {record.reason}" if record.reason else ""
    also = f"; and somebody should look: {record.review}" if record.review else ""
    return f"{record.bot} is {record.status}, by {record.by}{why}{also}."


def _bound(record: AccountBound | LifeBegan) -> str:
    if isinstance(record, LifeBegan):
        return (
            f"A server began on {record.account}; its orders are of generation {record.generation}."
        )
    return (
        f"This journal belongs to {record.exchange} account {record.uid} "
        f"({record.environment}) from now on."
    )


def _unsellable(record: CoinsBound | ShortageSeen) -> str:
    if isinstance(record, ShortageSeen):
        if not record.missing:
            return f"All of the holding can be sold again: {record.evidence}."
        return f"{plain(record.missing)} of the holding are missing: {record.evidence}."
    if not record.quantity:
        return "No order of others locks anything of the holding any more."
    return f"{plain(record.quantity)} of the holding cannot be sold: others lock it ({record.by})."


def _evident(
    record: PositionThawed | PositionSetBack | PositionProven | PositionFrozen,
) -> str:
    if isinstance(record, PositionFrozen):
        return f"FROZEN, nothing is added until an operator resolves it: {record.reason}"
    if isinstance(record, PositionSetBack):
        return f"What it holds is not proven, so nothing of it is sold: {record.reason}."
    if isinstance(record, PositionProven):
        return f"What it holds is proven again: {record.evidence}."
    return f"Not frozen any more: {record.evidence}."


def _others(record: OthersSeen) -> str:
    coins = ", ".join(f"{plain(each.amount)} {asset}" for asset, each in record.coins.items())
    found = f" ({'; '.join(record.found)})" if record.found else ""
    return (
        f"Beside what the bots hold, the account has {coins or 'nothing of their assets'}{found}."
    )


def _watermark(record: WatermarkMoved) -> str:
    return f"Fills of {record.symbol} are read up to trade {record.trade_id}."


def _orphan(record: OrphanCancelIntended) -> str:
    return (
        f"Order {record.client_order_id or record.exchange_order_id} on {record.symbol} is to be "
        f"cancelled: {record.reason}."
    )


def _barred(record: BanNoted | LossCapReached | LossCapLifted) -> str:
    if isinstance(record, BanNoted):
        return f"The exchange will not talk to us before {record.until:%Y-%m-%d %H:%M:%S} UTC."
    lost = f"{plain(record.lost)} {record.quote}"
    if isinstance(record, LossCapLifted):
        return f"{record.by} lets entries in again today, with {lost} lost so far."
    return (
        f"{lost} are lost today, and {plain(record.cap)} may be: no entry before tomorrow, UTC, or "
        f"`surefoot lift {record.account}`."
    )


def _recovered(record: RecoveryFinished) -> str:
    counts = ", ".join(f"{count} {name}" for name, count in record.positions.items() if count)
    review = "".join(f"; {bot} wants somebody: {why}" for bot, why in record.bots_in_review.items())
    return (
        f"Recovery {record.outcome} in {plain(record.seconds)} s: positions {counts or 'none'}; "
        f"{counted(record.fills_booked, 'fill')} booked, "
        f"{counted(record.orders_cancelled, 'order')} cancelled, "
        f"{counted(record.bots_restarted, 'bot')} restarted{review.removesuffix('.')}."
    )


def _stands(record: HealthChanged) -> str:
    health = record.health
    why = f": {health.why}" if health.why else ""
    following = f"; the next try is at {health.next_try:%H:%M:%S}" if health.next_try else ""
    return f"The account is {health.state} since {health.since:%H:%M:%S}{why}{following}."


def _stuck(record: StuckChanged) -> str:
    standing = {each.id: each for each in record.standing}
    said = [f"{each}: {standing[each].true}" for each in record.raised if each in standing]
    parts = [f"Past its deadline: {'; '.join(said)}"] if said else []
    parts += [f"No longer stuck: {', '.join(record.ended)}"] if record.ended else []
    return f"{'. '.join(parts)}."


def _described(order: Order, *, adds: bool) -> str:
    verb = "buy" if order.side == "buy" else "sell"
    kind = {
        Role.ENTRY: "to add to what is held" if adds else "to enter",
        Role.EXIT: "as an exit",
        Role.STOP: "as protection",
    }[order.role]
    price = "at the market"
    if order.trigger is not None:
        price = f"when {plain(order.trigger)} is reached"
    elif order.limit is not None:
        price = f"at {plain(order.limit)} or better"
    return f"{verb} {plain(order.quantity)} {price}, {kind},"


def _levels(levels: Levels) -> str:
    stop = "none" if levels.stop is None else plain(levels.stop)
    target = "none" if levels.take_profit is None else plain(levels.take_profit)
    return f"{levels.phase}: stop {stop}, target {target}"


def _short(price: Decimal) -> Decimal:
    return price.quantize(Decimal("0.00000001"))
