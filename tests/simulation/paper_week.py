"""A week of ten bots on paper, over recorded prices, with kills; every cent is explained.

Run as `python -m tests.simulation.paper_week [--days 7] [--seed 1] [--tell]`.
"""

from __future__ import annotations

import argparse
import asyncio
import resource
import sys
import time
from dataclasses import asdict, dataclass
from decimal import Decimal
from functools import partial
from random import Random
from typing import Final

import msgspec
from tests.simulation.paper import PaperWorld, week
from tests.simulation.traders import Fickle
from tests.simulation.world import World

from surefoot.cli.profit import _proof, _recounted
from surefoot.core.values import AccountName, Asset
from surefoot.journal import open_browser, open_reader
from surefoot.journal.profit import KEYS, grouped

DAY_S: Final = 86_400.0
# After the last trouble, whatever was decided and not yet heard has this long to be settled.
CALM_S: Final = 1_200.0
_EXAMPLES: Final = "surefoot.strategy.examples"
_SYMBOLS: Final = ("BTC/USDT", "ETH/USDT", "SOL/USDT")
# Strategy, parameters, and how it gets out.
_BOTS: Final = (
    (f"{_EXAMPLES}:DipBuyer", "dip = 0.003", 'stop_loss = "1%"\ntake_profit = "1%"'),
    (f"{_EXAMPLES}:DipBuyer", "dip = 0.005", 'stop_loss = "0.5%"\ntake_profit = "2%"'),
    (f"{_EXAMPLES}:DipBuyer", "dip = 0.002", 'stop_loss = "1%"\nbreak_even = "0.5%"'),
    (f"{_EXAMPLES}:Breakout", 'timeframe = "5m"', 'trailing_stop = "0.8%"'),
    (f"{_EXAMPLES}:Breakout", 'timeframe = "5m", length = 12', 'stop_loss = "1%"'),
    (f"{_EXAMPLES}:MovingAverageCross", 'timeframe = "5m"', 'stop_loss = "2%"'),
    ("tests.simulation.traders:Shuttle", "hold = 3600.0", 'stop_loss = "0.4%"'),
    ("tests.simulation.traders:Shuttle", "hold = 900.0, away = 0.0005", 'stop_loss = "1%"'),
    ("tests.simulation.traders:Shuttle", "pause = 600.0, away = 0.001", 'trailing_stop = "1%"'),
    ("tests.simulation.traders:Patient", "eagerness = 0.2", 'stop_loss = "0.7%"'),
)


@dataclass(frozen=True, kw_only=True)
class Week:
    """What came of it; `wrong` is what is not explained."""

    seed: int
    virtual_days: float
    processor_s: float
    happened: dict[str, int]
    starts: int
    deaths: int
    trades: int
    positions: int
    busy_bots: int
    stops_filled: int
    limits_filled: int
    pnl: Decimal
    fees: dict[str, Decimal]
    account: dict[str, Decimal]
    journal_bytes: int
    state_bytes: int
    peak_mib: int
    digest: str
    wrong: tuple[str, ...]


def bots() -> str:
    """Return ten bots as a configuration has them."""
    return "\n".join(
        f"""
[bots.bot-{number}]
account = "main"
symbol = "{_SYMBOLS[number % 3]}"
strategy = "{strategy}"
notional = {150 + 10 * number}
{plan}
params = {{ {params} }}
"""
        for number, (strategy, params, plan) in enumerate(_BOTS)
    )


def live_through(seed: int, lasts_s: float, every_s: float, *, tell: bool = False) -> Week:
    """Let it happen: trouble comes about so often."""
    began = time.process_time()
    world = PaperWorld(seed, week(lasts_s), partial(print, file=sys.stderr) if tell else None)
    Fickle.luck, Fickle.calm = Random(f"{seed} traders"), False
    found: list[Week] = []

    async def play(it: World) -> None:
        assert it is world
        world.configure(bots())
        world.start()
        end = world.now + lasts_s - CALM_S
        alive = asyncio.get_running_loop().create_task(world.keep_alive())
        while (wait_s := world.troubles.expovariate(1 / every_s)) < end - world.now:
            await world.sleep(wait_s)
            await world.trouble()
        await world.sleep(max(end - world.now, 0))
        alive.cancel()
        if world.program is None:
            world.start()
        await world.sleep(CALM_S - 60)
        found.append(await _found(world, time.process_time() - began))

    world.run(play)
    return found[0]


async def _found(world: PaperWorld, processor_s: float) -> Week:
    """Count everything twice, by the exchange and by the journal, and compare."""
    exchange, directory = world.simulator.exchange, world.directory
    wrong = []
    if world.held != world.explained():
        wrong.append(f"the account has {world.held}, its trades make {world.explained()}")
    missed, invented = world.traded() - world.booked(), world.booked() - world.traded()
    wrong += [f"not booked: {each}" for each in missed]
    wrong += [f"booked, and never traded: {each}" for each in invented]
    reader = open_reader("sqlite:///surefoot.db", directory)
    try:
        positions = [await _recounted(reader, name) for name in await reader.position_ids()]
        held = {Asset(name): amount for name, amount in world.held.items()}
        proof = await _proof(reader, AccountName("main"), positions, held)
    finally:
        await reader.close()
    browser = open_browser("sqlite:///surefoot.db", directory)
    try:
        outcomes = await browser.outcomes(after=0, upto=await browser.records())
    finally:
        await browser.close()
    wrong += list(proof.wrong)
    wrong += [
        f"{each.unexplained} {each.asset} are not explained"
        for each in proof.lines
        if each.unexplained
    ]
    filled = [each for each in exchange.orders.values() if each.status == "FILLED"]
    total = next(iter(grouped(outcomes, lambda _: "all")), None)
    return Week(
        seed=world.seed,
        virtual_days=round(world.now / DAY_S, 2),
        processor_s=round(processor_s, 1),
        happened=dict(world.happened),
        starts=world.starts,
        deaths=world.deaths,
        trades=len(exchange.trades),
        positions=len(outcomes),
        busy_bots=len(grouped(outcomes, KEYS["bot"])),
        stops_filled=sum(each.type == "STOP_LOSS" for each in filled),
        limits_filled=sum(each.type == "LIMIT" for each in filled),
        pnl=Decimal(0) if total is None else total.pnl,
        fees={} if total is None else {str(k): v for k, v in total.fees.items()},
        account=world.held,
        journal_bytes=(directory / "surefoot.db").stat().st_size,
        state_bytes=(directory / "paper.state").stat().st_size,
        peak_mib=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        digest=world.story.digest,
        wrong=tuple(wrong),
    )


def main() -> int:
    """Live through it, and say what came of it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--days", type=float, default=7.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--every", type=float, default=2.0, help="hours between troubles")
    parser.add_argument("--tell", action="store_true")
    given = parser.parse_args()
    lived = live_through(given.seed, given.days * DAY_S, given.every * 3600, tell=given.tell)
    print(msgspec.json.format(msgspec.json.encode(asdict(lived))).decode())
    return 1 if lived.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
