"""A start that many accounts and no exchange make long is none that hangs."""

from __future__ import annotations

from datetime import timedelta

from tests.simulation.world import BEAT_S, World

from surefoot.journal.gauges import gauges_of, read_signs
from surefoot.simulator import Settings
from surefoot.web.health import TURNS

ACCOUNTS = 12
# Whoever gave no sign for a minute hangs.
LONG_S = 50
BOT = """
[bots.{name}]
account = "{account}"
symbol = "BTC/USDT"
strategy = "tests.simulation.traders:InAndOut"
notional = 1000
stop_loss = "3%"
stop_at = "local"
"""
ACCOUNT = """
[accounts.{name}]
exchange = "binance"
api_key = "{name}-key"
secret = "{name}-secret"
[accounts.{name}.ccxt]
verify = false
urls.api.public = "http://127.0.0.1:{port}/api/v3"
urls.api.private = "http://127.0.0.1:{port}/api/v3"
urls.api.ws.spot = "ws://127.0.0.1:{port}/ws"
urls.api.ws.ws-api.spot = "ws://127.0.0.1:{port}/ws-api/v3"
"""


def crowd() -> str:
    names = [f"other{n}" for n in range(ACCOUNTS)]
    accounts = [ACCOUNT.format(name=name, port=9000 + n) for n, name in enumerate(names)]
    bots = [BOT.format(name=f"bot-{name}", account=name) for name in names]
    return "".join((*accounts, *bots))


def no_answer(world: World) -> None:
    world.loop.network.delay = lambda: 1000.0


def test_a_start_without_an_exchange_says_soon_enough_that_its_loop_turns() -> None:
    """A health check took it for one that hangs and ended it, and so the next: it never came up.

    Nothing was said before all accounts had been asked, one after the other.
    """

    async def play(world: World) -> None:
        own = BOT.format(name="own", account="main")
        world.configure(own)
        world.start()
        await world.sleep(20)
        world.stop()
        await world.sleep(5)
        world.configure(own, rest=crowd())
        no_answer(world)
        world.start()
        for _ in range(LONG_S):
            await world.sleep(1)
            assert world.program is not None
        world.stop()
        ended = world.clock.now()
        await world.sleep(5)
        turned = read_signs(gauges_of(world.directory / "surefoot.db")).turned
        assert turned is not None
        assert timedelta(0) <= ended - turned < TURNS / 2

    World(1, Settings(beat_s=BEAT_S)).run(play)


def test_a_first_start_without_an_exchange_waits_for_all_at_the_same_time() -> None:
    """In turn they took two minutes; a service that is not up by then is ended, for ever."""

    async def play(world: World) -> None:
        world.configure(BOT.format(name="own", account="main"), rest=crowd())
        no_answer(world)
        world.start()
        await world.sleep(LONG_S / 2)
        assert (world.directory / "surefoot.db").exists()
        world.kill()

    World(1, Settings(beat_s=BEAT_S)).run(play)
