"""The composition root: settings become accounts, exchanges, a journal and a supervisor.

Whatever is wrong with the settings themselves is found here, before anything is written or sent:
`preflight` asks the exchange, if it can be reached, whether these keys, symbols and amounts can
work at all. An exchange that cannot be reached now is no mistake; recovery is patient with it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial
from typing import Any, Final

from msgspec import Struct
from msgspec.structs import replace

from surefoot import config
from surefoot.config import ConfigError, Settings
from surefoot.config.specs import Asking, account_spec
from surefoot.core.errors import InvalidValue
from surefoot.core.instrument import Instrument
from surefoot.core.reconcile import Reconciliation
from surefoot.core.records import BanNoted, RecoveryFinished
from surefoot.core.sizing import Amount
from surefoot.core.values import AccountName, Asset, BotName
from surefoot.engine.account import Account
from surefoot.engine.advisor import Advisor
from surefoot.engine.belief import believed
from surefoot.engine.binding import WrongAccount, recognise, refuse_other
from surefoot.engine.books import Books
from surefoot.engine.clock import Clock, SystemClock
from surefoot.engine.comparing import Comparing
from surefoot.engine.feed import Feed
from surefoot.engine.inspection import Inspection
from surefoot.engine.leftovers import review_unserved, with_leftovers
from surefoot.engine.login import Login
from surefoot.engine.prices import Prices
from surefoot.engine.questions import Questions
from surefoot.engine.recovery import Recovery
from surefoot.engine.roster import MakeAdvisor, Roster
from surefoot.engine.rounds import Rounds
from surefoot.engine.specs import AccountSpec, BotSpec
from surefoot.engine.supervision import Spawn, Supervision
from surefoot.engine.supervisor import Supervisor
from surefoot.engine.tempo import Tempo
from surefoot.engine.vitals import Vitals
from surefoot.engine.voice import Log
from surefoot.exchange import open_exchange
from surefoot.exchange.address import Address
from surefoot.exchange.errors import Misconfigured, ReadFailed
from surefoot.exchange.port import Exchange, Identity
from surefoot.journal import journal_exists, open_journal, open_reader
from surefoot.journal.port import Journal, Reader, account_stream
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


class Look(Struct, frozen=True, kw_only=True):
    """What a comparison found in one account, without writing or doing anything."""

    account: AccountName
    outcome: Reconciliation
    failures: tuple[str, ...]


# Nobody who steals them, or a mistake of ours, may be able to take more than a bad trade costs.
WITHDRAWS: Final = "these keys may withdraw: use keys that may only read and trade"


class Checkup(Struct, frozen=True, kw_only=True):
    """What one exchange account answered."""

    account: AccountName
    environment: str
    visibility: str
    request_lifetime: str
    native_stop: bool
    weight_per_minute: int
    uid: str | None = None
    clock_offset: str | None = None
    may_withdraw: bool | None = None
    failure: str | None = None


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


async def look(settings: Settings) -> tuple[Look, ...]:
    """Compare journal and exchange without writing or doing anything.

    Raises:
        JournalError: there is no journal to compare with.
        ConfigError: the keys are of another account.
        Halted: the exchange contradicts the journal as a whole.
    """
    clock = SystemClock()
    reader = open_reader(settings.journal_url, settings.directory)
    exchanges = await _exchanges(settings, clock, reader)
    try:
        looks = []
        for name, exchange in exchanges.items():
            spec = account_spec(settings, name, {})
            comparing = Comparing(spec, exchange=exchange, reader=reader, clock=clock)
            await exchange.connect()
            await refuse_other(name, await exchange.identify(), reader)
            belief = await believed(spec, exchange, reader)
            outcome, failures = await comparing.look(belief, spec.lookback)
            looks.append(Look(account=name, outcome=outcome, failures=failures))
        return tuple(looks)
    finally:
        for exchange in exchanges.values():
            await exchange.close()
        await reader.close()


async def balances(settings: Settings) -> Mapping[AccountName, Mapping[Asset, Decimal]]:
    """Ask every account what it holds now; changes nothing.

    Raises:
        JournalError | ConfigError: as for `look`.
        ReadFailed: an exchange does not answer.
    """
    reader = open_reader(settings.journal_url, settings.directory)
    exchanges = await _exchanges(settings, SystemClock(), reader)
    try:
        found = {}
        for name, exchange in exchanges.items():
            await exchange.connect()
            await refuse_other(name, await exchange.identify(), reader)
            found[name] = await exchange.balances()
        return found
    finally:
        for exchange in exchanges.values():
            await exchange.close()
        await reader.close()


async def check(settings: Settings, strategies: Mapping[BotName, Asking]) -> tuple[Checkup, ...]:
    """Ask every account's exchange who it is and what the clock says; changes nothing.

    Raises:
        ConfigError: these settings cannot work.
    """
    existing = journal_exists(settings.journal_url, settings.directory)
    reader = open_reader(settings.journal_url, settings.directory) if existing else None
    exchanges = await _exchanges(settings, SystemClock(), reader)
    try:
        await preflight(settings, strategies, exchanges, reader)
    finally:
        for exchange in exchanges.values():
            await exchange.close()
        if reader is not None:
            await reader.close()
    return tuple([await _checkup(settings, name, each) for name, each in exchanges.items()])


async def _checkup(settings: Settings, name: AccountName, exchange: Exchange) -> Checkup:
    account, venue = settings.accounts[name], exchange.venue
    facts = Checkup(
        account=name,
        environment=account.environment,
        visibility=f"{(account.visibility or venue.visibility).total_seconds():g} s",
        request_lifetime=f"{venue.request_lifetime.total_seconds():g} s",
        native_stop=venue.native_stop,
        weight_per_minute=venue.weight.limit,
    )
    try:
        await exchange.connect()
        identity = await exchange.identify()
        offset = await exchange.measure_clock()
        may_withdraw = await exchange.may_withdraw()
    except (ReadFailed, Misconfigured) as error:
        return replace(facts, failure=str(error))
    else:
        return replace(
            facts, uid=identity.uid, clock_offset=f"{offset} s", may_withdraw=may_withdraw,
            failure=WITHDRAWS if may_withdraw else None,
        )  # fmt: skip
    finally:
        await exchange.close()


# Putting together --------------------------------------------------------------------------------


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


def assemble(  # noqa: PLR0913 (the one place where an account's parts meet)
    spec: AccountSpec,
    *,
    exchange: Exchange,
    journal: Journal,
    clock: Clock,
    make_advisor: MakeAdvisor,
    spawn: Spawn,
    log: Log,
    tempo: Tempo | None = None,
) -> Account:
    """Put one account together: every part is made once, and knows only those before it."""
    login = Login(spec, exchange=exchange, journal=journal, clock=clock, log=log, tempo=tempo)
    supervision = Supervision(spawn, clock, login.log)
    questions = Questions.within(exchange, login.tempo.resting_s)
    roster = Roster(
        login,
        journal=journal,
        make_advisor=make_advisor,
        questions=questions,
        supervision=supervision,
    )
    books = Books(login, roster.keepers, journal)
    comparing = Comparing(spec, exchange=exchange, reader=journal, clock=clock)
    inspection = Inspection(login, keepers=roster.keepers, books=books, comparing=comparing)
    rounds = Rounds(
        login, roster=roster, inspection=inspection, questions=questions, supervision=supervision
    )
    feed = Feed(
        login,
        keepers=roster.keepers,
        journal=journal,
        runners=roster.runners,
        windows=roster.windows,
        gap=rounds.want,
        is_ours=books.is_ours,
    )
    prices = Prices(login, keepers=roster.keepers, feed=feed)
    recovery = Recovery(
        login,
        journal=journal,
        roster=roster,
        inspection=inspection,
        watch=rounds.watch,
        feed=feed,
        prices=prices,
        supervision=supervision,
    )
    return Account(
        login=login,
        roster=roster,
        rounds=rounds,
        recovery=recovery,
        vitals=Vitals(login, roster, journal),
        prices=prices,
        supervision=supervision,
    )


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
    exchanges = await _exchanges(settings, clock, journal, ground.tempo)
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


async def preflight(
    settings: Settings,
    strategies: Mapping[BotName, Asking],
    exchanges: Mapping[AccountName, Exchange],
    journal: Reader | None,
) -> Mapping[AccountName, Identity]:
    """Refuse settings that cannot work, if the exchange can be asked; return whom it knows.

    Raises:
        ConfigError: keys, account, symbols or amounts are wrong; all that is found is listed.
    """
    known = frozenset() if journal is None else await journal.bot_names()
    problems: list[str] = []
    logins: dict[Identity, AccountName] = {}
    for name, exchange in exchanges.items():
        try:
            await _heed_ban(journal, name, exchange)
            await exchange.connect()
            await recognise(name, await exchange.identify(), logins, journal)
            specs = account_spec(settings, name, strategies).bots
            problems += await _doubts(exchange, [each for each in specs if each.bot not in known])
        except ReadFailed:
            continue  # Recovery will wait for it.
        except Misconfigured as error:
            # An account that has worked is recovery's business: it must not stop the others.
            if not await _is_bound(journal, name):
                problems.append(f"accounts.{name}: {error}")
        except WrongAccount as error:
            problems.append(f"accounts.{name}: {error}")
    if problems:
        raise ConfigError("the configuration", problems)
    return {name: identity for identity, name in logins.items()}


async def _heed_ban(journal: Reader | None, name: AccountName, exchange: Exchange) -> None:
    """Keep a ban that an earlier process noted: who asks during one is banned for longer."""
    entry = None if journal is None else await journal.last(account_stream(name), "ban-noted")
    if entry is not None and isinstance(entry.record, BanNoted):
        exchange.note_ban(entry.record.until)


async def _is_bound(journal: Reader | None, name: AccountName) -> bool:
    stream = account_stream(name)
    return journal is not None and await journal.last(stream, "account-bound") is not None


async def _doubts(exchange: Exchange, fresh: Collection[BotSpec]) -> list[str]:
    """Return what is wrong with bots that have never run; known ones are put into review."""
    problems: list[str] = []
    sized: list[tuple[BotSpec, Instrument, Decimal]] = []
    for spec in fresh:
        try:
            instrument = exchange.instrument(spec.symbol)
        except Misconfigured as error:
            problems.append(f"bots.{spec.bot}.symbol: {error}")
            continue
        if not exchange.is_trading(spec.symbol):
            venue = exchange.venue.name
            problems.append(f"bots.{spec.bot}.symbol: {spec.symbol} is not trading at {venue} now")
        elif isinstance(spec.notional, Amount):
            sized.append((spec, instrument, spec.notional.notional))
    symbols = dict.fromkeys(spec.symbol for spec, _, _ in sized)
    prices = {t.symbol: t.price for t in await exchange.ticks(tuple(symbols))} if symbols else {}
    for spec, instrument, notional in sized:
        try:
            if spec.symbol in prices:
                instrument.size(notional, prices[spec.symbol])
        except InvalidValue as error:
            problems.append(f"bots.{spec.bot}.notional: {error}")
    return problems


async def _exchanges(
    settings: Settings, clock: Clock, journal: Reader | None, tempo: Tempo | None = None
) -> dict[AccountName, Exchange]:
    addresses: dict[str, Address] = {}
    trading = {bot.account for bot in settings.bots.values()}
    used = await with_leftovers(trading, journal, clock.now())
    return {
        name: open_exchange(
            account.exchange,
            keys=partial(config.keys, settings, name),
            settings=dict(account.ccxt),
            allow_custom_host=account.allow_custom_host,
            time=clock,
            paper=account.paper is not None,
            addresses=addresses,
            pulse_s=(tempo or Tempo()).pulse_s,
        )
        for name, account in settings.accounts.items()
        if name in (used if account.paper is None else trading)  # no bot, no paper exchange
    }


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
