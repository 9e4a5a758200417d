"""`surefoot log`: the audit trail, one record a line."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterable
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter, validators

from surefoot.cli.naming import Named, find
from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE
from surefoot.cli.output import say
from surefoot.engine.clock import SystemClock
from surefoot.journal.port import Entry, Reader, position_stream
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
        Only this bot and its positions, or only this position.
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
    configured = options.settings(keys=False).bots if bot is not None else ()
    asyncio.run(
        _show(options.reader(), bot, count, configured, follow=follow, as_json=options.json)
    )
    return FINE


async def _show(
    reader: Reader,
    name: str | None,
    last: int,
    configured: Iterable[str] = (),
    *,
    follow: bool,
    as_json: bool,
) -> None:
    try:
        named = None if name is None else await find(reader, name, configured)
        whole = named is None or named.position is None
        after = await _tail(reader, named, last, as_json=as_json) if last and whole else 0
        if not last or follow or not whole:
            await _go_on(reader, named, after, follow=follow, as_json=as_json)
    finally:
        await reader.close()


async def _tail(reader: Reader, named: Named | None, last: int, *, as_json: bool) -> int:
    """Print the newest records, say so, and return where to go on."""
    after = await reader.records()
    entries = await reader.newest(last, bot=None if named is None else named.bot)
    if len(entries) == last and entries[0].sequence > 1:
        whose = "" if named is None else f" of {named.bot}"
        sys.stderr.write(f"The last {last} records{whose}; --all shows everything.\n")
    for entry in entries:
        _print(entry, as_json=as_json)
        after = max(after, entry.sequence)
    return after


async def _go_on(
    reader: Reader, named: Named | None, after: int, *, follow: bool, as_json: bool
) -> None:
    clock = SystemClock()
    position = None if named is None else named.position
    stream = None if position is None else position_stream(position)
    while True:
        entries = await reader.entries(stream=stream, after=after, limit=_PAGE)
        for entry in entries:
            after = entry.sequence
            if _wanted(entry, named):
                _print(entry, as_json=as_json)
        if len(entries) < _PAGE:
            if not follow:
                return
            sys.stdout.flush()
            await clock.sleep(_EVERY_S)


def _wanted(entry: Entry, named: Named | None) -> bool:
    if named is None:
        return True
    if named.position is not None:
        return True  # Nothing else was read.
    kind, _, name = entry.stream.partition("/")
    bot = name.rpartition("-")[0] if kind == "position" else name
    return kind in {"bot", "position"} and bot == named.bot


def _print(entry: Entry, *, as_json: bool) -> None:
    if as_json:
        sys.stdout.write(msgspec.json.encode(entry).decode() + "\n")
        return
    where = entry.stream.partition("/")[2]
    at = f"{entry.at:%F %T}.{entry.at.microsecond // 1000:03}"
    say(f"{entry.sequence:>6}  {at}  {where}: {sentence(entry.record)}")
