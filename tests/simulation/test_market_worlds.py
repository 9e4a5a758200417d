"""One situation a world: markets that close, are paid for with each other, or are filled in parts.

`docket` names the mistake that each of them was seen to catch.
"""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from tests.simulation.test_operator_worlds import killed
from tests.simulation.test_situations import bot, lived, ours
from tests.simulation.world import BEAT_S, World

from surefoot.simulator import Settings
from surefoot.simulator.model import Rules

CROSS = Rules(
    symbol="ETHBTC",
    base="ETH",
    quote="BTC",
    price=Decimal("0.04"),
    tick=Decimal("0.00001"),
    lot=Decimal("0.0001"),
    quantity_min=Decimal("0.0001"),
    notional_min=Decimal("0.0001"),
)


def test_a_market_that_is_closed_for_good_keeps_nobody_out() -> None:
    """What is held there has no price any more, and a day may lose only so much."""

    async def play(world: World) -> None:
        exchange = world.simulator.exchange
        world.configure(bot("eth", "ETH/USDT"), account=CAPPED)
        world.start()
        await world.sleep(20)
        await killed(world)
        exchange.rules["ETHUSDT"] = replace(exchange.rules["ETHUSDT"], trading=False)
        arm = world.simulator.armory.arm
        arm("stream_drop", {"on": "market", "symbol": "ETHUSDT", "times": 0})
        for each in ("ticker.price", "ticker.book"):
            arm("error_before", {"on": each, "symbol": "ETHUSDT", "times": 0})
        world.configure(bot("eth", "ETH/USDT") + bot("btc"), account=CAPPED)
        world.start()
        await world.sleep(120)

    world = lived("", play)
    assert [each.symbol for each in ours(world, "BUY")] == ["ETHUSDT", "BTCUSDT"]


CAPPED = 'visibility = "5s"\ncaps = { daily_loss = 2000 }\n'


def test_nobody_pays_with_what_another_bot_trades() -> None:
    """Its entries would spend coins that no stop locks, and nobody could say whose."""
    settings = Settings(beat_s=BEAT_S, balances={"USDT": Decimal(100_000), "BTC": Decimal(1)})
    world = World(1, replace(settings, rules=(*settings.rules, CROSS)))

    async def play(world: World) -> None:
        cross = bot("cross", "ETH/BTC").replace("notional = 1000", "notional = 0.02")
        world.configure(bot("btc", stop_at="local") + cross, account='visibility = "5s"')
        world.start()
        await world.sleep(60)

    world.run(play)
    assert "ETHBTC" not in {each.symbol for each in ours(world, "BUY")}


def test_what_is_worth_its_price_is_no_dust_whatever_is_answered() -> None:
    """Refused as too small once, it was let go, and nobody watched it any more."""

    async def play(world: World) -> None:
        world.start()
        await world.sleep(20)
        message = "Filter failure: NOTIONAL"
        fault = {"on": "order.send", "side": "SELL", "times": 3, "code": -1013, "message": message}
        world.simulator.armory.arm("reject", fault)
        world.move("BTCUSDT", 0.9)
        for _ in range(60):
            world.move("BTCUSDT", 0.9999)
            await world.sleep(10)

    world = lived(bot("bot", stop_at="local"), play)
    assert ours(world, "SELL"), world.story.lines[-40:]
