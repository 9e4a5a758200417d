"""The program at size: how old a price is when it is acted upon, what it costs, and what is asked.

    python -m benchmarks.size [--bots N] [--symbols N] [--events N] [--hook on_tick|on_candle]

The whole program runs against the bundled exchange in one process, in a world where only the
program's own work takes time: a step of it lasts as long as it takes of a processor here. Every bot
holds a position with a stop. `docs/performance.md` has the last table.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from decimal import Decimal
from functools import partial
from itertools import cycle
from random import Random
from typing import Any, ClassVar, Final
from unittest.mock import patch

from benchmarks.worked import WorkedLoop
from tests.simulation.world import BEAT_S, BEGINNING, World
from typing_extensions import override

from surefoot.engine.runner import Runner
from surefoot.simulator import Settings
from surefoot.simulator.model import Rules
from surefoot.strategy import Enter, Strategy
from surefoot.strategy.candles import Candle
from surefoot.strategy.facts import Tick, View
from surefoot.strategy.signals import Signal

MEASURED_S: Final = 20.0
QUIET_S: Final = 300.0
ENTERED_WITHIN_S: Final = 300.0
PRICE: Final = Decimal(100)
# So many bots have a place for a stop at the exchange on one symbol.
PLACES: Final = 4
# To ask for the exact time is dear, so one look of so many is timed.
ONE_OF: Final = 7


class Ages:
    """How old prices were, in seconds, when they were looked at."""

    def __init__(self, loop: WorkedLoop) -> None:
        self._loop = loop
        self._turn = cycle(range(ONE_OF))
        self.asked: list[float] = []
        self.shown: list[float] = []
        self.looks = 0

    def note(self, tick: Any, ages: list[float]) -> None:
        """Take one look in."""
        self.looks += 1
        if next(self._turn) == 0:
            ages.append(BEGINNING.timestamp() + self._loop.exactly() - tick.at.timestamp())


class OnTick(Strategy):
    """Enters once and holds, and looks at every price."""

    ages: ClassVar[Ages | None] = None

    @override
    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        """Enter, or only look."""
        if self.ages is not None:
            self.ages.note(tick, self.ages.asked)
        return Enter(reason="hold") if view.position is None else None


class OnCandle(Strategy):
    """Enters once and holds, and looks at candles only."""

    @override
    def on_candle(self, _candle: Candle, view: View) -> Signal | None:
        """Enter, or only look."""
        return Enter(reason="hold") if view.position is None else None


class Measured(World):
    """A world in which a strategy's thread takes one turn."""

    def __init__(self, chosen: argparse.Namespace) -> None:
        self.names = [f"C{number}" for number in range(chosen.symbols)]
        rules = (Rules(symbol=f"{n}USDT", base=n, quote="USDT", price=PRICE) for n in self.names)
        exchange = Settings(
            beat_s=BEAT_S,
            rules=tuple(rules),
            orders_per_10s=10_000,
            balances={"USDT": Decimal(10_000_000)},
        )
        super().__init__(1, exchange, loop=WorkedLoop)
        self.chosen = chosen

    @property
    def worked(self) -> WorkedLoop:
        """Return the loop."""
        if not isinstance(self.loop, WorkedLoop):
            raise TypeError("a world of its own")
        return self.loop

    @override
    async def _think(self) -> None:
        await self.sleep(0)

    async def play(self, _world: World) -> None:
        """Let every bot enter, then measure."""
        chosen = self.chosen
        self.configure("".join(configured(chosen, self.names)))
        self.start()
        while self.entered < chosen.bots:
            await self.sleep(1)
            for name in self.names if chosen.hook == "on_candle" else ():
                self.move(f"{name}USDT", 1)  # a minute without a trade has no candle
            if self.now > ENTERED_WITHIN_S:
                raise RuntimeError(f"{self.entered} of {chosen.bots} have entered")
        await self.sleep(5)
        await self.measure_ages()
        await self.sleep(60)
        meter = self.simulator.meter
        before, worked = meter.total, self.worked.worked
        await self.sleep(QUIET_S)
        print(f"weight a minute while nothing moves: {(meter.total - before) / QUIET_S * 60:,.0f}")
        print(f"processor while nothing moves: {(self.worked.worked - worked) / QUIET_S:.1%}")

    @property
    def entered(self) -> int:
        """Return how many entries are filled."""
        orders = self.simulator.exchange.orders.values()
        return sum(each.side == "BUY" and each.status == "FILLED" for each in orders)

    async def measure_ages(self) -> None:
        """Let prices come, and see how old they are."""
        loop, events = self.worked, self.chosen.events
        ages = OnTick.ages = Ages(loop)
        see = Runner.see

        def seen(runner: Runner, quote: Any) -> None:
            see(runner, quote)
            ages.note(quote.newest, ages.shown)

        worked, began, loop.longest = loop.worked, self.now, 0.0
        with patch.object(Runner, "see", seen):
            await self.publish(events)
        OnTick.ages = None
        worked, took = loop.worked - worked, self.now - began
        for what, found in (("levels", ages.shown), ("strategies", ages.asked)):
            if found:
                half, most = at(found, 0.5), at(found, 0.99)
                print(f"age at which {what} see a price: p50 {half:.1f} ms, p99 {most:.1f} ms")
        print(f"processor: {worked / took:.0%}, {worked / took / events * 1e6:.0f} us an event")
        print(f"longest piece of work: {loop.longest * 1e3:.1f} ms")

    async def publish(self, events: int) -> None:
        """Publish trades and books at moments that were fixed before, however late it is."""
        luck, began = Random("prices"), self.now  # noqa: S311 (no secret hangs on it)
        tell = self.simulator.streams.publish
        for number in range(int(events * MEASURED_S)):
            due = began + number / events
            if self.now < due:
                await self.sleep(due - self.now)
            symbol = f"{luck.choice(self.names)}USDT"
            price = PRICE * Decimal(repr(round(1 + luck.gauss(0, 0.001), 5)))
            at_ms = round((BEGINNING.timestamp() + due) * 1000)
            if number % 2:
                tell(symbol, "trade", partial(trade, symbol, price, number, at_ms))
            else:
                tell(symbol, "bookTicker", partial(book, symbol, price, number))


def at(found: list[float], share: float) -> float:
    """Return a percentile, in milliseconds."""
    return sorted(found)[int(len(found) * share)] * 1e3


def trade(symbol: str, price: Decimal, number: int, at_ms: int) -> dict[str, Any]:
    """Return a trade between others."""
    told = {"e": "trade", "E": at_ms, "s": symbol, "t": number, "p": f"{price:f}"}
    return {**told, "q": "0.1", "T": at_ms, "m": False, "M": True}


def book(symbol: str, price: Decimal, number: int) -> dict[str, Any]:
    """Return a book around a price."""
    told = {"u": number, "s": symbol, "b": f"{price - 1:f}", "B": "1"}
    return {**told, "a": f"{price + 1:f}", "A": "1"}


def configured(chosen: argparse.Namespace, names: list[str]) -> Iterator[str]:
    """Yield a table for each bot."""
    where = "exchange" if chosen.bots <= len(names) * PLACES else "local"
    frame = 'timeframe = "1m"' if chosen.hook == "on_candle" else ""
    strategy = "OnCandle" if chosen.hook == "on_candle" else "OnTick"
    for bot in range(chosen.bots):
        yield f"""
[bots.bot-{bot:05}]
account = "main"
symbol = "{names[bot % len(names)]}/USDT"
strategy = "benchmarks.size:{strategy}"
notional = 100
stop_loss = "10%"
stop_at = "{where}"
{frame}
"""


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bots", type=int, default=1_000)
    parser.add_argument("--symbols", type=int, default=250)
    parser.add_argument("--events", type=int, default=2_000, help="a second")
    parser.add_argument("--hook", choices=("on_tick", "on_candle"), default="on_tick")
    chosen = parser.parse_args()
    print(f"{chosen.bots:,} bots on {chosen.symbols} symbols, {chosen.events:,} events a second")
    world = Measured(chosen)
    world.run(world.play)


if __name__ == "__main__":
    from benchmarks import size

    size.main()
