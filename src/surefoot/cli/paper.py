"""`surefoot paper`: the simulated exchange of an account on paper, alone or as a child of `run`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Annotated

from cyclopts import Parameter

from surefoot.cli.companion import CompanionOf, replaces
from surefoot.cli.logs import start_log
from surefoot.cli.on_paper import exchange_of, started, state_file, tenancy
from surefoot.cli.options import LogFormat, Options
from surefoot.cli.outcome import FINE
from surefoot.cli.stopping import until_stopped
from surefoot.config import ConfigError, Settings
from surefoot.core.values import AccountName
from surefoot.engine.clock import SystemClock
from surefoot.engine.voice import Log

_LOOK_S = 0.5


def paper(
    account: str = "main",
    *,
    take_over: Annotated[bool, Parameter(negative="")] = False,
    companion_of: CompanionOf = None,
    log_format: LogFormat = None,
    options: Options | None = None,
) -> int:
    """Run the simulated exchange of an account on paper until stopped; `run` does it by itself.

    Parameters
    ----------
    account
        Which account.
    take_over
        Replace the process that does it now, if there is one.
    companion_of
        The server that started it.
    log_format
        How to write the log, whatever the configuration says.
    options
        Where the configuration is.
    """
    options = options or Options()
    settings = options.settings(keys=False)
    if account not in settings.accounts:
        raise ConfigError(str(options.config), [f"there is no account {account}"])
    log = start_log(settings, level=settings.log.level, style=log_format)
    over = replaces(take_over=take_over, companion_of=companion_of)
    work = _serve(settings, AccountName(account), log, take_over=over)
    with suppress(asyncio.CancelledError):
        asyncio.run(until_stopped(work, log))
    return FINE


async def _serve(settings: Settings, name: AccountName, log: Log, *, take_over: bool) -> None:
    clock, lock = SystemClock(), tenancy(settings, name)
    how = exchange_of(settings, settings.accounts[name], state_file(settings, name))
    await lock.take("", clock, over=take_over)
    try:
        async with started(how) as exchange:
            lock.tell(exchange.url)
            prices = "" if how.origin is None else how.origin.rest
            log.info("paper exchange", account=name, url=exchange.url, prices=prices)
            said: str | None = ""
            while True:
                await clock.sleep(_LOOK_S)
                if (why := exchange.market.stale) != said:
                    said = why
                    _say(log, name, why)
    finally:
        lock.leave()


def _say(log: Log, name: AccountName, why: str | None) -> None:
    if why is None:
        log.info("paper exchange sees the market", account=name)
    else:
        log.warning("paper exchange is blind; nothing is filled", account=name, why=why)
