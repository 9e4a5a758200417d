"""Who is told what: the messengers' tables, with their tokens and addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from surefoot.config.document import Document, TelegramTable
from surefoot.config.problems import KeyPath, dotted
from surefoot.config.secret import Secret, resolve
from surefoot.core.errors import InvalidValue
from surefoot.notify.event import EventKind, Weight
from surefoot.notify.settings import (
    AppriseSettings,
    HeartbeatSettings,
    NotifySettings,
    TelegramSettings,
    WebhookSettings,
)


def read_messengers(
    tables: Document, *, environment: Mapping[str, str] | None, directory: Path
) -> tuple[NotifySettings, list[str]]:
    """Return the messengers, and what is wrong with their tokens and addresses.

    Without an environment none is looked for.
    """
    found = _Found(environment, directory)
    notify = NotifySettings(
        telegram=None if tables.telegram is None else _telegram(tables.telegram, found),
        webhooks=tuple(
            WebhookSettings(
                url=found.address(each.url, ("webhooks", str(place), "url")),
                secret=None
                if each.secret is None
                else found.token(each.secret, ("webhooks", str(place), "secret")),
                events=_kinds(each.events),
                least=Weight(each.least),
            )
            for place, each in enumerate(tables.webhooks)
        ),
        apprise=tuple(
            AppriseSettings(
                url=found.address(each.url, ("apprise", str(place), "url")),
                events=_kinds(each.events),
                least=Weight(each.least),
            )
            for place, each in enumerate(tables.apprise)
        ),
        heartbeat=None
        if tables.heartbeat is None
        else HeartbeatSettings(
            url=found.address(tables.heartbeat.url, ("heartbeat", "url")),
            every=tables.heartbeat.every,
        ),
        state=None if tables.state is None else directory / tables.state.file,
        mark="PAPER: " if any(each.paper for each in tables.accounts.values()) else "",
    )
    return notify, found.problems


def _telegram(table: TelegramTable, found: _Found) -> TelegramSettings:
    return TelegramSettings(
        token=found.token(table.token, ("telegram", "token")),
        allow=tuple(dict.fromkeys(table.allow)),
        least=Weight(table.least),
        api=table.api,
    )


def _kinds(names: Sequence[str]) -> frozenset[EventKind]:
    return frozenset(EventKind(name) for name in names) or frozenset(EventKind)


class _Found:
    """Finds tokens and addresses, and collects what is wrong with them."""

    def __init__(self, environment: Mapping[str, str] | None, directory: Path) -> None:
        self._environment = environment
        self._directory = directory
        self.problems: list[str] = []

    def token(self, text: str, path: KeyPath) -> Secret:
        """Return a token; it is never written into the file."""
        return Secret(self._resolved(text, path, literal=False))

    def address(self, text: str, path: KeyPath) -> Secret:
        """Return an address; many hold a token, so none is shown."""
        return Secret(self._resolved(text, path, literal=True))

    def _resolved(self, text: str, path: KeyPath, *, literal: bool) -> str | None:
        if self._environment is None:
            return None
        try:
            return resolve(
                text,
                environment=self._environment,
                directory=self._directory,
                allow_literal=literal,
            )
        except InvalidValue as error:
            self.problems.append(f"{dotted(path)}: {error}")
            return None
