"""Prices of what is held, asked for while no stream tells them.

After a start, and after every break of the market stream, a symbol has no price before its next
public trade; without one, no level that is kept here is honoured. A stream is several sockets, and
one of them may stand still while the others tell: what it was thought to tell of is asked for once
in a while, and if it has moved meanwhile, it is asked for until the stream tells of it again.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final

from surefoot.core.protection import stop_rests
from surefoot.core.values import Symbol
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.feed import Feed
from surefoot.engine.keeper import Keeper
from surefoot.engine.login import Login
from surefoot.exchange.errors import Banned, Misconfigured, ReadFailed
from surefoot.exchange.port import Tick

QUIET_FOR: Final = timedelta(seconds=30)


class Prices:
    """Asks, and hands what is answered to whoever would have heard it from the stream."""

    def __init__(self, login: Login, *, keepers: BySymbol[Keeper], feed: Feed) -> None:
        self._login = login
        self._keepers = keepers
        self._feed = feed
        # What was answered of a symbol that is quiet, and when the stream told of it last.
        self._answered: dict[Symbol, tuple[Decimal, datetime]] = {}

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
        quiet = self._login.senses.quiet(held, QUIET_FOR)
        unpriced = sorted({*self._login.senses.unpriced(held), *quiet})
        if not unpriced:
            return
        try:
            for tick in await self._login.exchange.ticks(unpriced):
                if tick.symbol in quiet:
                    self._hold_against(tick, quiet[tick.symbol])
                self._feed.hear(tick)
        except Banned as error:
            await self._login.note_ban(error.until)
        except (ReadFailed, Misconfigured) as error:
            self._login.log.debug("prices not read", why=str(error))

    def _hold_against(self, tick: Tick, told_at: datetime) -> None:
        """Notice that a price moves of which the stream tells nothing."""
        before, self._answered[tick.symbol] = self._answered.get(tick.symbol), (tick.level, told_at)
        if before is not None and before[1] == told_at and before[0] != tick.level:
            self._login.senses.mute(tick.symbol)
            self._login.log.warning("the stream tells nothing of a price", symbol=tick.symbol)
