"""What an account has room for: orders in the venue's count, stops on a symbol, and who waits.

Reserve, then write, then send. An order is written down only when its place in the venue's count
is kept, so waiting never eats its lifetime. An entry without room, or without a place for its stop,
is refused as a signal. A stop or an exit without room stays owed: the facts that led to it are
committed without it, the rules find it again when time passes, and until it has gone no entry is
let in.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, TypeAlias

from msgspec.structs import replace

from surefoot.core.order import Order, Role
from surefoot.core.records import OrderIntended, PositionRecord
from surefoot.core.terms import Terms
from surefoot.core.values import BotName, Symbol
from surefoot.engine.voice import Log
from surefoot.exchange.budget import Urgency
from surefoot.exchange.port import Orders

NOTHING_HELD: Final[Mapping[Role, str]] = {}
# What a bot would write down, under its terms.
Wanted: TypeAlias = tuple[BotName, Terms, Sequence[PositionRecord]]


class Capacity:
    """Says which orders may be written down now, and keeps their places.

    Volatile: the venue counts its orders itself, and places for stops follow from the positions.
    """

    def __init__(self, orders: Orders, log: Log) -> None:
        self._orders = orders
        self._log = log
        # Bots whose stop or exit is owed and found no room.
        self._waiting: set[BotName] = set()
        # Bots that have a place for a stop, or keep one for the stop of their entry.
        self._places: defaultdict[Symbol, set[BotName]] = defaultdict(set)

    def held(self, decided: Sequence[Wanted]) -> Mapping[Role, str]:
        """Return the roles of orders that these records may not contain now, and why."""
        wanted = [(bot, _intended(records)) for bot, _, records in decided]
        leaving = {bot for bot, orders in wanted if any(map(_protects, orders))}
        self._waiting -= {bot for bot, _ in wanted} - leaving
        orders = [order for _, found in wanted for order in found]
        if not orders:
            return NOTHING_HELD
        why = None if leaving else self._against_entry(decided)
        if why is not None:
            return {Role.ENTRY: why}
        urgency = Urgency.PROTECTION if leaving else Urgency.ENTRY
        at = self._orders.later(urgency, len(orders))
        if at is None:
            self._waiting -= leaving
            return NOTHING_HELD
        why = f"the exchange takes no more of them until {at:%H:%M:%S} UTC"
        for bot in sorted(leaving - self._waiting):
            self._log.warning("a stop or an exit waits", bot=bot, why=why)
        self._waiting |= leaving
        return dict.fromkeys(Role, why)

    def _against_entry(self, decided: Iterable[Wanted]) -> str | None:
        if self._waiting:
            return f"stops or exits of {len(self._waiting)} bots go first"
        for bot, terms, records in decided:
            if _needs_place(terms, records) and not self._fits(bot, terms):
                most, symbol = terms.instrument.stop_places, terms.instrument.symbol
                return f"there are {most} places for stops on {symbol}, and all are taken"
        return None

    def keep(self, decided: Iterable[Wanted]) -> None:
        """Keep the places of what is about to be written down."""
        for bot, terms, records in decided:
            for order in _intended(records):
                self._orders.reserve(order)
            if _needs_place(terms, records):
                self.take(bot, terms)

    # Places for stops ----------------------------------------------------------------------------

    def fitted(self, bot: BotName, terms: Terms) -> Terms:
        """Return the terms of now: without a place at the exchange a stop waits here, if it may."""
        if terms.stop_may_wait_here and not self._fits(bot, terms):
            return replace(terms, native_stop=False)
        return terms

    def take(self, bot: BotName, terms: Terms) -> None:
        """Give a bot a place for its stop."""
        self._places[terms.instrument.symbol].add(bot)

    def vacate(self, bot: BotName, terms: Terms) -> None:
        """Take a bot's place back: it has nothing open any more."""
        self._places[terms.instrument.symbol].discard(bot)

    def _fits(self, bot: BotName, terms: Terms) -> bool:
        most, taken = terms.instrument.stop_places, self._places[terms.instrument.symbol]
        return most is None or bot in taken or len(taken) < most


def _intended(records: Iterable[PositionRecord]) -> list[Order]:
    return [record.order for record in records if isinstance(record, OrderIntended)]


def _protects(order: Order) -> bool:
    """Tell whether an order takes risk away."""
    return order.role is not Role.ENTRY


def _needs_place(terms: Terms, records: Iterable[PositionRecord]) -> bool:
    """Tell whether a stop is written down here, or will be for the entry that is."""
    return terms.native_stop and any(
        isinstance(record, OrderIntended)
        and (record.order.role is Role.STOP or (record.plan is not None and record.plan.has_stop))
        for record in records
    )
