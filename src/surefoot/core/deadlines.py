"""Deadlines: what should have ended by now, and has not. Nothing here is remembered by a timer.

    an order in doubt        one minute after its absence could have been proven
    fills that do not count  one minute after the exchange told of them
    a cancel                 one minute after it was decided, of an orphan after it was first seen
    a wish to leave          one minute after it was wished, however often it was tried since
    coins that others lock   one minute after a sale was refused for it
    a missing stop           one minute after the last one ended, or since its tries began to fail
    a read that proves nothing, and a price that is missing: one minute after the last good one
    a balance that has changed and could not be weighed: one minute after it was first seen
    what a start finds open and cannot compare: one minute after the start began

An alarm about a position ends when nothing of it is left that would become one. All of it follows
from positions and the time, so a restart neither forgets nor forgives.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Final, TypeAlias

from surefoot.core.dust import as_entered, is_dust
from surefoot.core.evidence import Lingering
from surefoot.core.lanes import Lane
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.pacing import RETRY_LONGEST
from surefoot.core.position import Bound, Position, State, Tally
from surefoot.core.protection import covers, resting_stop, stop_rests
from surefoot.core.rules import watched_limit
from surefoot.core.stop import stop_quantity
from surefoot.core.stuck import Stuck, StuckKind
from surefoot.core.terms import Terms
from surefoot.core.values import ZERO, BotName, Symbol, plain

PATIENCE: Final = timedelta(minutes=1)
ANOTHER_TRY: Final = 2 * RETRY_LONGEST
# Since when a stop lacks, how large it should be, and what there is instead.
_Lack: TypeAlias = tuple[datetime, str, str]
_HOLDING: Final = frozenset({State.OPEN, State.CLOSING})
# What is not seen of a position; once it is, what follows is as it would be on any other day.
_UNSENSED: Final = frozenset(
    {StuckKind.READ_UNPROVEN, StuckKind.PRICE_STALE, StuckKind.HOLDING_UNWEIGHED}
)


def overdue(
    positions: Iterable[Position],
    terms: Mapping[BotName, Terms],
    now: datetime,
    standing: Iterable[Stuck] = (),
) -> tuple[Stuck, ...]:
    """Return everything about positions that is past its deadline. `now` is exchange time.

    What follows on something `standing` has no other minute: what was an entry in doubt is a
    holding without a stop now, and that is no reason to say that all is well.
    """
    alarmed = {each.position_id for each in standing if each.kind not in _UNSENSED}
    return tuple(
        stuck
        for position in positions
        for stuck in _of_position(position, as_entered(position, terms[position.bot]), now)
        if position.position_id in alarmed or now > stuck.since + PATIENCE
    )


def unsensed(
    positions: Iterable[Position],
    unproven: Mapping[Symbol, datetime],
    unpriced: Mapping[Symbol, datetime],
    unweighed: Mapping[Symbol, datetime],
    now: datetime,
) -> tuple[Stuck, ...]:
    """Return the symbols that have not been read or weighed, or have had no price, for too long.

    A price is missed only where something is held: its levels are not honoured without one.
    """
    found: list[Stuck] = []
    for position in positions:
        unread, bare = unproven.get(position.symbol), unpriced.get(position.symbol)
        if unread is not None and (position.quantity or position.unfinished is not None):
            found.append(_unproven(position, unread))
        if bare is not None and position.quantity:
            found.append(_unpriced(position, bare))
        if position.symbol in unweighed:
            found.append(_unweighed(position, unweighed[position.symbol]))
    return tuple(stuck for stuck in found if now > stuck.since + PATIENCE)


def uncompared(positions: Iterable[Position], since: datetime, now: datetime) -> tuple[Stuck, ...]:
    """Return what the journal leaves open, and a start has not compared, since then, for too long.

    It needs no terms: whoever cannot reach the exchange has none. What rests under a stop that
    covers it all is no more open than in any outage.
    """
    if now <= since + PATIENCE:
        return ()
    return tuple(
        _about(
            position,
            StuckKind.READ_UNPROVEN,
            position.position_id,
            since=since,
            believed=believed,
            true="what the journal leaves open has not been compared with the exchange since then",
        )
        for position in positions
        if (believed := _left_open(position)) is not None
    )


def lingering(orphans: Iterable[Lingering], now: datetime) -> tuple[Stuck, ...]:
    """Return the orphans whose cancel has come to nothing for too long."""
    return tuple(
        Stuck(
            kind=StuckKind.CANCEL_UNFINISHED,
            subject=each.orphan.name,
            symbol=each.orphan.report.symbol,
            since=each.since,
            believed=f"{each.orphan.name} is to be cancelled: {each.orphan.reason}",
            true=f"it is still live at the exchange as {each.orphan.report.exchange_order_id}",
        )
        for each in orphans
        if now > each.since + PATIENCE
    )


def _of_position(position: Position, terms: Terms, now: datetime) -> Iterator[Stuck]:
    for order in position.orders:
        if not order.finished:
            yield from _of_order(position, order, terms, now)
    leaving = _exit_stuck(position, terms, now)
    if leaving is not None:
        yield leaving
    bound = position.bound
    if bound is not None and bound.quantity:
        yield _bound(position, bound)
        if terms.instrument.is_dust(position.available, position.entry_price or ZERO):
            return  # That is why no stop rests.
    bare = _stop_missing(position, terms, now)
    if bare is not None:
        yield bare


def _bound(position: Position, bound: Bound) -> Stuck:
    asset = position.base
    return _about(
        position,
        StuckKind.COINS_BOUND,
        position.position_id,
        since=bound.since,
        believed=f"{plain(position.quantity)} {asset} can be sold, at the stop or when it is left",
        true=f"others lock {plain(bound.quantity)} {asset} of it: {bound.by}",
    )


def _of_order(position: Position, order: Order, terms: Terms, now: datetime) -> Iterator[Stuck]:
    name, what = order.client_order_id, _described(order)
    if order.status is OrderStatus.INTENDED:
        if now <= order.not_after + terms.visibility + PATIENCE:
            return  # Its absence cannot have been proven for a minute yet.
        yield _about(
            position,
            StuckKind.ORDER_IN_DOUBT,
            name,
            since=order.signed_at,
            believed=f"{what} was written down as {name} and sent",
            true=order.doubt or "the exchange has neither shown it nor denied it for good",
        )
        return
    if not order.counted and order.told_at is not None:
        yield _about(
            position,
            StuckKind.FILLS_UNCOUNTED,
            name,
            since=order.told_at,
            believed=f"{plain(order.filled)} of {name} is booked",
            true=f"the exchange tells of {plain(order.reported)} filled, and shows no such trades",
        )
    elif order.cancel_at is not None:
        yield _about(
            position,
            StuckKind.CANCEL_UNFINISHED,
            name,
            since=order.cancel_at,
            believed=f"{what} is to be cancelled",
            true=f"{name} is still live at the exchange",
        )


def _exit_stuck(position: Position, terms: Terms, now: datetime) -> Stuck | None:
    wish, tally = position.exit_wish, position.tallies.get(Role.EXIT)
    if is_dust(position, terms) or (wish is not None and wish.limit is not None):
        return None
    if wish is None and not _goes_on_failing(position, now):
        return None
    since = min(filter(None, (position.wished_at, tally.since if tally else None)), default=None)
    if since is None:
        return None
    return _about(
        position,
        StuckKind.EXIT_STUCK,
        position.position_id,
        since=since,
        believed=f"it is to be closed, says {wish.by}" if wish else "it was to be closed",
        true=f"{plain(position.quantity)} {position.base} is still held{_tried(tally)}",
    )


def _goes_on_failing(position: Position, now: datetime) -> bool:
    """Tell whether exits fail one after the other: each wish lapses, and the next price brings one.

    Else the alarm would come and go with every try.
    """
    tally = position.tallies.get(Role.EXIT)
    return tally is not None and position.state in _HOLDING and now < tally.last_at + ANOTHER_TRY


def _stop_missing(position: Position, terms: Terms, now: datetime) -> Stuck | None:
    stop = position.levels.stop
    if not terms.native_stop or stop is None or position.state not in _HOLDING:
        return None
    leaving = position.exit_wish is not None and watched_limit(position, terms) is None
    # Exits that fail are an alarm of their own, but not while the wish waits for its price.
    failing = position.exit_wish is None and _goes_on_failing(position, now)
    if leaving or failing or position.lane(Lane.EXIT) is not None or is_dust(position, terms):
        return None
    lack = _short(position, terms) if stop_rests(position) else _bare(position)
    if lack is None:
        return None
    tally = position.tallies.get(Role.STOP)
    begun, wanted, found = lack
    return _about(
        position,
        StuckKind.STOP_MISSING,
        position.position_id,
        since=begun if tally is None else tally.since,
        believed=f"a stop at {plain(stop)} rests at the exchange{wanted}",
        true=f"{found}{_tried(tally)}",
    )


def _bare(position: Position) -> _Lack | None:
    ended = [order.finished_at for order in position.orders if order.finished_at is not None]
    following = position.lane(Lane.PROTECTION)
    # The next one was signed when the last one ended, which has left by now.
    ended += [] if following is None else [following.signed_at]
    since = max(ended, default=position.opened_at)
    return None if since is None else (since, "", "the exchange has none")


def _short(position: Position, terms: Terms) -> _Lack | None:
    """Tell of a stop that did not grow with what was added; one on its way is in doubt itself."""
    stop, entry = position.lane(Lane.PROTECTION), position.last(Role.ENTRY)
    wanted = stop_quantity(position, terms)
    if stop is None or not stop.rests or stop.replaced_by is not None or stop.quantity >= wanted:
        return None
    # What an addition fills bit by bit lacks its stop since the stop last grew.
    begun = [stop.told_at or stop.signed_at, *([entry.signed_at] if entry else [])]
    return max(begun), f" for {plain(wanted)}", f"it rests for {plain(stop.quantity)} only"


def _tried(tally: Tally | None) -> str:
    if tally is None:
        return ""
    times = "once" if tally.fruitless == 1 else f"{tally.fruitless} times in a row"
    why = f", the last reason being {tally.why}" if tally.why else ""
    return f"; one was turned away {times}{why}"


def _left_open(position: Position) -> str | None:
    stop = resting_stop(position)
    for order in position.orders:
        if not order.finished and order is not stop:
            return f"{_described(order)} is out as {order.client_order_id}"
    if position.quantity and not covers(position):
        return f"no stop at the exchange covers {plain(position.quantity)} {position.base}"
    return None


def _unproven(position: Position, since: datetime) -> Stuck:
    symbol = position.symbol
    return _about(
        position,
        StuckKind.READ_UNPROVEN,
        position.position_id,
        since=since,
        believed=f"orders and fills of {symbol} are read without a gap",
        true="no read of them has been whole since then",
    )


def _unpriced(position: Position, since: datetime) -> Stuck:
    return _about(
        position,
        StuckKind.PRICE_STALE,
        position.position_id,
        since=since,
        believed=f"every price of {position.symbol} is looked at",
        true="none has arrived since then",
    )


def _unweighed(position: Position, since: datetime) -> Stuck:
    """Tell of a symbol: the positions of who trades too often come and go."""
    asset = position.base
    return Stuck(
        kind=StuckKind.HOLDING_UNWEIGHED,
        subject=position.symbol,
        symbol=position.symbol,
        since=since,
        believed=f"what the account has of {asset} is explained",
        true=f"more or less {asset} is there, and whose that is could not be told since then: an "
        f"order for it is in doubt, or what trades it trades too often",
        bot=position.bot,
    )


def _about(
    position: Position,
    kind: StuckKind,
    subject: str,
    *,
    since: datetime,
    believed: str,
    true: str,
) -> Stuck:
    return Stuck(
        kind=kind,
        subject=subject,
        symbol=position.symbol,
        since=since,
        believed=believed,
        true=true,
        bot=position.bot,
        position_id=position.position_id,
    )


def _described(order: Order) -> str:
    return f"{order.side} {plain(order.quantity)} ({order.role})"
