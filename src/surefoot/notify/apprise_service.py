"""Services that apprise reaches (Discord, Slack, e-mail, …): an extra, imported when it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
from typing import Any

from surefoot.core.errors import InvalidValue
from surefoot.notify.digest import chunks
from surefoot.notify.errors import Later
from surefoot.notify.event import Event, EventKind, Weight
from surefoot.notify.settings import AppriseSettings

# Most services take this much in one message.
_TEXT_MAX = 1_800


class AppriseService:
    """One service, by its apprise URL."""

    def __init__(self, settings: AppriseSettings) -> None:
        self._settings = settings
        self._service = _opened(settings.url.reveal())

    @property
    def name(self) -> str:
        """Return the name of its cursor: another address is another receiver."""
        return f"apprise-{hashlib.sha256(self._settings.url.reveal().encode()).hexdigest()[:12]}"

    @property
    def kinds(self) -> Collection[EventKind]:
        """Return what it wants to hear of."""
        return self._settings.events

    @property
    def least(self) -> Weight:
        """Return from which weight on."""
        return self._settings.least

    async def deliver(self, told: Sequence[Event]) -> None:
        """Send them in as few messages as they fit in; apprise tells failures apart by nothing."""
        for text in chunks(told, limit=_TEXT_MAX):
            if not await self._service.async_notify(title="Surefoot", body=text):
                raise Later("the service did not take it")


def _opened(url: str) -> Any:
    """Return apprise with this service.

    Raises:
        InvalidValue: the extra is not installed, or the URL means nothing to it.
    """
    try:
        import apprise  # noqa: PLC0415 (an extra, and slow to import)
    except ImportError:
        raise InvalidValue(
            'apprise is not installed; run: pip install "surefoot[apprise]"'
        ) from None
    service = apprise.Apprise()
    if not service.add(url):
        raise InvalidValue("apprise does not understand one of the [[apprise]] urls")
    return service
