"""One bot lives through half a virtual hour in seconds."""

from __future__ import annotations

from tests.simulation.world import BEAT_S, World

from surefoot.simulator import Settings

BOT = """
[bots.bot]
account = "main"
symbol = "BTC/USDT"
strategy = "tests.simulation.traders:InAndOut"
notional = 100
stop_loss = "2%"
params = { hold = 1200.0 }
"""


async def _half_an_hour(world: World) -> None:
    world.configure(BOT)
    world.start()
    await world.sleep(600)
    world.kill()
    await world.sleep(60)
    world.start()
    await world.sleep(1200)


def story_of(seed: int) -> World:
    world = World(seed, Settings(beat_s=BEAT_S))
    world.run(_half_an_hour)
    return world


def test_a_bot_enters_is_protected_and_leaves_in_half_a_virtual_hour() -> None:
    """The whole program in one process: entry, stop at the exchange, a kill, exit."""
    world = story_of(1)
    orders = [(o.type, o.side, o.status) for o in world.simulator.exchange.orders.values()]
    assert orders == [
        ("MARKET", "BUY", "FILLED"),
        ("STOP_LOSS", "SELL", "CANCELED"),
        ("MARKET", "SELL", "FILLED"),
    ], "\n".join(world.story.lines[-60:])
    assert world.now > 1800
