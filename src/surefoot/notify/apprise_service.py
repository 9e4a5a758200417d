"""Services that apprise reaches (Discord, Slack, e-mail, …): an extra, imported when it is used."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from surefoot.core.errors import InvalidValue
from surefoot.notify.digest import chunks
from surefoot.notify.errors import Later
from surefoot.notify.event import Event
from surefoot.notify.settings import AppriseSettings

# Most services take this much in one message.
_TEXT_MAX = 1_800


class AppriseService:
    """One service, by its apprise URL."""

    def __init__(self, settings: AppriseSettings) -> None:
        # Another address is another receiver.
        self.name = f"apprise-{hashlib.sha256(settings.url.reveal().encode()).hexdigest()[:12]}"
        self.kinds = settings.events
        self.least = settings.least
        self._settings = settings
        self._service = _opened(settings.url.reveal())

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
