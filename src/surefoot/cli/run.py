"""`surefoot run`: the server."""

from __future__ import annotations

import asyncio
import signal
from contextlib import suppress
from typing import Annotated, Literal

from cyclopts import Parameter

from surefoot import app, config
from surefoot.cli import open_files
from surefoot.cli.logs import start_log
from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE


def run(
    *,
    options: Options | None = None,
    log_format: Annotated[Literal["console", "json"] | None, Parameter(name="--log")] = None,
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
    settings = (options or Options()).settings(keys=True)
    strategies = config.strategies(settings)
    log = start_log(settings, style=log_format)
    with suppress(asyncio.CancelledError):
        asyncio.run(_until_stopped(app.serve(settings, strategies, log)))
    log.info("stopped")
    return FINE


async def _until_stopped(work: object) -> None:
    """Run until the work ends or somebody sends SIGTERM or SIGINT."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, task.cancel)
    await work  # type: ignore[misc]
