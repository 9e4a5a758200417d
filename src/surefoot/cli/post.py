"""Posting an operator's command: a durable row, and what became of it.

0 means that it is done, not that it was heard: what is only stored, or only begun, is no success.
"""

from __future__ import annotations

import asyncio
import getpass
import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Final, TypeVar

from msgspec import Struct

from surefoot.cli.findings import UNWATCHED, show_findings
from surefoot.cli.naming import Named, find
from surefoot.cli.options import Options
from surefoot.cli.outcome import FAILED, FINE, REVIEW
from surefoot.cli.output import say, show_json
from surefoot.config import Bot
from surefoot.core.account_records import RecoveryFinished
from surefoot.core.errors import InvalidValue
from surefoot.core.position import State
from surefoot.core.values import AccountName, BotName, plain
from surefoot.engine.clock import SystemClock
from surefoot.journal.commands import EVERYBODY
from surefoot.journal.port import Client, Command, Entry, Reader, account_stream
from surefoot.journal.sentences import sentence
from surefoot.journal.status import read_status

# A command that nobody has carried out by then is void: markets have moved on.
VALID_FOR: Final = timedelta(minutes=10)
_WAIT_S: Final = 15.0
# A recovery reads a lot, and is patient with an exchange that does not answer at once.
_RECOVERY_S: Final = 60.0
# How long health may take to say what a recovery has just made true.
_SETTLE_S: Final = 3.0
_STEP_S: Final = 0.1

T = TypeVar("T")


class _Effect(Struct, frozen=True, kw_only=True):
    """What a command has come to: what to say, and with which exit code."""

    text: str
    code: int


def post(options: Options, kind: str, target: str, arguments: dict[str, str] | None = None) -> int:
    """Store a command, wait until it is done if a server runs, and say what became of it."""
    return asyncio.run(_post(options, kind, target, arguments or {}))


async def _post(options: Options, kind: str, target: str, arguments: dict[str, str]) -> int:
    clock = SystemClock()
    reader = options.reader()
    try:
        bots = options.settings(keys=False).bots
        named = await find(reader, target, bots)
        aim = await _aim(reader, kind, named)
        account = await _account(reader, named, bots)
        before = await _last_recovery(reader, account)
        command = _command(kind, aim, arguments, clock)
        await reader.post(command)
        serving = reader.holder() is not None
        settled = await _verdict(reader, command, clock) if serving else command
        effect = _answered(settled, serving=serving)
        if settled.status == "done" and kind == "close":
            effect = await _closed(reader, aim, named.bot, clock)
        if settled.status == "done" and kind == "recover":
            return await _recovered(options, reader, account, before, clock)
        _say(options, settled, effect)
        return effect.code
    finally:
        await reader.close()


def post_to(options: Options, kind: str, target: str = EVERYBODY) -> int:
    """Store a command that is about more than one bot, and say what became of it."""
    return asyncio.run(_post_to(options, kind, target))


async def _post_to(options: Options, kind: str, target: str) -> int:
    clock = SystemClock()
    reader = options.reader()
    try:
        command = _command(kind, target, {}, clock)
        await reader.post(command)
        serving = reader.holder() is not None
        settled = await _verdict(reader, command, clock) if serving else command
        effect = _answered(settled, serving=serving)
        _say(options, settled, effect)
        return effect.code
    finally:
        await reader.close()


def _command(kind: str, target: str, arguments: dict[str, str], clock: SystemClock) -> Command:
    now = clock.now()
    return Command(
        command_id=f"{kind}-{target}-{secrets.token_hex(6)}",
        kind=kind,
        target=target,
        actor=f"{getpass.getuser()}@{socket.gethostname()}",
        posted_at=now,
        expires_at=now + VALID_FOR,
        arguments=arguments,
    )


async def _aim(reader: Reader, kind: str, named: Named) -> str:
    """Return whom a command is for: a bot, or one of its positions.

    A close is meant for what is held now: not for what is bought before it is carried out.

    Raises:
        InvalidValue: a position is named that is not its bot's current one.
    """
    if kind == "resolve":
        return named.position or named.bot
    current = await reader.position(named.bot)
    now = None if current is None else current.position_id
    if named.position not in {None, now}:
        raise InvalidValue(f"{named.position} is over; {named.bot} has {now} now")
    return now if kind == "close" and now is not None else named.bot


async def _verdict(reader: Reader, command: Command, clock: SystemClock) -> Command:
    """Wait a while for the server to have carried a command out."""

    async def settled() -> Command | None:
        return next(
            (
                each
                for each in await reader.commands()
                if each.command_id == command.command_id and each.status != "posted"
            ),
            None,
        )

    return await _until(settled, _WAIT_S, clock) or command


async def _until(
    question: Callable[[], Awaitable[T | None]], seconds: float, clock: SystemClock
) -> T | None:
    """Ask again and again until there is an answer, or the time is over."""
    until = clock.monotonic() + seconds
    while True:
        answer = await question()
        if answer is not None or clock.monotonic() >= until:
            return answer
        await clock.sleep(_STEP_S)


def _answered(command: Command, *, serving: bool) -> _Effect:
    if command.status == "done":
        word = "Begun" if command.begins else "Done"
        return _Effect(text=f"{word}: {command.result}.", code=FINE)
    if command.status == "refused":
        return _Effect(text=f"Refused: {command.result}", code=FAILED)
    until = f"{command.expires_at:%H:%M:%S} UTC"
    if serving:
        text = f"NOT done yet: the server has not answered. It may still do it, before {until}."
    else:
        text = f"NOT done: no server runs. It is carried out if one starts before {until}."
    return _Effect(text=text, code=FAILED)


# What takes its time -----------------------------------------------------------------------------


async def _closed(reader: Reader, name: str, bot: BotName, clock: SystemClock) -> _Effect:
    """Wait a while until nothing is held any more: a wish to leave is not a sale."""

    async def over() -> str | None:
        now = await reader.position(name)
        return name if now is None or now.state in {State.CLOSED, State.FLAT} else None

    if await _until(over, _WAIT_S, clock):
        return _Effect(text=f"Done: {name} is closed.", code=FINE)
    now = await reader.position(name)
    held = "" if now is None else f", {plain(now.quantity)} {now.base} are still held"
    return _Effect(
        text=f"NOT closed yet{held}. It is tried until it is done: surefoot status {bot}",
        code=FAILED,
    )


async def _account(reader: Reader, named: Named, bots: Mapping[BotName, Bot]) -> AccountName | None:
    """Return a bot's account; one that was never reached has no position that tells it."""
    if named.bot in bots:
        return bots[named.bot].account
    position = await reader.position(named.bot)
    return None if position is None else position.account


async def _last_recovery(reader: Reader, account: AccountName | None) -> Entry | None:
    if account is None:
        return None
    return await reader.last(account_stream(account), "recovery-finished")


async def _recovered(
    options: Options,
    reader: Client,
    account: AccountName | None,
    before: Entry | None,
    clock: SystemClock,
) -> int:
    """Wait until the recovery that was asked for is over, and say what it came to."""

    async def newer() -> Entry | None:
        last = await _last_recovery(reader, account)
        known = 0 if before is None else before.sequence
        return last if last is not None and last.sequence > known else None

    entry = await _until(newer, _RECOVERY_S, clock)
    if entry is None or not isinstance(entry.record, RecoveryFinished):
        say("NOT done yet: it goes on being tried. surefoot status says how it stands.")
        return FAILED

    async def calm() -> bool | None:
        return None if (await read_status(reader, now=clock.now())).review else True

    await _until(calm, _SETTLE_S, clock)
    review = (await read_status(reader, now=clock.now())).review
    if options.json:
        show_json({"report": entry.record, "review": review})
    else:
        say(f"{entry.record.account}: {sentence(entry.record)}")
        show_findings([each for each in review if each.kind != UNWATCHED])
    if entry.record.outcome == "failed":
        return FAILED
    return REVIEW if review else FINE


def _say(options: Options, command: Command, effect: _Effect) -> None:
    if options.json:
        show_json(command)
    else:
        say(effect.text, "green" if effect.code == FINE else "bold red")
