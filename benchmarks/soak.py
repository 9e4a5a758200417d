"""What grows in an hour of twenty busy bots, in virtual time: `python -m benchmarks.soak`.

Every allocation is traced to the line that made it. What the exchange and this world keep is left
out: they remember everything, for the judge.
"""

from __future__ import annotations

import argparse
import gc
import tracemalloc
from decimal import Decimal
from random import Random
from typing import Final

from tests.simulation.world import BEAT_S, World
from typing_extensions import override

from surefoot.simulator import Settings
from surefoot.simulator.model import Rules
from surefoot.strategy import Enter, Exit, Strategy
from surefoot.strategy.facts import Tick, View
from surefoot.strategy.signals import Signal

BOTS: Final = 20
SYMBOLS: Final = 5
MINUTE_S: Final = 60.0
NOT_OURS: Final = ("/virtual/", "/tests/", "tracemalloc", "/benchmarks/")
# So deep it is looked who made an allocation.
FRAMES: Final = 12


class Restless(Strategy):
    """Enters, and leaves half a minute later, for ever."""

    @override
    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        """Turn around."""
        since = view.memory.setdefault("since", tick.at.timestamp())
        if tick.at.timestamp() - since < MINUTE_S / 2:
            return None
        view.memory["since"] = tick.at.timestamp()
        return Enter(reason="in") if view.position is None else Exit(reason="out")


def main() -> None:
    """Let an hour pass and print what has grown since its first part."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--warm", type=float, default=20.0, help="minutes that are not counted")
    chosen = parser.parse_args()
    names = [f"C{number}" for number in range(SYMBOLS)]
    rules = (Rules(symbol=f"{n}USDT", base=n, quote="USDT", price=Decimal(100)) for n in names)
    world = World(1, Settings(beat_s=BEAT_S, rules=tuple(rules)))

    async def move_prices() -> None:
        luck = Random("prices")  # noqa: S311 (no secret hangs on it)
        while True:
            await world.sleep(0.5)
            world.move(f"{luck.choice(names)}USDT", 1 + luck.gauss(0, 0.0005))

    async def play(world: World) -> None:
        world.configure("".join(map(configured, range(BOTS))))
        world.start()
        moving = world.loop.create_task(move_prices())
        await world.sleep(chosen.warm * MINUTE_S)
        before, trades = snapshot(), len(world.simulator.exchange.trades)
        await world.sleep((chosen.minutes - chosen.warm) * MINUTE_S)
        grown = snapshot().compare_to(before, "lineno")
        moving.cancel()
        minutes = chosen.minutes - chosen.warm
        bytes_an_hour = sum(each.size_diff for each in grown) / minutes * 60
        traded = len(world.simulator.exchange.trades) - trades
        print(f"{traded:,} trades in {minutes:g} minutes: {bytes_an_hour / 1024:+,.0f} kB an hour")
        for each in grown[:15]:
            print(f"  {each}")

    tracemalloc.start(FRAMES)
    world.run(play)


def configured(bot: int) -> str:
    """Return a bot's table."""
    return f"""
[bots.bot-{bot}]
account = "main"
symbol = "C{bot % SYMBOLS}/USDT"
strategy = "benchmarks.soak:Restless"
notional = 100
stop_loss = "5%"
"""


def snapshot() -> tracemalloc.Snapshot:
    """Return what is held now, but for what is not the program's."""
    gc.collect()
    theirs = tracemalloc.Filter(inclusive=False, filename_pattern="*/simulator/*", all_frames=True)
    foreign = [tracemalloc.Filter(inclusive=False, filename_pattern=f"*{n}*") for n in NOT_OURS]
    return tracemalloc.take_snapshot().filter_traces([theirs, *foreign])


if __name__ == "__main__":
    main()
