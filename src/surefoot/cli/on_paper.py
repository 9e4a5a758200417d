"""Accounts on paper, and the simulated exchanges that they trade on.

An account on paper leads nowhere until it is placed at the address of its exchange. That is a
process of its own beside the journal, with a lock and a state file; nothing else opens the file.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from surefoot.cli.companion import Companion
from surefoot.cli.outcome import Failed
from surefoot.config import Account, ConfigError, Settings
from surefoot.core.values import AccountName, plain
from surefoot.engine.clock import Clock
from surefoot.journal.tenancy import Tenancy

if TYPE_CHECKING:
    from surefoot import simulator

_LOOK_S = 0.05
# The first question to the venue may take its whole time; a predecessor has to leave before.
_PATIENCE_S = 60.0
# Prices that are not seen after this long are recovery's business, and said by `check`.
_SIGHT_S = 10.0


def tenancy(settings: Settings, account: AccountName) -> Tenancy:
    """Return the lock of an account's exchange."""
    return Tenancy(_journal(settings), f"paper-{account}")


def state_file(settings: Settings, account: AccountName) -> Path:
    """Return where an account's exchange keeps its state."""
    journal = _journal(settings)
    return journal.with_name(f"{journal.name}.paper-{account}.state")


def exchange_of(settings: Settings, account: Account, state: Path | None) -> simulator.Settings:
    """Return how an account's exchange is set up.

    Raises:
        ConfigError: the account is not on paper.
    """
    from surefoot import simulator  # noqa: PLC0415 (half a second, and most trade for real)

    paper = account.paper
    if paper is None:
        raise ConfigError("the configuration", [f"accounts.{account.name} is not on paper"])
    symbols = {bot.symbol for bot in settings.bots.values() if bot.account == account.name}
    # Binance writes a symbol without its slash.
    origin = simulator.Origin.at(None, sorted(symbol.replace("/", "") for symbol in symbols))
    if paper.rest is not None and paper.streams is not None:
        origin = replace(origin, rest=paper.rest, streams=paper.streams)
    key = account.api_key.reveal()
    return simulator.Settings.mirroring(
        origin,
        key=key,
        secret=key,
        balances=dict(paper.balances),
        fee_rate=paper.fee,
        latency_s=paper.latency.total_seconds(),
        state=state,
    )


def placed(settings: Settings, urls: Mapping[AccountName, str]) -> Settings:
    """Return the settings with every account on paper at the address of its exchange."""
    if not urls:
        return settings
    from surefoot.simulator import ccxt_settings  # noqa: PLC0415 (as above)

    return replace(
        settings,
        accounts={
            name: replace(account, ccxt=_merged(account.ccxt, ccxt_settings(urls[name])))
            if name in urls
            else account
            for name, account in settings.accounts.items()
        },
    )


async def address(
    settings: Settings, account: AccountName, clock: Clock, companion: Companion | None = None
) -> str:
    """Wait until an account's exchange listens, and return its address.

    If it is a companion's, its predecessor does not count.

    Raises:
        ConfigError: it does not come.
    """
    until = clock.monotonic() + _PATIENCE_S
    while clock.monotonic() < until:
        tenant = tenancy(settings, account).tenant()
        it = companion is None or (tenant is not None and tenant.pid == companion.pid)
        if tenant is not None and tenant.url and it:
            return tenant.url
        await clock.sleep(_LOOK_S)
    raise ConfigError(
        "the configuration", [f"accounts.{account}: its paper exchange did not start"]
    )


@asynccontextmanager
async def reached(settings: Settings, clock: Clock, *, changing: bool) -> AsyncIterator[Settings]:
    """Return the settings with every paper exchange reachable, for as long as the body runs.

    One that runs is asked. Otherwise it is started here: as it is kept, or, if nothing may change,
    one that only looks like it and is forgotten.
    """
    urls: dict[AccountName, str] = {}
    async with AsyncExitStack() as stack:
        for name in settings.papers:
            lock = tenancy(settings, name)
            if lock.tenant() is not None:
                urls[name] = await address(settings, name, clock)
                continue
            state = state_file(settings, name)
            if changing:
                await lock.take("", clock, over=False)
                stack.callback(lock.leave)
            how = exchange_of(settings, settings.accounts[name], state if changing else None)
            running = await stack.enter_async_context(started(how, looks_like=state))
            await _seeing(running, clock)
            urls[name] = running.url
        yield placed(settings, urls)


def started(how: simulator.Settings, *, looks_like: Path | None = None) -> simulator.Simulator:
    """Return an exchange that goes on from its state, or only looks like the one that a file keeps.

    Raises:
        Failed: another exchange uses the state, or it cannot be read.
    """
    from surefoot.simulator import Simulator  # noqa: PLC0415 (as above)
    from surefoot.simulator.store import StateHeld, StateSpoiled, kept_uid  # noqa: PLC0415

    try:
        if looks_like is not None:
            how.uid = kept_uid(looks_like) or how.uid
        return Simulator(how)
    except (StateHeld, StateSpoiled) as error:
        raise Failed(str(error)) from error


async def _seeing(exchange: simulator.Simulator, clock: Clock) -> None:
    """Wait until an exchange believes its prices: what is asked before is not answered."""
    until = clock.monotonic() + _SIGHT_S
    while exchange.market.stale is not None and clock.monotonic() < until:
        await clock.sleep(_LOOK_S)


def differences(settings: Settings, name: AccountName) -> list[str]:
    """Return what is otherwise once an account is no longer on paper."""
    account = settings.accounts[name]
    paper = account.paper
    if paper is None:
        return []
    journal = _journal(settings)
    real = journal.with_stem(journal.stem.removesuffix("-paper"))
    balances = ", ".join(f"{plain(much)} {asset}" for asset, much in paper.balances.items())
    return [
        "the keys in api_key and secret are looked for and used; no key is looked for now",
        f"orders go to {account.exchange} itself, for real money; now they stay on this machine",
        f"the balances are those of the account; now they began as {balances}",
        f"fees are those of the account; now {plain(paper.fee * 100)}% of what is received",
        "orders wait in a queue, move the price, and may be late or lost: see docs/paper.md",
        f"the journal is {real}; nothing of {journal} is carried over, no position and no profit",
    ]


def _journal(settings: Settings) -> Path:
    if settings.journal_path is None:
        raise ConfigError("[journal]", ["trading on paper needs a journal in a file"])
    return settings.journal_path


def _merged(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, table by table; `over` wins."""
    merged = dict(base)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged
