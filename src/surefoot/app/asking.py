"""What an account's exchange answers, asked without running a bot or changing anything."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from surefoot.app.exchanges import open_exchanges
from surefoot.app.preflight import preflight
from surefoot.config import Settings
from surefoot.config.specs import Asking, account_spec
from surefoot.core.reconcile import Reconciliation
from surefoot.core.values import AccountName, Asset, BotName
from surefoot.engine.belief import believed
from surefoot.engine.binding import refuse_other
from surefoot.engine.clock import Clock, SystemClock
from surefoot.engine.comparing import Comparing
from surefoot.exchange.errors import Misconfigured, ReadFailed
from surefoot.exchange.port import Exchange
from surefoot.journal import journal_exists, open_reader
from surefoot.journal.port import Reader

# Nobody who steals them, or a mistake of ours, may be able to take more than a bad trade costs.
WITHDRAWS: Final = "these keys may withdraw: use keys that may only read and trade"


class Look(Struct, frozen=True, kw_only=True):
    """What a comparison found in one account, without writing or doing anything."""

    account: AccountName
    outcome: Reconciliation
    failures: tuple[str, ...]


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


async def look(settings: Settings) -> tuple[Look, ...]:
    """Compare journal and exchange without writing or doing anything.

    Raises:
        JournalError: there is no journal to compare with.
        ConfigError: the keys are of another account.
        Halted: the exchange contradicts the journal as a whole.
    """
    clock = SystemClock()
    async with _reading(settings) as reader, _asked(settings, clock, reader) as exchanges:
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


async def balances(settings: Settings) -> Mapping[AccountName, Mapping[Asset, Decimal]]:
    """Ask every account what it holds now; changes nothing.

    Raises:
        JournalError | ConfigError: as for `look`.
        ReadFailed: an exchange does not answer.
    """
    async with _reading(settings) as reader, _asked(settings, SystemClock(), reader) as exchanges:
        found = {}
        for name, exchange in exchanges.items():
            await exchange.connect()
            await refuse_other(name, await exchange.identify(), reader)
            found[name] = await exchange.balances()
        return found


async def check(settings: Settings, strategies: Mapping[BotName, Asking]) -> tuple[Checkup, ...]:
    """Ask every account's exchange who it is and what the clock says; changes nothing.

    Raises:
        ConfigError: these settings cannot work.
    """
    clock = SystemClock()
    if journal_exists(settings.journal_url, settings.directory):
        async with _reading(settings) as reader:
            return await _checked(settings, strategies, clock, reader)
    return await _checked(settings, strategies, clock, None)


async def _checked(
    settings: Settings,
    strategies: Mapping[BotName, Asking],
    clock: Clock,
    reader: Reader | None,
) -> tuple[Checkup, ...]:
    async with _asked(settings, clock, reader) as exchanges:
        await preflight(settings, strategies, exchanges, reader)
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


@asynccontextmanager
async def _reading(settings: Settings) -> AsyncIterator[Reader]:
    reader = open_reader(settings.journal_url, settings.directory)
    try:
        yield reader
    finally:
        await reader.close()


@asynccontextmanager
async def _asked(
    settings: Settings, clock: Clock, reader: Reader | None
) -> AsyncIterator[Mapping[AccountName, Exchange]]:
    exchanges = await open_exchanges(settings, clock, reader)
    try:
        yield exchanges
    finally:
        for exchange in exchanges.values():
            await exchange.close()
