"""The polite end of a program that runs until it is told to stop."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable
from functools import partial

from surefoot.cli.logs import say_forgotten
from surefoot.engine.voice import Log


async def until_stopped(work: Awaitable[None], log: Log) -> None:
    """Run until the work ends, somebody sends SIGTERM or SIGINT, or the terminal goes away."""
    task = asyncio.current_task()
    loop = asyncio.get_running_loop()
    say_forgotten(loop, log)
    if task is not None:
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            loop.add_signal_handler(number, partial(_stop, task, number, log))
    await work


def _stop(task: asyncio.Task[None], number: signal.Signals, log: Log) -> None:
    log.info("stopping", because=number.name)
    task.cancel()
