"""Paper trading in virtual time: source, mirror and program, each of which goes and returns.

In the end every cent and every satoshi of the paper account is explained by its trades, and the
journal has booked exactly those.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from decimal import Decimal as D
from typing import Any, Final

import pytest
from tests.simulation.world import BEAT_S, ExchangeClock, World
from typing_extensions import override

from surefoot.simulator import Origin, Settings, Simulator
from surefoot.simulator.model import default_rules

BEGUN_WITH: Final = D(10_000)
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
BOTS: Final = 10
_SOURCE_PORT: Final = 50_001
_PAPER_PORT: Final = 50_002
_FILLS: Final = "SELECT trade_id, symbol, price, quantity, fee, fee_asset FROM fills"


class PaperWorld(World):
    """A world whose exchange is a mirror of another one."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed, Settings())
        walk = Settings(
            port=_SOURCE_PORT,
            market="random",
            seed=seed,
            beat_s=BEAT_S,
            rules=tuple(each for each in default_rules() if each.symbol in SYMBOLS),
        )
        self.source = Simulator(walk, ExchangeClock(self.loop))
        self.simulator = self._mirror()
        self.outages = 0

    def _mirror(self) -> Simulator:
        origin = Origin.at(f"http://127.0.0.1:{_SOURCE_PORT}", SYMBOLS)
        settings = Settings.mirroring(
            origin,
            port=_PAPER_PORT,
            balances={"USDT": BEGUN_WITH},
            state=self.directory / "paper.state",
            latency_s=0.05,
            beat_s=1.0,
        )
        return Simulator(settings, ExchangeClock(self.loop))

    async def restart_mirror(self, away_s: float) -> None:
        """End the paper exchange, and start it again from what it has kept."""
        await self.simulator.__aexit__(None, None, None)
        self.story.say("world", "mirror away")
        await self.sleep(away_s)
        self.simulator = self._mirror()
        self.simulator.exchange.listen(self._tell_execution)
        await self.simulator.__aenter__()

    async def blind(self, seconds: float) -> None:
        """Let the mirror see nothing of its source for a while."""
        self.source.armory.arm("outage", {})
        self.source.streams.disconnect()
        await self.sleep(seconds)
        assert self.simulator.market.stale is not None
        self.outages += 1
        self.source.armory.disarm()

    @override
    async def _play(self, play: Any) -> None:
        async with self.source:
            await self.sleep(BEAT_S * 2)
            await super()._play(play)


def bots() -> str:
    return "\n".join(
        f"""
[bots.bot-{number}]
account = "main"
symbol = "{("BTC/USDT", "ETH/USDT", "SOL/USDT")[number % 3]}"
strategy = "tests.simulation.traders:InAndOut"
notional = {50 + number}
stop_loss = "0.2%"
params = {{ hold = {120.0 + 37 * number} }}
"""
        for number in range(BOTS)
    )


async def _hours(world: World) -> None:
    assert isinstance(world, PaperWorld)
    world.configure(bots())
    world.start()
    for number in range(4):
        await world.sleep(400)
        if number == 0:
            world.kill()  # its stops go on without it
            await world.sleep(200)
            world.start()
        elif number == 1:
            await world.blind(90)
        elif number == 2:
            await world.restart_mirror(60)
    await world.sleep(600)
    world.kill()
    # Whatever was decided and not yet heard is settled by one more start.
    world.start()
    await world.sleep(60)
    world.booked = booked(world)  # type: ignore[attr-defined]


def booked(world: World) -> Counter[tuple[Any, ...]]:
    """Read what the journal has booked, without its own code."""
    with closing(sqlite3.connect(f"file:{world.directory}/surefoot.db?mode=rw", uri=True)) as found:
        return Counter(
            (str(trade), symbol.replace("/", ""), D(price), D(quantity), D(fee), asset)
            for trade, symbol, price, quantity, fee, asset in found.execute(_FILLS)
        )


@pytest.mark.slow  # most of a virtual hour, of three programs
def test_every_cent_on_paper_is_explained_whoever_was_away() -> None:
    """The program killed, the source gone, the mirror restarted; ten bots on three symbols."""
    world = PaperWorld(1)
    world.run(_hours)
    exchange = world.simulator.exchange
    held = {"USDT": BEGUN_WITH}
    for trade in exchange.trades:
        sign = 1 if trade.side == "BUY" else -1
        base = trade.symbol.removesuffix("USDT")
        for asset, change in (
            (base, sign * trade.quantity),
            ("USDT", -sign * trade.quantity * trade.price),
            (trade.fee_asset, -trade.fee),
        ):
            held[asset] = held.get(asset, D(0)) + change
    shown = {name: exchange.free[name] + exchange.locked.get(name, D(0)) for name in exchange.free}
    assert {n: a for n, a in shown.items() if a} == {n: a for n, a in held.items() if a}
    true = Counter(
        (str(t.trade_id), t.symbol, t.price, t.quantity, t.fee, t.fee_asset)
        for t in exchange.trades
    )
    assert world.booked == true  # type: ignore[attr-defined]
    # It was no quiet world.
    sold = [each for each in exchange.orders.values() if each.status == "FILLED"]
    assert len([each for each in sold if each.type == "STOP_LOSS"]) > 0
    assert len(sold) > BOTS + 5
    assert world.outages == 1
