"""`surefoot log`: the audit trail, one record a line."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Final

import msgspec
from cyclopts import Parameter

from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE
from surefoot.cli.output import say
from surefoot.engine.clock import SystemClock
from surefoot.journal.port import Entry, Reader
from surefoot.journal.sentences import sentence

_PAGE: Final = 1_000
_EVERY_S: Final = 0.5


def log(
    *,
    bot: str | None = None,
    follow: Annotated[bool, Parameter(name=["--follow", "-f"], negative="")] = False,
    last: Annotated[int, Parameter(name=["--last", "-n"])] = 0,
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
    options
        Where the configuration is; with --json one document a line.
    """
    options = options or Options()
    asyncio.run(_show(options.reader(), bot, last, follow=follow, as_json=options.json))
    return FINE


async def _show(reader: Reader, bot: str | None, last: int, *, follow: bool, as_json: bool) -> None:
    clock = SystemClock()
    after = max(0, await reader.records() - last) if last and bot is None else 0
    skip = await _count(reader, bot) - last if last and bot is not None else 0
    try:
        while True:
            entries = await reader.entries(after=after, limit=_PAGE)
            for entry in entries:
                after = entry.sequence
                if _wanted(entry, bot):
                    skip -= 1
                    if skip < 0:
                        _print(entry, as_json=as_json)
            if len(entries) < _PAGE:
                if not follow:
                    return
                sys.stdout.flush()
                await clock.sleep(_EVERY_S)
    finally:
        await reader.close()


async def _count(reader: Reader, bot: str | None) -> int:
    after, count = 0, 0
    while entries := await reader.entries(after=after, limit=_PAGE):
        after = entries[-1].sequence
        count += sum(1 for entry in entries if _wanted(entry, bot))
    return count


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
