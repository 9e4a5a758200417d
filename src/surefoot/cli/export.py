"""`surefoot export`: positions, orders and fills, for a spreadsheet or a program."""

from __future__ import annotations

import asyncio
import csv
import sys
from collections.abc import Iterable
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from msgspec.structs import asdict

from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE
from surefoot.cli.output import show_json
from surefoot.core.position import Position
from surefoot.core.records import FillBooked
from surefoot.core.values import plain
from surefoot.journal.port import Reader, position_stream
from surefoot.journal.status import position_status

Row = dict[str, Any]


def export(
    what: Literal["all", "positions", "orders", "fills"] = "all",
    *,
    form: Annotated[Literal["json", "csv"], Parameter(name="--format")] = "json",
    options: Options | None = None,
) -> int:
    """Print positions, orders and fills; `all` is one JSON document.

    Parameters
    ----------
    what
        Which table; CSV needs one.
    form
        json or csv.
    options
        Where the configuration is.
    """
    tables = asyncio.run(_read((options or Options()).reader()))
    if form == "json":
        show_json(tables if what == "all" else tables[what])
    else:
        _write_csv(tables["positions" if what == "all" else what])
    return FINE


async def _read(reader: Reader) -> dict[str, list[Row]]:
    try:
        positions = await reader.positions()
        fills = [row for each in positions for row in await _fills(reader, each)]
    finally:
        await reader.close()
    return {
        "positions": [_position(each) for each in positions],
        "orders": [row for each in positions for row in _orders(each)],
        "fills": fills,
    }


def _position(position: Position) -> Row:
    shown = asdict(position_status(position))
    for left_out in ("orders", "mark_price", "marked_at", "unrealized_pnl", "fees"):
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


def _orders(position: Position) -> Iterable[Row]:
    for order in position_status(position).orders:
        yield {"position": position.position_id, "symbol": position.symbol, **asdict(order)}


async def _fills(reader: Reader, position: Position) -> list[Row]:
    stream = position_stream(position.position_id)
    entries = await reader.entries(stream=stream, limit=1_000_000)
    return [
        {
            "position": position.position_id,
            "symbol": position.symbol,
            "trade_id": record.fill.trade_id,
            "client_order_id": record.client_order_id,
            "side": record.fill.side.value,
            "price": plain(record.fill.price),
            "quantity": plain(record.fill.quantity),
            "fee": plain(record.fill.fee),
            "fee_asset": record.fill.fee_asset,
            "at": record.fill.at,
        }
        for entry in entries
        if isinstance(record := entry.record, FillBooked)
    ]


def _write_csv(rows: list[Row]) -> None:
    if not rows:
        return
    writer = csv.DictWriter(sys.stdout, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
