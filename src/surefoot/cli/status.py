"""`surefoot status`: how everything stands, from the journal."""

from __future__ import annotations

import asyncio
from typing import Any

from msgspec.structs import asdict

from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE, REVIEW
from surefoot.cli.output import say, show_json, show_table
from surefoot.journal.port import Reader
from surefoot.journal.status import BotStatus, StatusDocument, needs_review, read_status


def status(*, options: Options | None = None) -> int:
    """Show bots, positions and the last recovery. Works while the server is down.

    Exits with 3 if something needs review.
    """
    options = options or Options()
    document = asyncio.run(_read(options.reader()))
    if options.json:
        show_json(document)
    else:
        _show(document)
    return REVIEW if needs_review(document) else FINE


async def _read(reader: Reader) -> StatusDocument:
    holder = reader.holder()
    server: dict[str, Any] | None = None if holder is None else asdict(holder)
    try:
        return await read_status(reader, server)
    finally:
        await reader.close()


def _show(document: StatusDocument) -> None:
    troubled = [bot.bot for bot in document.bots if _notes(bot, document) or bot.unsettled]
    if troubled and needs_review(document):
        say(f"NEEDS A LOOK: {', '.join(troubled)}", "bold red")
    server = document.server
    if server is None:
        say("The server is NOT running; this is what it last wrote down.", "bold yellow")
    else:
        say(f"The server runs as process {server['pid']} since {server['since']:%F %T} UTC.")
    recovery = document.recovery
    if recovery is not None:
        counts = ", ".join(f"{n} {what}" for what, n in recovery.positions.items() if n)
        say(
            f"Last recovery {recovery.at:%F %T} UTC: {recovery.outcome} in {recovery.seconds:g} s; "
            f"positions {counts or 'none'}; {recovery.fills_booked} fills booked, "
            f"{recovery.orders_cancelled} orders cancelled.",
        )
    say("")
    columns = (
        "BOT",
        "SYMBOL",
        "STATUS",
        "STATE",
        "QUANTITY",
        "ENTRY",
        "MARK",
        "PNL",
        "STOP",
        "TARGET",
    )
    show_table(columns, [_row(bot) for bot in document.bots])
    for bot in document.bots:
        for note in _notes(bot, document):
            say(f"{bot.bot}: {note}", "bold red")


def _row(bot: BotStatus) -> list[str | None]:
    position = bot.position
    head: list[str | None] = [bot.bot, bot.symbol, bot.status]
    if position is None:
        return [*head, *[None] * 7]
    held = position.quantity != "0"
    return [
        *head,
        "FROZEN" if position.frozen else position.state,
        position.quantity if held else None,
        position.entry_price,
        position.mark_price if held else None,
        position.unrealized_pnl if held else None,
        position.stop_loss,
        position.take_profit,
    ]


def _notes(bot: BotStatus, document: StatusDocument) -> list[str]:
    """Say what is wrong with a bot, and the command that goes on from there."""
    notes = [bot.reason] if bot.reason else []
    if bot.status == "REVIEW":
        failed = document.recovery is not None and document.recovery.outcome == "failed"
        word = "recover" if failed else "resume"
        notes.append(f"it enters nothing; once that is dealt with: surefoot {word} {bot.bot}")
    frozen = [bot.position.id] if bot.position is not None and bot.position.frozen else []
    for name in [*frozen, *bot.unsettled]:
        why = f": {bot.position.frozen}" if bot.position is not None and name in frozen else ""
        notes.append(f"{name} is frozen{why}")
        notes.append(
            f"read `surefoot explain {name}`, look at the exchange, then: "
            f"surefoot resolve {name} --adopt | --flat | --filled QUANTITY@PRICE | --ignore",
        )
    return notes
