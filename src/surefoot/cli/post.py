"""Posting an operator's command: a durable row, and what became of it."""

from __future__ import annotations

import asyncio
import getpass
import secrets
import socket
from datetime import timedelta
from typing import Final

from surefoot.cli.options import Options
from surefoot.cli.outcome import FAILED, FINE
from surefoot.cli.output import say, show_json
from surefoot.engine.clock import SystemClock
from surefoot.journal.port import Command, Reader

# A command that nobody has carried out by then is void: markets have moved on.
VALID_FOR: Final = timedelta(minutes=10)
_WAIT_S: Final = 15.0
_STEP_S: Final = 0.1


def post(options: Options, kind: str, target: str, arguments: dict[str, str] | None = None) -> int:
    """Store a command, wait for its verdict if a server runs, and say what became of it."""
    return asyncio.run(_post(options, kind, target, arguments or {}))


async def _post(options: Options, kind: str, target: str, arguments: dict[str, str]) -> int:
    clock = SystemClock()
    reader = options.reader()
    try:
        now = clock.now()
        command = Command(
            command_id=f"{kind}-{target}-{secrets.token_hex(6)}",
            kind=kind,
            target=target,
            actor=f"{getpass.getuser()}@{socket.gethostname()}",
            posted_at=now,
            expires_at=now + VALID_FOR,
            arguments=arguments,
        )
        await reader.post(command)
        serving = reader.holder() is not None
        settled = await _verdict(reader, command, clock) if serving else command
        return _answer(options, settled, serving=serving)
    finally:
        await reader.close()


async def _verdict(reader: Reader, command: Command, clock: SystemClock) -> Command:
    """Wait a while for the server to have carried a command out."""
    until = clock.monotonic() + _WAIT_S
    while clock.monotonic() < until:
        for each in await reader.commands():
            if each.command_id == command.command_id and each.status != "posted":
                return each
        await clock.sleep(_STEP_S)
    return command


def _answer(options: Options, command: Command, *, serving: bool) -> int:
    if options.json:
        show_json(command)
    elif command.status == "done":
        say(f"Done: {command.result}.", "green")
    elif command.status == "refused":
        say(f"Refused: {command.result}", "bold red")
    elif serving:
        say("Stored; the server has not carried it out yet. Its log will say when.")
    else:
        until = f"{command.expires_at:%H:%M:%S} UTC"
        say(f"Stored, but no server runs: it is carried out if one starts before {until}.")
    return FAILED if command.status == "refused" else FINE
