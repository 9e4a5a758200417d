"""Measure what a start and a status cost of a journal at size, with a warm and with a cold file.

    python -m benchmarks.starts [--quick]

Each figure is the best of several processes: in processor time, and by the clock for what is called
cold. Cold is the first question after the system was told to forget the files
(`posix_fadvise(DONTNEED)` on everything in the journal's folder, after all of it was on the disk).
`docs/performance.md` has the last table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.builders import PROTECTED, START, Life, fill, named, report

from surefoot.core.account_records import BotStatusChanged
from surefoot.core.values import BotName, PositionId
from surefoot.journal import open_journal, open_reader
from surefoot.journal.codec import decode, decode_order, decode_position, encode
from surefoot.journal.port import Append, Change, bot_stream, position_stream
from surefoot.journal.status import read_status

JOURNAL: Final = "sqlite:///bench.db"
ROUNDS: Final = 3
AT_ONCE: Final = 200


def main() -> None:
    """Make the journals, and ask each of them in processes of their own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small journals only")
    parser.add_argument("--ask", type=Path, help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.ask is not None:
        print(json.dumps(dict(asked(chosen.ask))))
        return
    # Bots that hold something, and how many positions each of them has had before.
    sizes = ((1_000, 0),) if chosen.quick else ((1_000, 65), (10_000, 0))
    print("| what | warm, processor (ms) | cold, by the clock (ms) |\n|---|---:|---:|")
    for bots, before in sizes:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=".") as name:
            directory = Path(name)
            records = asyncio.run(populate(directory, bots, before))
            for what, (warm, cold) in measured(directory).items():
                scene = f"{records:,} records, {bots:,} open positions"
                print(f"| {what}: {scene} | {warm:,.0f} | {cold:,.0f} |", flush=True)


def measured(directory: Path) -> dict[str, tuple[float, float]]:
    """Ask a journal warm and cold, each time in a new process; return the least of each."""
    command = [sys.executable, "-m", "benchmarks.starts", "--ask", str(directory)]
    least: dict[str, tuple[float, float]] = {}
    for _ in range(ROUNDS):
        found = json.loads(subprocess.check_output(command))
        for what, figures in found.items():
            before = least.get(what, (float("inf"), float("inf")))
            least[what] = (min(before[0], figures[0]), min(before[1], figures[1]))
    return least


# Questions ---------------------------------------------------------------------------------------


def asked(directory: Path) -> Iterator[tuple[str, tuple[float, float]]]:
    """Yield what each question costs: warm in processor time, cold by the clock."""
    for what, question in (("open", opened), ("load", loaded), ("status", told)):
        forget(directory)
        began = time.perf_counter()
        asyncio.run(question(directory))
        cold = time.perf_counter() - began
        began = time.process_time()
        asyncio.run(question(directory))
        yield what, ((time.process_time() - began) * 1000, cold * 1000)


def forget(directory: Path) -> None:
    """Have the system forget what it remembers of these files."""
    for path in directory.iterdir():
        descriptor = os.open(path, os.O_RDONLY)
        os.fsync(descriptor)
        os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        os.close(descriptor)


async def opened(directory: Path) -> None:
    """Do what a start does before it asks the exchange: open, and see which bots are known."""
    journal = open_journal(JOURNAL, directory, at=START)
    await journal.bot_names()
    await journal.close()


async def loaded(directory: Path) -> None:
    """Load what is kept, from a journal that is open."""
    reader = open_reader(JOURNAL, directory)
    await reader.unsettled(START)
    await reader.close()


async def told(directory: Path) -> None:
    """Say how everything stands."""
    reader = open_reader(JOURNAL, directory)
    await read_status(reader, now=START)
    await reader.close()


# A journal at size -------------------------------------------------------------------------------


async def populate(directory: Path, bots: int, before: int) -> int:
    """Make a journal of bots that hold something after so many positions; count its records."""
    journal = open_journal(JOURNAL, directory, at=START)
    first, last = closed(), Life(PROTECTED)
    last.opened()
    last.tell(report(last.order, "OPEN"))
    for number in range(0, bots, AT_ONCE):
        names = [BotName(f"bot-{each:05}") for each in range(number, min(number + AT_ONCE, bots))]
        for count in range(1, before + 1):
            appends = tuple(renamed(first, name, count) for name in names)
            await journal.commit(Change(at=START, appends=appends))
        words = [running(name) for name in names]
        appends = tuple(renamed(last, name, before + 1) for name in names)
        await journal.commit(Change(at=START, appends=(*words, *appends)))
    records = await journal.records()
    await journal.close()
    return records


def closed() -> Life:
    """Return a position that was bought and left by its stop."""
    life = Life(PROTECTED)
    life.opened()
    stop = life.order
    life.tell(report(stop, "OPEN"))
    life.tell(report(stop, "FILLED", stop.quantity), fill(stop, "49000", trade="2"))
    return life


def running(name: BotName) -> Append:
    """Return an operator's word."""
    record = BotStatusChanged(at=START, bot=name, status="RUNNING", by="bench")
    return Append(stream=bot_stream(name), expected=0, records=(record,))


def renamed(life: Life, bot: BotName, number: int) -> Append:
    """Return the same life as that of another position: to live it again would take longer."""
    former, name = life.position.position_id, f"{bot}-{number}"
    names = {former: name, f'"bot":"{life.position.bot}"': f'"bot":"{bot}"'}
    names |= {f'"number":{life.position.number}': f'"number":{number}'}
    for order in life.orders.values():
        names[order.client_order_id] = named(PositionId(name), order.role, order.attempt)

    def again(text: str) -> str:
        for each, other in names.items():
            text = text.replace(each, other)
        return text

    position = decode_position(again(encode(life.position)), name)
    kept = {order.client_order_id for order in position.orders}
    orders = [decode_order(again(encode(order)), name) for order in life.orders.values()]
    return Append(
        stream=position_stream(position.position_id),
        expected=0,
        records=tuple(decode(again(encode(each)).encode(), 0) for each in life.records),
        position=position,
        left=tuple(order for order in orders if order.client_order_id not in kept),
    )


if __name__ == "__main__":
    main()
