"""What is believed of an account: its positions, the terms of each bot, and which orders are ours.

All of it can be told from a journal that may only be read.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from surefoot.core.account_records import Coins, OthersSeen
from surefoot.core.evidence import Belief, Evidence
from surefoot.core.identity import Origin, has_our_form, order_identity
from surefoot.core.instrument import Instrument
from surefoot.core.position import Position
from surefoot.core.records import FillBooked
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.terms import STOP_STEP, Terms
from surefoot.core.values import AccountName, Asset, BotName, PositionId, Symbol
from surefoot.engine.specs import AccountSpec, BotSpec
from surefoot.exchange.port import Exchange, Venue
from surefoot.journal.port import Reader, account_stream

# A balance may be so much older than a fill that was told already: it is answered from a cache.
BALANCE_LATE: Final = timedelta(seconds=10)
# So many of the newest records are read first; more, if they are all of the last seconds.
_NEWEST: Final = 100


class Marks:
    """Recognises client order ids that a Surefoot has made.

    Of whatever epoch: one that no record of this journal explains is of a journal that is lost, and
    never a stranger's.
    """

    def __init__(self, venue: Venue, epoch: str, account: AccountName) -> None:
        self._venue = venue
        self._mark = Origin(epoch=epoch, generation="", account=account).mark

    def is_ours(self, client_order_id: str) -> bool:
        """Tell whether an order is of our making."""
        identity = self._venue.decode(client_order_id)
        return identity is not None and has_our_form(identity)

    def is_named_here(self, client_order_id: str) -> bool:
        """Tell whether this journal made an order, since it was begun or last put back."""
        identity = self._venue.decode(client_order_id)
        return identity is not None and identity.startswith(self._mark)


def terms_of(
    spec: AccountSpec, bot: BotSpec | None, *, instrument: Instrument, venue: Venue, origin: Origin
) -> Terms:
    """Return what a bot trades under: the venue's facts and its operator's wishes."""
    return Terms(
        instrument=instrument,
        request_lifetime=spec.request_lifetime or venue.request_lifetime,
        visibility=spec.visibility or venue.visibility,
        native_stop=venue.native_stop and (bot is None or bot.native_stop),
        stop_may_wait_here=bot is not None and bot.stop_may_wait_here,
        stop_step=STOP_STEP if bot is None else bot.stop_step,
        name_order=lambda position, role, attempt: venue.encode(
            order_identity(origin, position, role, attempt),
        ),
    )


async def believed(spec: AccountSpec, exchange: Exchange, reader: Reader) -> Belief:
    """Return what a journal says of one account; nothing is started and nothing is written."""
    found: dict[BotName, list[Position]] = {}
    for position in await reader.unsettled(exchange.now()):
        if position.account == spec.account:
            found.setdefault(position.bot, []).append(position)
    bots = {bot.bot: bot for bot in spec.bots}
    # Nothing is sent by who only looks, so no life's generation is needed.
    origin = Origin(epoch=reader.epoch, generation="", account=spec.account)
    marks = Marks(exchange.venue, reader.epoch, spec.account)
    terms = {
        name: terms_of(
            spec,
            bots.get(name),
            instrument=exchange.instrument(positions[-1].symbol),
            venue=exchange.venue,
            origin=origin,
        )
        for name, positions in found.items()
    }
    return Belief(
        positions=tuple(
            position
            for positions in found.values()
            for position in positions
            if position.symbol == positions[-1].symbol
        ),
        terms=terms,
        is_ours=marks.is_ours,
        is_named_here=marks.is_named_here,
        exclusive=spec.exclusive,
        others=await others_seen(spec.account, reader),
    )


async def others_seen(account: AccountName, reader: Reader) -> dict[Asset, Coins]:
    """Return which coins of an account were not its bots', as they were last weighed."""
    entry = await reader.last(account_stream(account), "others-seen")
    if entry is None or not isinstance(entry.record, OthersSeen):
        return {}
    return dict(entry.record.coins)


async def traded_lately(reader: Reader, now: datetime) -> dict[Symbol, datetime]:
    """Return when fills were booked that no balance may show yet, by symbol.

    A process that was killed a moment ago knew of them: so must the one after it.
    """
    since, count = now - BALANCE_LATE, _NEWEST
    newest = await reader.newest(count)
    while len(newest) == count and newest[0].at >= since:
        count *= 4
        newest = await reader.newest(count)
    return {
        entry.record.fill.symbol: entry.at
        for entry in newest
        if isinstance(entry.record, FillBooked) and entry.at >= since
    }


async def with_departed(
    belief: Belief, evidence: Evidence, account: AccountName, reader: Reader
) -> Belief:
    """Return a belief with the orders that the evidence speaks of and that have left."""
    kept = {
        (position.symbol, name)
        for position in belief.positions
        for order in position.orders
        for name in (order.client_order_id, order.exchange_order_id)
    }
    facts: list[OrderReport | Fill] = [*evidence.open_orders, *_fills(evidence)]
    facts += [report for report in evidence.looked_up.values() if report is not None]
    strange: dict[Symbol, list[OrderReport | Fill]] = {}
    for fact in facts:
        if kept.isdisjoint(
            {(fact.symbol, fact.client_order_id), (fact.symbol, fact.exchange_order_id)}
        ):
            strange.setdefault(fact.symbol, []).append(fact)
    found = [
        await reader.find_orders(
            account,
            symbol,
            names={fact.client_order_id for fact in about if fact.client_order_id is not None},
            numbers={fact.exchange_order_id for fact in about},
        )
        for symbol, about in strange.items()
    ]
    return replace(belief, departed=tuple(owned for owners in found for owned in owners))


async def with_fees(belief: Belief, account: AccountName, reader: Reader) -> Belief:
    """Return a belief with what fees took of the coins of others since these were weighed."""
    bases = {position.base for position in belief.positions} & {*belief.others}
    fees = {base: await reader.fees(account, base, belief.others[base].at) for base in bases}
    return replace(belief, fees=fees)


def over_and_filled(belief: Belief, evidence: Evidence) -> Mapping[PositionId, BotName]:
    """Return the settled positions of which a fill has come that is not booked, with their bots."""
    kept = {position.position_id for position in belief.positions}
    fills = _fills(evidence)
    return {
        owned.position_id: owned.bot
        for owned in belief.departed
        if owned.position_id not in kept
        for fill in fills
        if owned.order.is_named(fill.client_order_id, fill.exchange_order_id)
        and fill.trade_id not in owned.order.trades
    }


def _fills(evidence: Evidence) -> tuple[Fill, ...]:
    return tuple(fill for window in evidence.windows.values() for fill in window.fills)
