"""Webhooks: events as signed JSON, in order, at least once.

A receiver proves where a message comes from by computing, over the bytes of the body,
`hex(HMAC-SHA256(secret, TIMESTAMP + "." + body))` and comparing it with `Surefoot-Signature`; a
timestamp far from its own clock is a replay. Each event's `id` tells one that came twice.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence

import aiohttp
import msgspec

from surefoot.journal.clock import Clock
from surefoot.notify import http
from surefoot.notify.event import Event
from surefoot.notify.settings import WebhookSettings


class Envelope(msgspec.Struct, frozen=True, kw_only=True):
    """The body: events in the order in which they happened."""

    version: int = 1
    events: Sequence[Event]


class Webhook:
    """One receiver."""

    def __init__(
        self, settings: WebhookSettings, session: aiohttp.ClientSession, clock: Clock
    ) -> None:
        # Another address is another receiver.
        self.name = f"webhook-{hashlib.sha256(settings.url.reveal().encode()).hexdigest()[:12]}"
        self.kinds = settings.events
        self.least = settings.least
        self._settings = settings
        self._session = session
        self._clock = clock

    async def deliver(self, told: Sequence[Event]) -> None:
        """Post them in one message."""
        body = msgspec.json.encode(Envelope(events=told))
        stamp = str(int(self._clock.now().timestamp()))
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "surefoot",
            "Surefoot-Timestamp": stamp,
            "Surefoot-Delivery": f"{told[0].id}..{told[-1].id}",
        }
        if self._settings.secret is not None:
            headers["Surefoot-Signature"] = sign(self._settings.secret.reveal(), stamp, body)
        await http.send(self._session, self._settings.url.reveal(), body=body, headers=headers)


def sign(secret: str, stamp: str, body: bytes) -> str:
    """Return the signature of a body sent at a time (whole seconds since 1970)."""
    return hmac.new(secret.encode(), stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
