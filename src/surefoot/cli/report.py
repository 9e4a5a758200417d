"""`surefoot report`: what somebody who helps needs to see, in one file that is safe to paste.

What goes in is chosen by name; what might be a secret is then blacked out wherever it stands: what
the configuration and its files hold, the dashboard's tokens, whatever in the environment is called
a key, and whose account it is.
"""

from __future__ import annotations

import asyncio
import os
import re
import socket
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, urlsplit

import msgspec

from surefoot.cli.doctor import examine, files, versions
from surefoot.cli.logs import blackened
from surefoot.cli.options import Options
from surefoot.cli.outcome import FAILED, FINE
from surefoot.cli.output import say
from surefoot.cli.web import shown
from surefoot.config import Settings
from surefoot.core.account_records import AccountBound
from surefoot.core.values import one_line
from surefoot.engine.clock import SystemClock
from surefoot.journal import journal_exists
from surefoot.journal.port import Client, account_stream
from surefoot.journal.sentences import sentence
from surefoot.journal.status import read_status
from surefoot.web import Keys, Scope, token_file

NEWEST: Final = 300
_CALLED_SECRET: Final = re.compile(
    r"key|secret|token|pass|login|twofa|auth|credential", re.IGNORECASE
)
_SHORTEST: Final = 6


def report(to: Path = Path("surefoot-report.txt"), /, *, options: Options | None = None) -> int:
    """Write what somebody who helps needs to see into one file that is safe to paste.

    Versions, this machine, the configuration without its keys, `status`, and the newest records.
    Every secret that can be found is blacked out; look through it before you send it all the same.

    Parameters
    ----------
    to
        The file; one that exists is not overwritten.
    options
        Where the configuration is.
    """
    options = options or Options()
    settings = options.settings(keys=False)
    text = asyncio.run(_bundle(settings, options))
    try:
        file = os.open(to, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError as error:
        say(f"{to} cannot be written: {error.strerror}", "bold red")
        return FAILED
    try:
        with os.fdopen(file, "w", encoding="utf-8") as output:
            output.write(text)
    except OSError as error:
        to.unlink()  # a part of it helps nobody, and would be in the way of the next
        say(f"{to} cannot be written: {error.strerror}", "bold red")
        return FAILED
    say(f"Written to {to}. It holds no key that I know of; look through it before you send it.")
    return FINE


async def _bundle(settings: Settings, options: Options) -> str:
    parts = [f"# Surefoot report, {SystemClock().now():%F %T} UTC"]
    secrets = {*_secrets(options.config, os.environ), *_tokens(settings)}
    parts += _section("Versions", _listed(versions().items()))
    said = [
        f"{'ok ' if each.well else 'BAD'} {each.what}: {each.said}" for each in examine(settings)
    ]
    parts += _section("This machine", said)
    parts += _section("Configuration", [_json(shown(settings))])
    sizes = ((each.name, f"{each.stat().st_size} bytes") for each in files(settings))
    parts += _section("Files", _listed(sizes))
    if journal_exists(settings.journal_url, settings.directory):
        reader = options.reader()
        try:
            secrets |= {uid async for uid in _uids(reader)}
            parts += await _journal(reader)
        finally:
            await reader.close()
    return _blackened("\n".join(parts) + "\n", secrets)


async def _journal(reader: Client) -> Iterable[str]:
    document = await read_status(reader, now=SystemClock().now())
    newest = await reader.newest(NEWEST)
    lines = [f"{e.sequence} {e.at:%F %T} {e.stream}: {sentence(e.record)}" for e in newest]
    return [
        *_section("Status", [_json(document)]),
        *_section(f"The newest {len(lines)} records", [one_line(line) for line in lines]),
    ]


async def _uids(reader: Client) -> Any:
    for account in await reader.accounts():
        entry = await reader.last(account_stream(account), "account-bound")
        if entry is not None and isinstance(entry.record, AccountBound):
            yield entry.record.uid


def _section(title: str, lines: Iterable[str]) -> list[str]:
    return ["", f"## {title}", "", *lines]


def _listed(pairs: Iterable[tuple[str, str]]) -> list[str]:
    return [f"{name}: {what}" for name, what in pairs]


def _json(value: Any) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=1).decode()


# What must not be in it --------------------------------------------------------------------------


def _blackened(text: str, secrets: Iterable[str]) -> str:
    """Black secrets out, also as an address or a JSON text would write them."""
    known = {each for each in secrets if len(each) >= _SHORTEST}
    known |= {quote(each, safe="") for each in known} | {_json(each)[1:-1] for each in known}
    text = blackened(text, sorted(known, key=len, reverse=True))
    for name, instead in ((str(Path.home()), "~"), (socket.gethostname(), "this-machine")):
        if len(name) >= _SHORTEST:
            text = text.replace(name, instead)
    return text


def _tokens(settings: Settings) -> Iterator[str]:
    if settings.journal_path is not None and token_file(settings.journal_path).exists():
        keys = Keys(token_file(settings.journal_path))
        yield from (keys.token(scope) for scope in Scope)


def _secrets(config: Path, environment: Mapping[str, str]) -> Iterator[str]:
    """Yield what the configuration holds or points at, however wrong the rest of it is."""
    yield from (value for name, value in environment.items() if _CALLED_SECRET.search(name))
    addresses = re.compile(r"SUREFOOT__.*URL")
    yield from (value for name, value in environment.items() if addresses.fullmatch(name))
    found = tomllib.loads(config.read_text(encoding="utf-8"))
    for key, text in _texts(found, ""):
        kind, _, name = text.partition(":")
        if kind == "env":
            yield environment.get(name, "")
        elif kind == "file":
            yield _content(config.parent / Path(name).expanduser())
        elif _CALLED_SECRET.search(key) or key == "url":
            yield text
        if "://" in text:
            yield from _of_address(text)


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    match value:
        case dict():
            for name, each in value.items():
                yield from _texts(each, name)
        case list():
            for each in value:
                yield from _texts(each, key)
        case str():
            yield key, value
        case _:
            return


def _of_address(text: str) -> Iterator[str]:
    """Yield the user and the password of an address, and what its query says."""
    try:
        parts = urlsplit(text)
    except ValueError:
        return
    yield from (each for each in (parts.username, parts.password, parts.query) if each)


def _content(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        return ""
