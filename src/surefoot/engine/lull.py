"""Says once a minute that it is alive, while nothing else happens.

A server that says nothing looks like one that hangs. So a minute without a record is said: whether
prices arrive, and what each strategy waits for, or which cap of the account it would not pass.
"""

from __future__ import annotations

from typing import Final

from surefoot.core.values import Asset, natural
from surefoot.engine.allowance import Allowance
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.login import Login
from surefoot.engine.runner import Runner
from surefoot.journal.port import Journal

EVERY_S: Final = 60.0
# More bots than this are counted, not listed: `status` has them all.
LISTED_MAX: Final = 5


class Lull:
    """Watches one account for minutes in which nothing happens."""

    def __init__(
        self, login: Login, runners: BySymbol[Runner], journal: Journal, allowance: Allowance
    ) -> None:
        self._login = login
        self._allowance = allowance
        self._runners = runners
        self._journal = journal

    async def keep(self) -> None:
        """Look once a minute, for ever."""
        before = await self._journal.records()
        while True:
            await self._login.clock.sleep(EVERY_S)
            await self.weigh()
            records = await self._journal.records()
            if records == before:
                self.say()
            before = records

    async def weigh(self) -> None:
        """Let every bot hear whether what a day may lose lets it enter."""
        refusals: dict[Asset, str | None] = {}
        for runner in tuple(self._runners.values()):
            quote = runner.keeper.position.quote
            if quote not in refusals:
                refusals[quote] = await self._allowance.refusal(quote)
            runner.hold_back(refusals[quote])

    def say(self) -> None:
        """Say how it stands."""
        symbols = self._runners.symbols
        priced = len(symbols) - len(self._login.senses.unpriced(symbols))
        runners = sorted(self._runners.items(), key=lambda each: natural(each[0]))
        waits = {bot: runner.waits_for for bot, runner in runners[:LISTED_MAX]}
        self._login.log.info(
            "alive, and nothing happened for a minute",
            prices=f"of {priced} of {len(symbols)} symbols",
            waits_for={str(bot): what for bot, what in waits.items()},
            more=len(runners) - len(waits) or None,
        )
