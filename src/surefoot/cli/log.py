"""`surefoot log`: the audit trail, one record a line."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter, validators

from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE
from surefoot.cli.output import say
from surefoot.core.values import BotName
from surefoot.engine.clock import SystemClock
from surefoot.journal.port import Entry, Reader
from surefoot.journal.sentences import sentence

_PAGE: Final = 1_000
_LAST: Final = 100
_EVERY_S: Final = 0.5


def log(
    *,
    bot: str | None = None,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    last: Annotated[
        int, Parameter(name=["--last", "-n"], validator=validators.Number(gte=0))
    ] = _LAST,
    all_: Annotated[bool, Parameter(name="--all", negative="")] = False,
    options: Options | None = None,
) -> int:
    """Show what was written down: every intent, answer, fill and change of state.

    Parameters
    ----------
    bot
        Only this bot and its positions.
    follow
        Go on with what is written from now on.
    last
        Only the last so many records; 0 means all.
    all_
        Everything from the beginning.
    options
        Where the configuration is; with --json one document a line.
    """
    options = options or Options()
    count = 0 if all_ else last
    asyncio.run(_show(options.reader(), bot, count, follow=follow, as_json=options.json))
    return FINE


async def _show(reader: Reader, bot: str | None, last: int, *, follow: bool, as_json: bool) -> None:
    try:
        after = await _tail(reader, bot, last, as_json=as_json) if last else 0
        if not last or follow:
            await _go_on(reader, bot, after, follow=follow, as_json=as_json)
    finally:
        await reader.close()


async def _tail(reader: Reader, bot: str | None, last: int, *, as_json: bool) -> int:
    """Print the newest records, say so, and return where to go on."""
    after = await reader.records()
    entries = await reader.newest(last, bot=None if bot is None else BotName(bot))
    if len(entries) == last and entries[0].sequence > 1:
        whose = "" if bot is None else f" of {bot}"
        sys.stderr.write(f"The last {last} records{whose}; --all shows everything.\n")
    for entry in entries:
        _print(entry, as_json=as_json)
        after = max(after, entry.sequence)
    return after


async def _go_on(
    reader: Reader, bot: str | None, after: int, *, follow: bool, as_json: bool
) -> None:
    clock = SystemClock()
    while True:
        entries = await reader.entries(after=after, limit=_PAGE)
        for entry in entries:
            after = entry.sequence
            if _wanted(entry, bot):
                _print(entry, as_json=as_json)
        if len(entries) < _PAGE:
            if not follow:
                return
            sys.stdout.flush()
            await clock.sleep(_EVERY_S)


def _wanted(entry: Entry, bot: str | None) -> bool:
    if bot is None:
        return True
    kind, _, name = entry.stream.partition("/")
    return name == bot if kind == "bot" else kind == "position" and name.rpartition("-")[0] == bot


def _print(entry: Entry, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode(entry).decode() + "\n")
        return
    where = entry.stream.partition("/")[2]
    at = f"{entry.at:%F %T}.{entry.at.microsecond // 1000:03}"
    say(f"{entry.sequence:>6}  {at}  {where}: {sentence(entry.record)}")
