"""One seed from its plan to its verdict: faults, then healing, then rest."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random
from typing import Any, Final

from tests.simulation.bans import Bans
from tests.simulation.bounds import Bounds
from tests.simulation.conduct import Conduct
from tests.simulation.hearing import Hearing
from tests.simulation.judge import ZERO, Harm, Judge
from tests.simulation.levels import Levels
from tests.simulation.passed import Passed
from tests.simulation.plan import Plan
from tests.simulation.rest import Rest
from tests.simulation.sights import seen
from tests.simulation.traders import Fickle
from tests.simulation.trouble import Trouble
from tests.simulation.weather import Weather
from tests.simulation.world import BEGINNING, World

# After healing everything has to settle within this time (L2), whatever happened before.
REST_S: Final = 900.0
# A world that looks settled so many times, so far apart, is settled.
_LOOKS: Final = 3
_LOOKS_APART_S: Final = 40.0
_LOOK_S: Final = 5.0


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """What came of one seed."""

    seed: int
    harms: tuple[Harm, ...]
    digest: str
    virtual_s: float
    processor_s: float
    steps: int
    starts: int
    deaths: int
    trades: int
    counts: dict[str, int]
    lines: list[str]


def simulate(plan: Plan, tell: Callable[[str], None] | None = None) -> Verdict:
    """Let a world happen, and judge it."""
    began = time.process_time()
    world = World(plan.seed, plan.settings, tell=tell, tempo=plan.tempo)
    machine = Machine(world, plan)
    world.run(machine.play)
    judge = machine.judge
    return Verdict(
        seed=plan.seed,
        harms=tuple(judge.harms),
        digest=world.story.digest,
        virtual_s=world.now,
        processor_s=time.process_time() - began,
        steps=world.steps,
        starts=world.starts,
        deaths=world.deaths,
        trades=judge.trades,
        counts=world.story.counts,
        lines=world.story.lines,
    )


class Machine:
    """Drives one world."""

    def __init__(self, world: World, plan: Plan) -> None:
        self.world = world
        self.plan = plan
        self.luck = Random(f"{plan.seed} machine")
        journal = world.directory / "surefoot.db"
        self.judge = Judge(journal, world.simulator.exchange, lambda: world.now)
        for asset in {rules.base for rules in plan.settings.rules} - {"BNB"}:  # which pays fees
            self.judge.owned[asset] = plan.settings.balances.get(asset, ZERO)
        self.judge.hands_off = plan.ownership == "shared"
        self.judge.adders = frozenset(bot.name for bot in plan.bots if bot.adds)
        local = (bot.name for bot in plan.bots if bot.stop_at == "local")
        self.judge.watched_here = frozenset(local)
        self.judge.knows = Hearing(self.judge, world, plan.visibility_s).knows
        self.trouble = Trouble(world, plan, self.judge)
        self.bans = Bans(self.judge, world)
        self.passed = Passed(self.judge, world)
        self.weather = Weather(world)
        self.conduct = Conduct(self.judge, world, plan, self.weather)
        self.levels = Levels(self.judge, world, plan, self.weather)
        self.bounds = Bounds(self.judge, world, plan, self.weather)
        self._healing = False

    async def play(self, world: World) -> None:
        plan = self.plan
        Fickle.luck, Fickle.calm = Random(f"{plan.seed} traders"), False
        world.configure(plan.configuration(), account=plan.account())
        self.trouble.set_delay(plan.delay_s)
        world.start()
        going_on = [self._keep_alive(), self._move_prices()]
        going_on += [self.trouble.keep_striking(kind, rate) for kind, rate in plan.kinds.items()]
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(each) for each in going_on]
            await self._until(plan.lasts_s)
            for task in running[1:]:
                task.cancel()
            world.story.say("world", "everything heals")
            self._healing = True
            Fickle.calm = True
            self.trouble.heal()
            await self._settle()
            if world.program is None and not self.judge.harms:
                self.judge.blame("the program does not stay up", world.story.lines[-1][:300])
            world.story.counts |= seen(self.judge.rows)
            world.story.count("world a ban kept over a restart", self.bans.kept_over_a_restart)
            running[0].cancel()

    async def _settle(self) -> None:
        """Wait until everything has come to rest, but not for ever."""
        began, looks = self.world.now, 0
        while looks < _LOOKS and not self.judge.harms:
            await self._until(self.world.now + _LOOKS_APART_S)
            late = self.world.now - began >= REST_S
            wrong = Rest(self.judge, self._exchange_time(), innocent=self.plan.innocent).wrong()
            if late:
                self.judge.harms += wrong
                break
            looks = 0 if wrong or self.world.program is None else looks + 1

    def _exchange_time(self) -> datetime:
        return BEGINNING + timedelta(seconds=self.world.now)

    async def _until(self, end: float) -> None:
        """Let time pass; a harm ends it: what follows from one is no news."""
        while self.world.now < end and not self.judge.harms:
            await self.world.sleep(min(_LOOK_S, end - self.world.now))
            self.weather.look()
            self.judge.look(self.world.up_since)
            self.passed.look()
            self.conduct.look()
            self.levels.look()
            self.bounds.look()
            if "ban" in self.plan.kinds:
                self.bans.look()

    async def _keep_alive(self) -> None:
        """Start the program again whenever it is dead, as a service would be."""
        while True:
            await self.world.sleep(0.25 if self.plan.sort != "quiet" else 5.0)
            if self.world.program is None and not self.world.kept_down:
                soon = self.plan.sort == "storm"
                pauses = (0.01, 0.05, 0.2, 1.0) if soon else (0.2, 2.0, 5.0, 30.0)
                await self.world.sleep(self.luck.choice(pauses))
                while self.world.kept_down:
                    await self.world.sleep(0.25)
                life = self.world.start()
                if self.world.short_lives and not self._healing:
                    life.dies_at = self.world.short_lives.pop()

    async def _move_prices(self) -> None:
        symbols = sorted({bot.symbol.replace("/", "") for bot in self.plan.bots})
        every_s = 300 if self.plan.sort == "quiet" else 4
        while True:
            await self.world.sleep(self.luck.expovariate(1 / every_s))
            self.world.move(self.luck.choice(symbols), 1 + self.luck.gauss(0, 0.0015))


def story_of(verdict: Verdict, lines: int = 60) -> str:
    """Return the end of a story, and what was wrong."""
    harms = "\n".join(f"  HARM: {harm}" for harm in verdict.harms)
    return "\n".join(verdict.lines[-lines:]) + f"\n{harms}"


def counted(verdicts: list[Verdict]) -> dict[str, Any]:
    """Add up what happened in many worlds."""
    total: dict[str, int] = {}
    for verdict in verdicts:
        for event, times in verdict.counts.items():
            total[event] = total.get(event, 0) + times
    return total
