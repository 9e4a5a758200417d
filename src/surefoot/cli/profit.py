"""`surefoot profit`: what the bots earned, and the proof that it adds up."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final, Literal

from cyclopts import Parameter
from msgspec import Struct

from surefoot import app
from surefoot.cli.naming import find
from surefoot.cli.on_paper import reached
from surefoot.cli.options import Options
from surefoot.cli.outcome import FAILED, FINE, REVIEW
from surefoot.cli.output import say, show_json, show_table, wrapped
from surefoot.config import Settings
from surefoot.core.account_records import AccountBound
from surefoot.core.errors import InvalidValue
from surefoot.core.order import Role
from surefoot.core.position import Position
from surefoot.core.values import AccountName, Asset, PositionId, plain
from surefoot.engine.clock import SystemClock
from surefoot.journal import open_browser, open_reader
from surefoot.journal.ledger import Line, differs, lines
from surefoot.journal.port import Reader, account_stream, entries_of, position_stream
from surefoot.journal.profit import KEYS, Figures, Outcome, grouped

_WIDTH: Final = 80
_COLUMNS: Final = ("TRADES", "WON", "PROFIT", "A TRADE", "DRAWDOWN", "HELD")
# A proof wants belief and balance of one moment; a server that trades is asked again.
_TRIES: Final = 5


def profit(
    *,
    by: Literal["bot", "symbol", "account", "day", "week", "month"] = "bot",
    bot: str | None = None,
    since: datetime | None = None,
    check: Annotated[bool, Parameter(negative="")] = False,
    options: Options | None = None,
) -> int:
    """Show what finished trades brought.

    With --check every account is asked what it holds now, and what it had at the first start, what
    the bots earned and what they hold at cost is set against it. What remains is not the bots'
    doing: deposits, withdrawals, your own trades. If anything remains the exit code is 3.

    Parameters
    ----------
    by
        What to add up by.
    bot
        Only this bot.
    since
        Only what was closed since then (UTC).
    check
        Prove that it adds up, asset by asset.
    options
        Where the configuration is, and how to answer.
    """
    options = options or Options()
    if check:
        return _check(options)
    settings = options.settings(keys=False)
    outcomes = asyncio.run(_outcomes(settings, bot))
    if since is not None:
        since = since.replace(tzinfo=since.tzinfo or UTC)
        outcomes = [each for each in outcomes if each.at >= since]
    rows = grouped(outcomes, KEYS[by])
    total = grouped(outcomes, lambda _: "all")
    if options.json:
        show_json({"by": by, "rows": rows, "total": total})
    else:
        _show(by, rows, total)
    return FINE


async def _outcomes(settings: Settings, bot: str | None) -> list[Outcome]:
    reader = open_browser(settings.journal_url, settings.directory)
    try:
        named = None if bot is None else (await find(reader, bot, settings.bots)).bot
        found = await reader.outcomes(after=0, upto=await reader.records())
        return [each for each in found if named is None or each.bot == named]
    finally:
        await reader.close()


def _show(by: str, rows: Sequence[Figures], total: Sequence[Figures]) -> None:
    if not rows:
        say("No trade is finished yet.")
        return
    cells = [_cells(each) for each in (*rows, *total)]
    heads = (by.upper(), *_COLUMNS)
    widths = [max(len(row[k]) for row in (heads, *cells)) for k in range(len(heads))]
    if sum(widths) + 2 * len(widths) <= _WIDTH:
        show_table(heads, cells)
    else:  # A number that is broken says something else: the name has a line of its own.
        for name, *numbers in cells:
            say(name)
            figures = zip(_COLUMNS, numbers, strict=True)
            text = ", ".join(f"{head.lower()} {number}" for head, number in figures)
            for line in wrapped(text, _WIDTH - 2):
                say(line, indent="  ")
    for each in total:
        fees = ", ".join(f"{_short(fee)} {asset}" for asset, fee in sorted(each.fees.items()))
        best, worst = _short(each.best), _short(each.worst)
        say(f"{each.quote}: fees {fees or 'none'}; best {best}, worst {worst}.")


def _cells(each: Figures) -> tuple[str, ...]:
    return (
        each.name,
        str(each.trades),
        f"{each.win_rate:.0%}",
        f"{_short(each.pnl)} {each.quote}",
        _short(each.expectancy),
        _short(each.drawdown),
        _long(each.held_seconds),
    )


def _short(amount: Decimal) -> str:
    """Return an amount in as many digits as a person reads; --json has them all."""
    digits = Decimal("0.0001") if abs(amount) >= Decimal("0.01") else Decimal("0.00000001")
    return plain(amount.quantize(digits))


def _long(seconds: int) -> str:
    lasting = timedelta(seconds=seconds)
    hours, minutes = divmod(lasting.seconds // 60, 60)
    if lasting.days:
        return f"{lasting.days}d {hours}h"
    return f"{hours}h {minutes}m" if hours else f"{minutes}m {lasting.seconds % 60}s"


# The proof ---------------------------------------------------------------------------------------


class Proof(Struct, frozen=True, kw_only=True):
    """What one account comes to; `wrong` are positions that do not follow from their trades."""

    account: AccountName
    lines: tuple[Line, ...]
    wrong: tuple[str, ...]
    under_way: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Tell whether everything is explained, to the last digit."""
        return not any(line.unexplained for line in self.lines)


def _check(options: Options) -> int:
    proofs = asyncio.run(_proofs(options.settings(keys=True)))
    if options.json:
        show_json(proofs)
    else:
        for proof in proofs:
            _show_proof(proof)
    if any(proof.wrong for proof in proofs):
        return FAILED
    return FINE if all(proof.holds for proof in proofs) else REVIEW


async def _proofs(settings: Settings) -> list[Proof]:
    reader = open_reader(settings.journal_url, settings.directory)
    try:
        for _ in range(_TRIES):
            before = await reader.records()
            found = [await _recounted(reader, name) for name in await reader.position_ids()]
            async with reached(settings, SystemClock(), changing=True) as placed:
                now = await app.balances(placed)
            if await reader.records() == before:
                return [await _proof(reader, name, found, each) for name, each in now.items()]
    finally:
        await reader.close()
    raise InvalidValue("the bots trade while this is counted; look again in a moment")


async def _recounted(reader: Reader, name: PositionId) -> tuple[Position, str | None]:
    """Return a position, and what its trades say otherwise, counted by its records alone."""
    position = await reader.position(name)
    if position is None:
        raise InvalidValue(f"{name} is listed, and not there; surefoot repair")
    records = [entry.record async for entry in entries_of(reader, position_stream(name))]
    return position, differs(position, records)


async def _proof(
    reader: Reader,
    account: AccountName,
    found: Sequence[tuple[Position, str | None]],
    now: Mapping[Asset, Decimal],
) -> Proof:
    of_account = [(each, wrong) for each, wrong in found if each.account == account]
    entry = await reader.last(account_stream(account), "account-bound")
    bound = None if entry is None else entry.record
    start = bound.balances if isinstance(bound, AccountBound) else {}
    return Proof(
        account=account,
        lines=lines([each for each, _ in of_account], start, now),
        wrong=tuple(wrong for _, wrong in of_account if wrong is not None),
        under_way=tuple(
            order.client_order_id
            for each, _ in of_account
            for order in each.orders
            if not order.finished and order.role is not Role.STOP
        ),
    )


def _show_proof(proof: Proof) -> None:
    for wrong in proof.wrong:
        say(f"WRONG: {wrong}; please report this", "bold red")
    for line in proof.lines:
        say(f"{proof.account}, {line.asset}")
        figures = (
            ("at the first start", line.start),
            ("profit", line.profit),
            ("fees that no profit contains", -line.fees),
            ("held, at cost", line.held),
            ("makes", line.expected),
            ("the account has", line.now),
            ("not explained by the bots", line.unexplained),
        )
        amounts = [f"{plain(amount):>24}" for _, amount in figures]
        for (what, _), amount in zip(figures, amounts, strict=True):
            say(f"{what:<30}{amount}", indent="  ")
        if line.written_off:
            say(f"of which written off: {plain(line.written_off)}", indent="  ")
    if proof.under_way:
        say(f"Under way: {', '.join(proof.under_way)}; what it trades now is not counted.")
    if proof.holds:
        say(f"{proof.account}: every cent is explained.", "green")
    else:
        say(
            f"{proof.account}: what is not explained is none of the bots' doing: deposits, "
            f"withdrawals, your own trades, interest, or coins that were written off and are there."
        )
