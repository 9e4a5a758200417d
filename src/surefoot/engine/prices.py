"""Prices of what is held, asked for while no stream tells them.

After a start, and after every break of the market stream, a symbol has no price before its next
public trade; without one, no level that is kept here is honoured.
"""

from __future__ import annotations

from surefoot.core.protection import stop_rests
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.feed import Feed
from surefoot.engine.keeper import Keeper
from surefoot.engine.login import Login
from surefoot.exchange.errors import Banned, Misconfigured, ReadFailed


class Prices:
    """Asks, and hands what is answered to whoever would have heard it from the stream."""

    def __init__(self, login: Login, *, keepers: BySymbol[Keeper], feed: Feed) -> None:
        self._login = login
        self._keepers = keepers
        self._feed = feed

    async def keep(self) -> None:
        """Ask again and again."""
        while True:
            await self.ask()
            await self._login.clock.sleep(self._login.tempo.prices_s)

    async def ask(self, *, of_the_bare: bool = False) -> None:
        """Ask once for every symbol that is held and that the market stream has not told of.

        With `of_the_bare` only for what no stop at the exchange protects: the others give the
        stream its time. That it was in vain is noticed by the price that is missing.
        """
        held = {
            position.symbol
            for keeper in self._keepers.values()
            if not keeper.idle
            for position in keeper.positions
            if position.quantity and not (of_the_bare and stop_rests(position))
        }
        unpriced = sorted(self._login.senses.unpriced(held))
        if not unpriced:
            return
        try:
            for tick in await self._login.exchange.ticks(unpriced):
                self._feed.hear(tick)
        except Banned as error:
            await self._login.note_ban(error.until)
        except (ReadFailed, Misconfigured) as error:
            self._login.log.debug("prices not read", why=str(error))
