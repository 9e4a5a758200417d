"""How everything stands: one document, read from the journal alone.

It is the `surefoot status --json` contract; amounts are decimal strings, times RFC 3339 UTC. It
works while the server is down: the mark price is then the last one that was noted, and nothing
is watched.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, TypeAlias

from msgspec import Struct
from msgspec.structs import asdict

from surefoot.core.account_records import RecoveryFinished
from surefoot.core.health import HealthState
from surefoot.core.order import Order
from surefoot.core.position import Position
from surefoot.core.protection import Place, protection, resting_stop
from surefoot.core.values import AccountName, PositionId, one_line, plain
from surefoot.journal.port import BotRow, Holder, Reader
from surefoot.journal.review import ReviewFinding, read_review
from surefoot.journal.signs import Mark, Marks, Pulse, Remark, Signs
from surefoot.journal.standing import Standing, read_standings

Orders: TypeAlias = Mapping[PositionId, Sequence[Order]]
# Of the orders that are over so many of a position are listed, the newest.
ORDERS_SHOWN: Final = 10
_DIGITS: Final = Decimal("0.00000001")


class JournalStatus(Struct, frozen=True, kw_only=True):
    """Which journal this is, and how long."""

    epoch: str
    records: int


class RecoveryStatus(Struct, frozen=True, kw_only=True):
    """The newest recovery report."""

    at: datetime
    account: str
    outcome: str
    positions: dict[str, int]
    orders_cancelled: int
    fills_booked: int
    bots_restarted: int
    bots_in_review: list[str]
    requests: int
    weight: int
    seconds: float


class OrderStatusRow(Struct, frozen=True, kw_only=True):
    """One order of a position."""

    client_order_id: str
    exchange_order_id: str | None
    role: str
    side: str
    status: str
    quantity: str
    filled: str
    limit: str | None
    trigger: str | None


class RestingStop(Struct, frozen=True, kw_only=True):
    """The stop that the exchange has: at which price, and of how much."""

    trigger: str | None
    quantity: str


class ProtectionStatus(Struct, frozen=True, kw_only=True):
    """Where each level of a position is kept.

    `resting` is what the exchange has for a stop, be it of a part or not yet at the level that is
    wanted; `rest` is where the stop of what that does not sell is kept.
    """

    stop: Place
    rest: Place
    resting: RestingStop | None
    take_profit: Place


class PositionStatus(Struct, frozen=True, kw_only=True):
    """A bot's current position, with what is open of its orders and the newest of the others."""

    id: str
    state: str
    phase: str
    frozen: str | None
    side: str
    quantity: str
    entry_price: str | None
    mark_price: str | None
    marked_at: str | None
    unrealized_pnl: str | None
    realized_pnl: str
    fees: dict[str, str]
    stop_loss: str | None
    take_profit: str | None
    protection: ProtectionStatus
    orders: list[OrderStatusRow]
    orders_not_shown: int


class BotStatus(Struct, frozen=True, kw_only=True):
    """One bot; `position` is its current one, or None."""

    bot: str
    account: str | None
    symbol: str | None
    status: str
    reason: str | None
    position: PositionStatus | None
    unsettled: list[str]
    waits_for: str | None = None
    refused: str | None = None
    refused_at: datetime | None = None


class HealthStatus(Struct, frozen=True, kw_only=True):
    """How one account stands with its exchange; ages in seconds, None for what was never heard.

    `watched` tells that levels which are kept here are honoured now.
    """

    account: AccountName
    environment: str
    state: str
    since: datetime
    why: str | None
    attempt: int
    next_try: datetime | None
    watched: bool
    account_stream_age: float | None
    price_ages: dict[str, float | None]


class StatusDocument(Struct, frozen=True, kw_only=True):
    """Everything; `server` tells who runs on the journal now, if anybody, and whether it hangs.

    `review` is all that wants somebody: exit code 3 is exactly "it is not empty".
    """

    journal: JournalStatus
    recovery: RecoveryStatus | None
    bots: list[BotStatus]
    health: list[HealthStatus]
    review: list[ReviewFinding]
    server: dict[str, Any] | None = None


class Ground(Struct, frozen=True, kw_only=True):
    """What all bots have in common: the last prices and signs, and how each account stands."""

    marks: Marks
    signs: Signs
    holder: Holder | None
    standings: dict[AccountName, Standing]

    def watches(self, account: AccountName) -> bool:
        """Tell whether levels that are kept here are honoured now."""
        return account in self.standings and self.standings[account].health.watched


async def read_status(reader: Reader, *, now: datetime) -> StatusDocument:
    """Read how everything stands. `now` is for ages alone."""
    rows = await reader.bots()
    orders = await orders_of(reader, rows)
    ground = await read_ground(reader, rows, now)
    bots = [bot_status(row, orders, ground) for row in rows]
    return await put_together(reader, rows, bots, ground, now)


async def orders_of(reader: Reader, rows: Iterable[BotRow]) -> Orders:
    """Read the newest orders that have left what some bots have now."""
    current = [row.position for row in rows if row.position is not None]
    departed = [each.position_id for each in current if each.attempts > len(each.orders)]
    return await reader.orders_of(departed, newest=ORDERS_SHOWN)


async def read_ground(reader: Reader, rows: Iterable[BotRow], now: datetime) -> Ground:
    """Read what these bots have in common."""
    holder = reader.holder()
    standings = await read_standings(reader, rows, holder, now)
    return Ground(
        marks=await reader.marks(),
        signs=await reader.signs(),
        holder=holder,
        standings={each.account: each for each in standings},
    )


async def put_together(
    reader: Reader, rows: Sequence[BotRow], bots: list[BotStatus], ground: Ground, now: datetime
) -> StatusDocument:
    """Say how everything stands, of bots that were read and described already."""
    recovery = await reader.last_recovery()
    pulses = ground.signs.pulses
    standings = ground.standings.values()
    return StatusDocument(
        journal=JournalStatus(epoch=reader.epoch, records=await reader.records()),
        recovery=None if recovery is None else _recovery(*recovery),
        bots=bots,
        health=[
            _health(each, pulses.get(each.account), _marked(each.account, rows, ground.marks), now)
            for each in standings
        ],
        review=await read_review(reader, rows, standings, now),
        server=None
        if ground.holder is None
        else {**asdict(ground.holder), "hangs": any(each.hangs for each in standings)},
    )


def _marked(account: AccountName, rows: Iterable[BotRow], marks: Marks) -> dict[str, Mark | None]:
    """Return the last price of every symbol that the bots of an account trade."""
    positions = [row.position for row in rows if row.position is not None]
    symbols = sorted({each.symbol for each in positions if each.account == account})
    return {symbol: marks.get((account, symbol)) for symbol in symbols}


def _health(
    standing: Standing, pulse: Pulse | None, marks: dict[str, Mark | None], now: datetime
) -> HealthStatus:
    health = standing.health
    pulse = pulse or Pulse(account=standing.account)
    trying = health.state in {HealthState.STARTING, HealthState.UNREACHABLE}
    return HealthStatus(
        account=standing.account,
        environment=standing.environment,
        state=health.state.value,
        since=health.since,
        why=_line(health.why),
        attempt=pulse.attempt if trying else 0,
        next_try=pulse.next_try if trying else health.next_try,
        watched=health.watched,
        account_stream_age=_age(pulse.heard_at, now),
        price_ages={s: _age(None if mark is None else mark.at, now) for s, mark in marks.items()},
    )


def _age(at: datetime | None, now: datetime) -> float | None:
    """Return seconds; two clocks may disagree, but nothing is younger than now."""
    return None if at is None else round(max(0.0, (now - at).total_seconds()), 1)


def _recovery(at: datetime, report: RecoveryFinished) -> RecoveryStatus:
    return RecoveryStatus(
        at=at,
        account=report.account,
        outcome=report.outcome,
        positions=report.positions,
        orders_cancelled=report.orders_cancelled,
        fills_booked=report.fills_booked,
        bots_restarted=report.bots_restarted,
        bots_in_review=sorted(report.bots_in_review),
        requests=report.requests,
        weight=report.weight,
        seconds=float(report.seconds),
    )


def bot_status(row: BotRow, orders: Orders, ground: Ground) -> BotStatus:
    """Describe one bot."""
    position = row.position
    mark = None if position is None else ground.marks.get((position.account, position.symbol))
    remark = ground.signs.remarks.get(row.bot, Remark(bot=row.bot))
    return BotStatus(
        bot=row.bot,
        account=None if position is None else position.account,
        symbol=None if position is None else position.symbol,
        status=row.status,
        reason=_line(row.reason),
        position=None
        if position is None
        else position_status(
            position,
            orders.get(position.position_id, ()),
            mark,
            watched=ground.watches(position.account),
        ),
        unsettled=list(row.frozen),
        waits_for=remark.waits_for,
        refused=remark.refused,
        refused_at=remark.refused_at,
    )


def position_status(
    position: Position,
    orders: Sequence[Order] = (),
    mark: Mark | None = None,
    *,
    watched: bool = False,
) -> PositionStatus:
    """Describe one position, marked to the last known price if there is one.

    `orders` are those of its orders that have left it and are to be listed as well.
    """
    listed = {order.attempt: order for order in (*orders, *position.orders)}
    price = None if mark is None else mark.price
    unrealized = None if price is None else position.unrealized_pnl(price)
    levels = position.levels
    return PositionStatus(
        id=position.position_id,
        state=position.state.value,
        phase=levels.phase.value,
        frozen=_line(position.frozen),
        side=position.direction.value,
        quantity=plain(position.quantity),
        entry_price=_shown(position.entry_price),
        mark_price=_shown(price),
        marked_at=None if mark is None else mark.at.isoformat(),
        unrealized_pnl=_shown(unrealized),
        realized_pnl=plain(_rounded(position.realized_pnl)),
        fees={asset: plain(fee) for asset, fee in position.fees.items()},
        stop_loss=_shown(levels.stop),
        take_profit=_shown(levels.take_profit),
        protection=protection_status(position, watched=watched),
        orders=[order_status(listed[attempt]) for attempt in sorted(listed)],
        orders_not_shown=position.attempts - len(listed),
    )


def protection_status(position: Position, *, watched: bool) -> ProtectionStatus:
    """Describe where the levels of a position are kept."""
    kept, order = protection(position, watched=watched), resting_stop(position)
    return ProtectionStatus(
        stop=kept.stop,
        rest=kept.rest,
        resting=None
        if order is None
        else RestingStop(trigger=_shown(order.trigger), quantity=plain(order.remaining)),
        take_profit=kept.take_profit,
    )


def order_status(order: Order) -> OrderStatusRow:
    """Describe one order."""
    return OrderStatusRow(
        client_order_id=order.client_order_id,
        exchange_order_id=order.exchange_order_id,
        role=order.role.value,
        side=order.side.value,
        status=order.status.value,
        quantity=plain(order.quantity),
        filled=plain(order.filled),
        limit=_shown(order.limit),
        trigger=_shown(order.trigger),
    )


def _rounded(amount: Decimal) -> Decimal:
    """Cut a quotient's endless digits; what is exact stays as it is."""
    exponent = amount.as_tuple().exponent
    endless = isinstance(exponent, int) and exponent < -12  # noqa: PLR2004 (beyond any venue's steps)
    return amount.quantize(_DIGITS) if endless else amount


def _shown(amount: Decimal | None) -> str | None:
    return None if amount is None else plain(_rounded(amount))


def _line(text: str | None) -> str | None:
    """Return text that an exchange or a person may have written as one line that is only text."""
    return None if text is None else one_line(text)
