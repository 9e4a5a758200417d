"""What is shown later than it should be, while something else is being asked: nothing is lost."""

from __future__ import annotations

from tests.simulation.test_set_back_worlds import give
from tests.simulation.test_situations import VISIBLE_S, bot, lived, ours
from tests.simulation.world import World


def test_what_is_seen_while_a_look_for_it_lasts_has_not_vanished() -> None:
    """It was denied, then told of by the stream, and only then the answers were all there."""

    async def play(world: World) -> None:
        arm = world.simulator.armory.arm
        arm("hide_order", {"on": "order.send", "seconds": 6 * VISIBLE_S})
        arm("lose_response", {"on": "order.send"})
        arm("slow_response", {"on": "myTrades", "seconds": 5, "times": 0})
        world.start()
        await world.sleep(12 * VISIBLE_S)

    params = "pause = 200.0, away = 0.01, hold = 100000.0"
    world = lived(bot("btc", strategy="Shuttle", params=params), play)
    (entry,) = ours(world, "BUY")
    assert entry.open
    assert not world.story.counts.get("bot position-frozen"), world.story.lines[-40:]


def test_a_stop_that_turns_up_after_another_took_its_place_is_withdrawn() -> None:
    """It was called absent, as nothing spoke against it, and left room for another.

    Coins of the owner lie there, so that the exchange takes both: they would sell these as well.
    """

    async def play(world: World) -> None:
        give(world, "0.05")
        arm = world.simulator.armory.arm
        arm("hide_order", {"on": "order.send", "side": "SELL", "seconds": 12 * VISIBLE_S})
        arm("lose_response", {"on": "order.send", "side": "SELL"})
        world.start()
        await world.sleep(120)

    world = lived(bot("btc"), play)
    assert world.story.counts.get("bot order-never"), world.story.lines[-40:]
    late, stop = ours(world, "SELL")
    assert (late.open, stop.open) == (False, True), world.story.lines[-40:]
