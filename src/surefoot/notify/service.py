"""All messengers of one journal, side by side: none can end or delay another."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from typing import Final

from surefoot.journal.port import Client
from surefoot.notify import http
from surefoot.notify.apprise_service import AppriseService
from surefoot.notify.clock import Clock
from surefoot.notify.conversation import Conversation
from surefoot.notify.courier import Courier, Destination, Log
from surefoot.notify.cursors import Cursors
from surefoot.notify.errors import NotDelivered
from surefoot.notify.event import Event, EventKind, Weight
from surefoot.notify.heartbeat import Heartbeat
from surefoot.notify.settings import NotifySettings, TelegramSettings
from surefoot.notify.state_file import StateFile
from surefoot.notify.telegram import Chat, Wire
from surefoot.notify.webhook import Webhook

_PAUSE_S: Final = 5.0


class Service:
    """Everybody who is told, and what they need; opened and closed as a whole."""

    def __init__(
        self, settings: NotifySettings, *, reader: Client, cursors: Cursors, clock: Clock, log: Log
    ) -> None:
        self._settings = settings
        self._reader = reader
        self._cursors = cursors
        self._clock = clock
        self._log = log

    async def run(self) -> None:
        """Tell everybody everything, until cancelled.

        Raises:
            InvalidValue: an extra is missing, or a token or address cannot be one.
        """
        async with AsyncExitStack() as stack:
            works = await self._works(stack)
            async with asyncio.TaskGroup() as tasks:
                for name, work in works:
                    tasks.create_task(self._kept(name, work))

    async def test(self) -> list[tuple[str, str | None]]:
        """Send everybody a message; return each name with what went wrong, if anything did."""
        hello = Event(
            id="test",
            at=self._clock.now(),
            kind=EventKind.SERVER,
            weight=Weight.NOTICE,
            text="Surefoot can reach you here.",
        )
        outcomes: list[tuple[str, str | None]] = []
        async with AsyncExitStack() as stack:
            for each in await self._destinations(stack):
                try:
                    await each.deliver([hello])
                except NotDelivered as error:
                    outcomes.append((each.name, str(error)))
                else:
                    outcomes.append((each.name, None))
        return outcomes

    async def _works(
        self, stack: AsyncExitStack
    ) -> list[tuple[str, Callable[[], Awaitable[None]]]]:
        settings, reader, clock, log = self._settings, self._reader, self._clock, self._log
        works: list[tuple[str, Callable[[], Awaitable[None]]]] = [
            (
                each.name,
                Courier(each, reader=reader, cursors=self._cursors, clock=clock, log=log).run,
            )
            for each in await self._destinations(stack)
        ]
        if settings.telegram is not None:
            wire = await self._wire(settings.telegram, stack)
            talk = Conversation(wire, settings.telegram.allow, reader=reader, clock=clock, log=log)
            works.append(("telegram commands", talk.run))
        if settings.heartbeat is not None:
            session = await stack.enter_async_context(http.session())
            beat = Heartbeat(
                settings.heartbeat, reader=reader, session=session, clock=clock, log=log
            )
            works.append(("heartbeat", beat.run))
        if settings.state is not None:
            state = StateFile(settings.state, reader=reader, clock=clock, log=log)
            works.append(("state file", state.run))
        return works

    async def _destinations(self, stack: AsyncExitStack) -> Sequence[Destination]:
        settings = self._settings
        found: list[Destination] = []
        if settings.webhooks:
            session = await stack.enter_async_context(http.session())
            found += [Webhook(each, session, self._clock) for each in settings.webhooks]
        found += [AppriseService(each) for each in settings.apprise]
        if settings.telegram is not None:
            wire = await self._wire(settings.telegram, stack)
            found += [Chat(user, wire, settings.telegram.least) for user in settings.telegram.allow]
        return found

    async def _wire(self, telegram: TelegramSettings, stack: AsyncExitStack) -> Wire:
        wire = Wire(telegram)
        stack.push_async_callback(wire.close)
        return wire

    async def _kept(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Start a messenger again when it fails; its cursor says where to go on."""
        while True:
            try:
                await work()
            except Exception as error:  # noqa: BLE001 (one failure stays one failure)
                self._log.warning("messenger failed", messenger=name, why=repr(error))
                await self._clock.sleep(_PAUSE_S * (1 + self._clock.jitter()))
