"""All accounts of one process: started, recovered, and served with operators' commands."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

from surefoot.core.account_records import Cause
from surefoot.core.values import AccountName
from surefoot.engine.account import Account
from surefoot.engine.binding import WrongAccount
from surefoot.engine.clock import Clock
from surefoot.engine.commands import Commands
from surefoot.engine.recovery import BACK_OFF_MAX_S, Outcome
from surefoot.engine.supervision import Spawn, Supervision
from surefoot.engine.tempo import Tempo
from surefoot.engine.voice import Log
from surefoot.journal.port import Journal
from surefoot.journal.standing import last_sign

# How soon a wish to recover is noticed while waiting for the next try.
ASKED_EVERY_S: Final = 0.25


class Supervisor:
    """Serves the accounts of one journal until it is cancelled."""

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        accounts: Callable[[Spawn], Mapping[AccountName, Account]],
        log: Log,
        tempo: Tempo | None = None,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._make_accounts = accounts
        self._log = log
        self._tempo = tempo or Tempo()
        self._asked: dict[AccountName, asyncio.Event] = {}

    async def run(self) -> None:
        """Serve for ever.

        Raises:
            JournalPoisoned: this process must not go on.
        """
        former = await last_sign(self._journal)
        async with asyncio.TaskGroup() as tasks:

            def spawn(work: object) -> None:
                tasks.create_task(work)  # type: ignore[arg-type]

            accounts = self._make_accounts(spawn)
            commands = Commands(
                accounts,
                journal=self._journal,
                clock=self._clock,
                recover=self._ask,
                log=self._log,
                every_s=self._tempo.commands_s,
            )
            supervision = Supervision(spawn, self._clock, self._log)
            try:
                for name, account in accounts.items():
                    self._asked[name] = asyncio.Event()
                    account.recovery.follow(former)
                    account.attend()
                    supervision.keep(f"account {name}", partial(self._serve, account, commands))
                supervision.keep("commands", commands.obey)
                await asyncio.Event().wait()
            finally:
                for account in accounts.values():
                    await account.stop()

    async def _serve(self, account: Account, commands: Commands) -> None:
        """Recover, patiently; after giving up, again for ever, and at once if somebody asks."""
        asked = self._asked[account.name]
        recover = account.recovery.patiently
        while True:
            match await self._outcome(account, recover()):
                case Outcome.RECOVERED:
                    # What operators posted meanwhile comes first: a pause must not lose to a tick.
                    await commands.obey_once()
                    account.start()
                    await self._asked_or_cured(account, asked)
                case Outcome.UNREACHABLE:
                    await self._asked_or_due(asked)
                case Outcome.REFUSED:
                    await asked.wait()
            recover = account.recovery.patiently if asked.is_set() else account.recovery.again
            asked.clear()

    async def _outcome(self, account: Account, recovering: Awaitable[Outcome]) -> Outcome:
        """Recover one account; keys of another one are this account's trouble alone."""
        try:
            return await recovering
        except WrongAccount as error:
            why = str(error)
        account.login.senses.halt(why)
        account.login.log.error("recovery failed", why=why)
        await account.roster.review_all(why, Cause.CONFIGURATION)
        return Outcome.REFUSED

    async def _asked_or_cured(self, account: Account, asked: asyncio.Event) -> None:
        """Wait until somebody asks, or what keeps a bot of it from running has ended by itself."""
        while account.recovery.is_waiting:
            await self._asked_or_due(asked)
            if asked.is_set() or await account.recovery.is_cured():
                return
        await asked.wait()

    async def _asked_or_due(self, asked: asyncio.Event) -> None:
        """Wait until somebody asks, but no longer than the longest back-off."""
        due = self._clock.monotonic() + BACK_OFF_MAX_S
        while not asked.is_set() and self._clock.monotonic() < due:
            await self._clock.sleep(ASKED_EVERY_S)

    def _ask(self, account: AccountName) -> None:
        self._asked[account].set()
