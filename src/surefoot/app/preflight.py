"""Before anything is written or sent: what is wrong with the settings, if anything is.

The exchange is asked whether these keys, symbols and amounts can work at all, if it can be reached.
One that cannot be reached now is no mistake: recovery is patient with it.
"""

from __future__ import annotations

from asyncio import gather
from collections.abc import Collection, Mapping
from decimal import Decimal

from surefoot.config import ConfigError, Settings
from surefoot.config.specs import Asking, account_spec
from surefoot.core.account_records import BanNoted
from surefoot.core.errors import InvalidValue
from surefoot.core.instrument import Instrument
from surefoot.core.sizing import Amount
from surefoot.core.values import AccountName, BotName
from surefoot.engine.binding import WrongAccount, recognise
from surefoot.engine.fitness import bases_of, refuse_shared_quote
from surefoot.engine.login import still_banned
from surefoot.engine.specs import BotSpec
from surefoot.exchange.errors import Misconfigured, ReadFailed
from surefoot.exchange.port import Exchange, Identity
from surefoot.journal.port import Reader, account_stream


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
    met = await _met(exchanges, journal)
    for (name, exchange), identity in zip(exchanges.items(), met, strict=True):
        try:
            if not isinstance(identity, Identity):
                raise identity
            await recognise(name, identity, logins, journal)
            specs = account_spec(settings, name, strategies).bots
            problems += await _doubts(exchange, specs, known)
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


async def _met(
    exchanges: Mapping[AccountName, Exchange], journal: Reader | None
) -> list[Identity | ReadFailed | Misconfigured]:
    """Ask who every account is, once all bans are known: they are their address's.

    All are asked at the same time: exchanges that answer nothing are waited for once, not in turn,
    for a service that is not up after a while is ended by who started it, and so for ever.
    """
    for each in exchanges.items():
        await _heed_ban(journal, *each)
    return await gather(*map(_meet, exchanges.values()))


async def _meet(exchange: Exchange) -> Identity | ReadFailed | Misconfigured:
    """Ask who an account is, or return why that is not known."""
    try:
        await exchange.connect()
        return await exchange.identify()
    except (ReadFailed, Misconfigured) as error:
        return error


async def _heed_ban(journal: Reader | None, name: AccountName, exchange: Exchange) -> None:
    """Keep a ban that an earlier process noted: who asks during one is banned for longer."""
    entry = None if journal is None else await journal.last(account_stream(name), "ban-noted")
    if entry is not None and isinstance(entry.record, BanNoted):
        exchange.note_ban(still_banned(entry.record, exchange.now()))


async def _is_bound(journal: Reader | None, name: AccountName) -> bool:
    stream = account_stream(name)
    return journal is not None and await journal.last(stream, "account-bound") is not None


async def _doubts(
    exchange: Exchange, specs: Collection[BotSpec], known: Collection[BotName]
) -> list[str]:
    """Return what is wrong with bots that have never run; known ones are put into review."""
    problems: list[str] = []
    traded = bases_of(specs, exchange)
    sized: list[tuple[BotSpec, Instrument, Decimal]] = []
    for spec in (each for each in specs if each.bot not in known):
        try:
            instrument = exchange.instrument(spec.symbol)
            refuse_shared_quote(instrument, traded)
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
