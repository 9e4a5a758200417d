"""Who is told what: the messengers' part of the configuration, resolved."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Protocol

from surefoot.notify.event import EventKind, Weight


class Secret(Protocol):
    """A value that shows itself only when asked."""

    @property
    def loaded(self) -> tuple[str, ...]:
        """Return it if it was looked for, to be blacked out wherever it appears."""
        ...

    def reveal(self) -> str:
        """Return it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """One receiver of signed JSON."""

    url: Secret
    secret: Secret | None
    events: frozenset[EventKind]
    least: Weight


@dataclass(frozen=True, slots=True, kw_only=True)
class TelegramSettings:
    """One Telegram bot, and the users that it talks to and obeys."""

    token: Secret
    allow: tuple[int, ...]
    least: Weight
    api: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AppriseSettings:
    """One service that apprise reaches, by its URL."""

    url: Secret
    events: frozenset[EventKind]
    least: Weight


@dataclass(frozen=True, slots=True, kw_only=True)
class HeartbeatSettings:
    """An address that is asked for as long as the server is well."""

    url: Secret
    every: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class NotifySettings:
    """All of them; `state` is the plain file of open positions, `mark` begins every message."""

    webhooks: tuple[WebhookSettings, ...] = ()
    telegram: TelegramSettings | None = None
    apprise: tuple[AppriseSettings, ...] = ()
    heartbeat: HeartbeatSettings | None = None
    state: Path | None = None
    mark: str = ""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """Return every token and address."""
        found = [each.url for each in self.webhooks] + [each.url for each in self.apprise]
        found += [each.secret for each in self.webhooks if each.secret is not None]
        found += [self.telegram.token] if self.telegram is not None else []
        found += [self.heartbeat.url] if self.heartbeat is not None else []
        return tuple(found)

    @property
    def wanted(self) -> bool:
        """Tell whether anybody is to be told anything."""
        return bool(self.webhooks or self.telegram or self.apprise or self.heartbeat or self.state)
