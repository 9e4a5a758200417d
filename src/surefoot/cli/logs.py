"""Logs: structlog to stderr, for people or as JSON lines, with every known secret blacked out."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from contextlib import suppress
from functools import partial
from typing import Any, Final, Literal, TextIO, cast

import structlog
from rich.console import Console

from surefoot.config import Settings
from surefoot.engine.voice import Log

_SHORTEST: Final = 6  # shorter "secrets" would black out ordinary words
_LEVELS: Final = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def start_log(
    settings: Settings | None,
    *,
    style: Literal["console", "json"] | None = None,
    level: str | None = None,
    progress: Progress | None = None,
) -> Log:
    """Set logging up once and return the log."""
    chosen = style or (settings.log.format if settings else "console")
    renderer: Any
    if chosen == "json":
        renderer = structlog.processors.JSONRenderer(ensure_ascii=False)
    else:
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), pad_event_to=24)
    lowest = _LEVELS[level or (settings.log.level if settings else "info")]
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _drop_nothings,
            Redactor(partial(secrets_of, settings)),
            *([] if progress is None else [progress]),
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        logger_factory=structlog.PrintLoggerFactory(file=cast("TextIO", _Unfailing())),
        cache_logger_on_first_use=False,
    )
    return cast("Log", structlog.get_logger())


def say_forgotten(loop: asyncio.AbstractEventLoop, log: Log) -> None:
    """Say in a line of ours what the loop would print raw: what failed while nobody waited.

    A library's future that is dropped with its connection is no news: the stream says its end.
    """

    def say(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        what, error = str(context.get("message")), context.get("exception")
        speak = log.debug if what.startswith("Future exception") else log.error
        why = None if error is None else f"{type(error).__name__}: {error}"
        speak("nobody waited for it", what=what, why=why)

    loop.set_exception_handler(say)


def secrets_of(settings: Settings | None) -> tuple[str, ...]:
    """Return every secret of the configuration that was loaded."""
    if settings is None:
        return ()
    found: set[str] = set()
    for account in settings.accounts.values():
        found |= {*account.api_key.loaded, *account.secret.loaded}
        found |= set(_passwords(account.ccxt))
    for each in settings.notify.secrets:
        found |= {*each.loaded}
    return tuple(sorted(each for each in found if len(each) >= _SHORTEST))


def _passwords(table: Mapping[str, Any]) -> Iterable[str]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _passwords(value)
        elif isinstance(value, str) and key in {"password", "privateKey", "token", "twofa"}:
            yield value


class Progress:
    """Shows recovery's steps in one moving line on a terminal; warnings still get their own."""

    def __init__(self, console: Console) -> None:
        self._status = console.status("recovering")
        self._status.start()

    def __call__(
        self, _logger: Any, method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Take information out of the log and put its newest line on the screen."""
        if method not in {"debug", "info"}:
            return event
        facts = " ".join(
            f"{key}={value}" for key, value in event.items() if key not in {"event", "level"}
        )
        self._status.update(f"recovering: {event['event']} {facts}"[:120])
        raise structlog.DropEvent

    def stop(self) -> None:
        """Give the line back."""
        self._status.stop()


def blackened(text: str, secrets: Iterable[str]) -> str:
    """Return a text without these secrets."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


class Redactor:
    """A last line of defence: no field of a log line holds a secret, whatever put it there.

    Asked for each line: keys may be corrected while the server runs.
    """

    def __init__(self, secrets: Callable[[], Iterable[str]]) -> None:
        self._secrets = secrets

    def __call__(
        self, _logger: Any, _method: str, event: MutableMapping[str, Any]
    ) -> MutableMapping[str, Any]:
        """Black secrets out in every field."""
        secrets = tuple(self._secrets())
        return {key: _cleaned(value, secrets) for key, value in event.items()}


def _cleaned(value: Any, secrets: tuple[str, ...]) -> Any:
    match value:
        case str():
            return blackened(value, secrets)
        case Mapping():
            return {key: _cleaned(each, secrets) for key, each in value.items()}
        case list() | tuple():
            return [_cleaned(each, secrets) for each in value]
        case _:
            return value


class _Unfailing:
    """stderr, as far as it takes anything: a full disk or a closed pipe must not stop a server."""

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            sys.stderr.flush()


def _drop_nothings(
    _logger: Any, _method: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {key: value for key, value in event.items() if value is not None}
