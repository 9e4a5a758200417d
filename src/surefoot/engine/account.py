"""One account as it is served: its login, who is kept, what goes round, and how it is recovered.

The parts know each other downwards only; this is where they are started and stopped together.
Nothing is entered before recovery has come to an end.
"""

from __future__ import annotations

from surefoot.core.values import AccountName
from surefoot.engine.login import Login
from surefoot.engine.prices import Prices
from surefoot.engine.recovery import Recovery
from surefoot.engine.roster import Roster
from surefoot.engine.rounds import Rounds
from surefoot.engine.supervision import Supervision
from surefoot.engine.vitals import Vitals


class Account:
    """The parts of one account, put together once, in app."""

    def __init__(  # noqa: PLR0913 (the parts of an account, wired once in app)
        self,
        *,
        login: Login,
        roster: Roster,
        rounds: Rounds,
        recovery: Recovery,
        vitals: Vitals,
        prices: Prices,
        supervision: Supervision,
    ) -> None:
        self.login = login
        self.roster = roster
        self.rounds = rounds
        self.recovery = recovery
        self._vitals = vitals
        self._prices = prices
        self._supervision = supervision
        self._started = False

    @property
    def name(self) -> AccountName:
        """Return what the configuration calls it."""
        return self.login.name

    def attend(self) -> None:
        """Take its pulse from now on, and see to what is proven, also while others are not."""
        self._supervision.keep("vitals", self._vitals.keep)
        self._supervision.keep("prices", self._prices.keep)
        self._supervision.keep("mend the clock", self.login.mend_clock)
        self.rounds.attend()

    async def examine(self) -> None:
        """Write down how it stands now, when nobody goes on attending to it."""
        await self._vitals.once()

    def start(self) -> None:
        """Ask strategies and compare everything, after a recovery; nothing is begun twice."""
        self.roster.drive()
        if self._started:
            return
        self._started = True
        self.rounds.start()
        self._supervision.keep("follow the clock", self.login.follow_clock)

    async def stop(self) -> None:
        """Let go: what strategies remember is written down, nothing is cancelled or closed."""
        await self.roster.stop()
        await self.login.exchange.close()
