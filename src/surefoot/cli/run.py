"""`surefoot run`: the server."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Collection, Sequence
from contextlib import AsyncExitStack, suppress
from pathlib import Path

from surefoot import app, config
from surefoot.cli import open_files
from surefoot.cli.companion import accompanied, program
from surefoot.cli.logs import secrets_of, start_log
from surefoot.cli.on_paper import address, placed
from surefoot.cli.options import LogFormat, Options
from surefoot.cli.outcome import FINE
from surefoot.cli.stopping import until_stopped
from surefoot.cli.systemd import ServiceSocket, as_service
from surefoot.config import Settings
from surefoot.core.values import AccountName
from surefoot.engine.clock import SystemClock
from surefoot.engine.voice import Log
from surefoot.journal import journal_holder


def run(
    *,
    options: Options | None = None,
    log_format: LogFormat = None,
) -> int:
    """Run the bots until stopped. Stopping cancels nothing: the exchange keeps the stops.

    Parameters
    ----------
    options
        Where the configuration is.
    log_format
        How to write the log, whatever the configuration says.
    """
    open_files.raise_limit()
    options = options or Options()
    settings = options.settings(keys=True)
    strategies = config.strategies(settings)
    log = start_log(settings, style=log_format)
    # A second server is refused below; it must not replace the first one's companions before.
    taken = journal_holder(settings.journal_url, settings.directory) is not None
    serving = (
        _on_paper(settings, strategies, options.config, log, log_format)
        if settings.papers and not taken
        else app.serve(settings, strategies, log)
    )
    wanted = {"web": settings.web.enabled, "notify": settings.notify.wanted}
    for name in [each for each in wanted if wanted[each] and not taken]:
        command = program(name, config=options.config, log_format=log_format)
        serving = _beside(name, command, serving, secrets_of(settings), log)
    with suppress(asyncio.CancelledError):
        asyncio.run(until_stopped(_as_service(settings, serving), log))
    log.info("stopped")
    return FINE


async def _on_paper(
    settings: Settings,
    strategies: app.Strategies,
    configuration: Path,
    log: Log,
    log_format: LogFormat,
) -> None:
    """Serve with the exchanges of the accounts on paper beside it."""
    clock, urls = SystemClock(), dict[AccountName, str]()
    async with AsyncExitStack() as stack:
        for name in settings.papers:
            log.warning("PAPER: live prices, simulated fills, no real money", account=name)
            command = program("paper", name, config=configuration, log_format=log_format)
            companion = await stack.enter_async_context(
                accompanied(
                    f"paper {name}", command, secrets=secrets_of(settings), clock=clock, log=log
                )
            )
            urls[name] = await address(settings, name, clock, companion)
        await app.serve(placed(settings, urls), strategies, log)


async def _beside(
    name: str,
    command: Sequence[str],
    serving: Awaitable[None],
    secrets: Collection[str],
    log: Log,
) -> None:
    """Serve with a companion beside it: it is there before recovery, and while that fails."""
    clock = SystemClock()
    async with accompanied(name, command, secrets=secrets, clock=clock, log=log):
        await serving


async def _as_service(settings: Settings, serving: Awaitable[None]) -> None:
    """Serve, and tell systemd, if it wants to know: ready is who holds the journal."""

    def ready() -> bool:
        holder = journal_holder(settings.journal_url, settings.directory)
        return holder is not None and holder.pid == os.getpid()

    async with as_service(ServiceSocket(os.environ), ready, SystemClock()):
        await serving
