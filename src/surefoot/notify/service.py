"""All messengers of one journal, side by side: none can end or delay another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Final, TypeAlias

from surefoot.journal.browse import Browser
from surefoot.journal.clock import Clock
from surefoot.journal.cursors import Cursors
from surefoot.journal.errors import JournalError
from surefoot.journal.tenancy import Tenancy
from surefoot.notify.conversation import Conversation
from surefoot.notify.courier import Courier, Log
from surefoot.notify.errors import NotDelivered
from surefoot.notify.event import Event, EventKind, Weight
from surefoot.notify.heartbeat import Heartbeat
from surefoot.notify.people import People, reach
from surefoot.notify.settings import NotifySettings
from surefoot.notify.state_file import StateFile

_PAUSE_S: Final = 5.0
_LOOK_S: Final = 1.0

Work: TypeAlias = tuple[str, Callable[[], Awaitable[None]]]


class Service:
    """Keeps every messenger going on one journal, whatever happens to the file."""

    def __init__(
        self,
        settings: NotifySettings,
        *,
        open_journal: Callable[[], Browser],
        cursors: Cursors,
        tenancy: Tenancy,
        clock: Clock,
        log: Log,
    ) -> None:
        self._settings = settings
        self._open = open_journal
        self._cursors = cursors
        self._tenancy = tenancy
        self._clock = clock
        self._log = log

    async def run(self, *, take_over: bool) -> None:
        """Tell everybody everything, until cancelled.

        Raises:
            Occupied: another process does, and was not to be replaced.
            InvalidValue: an extra is missing, or a token or address cannot be one.
        """
        await self._tenancy.take("", self._clock, over=take_over)
        try:
            async with AsyncExitStack() as stack:
                people = await reach(self._settings, self._clock, stack)
                while True:
                    await self._serve(await self._opened(), people)
        finally:
            self._tenancy.leave()

    async def _opened(self) -> Browser:
        """Open the journal, as soon as there is one."""
        said = False
        while True:
            try:
                return self._open()
            except JournalError as error:
                if not said:
                    self._log.info("waiting for a journal", why=str(error))
                said = True
            await self._clock.sleep(_LOOK_S)

    async def _serve(self, journal: Browser, people: People) -> None:
        """Work on this journal until its file is another one."""
        try:
            async with asyncio.TaskGroup() as tasks:
                works = [
                    tasks.create_task(self._kept(name, work))
                    for name, work in self._works(journal, people)
                ]
                while journal.is_current():
                    await self._clock.sleep(_LOOK_S)
                for each in works:
                    each.cancel()
        finally:
            await journal.close()

    def _works(self, journal: Browser, people: People) -> list[Work]:
        settings, clock, log = self._settings, self._clock, self._log
        works: list[Work] = []
        for each in people.destinations:
            courier = Courier(
                each,
                reader=journal,
                cursors=self._cursors,
                clock=clock,
                log=log,
                mark=settings.mark,
            )
            works.append((each.name, courier.run))
        if people.wire is not None and settings.telegram is not None:
            allow = settings.telegram.allow
            talk = Conversation(people.wire, allow, reader=journal, clock=clock, log=log)
            works.append(("telegram commands", talk.run))
        if settings.heartbeat is not None:
            beat = Heartbeat(
                settings.heartbeat, reader=journal, session=people.session, clock=clock, log=log
            )
            works.append(("heartbeat", beat.run))
        if settings.state is not None:
            state = StateFile(settings.state, reader=journal, clock=clock, log=log)
            works.append(("state file", state.run))
        return works

    async def _kept(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Start a messenger again when it fails; its cursor says where to go on."""
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 (one failure stays one failure)
                self._log.warning("messenger failed", messenger=name, why=repr(error))
                await self._clock.sleep(_PAUSE_S * (1 + self._clock.jitter()))


async def greet(settings: NotifySettings, clock: Clock) -> list[tuple[str, str | None]]:
    """Send everybody a message; return each name with what went wrong, if anything did."""
    hello = Event(
        id="test",
        at=clock.now(),
        kind=EventKind.SERVER,
        weight=Weight.NOTICE,
        text=f"{settings.mark}Surefoot can reach you here.",
    )
    outcomes: list[tuple[str, str | None]] = []
    async with AsyncExitStack() as stack:
        for each in (await reach(settings, clock, stack)).destinations:
            try:
                await each.deliver([hello])
            except NotDelivered as error:
                outcomes.append((each.name, str(error)))
            else:
                outcomes.append((each.name, None))
    return outcomes
