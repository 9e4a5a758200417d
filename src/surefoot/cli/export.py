"""`surefoot export`: positions, orders and fills, for a spreadsheet or a program."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final, Literal

import msgspec
from cyclopts import Parameter
from msgspec.structs import asdict

from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE
from surefoot.core.errors import InvalidValue
from surefoot.core.position import Position
from surefoot.core.records import FillBooked
from surefoot.core.reports import Fill
from surefoot.core.values import PositionId, Side, plain
from surefoot.journal.port import Reader, entries_of, position_stream
from surefoot.journal.status import order_status, position_status

Row = dict[str, Any]


def export(
    what: Literal["all", "positions", "orders", "fills", "taxes"] = "all",
    *,
    form: Annotated[Literal["json", "csv"], Parameter(name="--format")] = "json",
    options: Options | None = None,
) -> int:
    """Print positions, orders and fills; `all` is one JSON document.

    `taxes` is one row per purchase or sale, with its fee, in the columns of Koinly's universal
    format, which other tax programs read too: `surefoot export taxes --format csv`.

    Parameters
    ----------
    what
        Which table; CSV needs one.
    form
        json or csv.
    options
        Where the configuration is.
    """
    if what == "all" and form == "csv":
        raise InvalidValue("CSV is one table: surefoot export positions, orders, fills or taxes")
    reader = (options or Options()).reader()
    asyncio.run(_print(reader, what, form))
    return FINE


async def _print(reader: Reader, what: str, form: str) -> None:
    """Print one row at a time: a journal may hold more than fits into memory."""
    try:
        if form == "csv":
            await _write_csv(_TABLES[what](reader))
        elif what == "all":
            for number, name in enumerate(("positions", "orders", "fills")):
                sys.stdout.write(f'{"," if number else "{"}\n"{name}": ')
                await _write_list(_TABLES[name](reader))
            sys.stdout.write("\n}\n")
        else:
            await _write_list(_TABLES[what](reader))
            sys.stdout.write("\n")
    finally:
        await reader.close()


async def _all(reader: Reader) -> AsyncIterator[Position]:
    for name in await reader.position_ids():
        position = await reader.position(name)
        if position is not None:
            yield position


_NO_COLUMNS: Final = (
    "orders", "orders_not_shown", "mark_price", "marked_at", "unrealized_pnl", "fees", "protection"
)  # fmt: skip


async def _positions(reader: Reader) -> AsyncIterator[Row]:
    async for position in _all(reader):
        yield _position(position)


def _position(position: Position) -> Row:
    shown = asdict(position_status(position))
    for left_out in _NO_COLUMNS:
        del shown[left_out]
    fees = " ".join(f"{plain(fee)} {asset}" for asset, fee in position.fees.items())
    return {
        "bot": position.bot,
        "symbol": position.symbol,
        **shown,
        "fees": fees,
        "opened_at": position.opened_at,
        "closed_at": position.closed_at,
    }


async def _orders(reader: Reader) -> AsyncIterator[Row]:
    async for position in _all(reader):
        name = position.position_id
        for order in (await reader.orders_of([name])).get(name, ()):
            yield {"position": name, "symbol": position.symbol, **asdict(order_status(order))}


async def _fills(reader: Reader) -> AsyncIterator[Row]:
    for name in await reader.position_ids():
        async for entry in entries_of(reader, position_stream(name)):
            if isinstance(entry.record, FillBooked):
                yield _fill(name, entry.record)


def _fill(position: PositionId, record: FillBooked) -> Row:
    fill = record.fill
    return {
        "position": position,
        "symbol": fill.symbol,
        "trade_id": fill.trade_id,
        "client_order_id": record.client_order_id,
        "side": fill.side.value,
        "price": plain(fill.price),
        "quantity": plain(fill.quantity),
        "fee": plain(fill.fee),
        "fee_asset": fill.fee_asset,
        "at": fill.at,
    }


async def _taxes(reader: Reader) -> AsyncIterator[Row]:
    async for position in _all(reader):
        async for entry in entries_of(reader, position_stream(position.position_id)):
            if isinstance(entry.record, FillBooked):
                yield _taxable(position, entry.record.fill)


def _taxable(position: Position, fill: Fill) -> Row:
    coins = (plain(fill.quantity), position.base)
    money = (plain(fill.price * fill.quantity), position.quote)
    sent, received = (money, coins) if fill.side is Side.BUY else (coins, money)
    return {
        "Date": f"{fill.at:%F %T} UTC",
        "Sent Amount": sent[0],
        "Sent Currency": sent[1],
        "Received Amount": received[0],
        "Received Currency": received[1],
        "Fee Amount": plain(fill.fee) if fill.fee else "",
        "Fee Currency": (fill.fee_asset or "") if fill.fee else "",
        "Net Worth Amount": "",
        "Net Worth Currency": "",
        "Label": "",
        "Description": f"{position.bot} {position.position_id}",
        "TxHash": f"{position.account}-{fill.symbol}-{fill.trade_id}",
    }


_TABLES: Final = {
    "positions": _positions,
    "orders": _orders,
    "fills": _fills,
    "taxes": _taxes,
}


async def _write_csv(rows: AsyncIterator[Row]) -> None:
    writer: csv.DictWriter[str] | None = None
    async for row in rows:
        if writer is None:
            writer = csv.DictWriter(sys.stdout, fieldnames=list(row), lineterminator="\n")
            writer.writeheader()
        writer.writerow(row)


async def _write_list(rows: AsyncIterator[Row]) -> None:
    separator = "["
    async for row in rows:
        sys.stdout.write(f"{separator}\n  {msgspec.json.encode(row).decode()}")
        separator = ","
    sys.stdout.write("[]" if separator == "[" else "\n]")
