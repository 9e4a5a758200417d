"""A dead man's switch: somebody outside hears from a server that works; silence is the alarm.

An address is asked for as long as the server runs and its loop turns; nothing is sent otherwise,
so that whatever dies (server, messengers, machine, network) ends in the same silence.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import aiohttp

from surefoot.journal.clock import Clock
from surefoot.journal.port import Reader
from surefoot.notify import http
from surefoot.notify.courier import Log
from surefoot.notify.errors import NotDelivered
from surefoot.notify.settings import HeartbeatSettings

# A server whose loop has not turned for this long does not watch anything.
FRESH: Final = timedelta(seconds=30)


class Heartbeat:
    """Asks the address every so often, as long as the server is well."""

    def __init__(
        self,
        settings: HeartbeatSettings,
        *,
        reader: Reader,
        session: aiohttp.ClientSession,
        clock: Clock,
        log: Log,
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._session = session
        self._clock = clock
        self._log = log
        self._failing = False

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.beat()
            await self._clock.sleep(self._settings.every.total_seconds())

    async def beat(self) -> None:
        """Ask once, if the server is well; a failure is said once."""
        if not await self._well():
            return
        try:
            await http.send(self._session, self._settings.url.reveal(), body=None, headers={})
        except NotDelivered as error:
            if not self._failing:
                self._log.warning("heartbeat is not heard", why=str(error))
            self._failing = True
        else:
            self._failing = False

    async def _well(self) -> bool:
        if self._reader.holder() is None:
            return False
        turned = (await self._reader.signs()).turned
        return turned is not None and is_fresh(turned, self._clock.now())


def is_fresh(turned: datetime, now: datetime) -> bool:
    """Tell whether a loop that turned then may be taken for alive."""
    return abs(now - turned) <= FRESH
