"""Everybody who is told, with the connections to them; opened and closed as a whole."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import aiohttp

from surefoot.journal.clock import Clock
from surefoot.notify import http
from surefoot.notify.apprise_service import AppriseService
from surefoot.notify.courier import Destination
from surefoot.notify.settings import NotifySettings
from surefoot.notify.telegram import Chat, Wire
from surefoot.notify.webhook import Webhook


@dataclass(frozen=True, slots=True, kw_only=True)
class People:
    """Whom the settings name; `wire` leads to Telegram, `session` to every other address."""

    destinations: Sequence[Destination]
    session: aiohttp.ClientSession
    wire: Wire | None


async def reach(settings: NotifySettings, clock: Clock, stack: AsyncExitStack) -> People:
    """Get ready to reach everybody; nobody is asked anything yet.

    Raises:
        InvalidValue: an extra is missing, or a token or address cannot be one.
    """
    session = await stack.enter_async_context(http.session())
    found: list[Destination] = [Webhook(each, session, clock) for each in settings.webhooks]
    found += [AppriseService(each) for each in settings.apprise]
    wire = None
    if settings.telegram is not None:
        wire = Wire(settings.telegram)
        stack.push_async_callback(wire.close)
        found += [Chat(user, wire, settings.telegram.least) for user in settings.telegram.allow]
    return People(destinations=found, session=session, wire=wire)
