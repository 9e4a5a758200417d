"""`surefoot status`: how everything stands, from the journal."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterable, Sequence
from contextlib import redirect_stdout, suppress
from decimal import Decimal
from io import StringIO
from typing import Annotated, Final

from cyclopts import Parameter
from msgspec.structs import replace
from typing_extensions import override

from surefoot.cli.findings import show_findings
from surefoot.cli.naming import find
from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE, REVIEW
from surefoot.cli.output import TIE, say, show_json
from surefoot.core.errors import InvalidValue
from surefoot.core.protection import Place
from surefoot.core.values import BotName, counted, plain
from surefoot.engine.clock import SystemClock
from surefoot.journal.port import Reader
from surefoot.journal.standing import NO_SERVER
from surefoot.journal.status import (
    BotStatus,
    HealthStatus,
    PositionStatus,
    RecoveryStatus,
    StatusDocument,
    read_status,
)

WATCH_EVERY_S: Final = 2.0
# Puts the cursor into the corner and wipes what is below.
CLEAR: Final = "\x1b[H\x1b[2J"
_CENTS: Final = 2
_PLACES: Final = {
    Place.EXCHANGE: "at the exchange",
    Place.HERE: "watched here only",
    Place.NONE: "NOT WATCHED",
}


def status(
    bot: str | None = None,
    /,
    *,
    watch: Annotated[bool, Parameter(negative="")] = False,
    options: Options | None = None,
) -> int:
    """Show what wants somebody, bots, positions and the last recovery, also while no server runs.

    Exits with 3 if something wants somebody.

    Parameters
    ----------
    bot
        Only this bot and its orders; the name of its position means the same.
    watch
        Show it again every two seconds, until Ctrl-C.
    options
        Where the configuration is, and how to answer.
    """
    options = options or Options()
    if watch:
        if options.json:
            raise InvalidValue("--json prints one document; --watch is for people")
        with suppress(KeyboardInterrupt):
            asyncio.run(_watch(options, bot))
        return FINE
    document = asyncio.run(_read(options.reader(), bot))
    if options.json:
        show_json(document)
    else:
        show(document, orders=bot is not None)
    return REVIEW if document.review else FINE


async def _watch(options: Options, bot: str | None) -> None:
    """Show it again and again, on a terminal each time in the place of the last."""
    clock = SystemClock()
    while True:
        document = await _read(options.reader(), bot)
        drawn = Drawing(terminal=sys.stdout.isatty())
        with redirect_stdout(drawn):
            show(document, orders=bot is not None)
        # At once: nobody sees half of it, or what is not there for a moment.
        sys.stdout.write(drawn.page(shutil.get_terminal_size().lines))
        sys.stdout.flush()
        await clock.sleep(WATCH_EVERY_S)


class Drawing(StringIO):
    """What is printed, held back; it is as much of a terminal as what it is held back from."""

    def __init__(self, *, terminal: bool) -> None:
        super().__init__()
        self._terminal = terminal

    @override
    def isatty(self) -> bool:
        return self._terminal

    def page(self, height: int) -> str:
        """Return what fits: its beginning, for what wants somebody comes first."""
        lines = self.getvalue().splitlines()
        if not self._terminal:
            return "\n".join(["", *lines, ""])
        # The cursor stands below the last line, and one line says how many are missing.
        room = max(height - 2, 1)
        if len(lines) > room + 1:
            rest = len(lines) - room
            lines = [*lines[:room], f"… {counted(rest, 'line')} more: surefoot status"]
        return CLEAR + "\n".join([*lines, ""])


async def _read(reader: Reader, name: str | None) -> StatusDocument:
    try:
        document = await read_status(reader, now=SystemClock().now())
        if name is None:
            return document
        return only(document, (await find(reader, name)).bot)
    finally:
        await reader.close()


def only(document: StatusDocument, bot: BotName) -> StatusDocument:
    """Return what concerns one bot: itself, its account, and what wants somebody of either."""
    bots = [each for each in document.bots if each.bot == bot]
    accounts = {each.account for each in bots}
    return replace(
        document,
        bots=bots,
        health=[each for each in document.health if each.account in accounts],
        review=[
            each
            for each in document.review
            if each.bot == bot or (each.bot is None and each.account in accounts)
        ],
    )


def show(document: StatusDocument, *, orders: bool = False) -> None:
    """Print a status document: what wants somebody first."""
    show_findings(document.review)
    server = document.server
    if server is None:
        say("The server is NOT running; this is what it last wrote down.", "bold yellow")
    elif server["hangs"]:
        say(f"The server HANGS: end process {server['pid']}, and start it again.", "bold yellow")
    else:
        say(f"The server runs as process {server['pid']} since {server['since']:%F %T} UTC.")
    for account in document.health:
        _show_health(account)
    if document.recovery is not None:
        say(_recovery(document.recovery))
    for title, bots in _groups(document.bots):
        say("")
        say(title, "bold")
        for bot in bots:
            _show_bot(bot, orders=orders)


def _show_health(health: HealthStatus) -> None:
    # Before the first answer of the exchange nobody knows.
    plain = health.environment in {"live", "unknown"}
    simulated = "" if plain else f" ({health.environment.upper()})"
    # `halted` is the engine's word; where there is none, nobody watches, and that is all.
    how = "not watched" if health.why == NO_SERVER else health.state
    parts = [f"{health.account}{simulated} is {how} since {health.since:%F %T} UTC"]
    if health.why:
        parts.append(health.why.rstrip("."))  # an exchange may end its own words with one
    if health.attempt:
        parts.append(f"tried {counted(health.attempt, 'time')}")
    if health.next_try:
        parts.append(f"the next try is at {health.next_try:%T}")
    well = health.state == "ok"
    say(f"Account {'; '.join(parts)}.", "green" if well else "bold yellow")


def _recovery(recovery: RecoveryStatus) -> str:
    counts = ", ".join(f"{n} {what}" for what, n in recovery.positions.items() if n)
    return (
        f"Last recovery {recovery.at:%F %T} UTC: {recovery.outcome} in {recovery.seconds:g} s; "
        f"positions: {counts or 'none'}; {counted(recovery.fills_booked, 'fill')} booked, "
        f"{counted(recovery.orders_cancelled, 'order')} cancelled."
    )


def _groups(bots: Sequence[BotStatus]) -> Iterable[tuple[str, list[BotStatus]]]:
    """Group bots by what they do and why: thirty with one trouble are one trouble.

    Who is frozen does not run, whatever it was told to.
    """
    groups: dict[tuple[str, str | None], list[BotStatus]] = {}
    for bot in bots:
        frozen = None if bot.position is None else bot.position.frozen
        key = (bot.status, bot.reason) if frozen is None else ("FROZEN", frozen)
        groups.setdefault(key, []).append(bot)
    for (word, reason), group in sorted(groups.items(), key=lambda each: each[0][0] == "RUNNING"):
        why = f": {reason}" if reason else ""
        yield f"{word}, {counted(len(group), 'bot')}{why}", group


def _show_bot(bot: BotStatus, *, orders: bool) -> None:
    position = bot.position
    if position is None:
        say(f"{bot.bot}  has not begun", indent="  ")
        return
    say(f"{bot.bot}  {bot.symbol}  {position.state}{_gain(bot, position)}", indent="  ")
    if position.quantity != "0":
        say(f"{_holding(bot, position)}; {_levels(position)}", _colour(position), indent="    ")
    elif bot.waits_for is not None:
        say(f"waits for: {bot.waits_for}", indent="    ")
    if position.quantity == "0" and bot.refused is not None and bot.refused_at is not None:
        say(f"refused at {bot.refused_at:%F %T} UTC, {bot.refused}", indent="    ")
    if orders and position.orders_not_shown:
        many = counted(position.orders_not_shown, "earlier order")
        say(f"{many} not shown: `surefoot export orders` has them", indent="    ")
    for order in position.orders if orders else ():
        price = order.trigger or order.limit or "the market"
        say(
            f"{order.role} {order.side} {order.quantity} at {price}: {order.status}, "
            f"{order.filled} filled ({order.client_order_id})",
            indent="    ",
        )


def _gain(bot: BotStatus, position: PositionStatus) -> str:
    gain = position.unrealized_pnl
    if gain is None or position.quantity == "0":
        return ""
    quote = (bot.symbol or "").partition("/")[2]
    return f"  {'' if gain.startswith('-') else '+'}{money(gain)}{TIE}{quote}"


def _holding(bot: BotStatus, position: PositionStatus) -> str:
    base = (bot.symbol or "").partition("/")[0]
    now = "" if position.mark_price is None else f", now{TIE}{position.mark_price}"
    return f"{position.quantity}{TIE}{base} at{TIE}{_average(position)}{now}"


def _average(position: PositionStatus) -> str | None:
    """Cut the average of what was paid to the digits that prices of its market have."""
    asked = (price for each in position.orders for price in (each.limit, each.trigger))
    prices = (position.mark_price, *asked)
    digits = max((len(each.partition(".")[2]) for each in prices if each), default=None)
    if position.entry_price is None or digits is None:
        return position.entry_price
    average = Decimal(position.entry_price)
    # A price is shown without the noughts at its end: five figures are left in any case.
    return plain(round(average, max(digits, 4 - average.adjusted())))


def _levels(position: PositionStatus) -> str:
    kept = position.protection
    stop = _level("stop", position.stop_loss, _stop_kept(position))
    target = _level("target", position.take_profit, _PLACES[kept.take_profit])
    return f"{stop}; {target}"


def _level(name: str, price: str | None, where: str) -> str:
    return f"no {name}" if price is None else f"{name}{TIE}{price} {where}"


def _stop_kept(position: PositionStatus) -> str:
    """Say where the stop is kept, and what of that is not all of it, or not yet its level."""
    kept = position.protection
    where, resting = _PLACES[kept.stop], kept.resting
    if resting is None:
        return where
    moved = resting.trigger not in {None, position.stop_loss}
    at = f" at{TIE}{resting.trigger}" if moved else ""
    if kept.rest is kept.stop:
        return f"{where}{at}"
    part = f"for {resting.quantity} of{TIE}{position.quantity}"
    return f"{where}{at} {part}, the rest {_PLACES[kept.rest]}"


def _colour(position: PositionStatus) -> str | None:
    bare = position.stop_loss is not None and position.protection.rest is Place.NONE
    return "bold red" if bare else None


def money(amount: str) -> str:
    """Cut a result to cents, or to the two first digits of less; the document has every digit."""
    whole, point, digits = amount.partition(".")
    zeros = len(digits) - len(digits.lstrip("0"))
    little = whole.lstrip("-") == "0" and _CENTS <= zeros < len(digits)
    enough = zeros + _CENTS if little else _CENTS
    return f"{whole}{point}{digits[:enough]}"
