"""`surefoot status`: how everything stands, from the journal."""

from __future__ import annotations

import asyncio

from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE, REVIEW
from surefoot.cli.output import say, show_json, show_table
from surefoot.engine.clock import SystemClock
from surefoot.journal.port import Reader
from surefoot.journal.review import ReviewFinding
from surefoot.journal.status import BotStatus, StatusDocument, read_status


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
    return REVIEW if document.review else FINE


async def _read(reader: Reader) -> StatusDocument:
    try:
        return await read_status(reader, now=SystemClock().now())
    finally:
        await reader.close()


def _show(document: StatusDocument) -> None:
    if document.review:
        said = {each.bot or each.account or "" for each in document.review}
        say(f"NEEDS A LOOK: {', '.join(sorted(said))}", "bold red")
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
        "STOP AT",
        "TARGET",
    )
    show_table(columns, [_row(bot) for bot in document.bots])
    for each in document.review:
        _show_finding(each)


def _show_finding(finding: ReviewFinding) -> None:
    about = finding.position or finding.bot or finding.account or ""
    say(f"{about} is {finding.kind}: {finding.true}", "bold red")
    say(f"  {finding.meaning}")
    for action in finding.actions:
        say(f"  {action}")


def _row(bot: BotStatus) -> list[str | None]:
    position = bot.position
    head: list[str | None] = [bot.bot, bot.symbol, bot.status]
    if position is None:
        return [*head, *[None] * 8]
    held = position.quantity != "0"
    return [
        *head,
        "FROZEN" if position.frozen else position.state,
        position.quantity if held else None,
        position.entry_price,
        position.mark_price if held else None,
        position.unrealized_pnl if held else None,
        position.stop_loss,
        position.protection.stop.value if held else None,
        position.take_profit,
    ]
