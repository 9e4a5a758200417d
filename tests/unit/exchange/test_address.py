"""Who waits for weight, in which order, and for how long."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from tests.unit.engine.clock import HandClock, turns

from surefoot.exchange.address import Address
from surefoot.exchange.budget import Urgency, Window
from surefoot.exchange.errors import ReadFailed

MINUTE = Window(name="1M", length=timedelta(minutes=1), limit=100)


class Queue:
    """An address whose minute is used up, and who came through since."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.address = Address(MINUTE, self.clock)
        self.through: list[str] = []
        self.address.weight.settle(
            self.address.weight.spend(100, self.clock.now()),
            cost=100,
            told={},
            now=self.clock.now(),
        )

    async def come(self, name: str, urgency: Urgency, weight: int = 10) -> None:
        ticket = await self.address.turn(urgency, weight, self.clock.now)
        self.address.weight.settle(ticket, cost=weight, told={}, now=self.clock.now())
        self.through.append(name)


async def test_the_most_urgent_goes_first_however_late_it_came() -> None:
    queue = Queue()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(queue.come("round", Urgency.COMPARING))
        await turns()
        tasks.create_task(queue.come("entry", Urgency.ENTRY))
        tasks.create_task(queue.come("order", Urgency.PROOF))
        await turns()
        tasks.create_task(queue.come("stop", Urgency.PROTECTION))
        await turns()
        assert queue.through == []
        await queue.clock.advance(61)
    assert queue.through == ["stop", "order", "round", "entry"]


async def test_what_is_small_does_not_overtake_for_ever_what_is_large() -> None:
    queue = Queue()
    await queue.clock.advance(61)
    await queue.come("half", Urgency.COMPARING, 50)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(queue.come("large", Urgency.COMPARING, 60))
        await turns()
        tasks.create_task(queue.come("small", Urgency.COMPARING, 5))
        await turns()
        assert queue.through == ["half"]
        await queue.clock.advance(60)
    assert queue.through == ["half", "large", "small"]


async def test_what_is_larger_than_its_share_goes_alone() -> None:
    """Catches a read that waits for ever, because no window has room for it."""
    queue = Queue()
    await queue.clock.advance(61)
    await queue.come("list of everything", Urgency.COMPARING, 80)
    assert queue.through == ["list of everything"]


async def test_who_gives_up_makes_way() -> None:
    """Catches a line that stands still because its first has gone."""
    queue = Queue()
    async with asyncio.TaskGroup() as tasks:
        first = tasks.create_task(queue.come("first", Urgency.PROOF))
        await turns()
        tasks.create_task(queue.come("second", Urgency.COMPARING))
        await turns()
        first.cancel()
        await queue.clock.advance(61)
    assert queue.through == ["second"]


async def test_nobody_waits_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("surefoot.exchange.address.PATIENCE_S", 0)
    with pytest.raises(ReadFailed, match="used up"):
        await Queue().come("late", Urgency.COMPARING)
