"""A crowd that enters on one tick: whoever is filled is protected soon, or was not let in.

In the venue's own time. With 100 orders in 10 s and five stops on a symbol, two hundred bots once
had a hundred entries filled and every stop refused.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from typing import Any, Final

import pytest
from msgspec import Struct
from tests.simulation.world import BEAT_S, World

from surefoot.simulator import Settings
from surefoot.simulator.model import Rules

# A stop has come within a window of the venue's count, and half as much again.
SOON_MS: Final = 15_000
# Binance takes five stops on a symbol, and in one of the places stops are moved.
PLACES: Final = 4


class Crowd(Struct, frozen=True):
    """So many bots, the first of them crowded on a few symbols, the others spread over the rest."""

    bots: int
    symbols: int
    per_10s: int
    seconds: float
    crowded: int = 0
    on: int = 0

    def symbol(self, bot: int) -> str:
        if bot < self.crowded:
            return f"C{bot % self.on}"
        return f"C{self.on + bot % (self.symbols - self.on)}"

    @property
    def let_in(self) -> int:
        """Return for how many there is a place for a stop."""
        there: defaultdict[str, int] = defaultdict(int)
        for bot in range(self.bots):
            there[self.symbol(bot)] += 1
        return sum(min(count, PLACES) for count in there.values())


class Ledger:
    """When entries were filled and when stops came to rest, symbol by symbol."""

    def __init__(self, world: World) -> None:
        self.entered: defaultdict[str, list[int]] = defaultdict(list)
        self.protected: defaultdict[str, list[int]] = defaultdict(list)
        self._clock = world.simulator.clock
        world.simulator.exchange.listen(self.hear)

    def hear(self, execution: str, order: Any, _trade: Any) -> None:
        if order.type == "STOP_LOSS" and execution == "NEW":
            self.protected[order.symbol].append(self._clock.now_ms())
        elif order.side == "BUY" and order.status == "FILLED":
            self.entered[order.symbol].append(self._clock.now_ms())

    def waits(self) -> list[int | None]:
        """Return how long each entry's stop took; None: it has not come."""
        found: list[int | None] = []
        for symbol, entered in self.entered.items():
            stops: list[int | None] = [*self.protected[symbol]]
            stops += [None] * (len(entered) - len(stops))
            for fill, stop in zip(entered, stops, strict=False):
                found.append(None if stop is None else stop - fill)
        return found


def configuration(crowd: Crowd) -> str:
    return "".join(
        f"""
[bots.bot-{bot}]
account = "main"
symbol = "{crowd.symbol(bot)}/USDT"
strategy = "tests.simulation.traders:InAndOut"
notional = 100
stop_loss = "2%"
params = {{ hold = 100000.0 }}
"""
        for bot in range(crowd.bots)
    )


def rules(crowd: Crowd) -> tuple[Rules, ...]:
    return tuple(
        Rules(symbol=f"C{n}USDT", base=f"C{n}", quote="USDT", price=Decimal(100))
        for n in range(crowd.symbols)
    )


@pytest.mark.parametrize(
    "crowd",
    [
        Crowd(bots=30, symbols=8, per_10s=10, seconds=120, crowded=10, on=2),
        pytest.param(
            Crowd(bots=200, symbols=60, per_10s=100, seconds=90, crowded=40, on=5),
            marks=pytest.mark.slow,
        ),
    ],
    ids=["thirty", "two hundred"],
)
def test_whoever_is_filled_is_protected_soon(crowd: Crowd) -> None:
    """Catches stops behind entries in the count, and more entries than places for stops."""
    exchange = Settings(beat_s=BEAT_S, rules=rules(crowd), orders_per_10s=crowd.per_10s)
    world = World(1, exchange)
    ledger = Ledger(world)

    async def play(world: World) -> None:
        world.configure(configuration(crowd))
        world.start()
        await world.sleep(crowd.seconds)

    world.run(play)
    told = "\n".join(world.story.lines[-40:])
    for turned_away in ("order-refused", "order-never", "order-doubted"):
        assert f"bot {turned_away}" not in world.story.counts, told
    waits = ledger.waits()
    assert len(waits) == crowd.let_in, told
    assert None not in waits, told
    assert max(wait for wait in waits if wait is not None) <= SOON_MS, told
    assert world.story.counts.get("bot signal refused"), "nobody had to wait: this proves nothing"
