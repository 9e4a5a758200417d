"""The walk of a tick to an order, and of a fill to a stop, as ARCHITECTURE.md prints it.

The real engine is traced around the fake exchange: which of our files are entered, in which order,
until the order is sent. A new stop on the way, or one that is gone, has to be written on that page.
"""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Final

import pytest
from tests import memory_journal
from tests.builders import BTC
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import (
    PoisonableJournal,
    SaidLog,
    account_spec,
    bot_spec,
    tick,
)
from tests.unit.engine.fake import FakeExchange

from surefoot.app import assemble
from surefoot.core.order import Role
from surefoot.core.values import BotName
from surefoot.engine.advisor import Advisor
from surefoot.strategy import Enter, Signal, Strategy, Tick, View, workers
from surefoot.strategy.call import Room

ROOT: Final = Path(__file__).parents[3]
SOURCES: Final = str(ROOT / "src/surefoot") + "/"
# What stands in a test for the journal's room.
JOURNAL: Final = {memory_journal.__file__: "journal/__init__.py"}


class Eager(Strategy):
    """Enters at the first tick that it sees."""

    def on_tick(self, tick: Tick, view: View) -> Signal | None:  # noqa: ARG002
        return Enter(reason="now") if view.position is None else None


@contextmanager
def traced() -> Iterator[list[str]]:
    """Note every file of ours in the order in which the engine's thread first enters it."""
    visited: list[str] = []

    def look(frame: FrameType, event: str, _argument: object) -> None:
        name = frame.f_code.co_filename
        if event == "call" and (name in JOURNAL or name.startswith(SOURCES)):
            file = JOURNAL.get(name, name.removeprefix(SOURCES))
            if file not in visited:
                visited.append(file)

    sys.setprofile(look)
    try:
        yield visited
    finally:
        sys.setprofile(None)


async def until(condition: Callable[[], bool]) -> None:
    """Let the engine and the strategy's thread run until something holds."""
    while not condition():
        await turns(1)


async def test_the_walk_is_the_one_that_is_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    # The watch of the threads looks by the machine's clock: on a slow one, into the way back.
    monkeypatch.setattr(workers, "LOOK_EVERY_S", 60.0)
    exchange, log = FakeExchange(HandClock()), SaidLog()
    room = Room(log.warning)

    async def advisor(bot: BotName, memory: dict[str, Any]) -> Advisor:
        return Advisor(Eager(), name=bot, journaled=memory, room=room)

    async with asyncio.TaskGroup() as group:
        running: list[asyncio.Task[None]] = []
        account = assemble(
            account_spec(bot_spec(native_stop=True)),
            exchange=exchange,
            journal=PoisonableJournal(),
            clock=exchange.clock,
            make_advisor=advisor,
            spawn=lambda work: running.append(group.create_task(work)),
            log=log,
        )
        await account.recovery.patiently()
        account.start()
        await turns()
        with traced() as out:
            exchange.market_events.put_nowait(tick("50000", symbol=BTC))
            await until(lambda: bool(exchange.sent))
        await turns()
        with traced() as back:
            exchange.account_events.put_nowait(exchange.trades[-1])
            await until(lambda: len(exchange.sent) > 1)
        for task in running:
            task.cancel()
    room.close()
    assert [order.role for order in exchange.sent] == [Role.ENTRY, Role.STOP]
    assert (out, back) == (printed("From a tick to an order"), printed("From a fill to a stop"))


def printed(title: str) -> list[str]:
    """Return the files that the page lists under a title."""
    page = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    section = page.partition(f"### {title}")[2].partition("\n#")[0]
    return re.findall(r"^    (\S+\.py)\b", section, flags=re.MULTILINE)
