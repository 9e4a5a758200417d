"""One account as it is served: its login, who is kept, what goes round, and how it is recovered.

The parts know each other downwards only; this is where they are started and stopped together.
Nothing is entered before recovery has come to an end.
"""

from __future__ import annotations

from surefoot.core.values import AccountName
from surefoot.engine.login import Login
from surefoot.engine.recovery import Recovery
from surefoot.engine.roster import Roster
from surefoot.engine.rounds import Rounds
from surefoot.engine.supervision import Supervision
from surefoot.engine.vitals import Vitals


class Account:
    """The parts of one account, put together once, in app."""

    def __init__(
        self,
        *,
        login: Login,
        roster: Roster,
        rounds: Rounds,
        recovery: Recovery,
        vitals: Vitals,
        supervision: Supervision,
    ) -> None:
        self.login = login
        self.roster = roster
        self.rounds = rounds
        self.recovery = recovery
        self._vitals = vitals
        self._supervision = supervision
        self._started = False

    @property
    def name(self) -> AccountName:
        """Return what the configuration calls it."""
        return self.login.name

    def attend(self) -> None:
        """Take its pulse from now on, also while it cannot be reached."""
        self._supervision.keep("vitals", self._vitals.keep)

    def start(self) -> None:
        """Start the bots' loops and the timers, once, after the first recovery."""
        if self._started:
            return
        self._started = True
        self.roster.drive()
        self.rounds.start()
        self._supervision.keep("follow the clock", self.login.follow_clock)

    async def stop(self) -> None:
        """Let go: what strategies remember is written down, nothing is cancelled or closed."""
        await self.roster.stop()
        await self.login.exchange.close()
