"""The account's trades of one symbol, read so that nothing is missing between two of them.

Binance numbers the trades of a symbol upwards and answers with a page of them. A page that begins
with the last trade of the one before leaves no gap; a short one is the last.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any, Final, TypeAlias

from surefoot.core.reports import Fill
from surefoot.core.values import ExchangeOrderId, Symbol, TradeId
from surefoot.exchange.binance import payloads
from surefoot.exchange.binance.facts import BINANCE, PAGE_SIZE
from surefoot.exchange.errors import ReadFailed
from surefoot.exchange.port import FillsRead

# Asks for trades, of which price and which.
Ask: TypeAlias = Callable[[str, dict[str, Any]], Awaitable[list[Fill]]]

# A read that needs more pages than this goes on in the next round.
_PAGES_MAX: Final = 50


class Trades:
    """Reads the account's trades of one symbol."""

    def __init__(self, ask: Ask, symbol: Symbol) -> None:
        self._ask = ask
        self._symbol = symbol

    async def newest(self) -> tuple[Fill, ...]:
        """Read one page of the newest, oldest first."""
        return tuple(_in_order(await self._ask("myTrades", {"limit": PAGE_SIZE})))

    async def of(self, exchange_order_id: ExchangeOrderId) -> tuple[Fill, ...]:
        """Read those of one order."""
        fills = _in_order(await self._ask("myTrades.order", {"orderId": exchange_order_id}))
        return tuple(fill for fill in fills if fill.exchange_order_id == exchange_order_id)

    async def since(self, at: datetime) -> FillsRead:
        """Read those of a time and later: one page, if the newest reach back so far."""
        read = FillsRead(fills=await self.newest(), complete=True)
        if len(read.fills) == PAGE_SIZE and read.fills[0].at >= at:
            read = await self.after(None)
        later = tuple(fill for fill in read.fills if fill.at >= at)
        return FillsRead(fills=later, complete=read.complete)

    async def after(self, trade: TradeId | None) -> FillsRead:
        """Read those after a trade, page by page until a short one; None: from the first."""
        if trade is not None and not payloads.is_number(trade):
            raise ReadFailed(f"{trade} is no trade of {BINANCE.name}")
        start, fills = int(trade or 0), list[Fill]()
        known = 0 if trade is None else 1
        for _ in range(_PAGES_MAX):
            rows = await self._page(start)
            linked = bool(rows) and rows[0].trade_id == str(start)
            if not fills and trade is not None and not linked:
                return await self._broken_chain(trade, rows)
            if fills and not linked:  # every page begins with the last trade of the one before
                break
            fills += rows[1:] if fills else rows
            if len(rows) < PAGE_SIZE:
                return FillsRead(fills=tuple(fills[known:]), complete=True)
            start = int(fills[-1].trade_id)
        return FillsRead(fills=tuple(fills[known:]), complete=False)

    async def _page(self, start: int) -> list[Fill]:
        return _in_order(await self._ask("myTrades", {"fromId": start, "limit": PAGE_SIZE}))

    async def _broken_chain(self, after: TradeId, rows: Sequence[Fill]) -> FillsRead:
        """Tell a reset exchange from an answer that is merely incomplete."""
        newest = await self.newest()
        started_over = bool(newest) and int(newest[-1].trade_id) < int(after)
        if rows and not started_over:
            again = await self._page(int(after))  # one answer may have lost a row
            started_over = bool(again) and again[0].trade_id != after
        if started_over:
            return FillsRead(fills=(), complete=False, reset=True)
        raise ReadFailed(
            f"trade {after} of {self._symbol} is missing from the answer; asking again"
        )


def _in_order(fills: list[Fill]) -> list[Fill]:
    return sorted(fills, key=lambda fill: int(fill.trade_id))
