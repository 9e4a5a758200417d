"""Fees are paid in BNB while a bot trades BNB: what they take is nobody's mischief."""

from __future__ import annotations

from decimal import Decimal

import pytest
from tests.simulation.world import BEAT_S, World

from surefoot.simulator import Settings

BOTS = """
[bots.holds]
account = "main"
symbol = "BNB/USDT"
strategy = "tests.simulation.traders:InAndOut"
notional = 1000
stop_loss = "3%"
stop_at = "local"
[bots.trades]
account = "main"
symbol = "BTC/USDT"
strategy = "tests.simulation.traders:Shuttle"
notional = 1000
stop_loss = "3%"
params = { hold = 40.0, pause = 20.0 }
"""


@pytest.mark.parametrize("dies", [False, True])
def test_what_our_own_fees_take_freezes_nobody(*, dies: bool) -> None:
    """Each trade of one bot froze the other: its coins were not locked, and some had gone.

    Nothing that was in doubt of it could be proven absent either.
    """

    async def play(world: World) -> None:
        world.configure(BOTS)
        world.start()
        await world.sleep(45)
        if dies:  # what the next trade pays is read after the balance
            world.at_next_order = 1
            await world.sleep(120)  # two of its looks at the price, whenever they fall
            assert world.deaths == 1
            world.start()
        await world.sleep(75)

    world = World(
        1,
        Settings(
            beat_s=BEAT_S, fee_mode="bnb", balances={"USDT": Decimal(100_000), "BNB": Decimal(10)}
        ),
    )
    world.run(play)
    assert [line for line in world.story.lines if "others-coins" in line]
    assert [line for line in world.story.lines if "frozen" in line] == []
