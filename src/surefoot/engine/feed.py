"""Streams in: each event to the door it belongs to, each gap to whoever must read instead.

A stream is never trusted to be complete. What it says is a fact like any other; what it does not
say is found by the sweeps. So losing a stream costs time, never correctness.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from surefoot.core.evidence import Owned
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import Symbol
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.keeper import Keeper, find_orders
from surefoot.engine.login import Login
from surefoot.engine.quotes import Lag, Quotes
from surefoot.engine.runner import Runner
from surefoot.engine.windows import Windows
from surefoot.exchange.port import AccountEvent, Candle, Connected, Gap, MarketEvent, Streams, Tick
from surefoot.journal.port import Reader

# How long recovery waits for the account stream before it goes on with reads alone.
CONNECT_WAIT_S: Final = 10.0


class Feed:
    """The streams of one account."""

    def __init__(  # noqa: PLR0913 (wired once, in app)
        self,
        login: Login,
        *,
        keepers: BySymbol[Keeper],
        journal: Reader,
        runners: BySymbol[Runner],
        windows: Windows,
        gap: Callable[[], None],
        is_ours: Callable[[str], bool],
    ) -> None:
        self._account = login.name
        self._streams: Streams = login.exchange
        self._senses = login.senses
        self._now = login.now
        self._log = login.log
        self._keepers = keepers
        self._journal = journal
        self._runners = runners
        self._windows = windows
        self._gap = gap
        self._is_ours = is_ours
        self._quotes = Quotes()
        self._lag = Lag(login.name, login.log)
        self._showing: asyncio.Handle | None = None
        self._connected = asyncio.Event()
        self._broken = False

    async def connected(self) -> bool:
        """Wait, but not for ever, until the account stream buffers what happens."""
        try:
            async with asyncio.timeout(CONNECT_WAIT_S):
                await self._connected.wait()
        except TimeoutError:
            return False
        return True

    async def account(self) -> None:
        """Take the account's own events in, for ever."""
        try:
            async for event in self._streams.account():
                await self._take(event)
        except Exception as error:
            self._lose_account(str(error))
            raise

    async def _take(self, event: AccountEvent) -> None:
        match event:
            case Connected():
                self._log.info("account stream up", account=self._account)
                self._senses.regain("account")
                self._connected.set()
                if self._broken:
                    self._broken = False
                    self._gap()
            case Gap(reason=reason):
                self._say_broken("account", reason)
                self._lose_account(reason)
            case OrderReport() | Fill():
                await self._tell(event)

    def _say_broken(self, stream: str, why: str) -> None:
        """Say that a stream broke, and not again while it does not come up."""
        first = self._senses.is_up(stream)
        speak = self._log.warning if first else self._log.debug
        speak(f"{stream} stream broken", account=self._account, why=why)

    def _lose_account(self, why: str) -> None:
        """Read from now on what the stream would have said."""
        self._senses.lose("account", why)
        self._connected.clear()
        self._broken = True
        self._gap()

    async def _tell(self, event: OrderReport | Fill) -> None:
        # Whatever left was written down before, so the journal's index knows whose it is. The
        # exchange numbers orders per symbol: the same number may be another order.
        for owned in await find_orders(self._journal, self._account, event):
            keeper = self._keepers.get(owned.bot)
            if keeper is not None and keeper.symbol == event.symbol:
                await keeper.tell(event, position_id=owned.position_id)
            else:
                self._say_unkept(event, owned)
            return
        if event.client_order_id is not None and self._is_ours(event.client_order_id):
            # Of a journal that is lost or was restored: comparing tells, and freezes.
            self._log.warning("unknown order of ours", order=event.client_order_id)
            self._gap()
            return
        self._log.info(
            "foreign event",
            account=self._account,
            symbol=event.symbol,
            order=event.client_order_id,
        )

    def _say_unkept(self, event: OrderReport | Fill, owned: Owned) -> None:
        """Say what cannot be booked: its bot is configured no more, or for another symbol."""
        if isinstance(event, Fill) and event.trade_id not in owned.order.trades:
            self._log.error(
                "fill of a position that nobody keeps",
                account=self._account,
                position=owned.position_id,
                order=owned.order.client_order_id,
                trade=event.trade_id,
            )

    async def market(
        self, symbols: Iterable[Symbol], timeframes: Iterable[tuple[Symbol, str]]
    ) -> None:
        """Take the market in, for ever."""
        try:
            async for event in self._streams.market(tuple(symbols), tuple(timeframes)):
                self._spread(event)
        except Exception as error:
            self._lose_market(str(error))
            raise

    def _lose_market(self, why: str) -> None:
        self._senses.lose("market", why)
        self._show()
        for runner in self._runners.values():
            runner.go_stale()

    def _spread(self, event: MarketEvent) -> None:
        match event:
            case Connected():
                self._senses.regain("market")
                self._windows.rejoin()
                self._log.info("market stream up", account=self._account)
            case Gap(reason=reason):
                self._say_broken("market", reason)
                self._lose_market(reason)
            case Tick():
                self._senses.price(event.symbol)
                self._take_price(event)
            case Candle():
                self._show()
                self._windows.hear(event)

    def hear(self, tick: Tick) -> None:
        """Take a price in that was asked for: the stream is not alive for that."""
        self._senses.price(tick.symbol, told=False)
        self._take_price(tick)

    def _take_price(self, tick: Tick) -> None:
        self._quotes.note(tick)
        self._show_soon()

    def _show_soon(self) -> None:
        """Show prices after everything that waits is taken in: the newest is what counts."""
        if self._showing is None:
            self._showing = asyncio.get_running_loop().call_soon(self._show)

    def _show(self) -> None:
        if self._showing is not None:
            self._showing.cancel()
            self._showing = None
        quotes = self._quotes.take()
        for symbol, quote in quotes.items():
            for runner in self._runners.of(symbol):
                runner.see(quote)
        if quotes:
            self._lag.note(max(quote.newest.at for quote in quotes.values()), self._now())
