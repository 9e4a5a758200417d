"""What systemd is told of the server: that it is ready, that its loop turns, that it stops.

The messages are those of sd_notify(3): datagrams to the socket in NOTIFY_SOCKET. The loop that
watches the market feeds the watchdog itself, so a server that hangs is killed and started again.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Final

from surefoot.engine.clock import Clock

# How often it is asked whether the server is ready, and how often it is fed without a watchdog.
_LOOK_S: Final = 0.2
_IDLE_S: Final = 60.0


class ServiceSocket:
    """Where systemd listens, if it does; whatever goes wrong here must not touch the server."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        address = environment.get("NOTIFY_SOCKET", "")
        # A leading @ stands for the abstract namespace.
        self._address = "\0" + address[1:] if address.startswith("@") else address
        microseconds = environment.get("WATCHDOG_USEC", "")
        mine = environment.get("WATCHDOG_PID", str(os.getpid())) == str(os.getpid())
        limit = int(microseconds) / 1e6 if mine and microseconds.isdigit() else 0.0
        # Twice as often as needed, as sd_watchdog_enabled(3) recommends.
        self.feed_every_s = limit / 2 if limit else None

    @property
    def listens(self) -> bool:
        """Tell whether there is anybody to tell."""
        return bool(self._address)

    def say(self, message: str) -> None:
        """Send a message, or lose it."""
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as speaker:
            speaker.settimeout(0)
            speaker.sendto(message.encode(), self._address)


@asynccontextmanager
async def as_service(
    unit: ServiceSocket, ready: Callable[[], bool], clock: Clock
) -> AsyncIterator[None]:
    """Keep systemd informed while the body runs."""
    if not unit.listens:
        yield
        return
    async with asyncio.TaskGroup() as tasks:
        telling = tasks.create_task(_tell(unit, ready, clock))
        try:
            yield
        finally:
            telling.cancel()
            unit.say("STOPPING=1")


async def _tell(unit: ServiceSocket, ready: Callable[[], bool], clock: Clock) -> None:
    while not ready():
        await clock.sleep(_LOOK_S)
    unit.say("READY=1")
    while True:
        if unit.feed_every_s is not None:
            unit.say("WATCHDOG=1")
        await clock.sleep(unit.feed_every_s or _IDLE_S)
