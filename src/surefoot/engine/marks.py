"""Whose an order is: the client order id that it carries, which tells ours by their mark.

That never changes, so nobody is asked twice about what was traded lately.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from surefoot.core.order import Order
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import ClientOrderId, ExchangeOrderId, Symbol
from surefoot.exchange.errors import ReadFailed
from surefoot.exchange.port import OrdersRead, Reads

# A fill that names an intent cannot be older than it, give or take two clocks.
EARLIER: Final = timedelta(minutes=1)
# So many names of a symbol are remembered, and all that one question is about.
NAMES_MAX: Final = 1_000


class Marks:
    """Remembers what the orders of an account are called, by what the exchange calls them."""

    def __init__(self, exchange: Reads) -> None:
        self._exchange = exchange
        self._names: defaultdict[Symbol, dict[ExchangeOrderId, ClientOrderId | None]]
        self._names = defaultdict(dict)

    def note(self, symbol: Symbol, told: Iterable[Order | OrderReport]) -> None:
        """Remember what some orders of a symbol are called."""
        self._names[symbol] |= {
            each.exchange_order_id: each.client_order_id
            for each in told
            if each.exchange_order_id is not None
        }

    async def newest(self, symbol: Symbol, since: datetime) -> OrdersRead:
        """Ask what the newest orders are called of which something is filled, all in one.

        Raises:
            ReadFailed: there is no believable answer.
        """
        read = await self._exchange.newest_orders(symbol, since - EARLIER)
        self.note(symbol, read.orders)
        if read.complete:  # Else single orders are asked about, for several rounds perhaps.
            self._forget(symbol, keep=())
        return read

    def _forget(self, symbol: Symbol, *, keep: Iterable[ExchangeOrderId]) -> None:
        """Let go of the names that were learned first, but for some that are needed now."""
        names = self._names[symbol]
        kept = frozenset(keep)
        spare = [each for each in names if each not in kept]
        for each in spare[: max(len(names) - NAMES_MAX, 0)]:
            del names[each]

    async def ask(
        self,
        symbol: Symbol,
        fills: Iterable[Fill],
        *,
        since: datetime | None,
        every: bool,
        most: int,
    ) -> None:
        """Look up the orders of these fills of which nobody knows it.

        All of them if told to, and those since an intent was written down whose fate may hang on
        it: that proves something, also on an account that others trade on. Else only the newest, as
        many as are cheap, so that one of ours is noticed that no record explains.

        Raises:
            ReadFailed: there is no believable answer, or it proves nothing yet.
        """
        names = self._names[symbol]
        later = (f for f in fills if every or since is None or f.at >= since - EARLIER)
        orders = dict.fromkeys(fill.exchange_order_id for fill in later)
        unknown = [each for each in orders if each not in names]
        proving = every or since is not None
        for each in unknown[:most] if proving else unknown[-most:]:
            report = await self._exchange.order_by_exchange_id(symbol, each)
            if report is not None:
                names[each] = report.client_order_id
            elif proving:
                raise ReadFailed(f"a trade names order {each}, which the exchange denies")
        self._forget(symbol, keep=orders)
        if proving and len(unknown) > most:
            raise ReadFailed(f"{len(unknown) - most} orders on {symbol} are not known yet")

    def on(self, symbol: Symbol, fills: Sequence[Fill]) -> tuple[Fill, ...]:
        """Give each fill the client order id of its order, as far as it is known."""
        names = self._names[symbol]
        return tuple(
            replace(fill, client_order_id=fill.client_order_id or names.get(fill.exchange_order_id))
            for fill in fills
        )
