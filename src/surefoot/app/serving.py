"""`run` and `recover`: everything is opened in the order that leaves nothing behind, and closed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from surefoot import config
from surefoot.app.assembly import assemble
from surefoot.app.exchanges import open_exchanges
from surefoot.app.preflight import preflight
from surefoot.config import Settings
from surefoot.config.specs import account_spec
from surefoot.core.account_records import RecoveryFinished
from surefoot.core.errors import InvalidValue
from surefoot.core.values import AccountName, BotName
from surefoot.engine.account import Account
from surefoot.engine.advisor import Advisor
from surefoot.engine.clock import Clock, SystemClock
from surefoot.engine.leftovers import review_unserved
from surefoot.engine.supervision import Spawn
from surefoot.engine.supervisor import Supervisor
from surefoot.engine.tempo import Tempo
from surefoot.engine.voice import Log
from surefoot.exchange.port import Exchange, Identity
from surefoot.journal import journal_exists, open_journal
from surefoot.journal.port import Journal, account_stream
from surefoot.strategy import Strategy
from surefoot.strategy.call import Room
from surefoot.strategy.errors import StrategyNotLoaded
from surefoot.strategy.workers import Say

Strategies = Mapping[BotName, Strategy]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What a server stands on, beside its event loop: a simulation brings its own."""

    clock: Clock = field(default_factory=SystemClock)
    room: Callable[[Say], Room] = Room
    tempo: Tempo = field(default_factory=Tempo)


async def serve(
    settings: Settings, strategies: Strategies, log: Log, ground: Ground | None = None
) -> None:
    """Run the server until it is cancelled.

    Raises:
        ConfigError: these settings cannot work; nothing was written or sent.
        JournalError: the journal is locked, unusable, or was poisoned: exit and start again.
    """
    async with _prepared(settings, strategies, log, ground or Ground()) as parts:
        log.info("started", journal=settings.journal_shown, epoch=parts.journal.epoch[:8])
        supervisor = Supervisor(
            journal=parts.journal,
            clock=parts.clock,
            accounts=parts.accounts,
            log=log,
            tempo=parts.tempo,
        )
        await supervisor.run()


async def recover(
    settings: Settings, strategies: Strategies, wanted: Collection[AccountName], log: Log
) -> tuple[RecoveryFinished, ...]:
    """Recover these accounts once, without running the bots; return the reports.

    Raises:
        ConfigError | JournalError: as for `serve`.
    """
    async with _prepared(settings, strategies, log, Ground()) as parts:
        async with asyncio.TaskGroup() as tasks:
            running: list[asyncio.Task[None]] = []

            def spawn(work: Any) -> None:
                running.append(tasks.create_task(work))

            accounts = {
                name: account for name, account in parts.accounts(spawn).items() if name in wanted
            }
            for account in accounts.values():
                await account.recovery.patiently()
                while account.login.dispatch.busy:
                    await parts.clock.sleep(0.05)
                await account.examine()
            for task in running:
                task.cancel()
            for account in accounts.values():
                await account.stop()
        reports = [
            await parts.journal.last(account_stream(name), "recovery-finished") for name in accounts
        ]
        return tuple(
            entry.record
            for entry in reports
            if entry is not None and isinstance(entry.record, RecoveryFinished)
        )


@dataclass(frozen=True, kw_only=True)
class _Parts:
    """Everything that a server is made of."""

    settings: Settings
    strategies: Strategies
    exchanges: Mapping[AccountName, Exchange]
    journal: Journal
    clock: Clock
    log: Log
    room: Room
    tempo: Tempo
    # Who has answered a moment ago, and whose account it is.
    known: Mapping[AccountName, Identity]

    def accounts(self, spawn: Spawn) -> Mapping[AccountName, Account]:
        """Put every account together."""
        made = dict(self.strategies)
        accounts = {
            name: assemble(
                account_spec(self.settings, name, self.strategies),
                exchange=exchange,
                journal=self.journal,
                clock=self.clock,
                tempo=self.tempo,
                make_advisor=partial(_advisor, self.settings, made, self.room),
                spawn=spawn,
                log=self.log,
            )
            for name, exchange in self.exchanges.items()
        }
        for name, identity in self.known.items():
            accounts[name].login.introduce(identity)
        return accounts


@asynccontextmanager
async def _prepared(
    settings: Settings, strategies: Strategies, log: Log, ground: Ground
) -> AsyncIterator[_Parts]:
    """Open everything, in the order that leaves nothing behind when something is wrong."""
    clock = ground.clock
    for name in settings.accounts:
        account_spec(settings, name, strategies)
    existing = journal_exists(settings.journal_url, settings.directory)
    opened = partial(open_journal, settings.journal_url, settings.directory)
    journal = opened(at=clock.now()) if existing else None
    exchanges = await open_exchanges(settings, clock, journal, ground.tempo)
    room = ground.room(log.warning)
    try:
        known = await preflight(settings, strategies, exchanges, journal)
        if journal is None:
            journal = opened(at=clock.now())
        await review_unserved([*exchanges], [*settings.bots], journal, clock, log)
        yield _Parts(
            settings=settings,
            strategies=strategies,
            exchanges=exchanges,
            journal=journal,
            clock=clock,
            log=log,
            room=room,
            tempo=ground.tempo,
            known=known,
        )
    finally:
        room.close()
        for exchange in exchanges.values():
            await exchange.close()
        if journal is not None:
            await journal.close()


async def _advisor(
    settings: Settings,
    made: dict[BotName, Strategy],
    room: Room,
    bot: BotName,
    memory: dict[str, Any],
) -> Advisor:
    """Put a bot's strategy behind its guard; a second time it is loaded afresh."""
    strategy = made.pop(bot, None)
    if strategy is None and bot not in settings.bots:
        raise InvalidValue(f"{bot} is not in the configuration any more: it is only watched")
    if strategy is None:
        try:
            strategy = await room.load(partial(config.strategy, settings, bot), name=bot)
        except StrategyNotLoaded as error:
            raise InvalidValue(str(error)) from error
    return Advisor(strategy, name=bot, journaled=memory, room=room)
