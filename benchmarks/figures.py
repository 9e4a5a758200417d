"""What `bench.py` measures: printed as one JSON object, for the sources on PYTHONPATH."""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from decimal import Decimal
from inspect import signature
from pathlib import Path
from typing import Final

from tests.builders import PLAN, START, Life, fill, report

from surefoot.core.decide import decide
from surefoot.core.records import BotStatusChanged
from surefoot.core.reports import PriceSeen, Refusal
from surefoot.core.signals import EntrySignal
from surefoot.core.state import fold
from surefoot.journal import open_journal, open_reader
from surefoot.journal.port import Append, Change, bot_stream, position_stream
from surefoot.journal.status import read_status

ROUNDS: Final = 5
PASTS: Final = (1, 100, 10_000)
BOTS: Final = (100, 1_000)
JOURNAL: Final = "sqlite:///bench.db"


def best(work: Callable[[], object], times: int) -> float:
    """Return the least processor time of one call, in microseconds."""
    least = float("inf")
    for _ in range(ROUNDS):
        began = time.process_time()
        for _ in range(times):
            work()
        least = min(least, (time.process_time() - began) / times)
    return least * 1e6


def of_the_core(past: int) -> Iterator[tuple[str, float]]:
    """Yield what an input costs a position that has so many failed entries behind it."""
    life = with_past(past)
    behind = f"{past:,} orders behind it"
    cost = best(lambda: fold(life.records), 1)
    yield f"replay one record, {behind} (µs)", cost / len(life.records)
    signal = EntrySignal(quantity=Decimal("0.0016"), plan=PLAN)
    yield f"signal, {behind} (µs)", cost_of(life, signal)
    life.tell(signal)
    entry = life.order
    life.tell(report(entry, "FILLED", entry.quantity))
    bought = fill(entry, "50000", trade="1")
    yield f"fill, {behind} (µs)", cost_of(life, bought)
    life.tell(bought)
    yield (
        f"tick that triggers nothing, {behind} (µs)",
        cost_of(life, PriceSeen(price=Decimal(50001))),
    )


def cost_of(life: Life, event: EntrySignal | PriceSeen | object) -> float:
    """Return what deciding upon an input costs, without believing what follows."""
    position, now, terms = life.position, life.now, life.terms
    return best(lambda: decide(position, event, now, terms), 20)  # type: ignore[arg-type]


def with_past(orders: int) -> Life:
    """Return a FLAT position whose entries were refused so many times."""
    life = Life()
    for _ in range(orders):
        life.now += timedelta(minutes=2)
        name = life.enter().client_order_id
        life.tell(Refusal(client_order_id=name, code="-2010", message="no"))
    life.now += timedelta(minutes=2)
    return life


def of_the_journal(bots: int) -> Iterator[tuple[str, float]]:
    """Yield what opening a journal costs, and what it costs to ask it for every bot."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        asyncio.run(populate(directory, bots))
        for question in ("nothing", "bots", "positions"):
            work = best(lambda d=directory, q=question: asyncio.run(ask(d, q)), 1)  # type: ignore[misc]
            yield f"open a journal of {bots:,} bots, ask for {question} (ms)", work / 1000


def of_a_start(past: int) -> Iterator[tuple[str, float]]:
    """Yield what a start and a status cost, with so many failed entries behind a bot."""
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        asyncio.run(live(directory, past))
        for question in ("positions", "status"):
            work = best(lambda d=directory, q=question: asyncio.run(ask(d, q)), 1)  # type: ignore[misc]
            yield f"open a journal, {past:,} orders in it, ask for {question} (ms)", work / 1000


async def live(directory: Path, past: int) -> None:
    """Make a journal of one bot that holds something after so many failed entries."""
    life = with_past(past)
    life.opened()
    position = life.position
    stream = position_stream(position.position_id)
    # What an earlier revision does not know, it does not need.
    left = {"left": tuple(life.orders.values())} if hasattr(life, "orders") else {}
    history = Append(
        stream=stream, expected=0, records=tuple(life.records), position=position, **left
    )
    status = BotStatusChanged(at=START, bot=position.bot, status="RUNNING", by="bench")
    word = Append(stream=bot_stream(position.bot), expected=0, records=(status,))
    journal = open_journal(JOURNAL, directory, at=START)
    await journal.commit(Change(at=START, appends=(history, word)))
    await journal.close()


async def populate(directory: Path, bots: int) -> None:
    """Make a journal in which every bot has an entry under way."""
    journal = open_journal(JOURNAL, directory, at=START)
    changes = [journal.commit(Change(at=START, appends=appends(number))) for number in range(bots)]
    await asyncio.gather(*changes)
    await journal.close()


def appends(number: int) -> tuple[Append, ...]:
    """Return what a bot's first entry writes."""
    life = Life(bot=f"bot-{number:05}")
    life.enter()
    position = life.position
    status = BotStatusChanged(at=START, bot=position.bot, status="RUNNING", by="bench")
    stream = position_stream(position.position_id)
    return (
        Append(stream=stream, expected=0, records=tuple(life.records), position=position),
        Append(stream=bot_stream(position.bot), expected=0, records=(status,)),
    )


async def ask(directory: Path, question: str) -> None:
    """Open a journal, ask it one question, and let go of it."""
    reader = open_reader(JOURNAL, directory)
    if question == "bots":
        await reader.bots()
    elif question == "positions":
        held = getattr(reader, "unsettled", None)  # an earlier revision calls it otherwise
        await (held(START) if held else reader.positions(current_only=True))  # type: ignore[call-arg]
    elif question == "status":
        now = {"now": START} if "now" in signature(read_status).parameters else {}
        await read_status(reader, **now)
    await reader.close()


def main() -> None:
    """Print every figure."""
    pasts = PASTS[:-1] if "--quick" in sys.argv else PASTS
    found = dict(figure for past in pasts for figure in of_the_core(past))
    found |= dict(figure for past in pasts for figure in of_a_start(past))
    found |= dict(figure for bots in BOTS for figure in of_the_journal(bots))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
