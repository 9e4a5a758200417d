"""The last bot of an account leaves the configuration while it holds something there."""

from __future__ import annotations

from tests.simulation.world import BEAT_S, World

from surefoot.simulator import Settings

BOT = """
[bots.{name}]
account = "{account}"
symbol = "BTC/USDT"
strategy = "tests.simulation.traders:InAndOut"
notional = 1000
stop_loss = "3%"
stop_at = "local"
"""
OTHER = """
[accounts.other]
exchange = "binance"
api_key = "another-key"
secret = "another-secret"
[accounts.other.ccxt]
verify = false
urls.api.public = "http://127.0.0.1:9/api/v3"
urls.api.private = "http://127.0.0.1:9/api/v3"
urls.api.ws.spot = "ws://127.0.0.1:9/ws"
urls.api.ws.ws-api.spot = "ws://127.0.0.1:9/ws-api/v3"
"""


def test_what_is_left_on_an_account_without_bots_is_still_protected() -> None:
    """Nothing was started for it: the stop that is watched here was watched by nobody."""

    async def play(world: World) -> None:
        stays = BOT.format(name="stays", account="other")
        world.configure(BOT.format(name="goes", account="main") + stays, rest=OTHER)
        world.start()
        await world.sleep(20)
        world.kill()
        world.configure(stays, rest=OTHER)
        world.start()
        await world.sleep(20)
        world.move("BTCUSDT", 0.9)
        await world.sleep(20)

    world = World(1, Settings(beat_s=BEAT_S))
    world.run(play)
    sold = [line for line in world.story.lines if "exchange TRADE" in line and "side=SELL" in line]
    assert len(sold) == 1
