"""`surefoot explain`: the life of one position, record by record, in sentences."""

from __future__ import annotations

import asyncio

from surefoot.cli.naming import find
from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE, Failed
from surefoot.cli.output import say, show_json
from surefoot.core.position import Position
from surefoot.core.values import plain
from surefoot.journal.port import Entry, Reader, entries_of, position_stream
from surefoot.journal.sentences import sentence
from surefoot.journal.signs import Remark
from surefoot.journal.status import position_status


def explain(position: str, *, options: Options | None = None) -> int:
    """Tell the life of one position.

    Parameters
    ----------
    position
        The position's id, such as dip-btc-1; a bot's name means its newest one.
    options
        Where the configuration is, and how to answer.
    """
    options = options or Options()
    found, entries, remark = asyncio.run(_read(options.reader(), position))
    if options.json:
        show_json(entries)
        return FINE
    say(f"{found.position_id}: {found.symbol}, bot {found.bot}, account {found.account}", "bold")
    for entry in entries:
        say(f"  {entry.at:%F %T}.{entry.at.microsecond // 1000:03}  {sentence(entry.record)}")
    say(_ending(found), "bold")
    if remark is not None and remark.refused is not None and remark.refused_at is not None:
        say(f"Its last signal was refused at {remark.refused_at:%F %T} UTC, {remark.refused}.")
    return FINE


async def _read(reader: Reader, name: str) -> tuple[Position, tuple[Entry, ...], Remark | None]:
    try:
        named = await find(reader, name)
        found = await reader.position(named.position or named.bot)
        if found is None:
            raise Failed(f"{named.bot} has no position yet")
        stream = position_stream(found.position_id)
        entries = tuple([entry async for entry in entries_of(reader, stream)])
        newest = await reader.position(found.bot)
        current = newest is not None and newest.position_id == found.position_id
        remark = (await reader.signs()).remarks.get(found.bot) if current else None
        return found, entries, remark
    finally:
        await reader.close()


def _ending(position: Position) -> str:
    pnl = position_status(position).realized_pnl
    fees = ", ".join(f"{plain(fee)} {asset}" for asset, fee in position.fees.items()) or "none"
    frozen = f" It is FROZEN: {position.frozen}" if position.frozen else ""
    return (
        f"Now {position.state}, holding {plain(position.quantity)} {position.base}; realized "
        f"{pnl} {position.quote}, fees {fees}.{frozen}"
    )
