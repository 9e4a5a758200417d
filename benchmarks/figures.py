"""What `bench.py` measures: printed as one JSON object, for the sources on PYTHONPATH."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import timedelta
from decimal import Decimal
from inspect import signature
from pathlib import Path
from typing import Any, Final

from tests.builders import PLAN, START, Life, fill, report
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import PoisonableJournal, SaidLog, account_spec, bot_spec, tick
from tests.unit.engine.fake import FakeExchange
from typing_extensions import override

from surefoot.app import assemble
from surefoot.core import leaving
from surefoot.core.account_records import BotStatusChanged
from surefoot.core.decide import decide
from surefoot.core.reports import PriceSeen, Refusal
from surefoot.core.signals import EntrySignal
from surefoot.core.state import fold
from surefoot.core.values import BotName
from surefoot.engine.advisor import Advisor
from surefoot.journal import open_journal, open_reader
from surefoot.journal.port import Append, Change, bot_stream, position_stream
from surefoot.journal.status import read_status
from surefoot.strategy import Candle, Signal, Strategy, Tick, View
from surefoot.strategy.call import Room

ROUNDS: Final = 5
CORE_ROUNDS: Final = 60
PASTS: Final = (1, 100, 10_000)
BOTS: Final = (100, 1_000)
CROWD: Final = 50
WARM: Final = 20
TICKS: Final = 100
JOURNAL: Final = "sqlite:///bench.db"


def best(work: Callable[[], object], times: int, *, rounds: int = ROUNDS) -> float:
    """Return the least processor time of one call, in microseconds."""
    least = float("inf")
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(times):
            work()
        least = min(least, (time.process_time() - began) / times)
    return least * 1e6


def of_the_core(pasts: Sequence[int]) -> Iterator[tuple[str, float]]:
    """Yield what an input costs a position that has so many failed entries behind it.

    In turns, so that a machine that is slower for a while is so for each of them.
    """
    works: dict[str, tuple[Callable[[], object], int, int]] = {}
    for past in pasts:
        works |= {f"{what}, {past:,} orders behind it (µs)": work for what, work in inputs(past)}
    least = dict.fromkeys(works, float("inf"))
    gc.collect()
    gc.freeze()  # what is looked through at each collection would be every history
    # Apart, because a replay leaves nothing of who comes next in the processor's cache.
    for replays in (True, False):
        for _ in range(ROUNDS if replays else CORE_ROUNDS):
            for what, (work, times, parts) in works.items():
                if (parts > 1) is replays:
                    least[what] = min(least[what], best(work, times, rounds=1) / parts)
    yield from least.items()


def inputs(past: int) -> Iterator[tuple[str, tuple[Callable[[], object], int, int]]]:
    """Yield what a position is told, how often, and into how many parts that falls."""
    life = with_past(past)
    records = tuple(life.records)
    yield "replay one record", (lambda: fold(records), 1, len(records))
    signal = EntrySignal(quantity=Decimal("0.0016"), plan=PLAN)
    yield "signal", (deciding(life, signal), 25, 1)
    life.tell(signal)
    entry = life.order
    life.tell(report(entry, "FILLED", entry.quantity))
    bought = fill(entry, "50000", trade="1")
    yield "fill", (deciding(life, bought), 25, 1)
    life.tell(bought)
    price = PriceSeen(price=Decimal(50001))
    yield "tick that triggers nothing, decided upon", (deciding(life, price), 25, 1)
    yield "tick that triggers nothing", (shown(life, price), 25, 1)


def deciding(life: Life, event: EntrySignal | PriceSeen | object) -> Callable[[], object]:
    """Return a decision upon an input, as things are now; what follows is not believed."""
    position, now, terms = life.position, life.now, life.terms
    return lambda: decide(position, event, now, terms)  # type: ignore[arg-type]


def shown(life: Life, price: PriceSeen) -> Callable[[], object]:
    """Return what is done at a price, which is decided upon only if something may follow."""
    position, terms, decided = life.position, life.terms, deciding(life, price)
    matters = getattr(leaving, "matters", lambda *_: True)
    return lambda: matters(position, price.price, terms) and decided()


def with_past(orders: int) -> Life:
    """Return a FLAT position whose entries were refused so many times."""
    life = Life()
    for _ in range(orders):
        life.now += timedelta(minutes=2)
        name = life.enter().client_order_id
        life.tell(Refusal(client_order_id=name, code="-2010", message="no"))
    life.now += timedelta(minutes=2)
    return life


class Glances(Strategy):
    """Looks at every price, and counts the looks of everybody."""

    looks = 0

    @override
    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        """Want nothing."""
        Glances.looks += 1
        return None


class Waits(Strategy):
    """Wants candles only."""

    timeframe: str | None = "1m"

    @override
    def on_candle(self, candle: Candle, view: View) -> Signal | None:
        """Want nothing."""
        return None


def of_a_crowd() -> Iterator[tuple[str, float]]:
    """Yield what a tick costs that fifty bots hear of, in all the threads of the process."""
    for kind, what in ((Waits, "that want candles"), (Glances, "that are asked about it")):
        cost = min(asyncio.run(crowded(kind)) for _ in range(ROUNDS))
        yield f"{CROWD} bots on one symbol {what}: a tick (µs)", cost * 1e6


async def crowded(kind: type[Strategy]) -> float:
    """Return the processor time of one tick on a symbol with fifty bots of a kind."""
    exchange, log = FakeExchange(HandClock()), SaidLog()
    room = Room(log.warning)

    async def advisor(bot: BotName, memory: dict[str, Any]) -> Advisor:
        return Advisor(kind(), name=bot, journaled=memory, room=room)

    names = [BotName(f"bot-{number}") for number in range(CROWD)]
    frame = "1m" if kind is Waits else None
    bots = [bot_spec(name, timeframe=frame) for name in names]
    running: list[asyncio.Task[None]] = []
    account = assemble(
        account_spec(*bots),
        exchange=exchange,
        journal=PoisonableJournal(),
        clock=exchange.clock,
        make_advisor=advisor,
        spawn=lambda work: running.append(asyncio.ensure_future(work)),
        log=log,
    )
    await account.recovery.patiently()
    account.start()
    await turns()
    began = 0.0
    for number in range(WARM + TICKS):
        if number == WARM:
            began = time.process_time()
        seen = Glances.looks
        exchange.market_events.put_nowait(tick(str(50_000 + number)))
        await turns(12)
        while kind is Glances and Glances.looks < seen + CROWD:  # noqa: ASYNC110
            await asyncio.sleep(0.001)  # threads tell nobody
    cost = (time.process_time() - began) / TICKS
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    room.close()
    return cost


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
    found = dict(of_the_core(pasts))
    found |= dict(of_a_crowd())
    found |= dict(figure for past in pasts for figure in of_a_start(past))
    found |= dict(figure for bots in BOTS for figure in of_the_journal(bots))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
