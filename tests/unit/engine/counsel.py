"""A strategy's place taken by a script: what it answers, and what it was shown."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from tests.unit.engine.clock import turns
from tests.unit.engine.desk import Desk, bot_spec

from surefoot import strategy
from surefoot.engine.advisor import Glance
from surefoot.engine.allowance import Allowance
from surefoot.engine.keeper import Keeper
from surefoot.engine.quotes import Quote
from surefoot.engine.runner import Heard, Runner
from surefoot.engine.specs import BotSpec
from surefoot.engine.turnstile import Turnstile
from surefoot.exchange.port import Candle, Tick
from surefoot.strategy import Candles, Signal


class Counsel:
    """Answers each question with what comes next; an exception is raised, after that None."""

    def __init__(
        self, *answers: Signal | Exception | None, candle_at: datetime | None = None
    ) -> None:
        self.answers = deque(answers)
        self.shown: list[tuple[str, Any]] = []
        self.asked_at: list[datetime] = []
        self.candle_at = candle_at
        self.closed = False
        self.hears = {"on_tick", "on_candle", "on_fill"}
        self.glances: list[Glance] = []
        self.note: str | None = None
        self.held: asyncio.Event | None = None

    def to_memory(self, candle_at: datetime | None) -> dict[str, Any]:
        at = None if candle_at is None else candle_at.isoformat()
        return {"strategy": {"asked": len(self.shown)}, "candle_at": at}

    async def on_start(self, glance: Glance) -> Signal | None:
        self.glances.append(glance)

    async def on_tick(self, event: Any, glance: Glance) -> Signal | None:
        return await self._answer("tick", event, glance)

    def listens(self, hook: str) -> bool:
        return hook in self.hears

    async def on_candle(self, event: Any, glance: Glance) -> Signal | None:
        return await self._answer("candle", event, glance)

    async def on_fill(self, event: Any, glance: Glance) -> Signal | None:
        return await self._answer("fill", event, glance)

    async def _answer(self, hook: str, event: Any, glance: Glance) -> Signal | None:
        self.shown.append((hook, event))
        self.glances.append(glance)
        self.asked_at.append(glance.now)
        if self.held is not None:
            await self.held.wait()
        answer = self.answers.popleft() if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def close(self) -> None:
        self.closed = True

    def hooks(self) -> list[str]:
        return [hook for hook, _ in self.shown]


class Ring:
    """One bot with its loop, on a desk."""

    def __init__(
        self,
        desk: Desk,
        keeper: Keeper,
        counsel: Counsel | None,
        spec: BotSpec | None = None,
        allowance: Allowance | None = None,
    ) -> None:
        self.desk = desk
        self.keeper = keeper
        self.counsel = counsel
        self.gate: str | None = None
        self.reviews: list[str] = []
        self.runner = Runner(
            spec=spec or bot_spec(),
            keeper=keeper,
            allowance=allowance
            or Allowance(desk.login, desk.keepers, desk.journal, lambda _: None),
            advisor=counsel,  # type: ignore[arg-type]
            turnstile=Turnstile(),
            journal=desk.journal,
            clock=desk.clock,
            now=desk.exchange.now,
            gate=lambda: self.gate,
            review=self._review,
            log=desk.log,
        )

    async def _review(self, reason: str) -> None:
        self.reviews.append(reason)

    def see(self, *ticks: Tick) -> None:
        """Show ticks as of now, all at once."""
        for each in ticks:
            self.runner.see(Quote.of(replace(each, at=self.desk.exchange.now())))

    async def show(self, *events: Any) -> None:
        """Offer events one by one, each with what follows from it."""
        for event in events:
            if isinstance(event, Tick):
                self.see(event)
            elif isinstance(event, Candle):
                shown = strategy.Candle.of(event)
                self.runner.offer(Heard(candle=shown, window=Candles([shown])))
            else:
                self.runner.offer(event)
            await turns()
            await self.desk.works.run()

    def refusals(self) -> list[str]:
        return [line["why"] for line in self.desk.log.said("signal refused")]

    async def memory(self) -> dict[str, Any]:
        return await self.desk.journal.memory(self.keeper.bot)


@asynccontextmanager
async def served(
    desk: Desk, *answers: Signal | Exception | None, spec: BotSpec | None = None
) -> AsyncIterator[Ring]:
    """Run a bot's loop around the block, a minute after the start."""
    desk.clock.elapsed += 60
    ring = Ring(desk, await desk.keeper(), Counsel(*answers), spec)
    async with asyncio.TaskGroup() as tasks:
        loops = [
            tasks.create_task(ring.runner.protect()),
            tasks.create_task(ring.runner.advise()),
        ]
        ring.runner.begin(lambda _pair, _most, _until: (Candles(), None))
        await turns()
        yield ring
        for each in loops:
            each.cancel()
