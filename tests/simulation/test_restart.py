"""What a restart asks of the exchange: little, and more only of what has changed since.

The weight is the simulator's own count, from the start of the program to its report.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

import pytest
from tests.simulation.world import BEAT_S, World

from surefoot.simulator import Settings
from surefoot.simulator.model import NewOrder, Rules, Twist

BASE: Final = 130
# The last prices and the best of the book, of all symbols.
PRICES: Final = 8
SECONDS: Final = 10.0
PER_SYMBOL: Final = 20
PATIENCE_S: Final = 120.0


MARKET: Final = """strategy = "tests.simulation.traders:InAndOut"
params = { hold = 100000.0 }"""


def configuration(bots: int) -> str:
    return "".join(
        f"""
[bots.bot-{bot}]
account = "main"
symbol = "C{bot}/USDT"
{MARKET}
notional = 100
stop_loss = "2%"
"""
        for bot in range(bots)
    )


def rules(bots: int) -> tuple[Rules, ...]:
    return tuple(
        Rules(symbol=f"C{n}USDT", base=f"C{n}", quote="USDT", price=Decimal(100))
        for n in range(bots)
    )


async def protected(world: World, bots: int) -> None:
    """Wait until every bot holds something, with its stop at the exchange."""
    for _ in range(600):
        await world.sleep(1)
        orders = world.simulator.exchange.orders.values()
        if sum(order.type == "STOP_LOSS" and order.open for order in orders) == bots:
            return
    raise AssertionError("\n".join(world.story.lines[-20:]))


async def restarted(world: World) -> int:
    """Start the program; return the weight that it has spent when it has recovered."""
    meter = world.simulator.meter
    before, reports = meter.total, world.story.counts.get("bot recovery finished", 0)
    world.start()
    for _ in range(int(PATIENCE_S / 0.1)):
        await world.sleep(0.1)
        if world.story.counts.get("bot recovery finished", 0) > reports:
            return int(meter.total - before)
    raise AssertionError("\n".join(world.story.lines[-20:]))


@pytest.mark.parametrize("bots", [40, pytest.param(1_000, marks=pytest.mark.slow)])
def test_fresh_bots_cost_what_one_does(bots: int) -> None:
    """22 of weight each, one after the other: a thousand took five minutes to start."""
    told: list[tuple[int, float]] = []

    async def play(world: World) -> None:
        world.configure(configuration(bots))
        began = world.now
        told.append((await restarted(world), world.now - began))

    exchange = Settings(beat_s=BEAT_S, rules=rules(bots), orders_per_10s=1_000)
    world = World(1, exchange)
    world.run(play)
    ((weight, seconds),) = told
    assert weight <= BASE + PRICES
    assert seconds <= SECONDS


@pytest.mark.parametrize(
    ("bots", "changed"),
    [
        (1, 0),
        (1, 1),
        (30, 0),
        (30, 3),
        pytest.param(200, 0, marks=pytest.mark.slow),
        pytest.param(200, 20, marks=pytest.mark.slow),
    ],
)
def test_a_restart_pays_for_what_has_changed(bots: int, changed: int) -> None:
    spent: list[int] = []

    async def play(world: World) -> None:
        world.configure(configuration(bots))
        world.start()
        await protected(world, bots)
        await world.sleep(90)
        world.stop()
        await world.sleep(30)
        for number in range(changed):
            world.move(f"C{number}USDT", 0.9)  # its stop fills while nobody looks
        await world.sleep(60)
        spent.append(await restarted(world))

    exchange = Settings(beat_s=BEAT_S, rules=rules(bots), orders_per_10s=1_000)
    world = World(1, exchange)
    world.run(play)
    assert spent[0] <= BASE + PER_SYMBOL * changed


def by_hand(world: World, bot: int, name: str, side: str, quantity: str) -> None:
    """Trade on the account without the bot."""
    order = NewOrder(
        symbol=f"C{bot}USDT",
        side=side,
        type="MARKET",
        quantity=Decimal(quantity),
        price=Decimal(0),
        stop_price=Decimal(0),
        client_order_id=name,
    )
    world.simulator.exchange.place(order, Twist(), origin="outside")


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize(
    ("bots", "symbols", "orders"),
    [(1, 1, 1), (30, 3, 1), pytest.param(30, 10, 4, marks=pytest.mark.slow)],
)
def test_trades_by_hand_cost_one_list_of_orders(
    bots: int, symbols: int, orders: int, side: str
) -> None:
    """Two of trades and one of balances for each symbol, and whose each order was."""
    spent: list[int] = []

    async def play(world: World) -> None:
        world.configure(configuration(bots))
        world.start()
        await protected(world, bots)
        for number in range(symbols):
            by_hand(world, number, f"before-{number}", "BUY", "10")
        await world.sleep(90)
        world.stop()
        for number in range(symbols):
            for again in range(orders):
                by_hand(world, number, f"by-hand-{number}-{again}", side, "1")
        await world.sleep(90)
        spent.append(await restarted(world))

    exchange = Settings(beat_s=BEAT_S, rules=rules(bots), orders_per_10s=1_000)
    world = World(1, exchange)
    world.run(play)
    assert spent[0] <= BASE + PER_SYMBOL * symbols


# One clock question, the markets, the account, all open orders or one's, and the WebSocket API.
UNCHANGED: Final = 1 + 20 + 20 + 80 + 4
ALONE: Final = 1 + 20 + 20 + 6 + 4
QUERY: Final = 4
TRADES: Final = 20
BALANCE: Final = 20


def meddle(world: World, bot: int, how: str) -> None:
    """Cancel a bot's stop by hand; sell what it locked, or withdraw it, or buy more."""
    exchange = world.simulator.exchange
    orders = [o for o in exchange.orders.values() if o.symbol == f"C{bot}USDT" and o.open]
    (stop,) = (order for order in orders if order.type == "STOP_LOSS")
    exchange.cancel(stop, "by-hand")
    if how == "WITHDRAW":
        exchange.free[f"C{bot}"] -= stop.quantity
    else:
        by_hand(world, bot, f"meddled-{bot}", how, str(stop.quantity))


@pytest.mark.parametrize(
    ("bots", "symbols", "how", "ago_s", "each", "once"),
    [
        (1, 1, "SELL", 90, QUERY + TRADES + QUERY, 0),
        (30, 3, "SELL", 90, QUERY + TRADES + QUERY, 0),
        (30, 3, "WITHDRAW", 90, QUERY + TRADES, 0),
        (30, 3, "BUY", 20, QUERY + TRADES + QUERY, BALANCE),
    ],
)
def test_what_happened_under_a_cancelled_stop_is_asked_about_once(
    bots: int, symbols: int, how: str, ago_s: float, each: int, once: int
) -> None:
    """The trades, what became of the stop, and whose order it was; it was 41 to 101 each.

    A stop was sent for coins that had gone; balance, list and trades were read again. What was
    traded so lately that the balance may not show it wants another one, which serves for all.
    """
    spent: list[int] = []

    async def play(world: World) -> None:
        world.configure(configuration(bots))
        world.start()
        await protected(world, bots)
        await world.sleep(90)
        world.stop()
        await world.sleep(5)
        for number in range(symbols):
            meddle(world, number, how)
        await world.sleep(ago_s)
        spent.append(await restarted(world))
        assert world.story.counts.get("bot reduction-booked", 0) == symbols * (how == "SELL")
        assert "bot order-refused" not in world.story.counts

    World(1, Settings(beat_s=BEAT_S, rules=rules(bots), orders_per_10s=1_000)).run(play)
    unchanged = ALONE if bots == 1 else UNCHANGED
    assert spent == [unchanged + each * symbols + once]


# What is in doubt --------------------------------------------------------------------------------

BOTS: Final = 30
LIMIT: Final = """strategy = "tests.simulation.traders:Shuttle"
params = { away = 0.01 }"""


async def doubted(world: World, doubts: int, how: str) -> None:
    """Let so many of the bots lose the request of their entry, all others hold something."""
    world.configure(configuration(BOTS - doubts))
    world.start()
    await protected(world, BOTS - doubts)
    await world.sleep(90)
    world.stop()
    await world.sleep(30)
    words = configuration(BOTS)
    doubting = words.index(f"[bots.bot-{BOTS - doubts}]")
    world.configure(words[:doubting] + words[doubting:].replace(MARKET, how))
    armory = world.simulator.armory
    for bot in range(BOTS - doubts, BOTS):
        armory.arm("lose_request", {"on": "order.send", "symbol": f"C{bot}USDT"})
    world.start()
    for _ in range(600):
        await world.sleep(0.1)
        if not armory.faults:
            return
    raise AssertionError("\n".join(world.story.lines[-20:]))


@pytest.mark.parametrize(
    ("doubts", "how", "later_s", "each"),
    [
        (3, MARKET, 5, QUERY),
        (1, LIMIT, 120, QUERY + TRADES),
        pytest.param(3, LIMIT, 120, QUERY + TRADES, marks=pytest.mark.slow),
        pytest.param(3, MARKET, 120, QUERY + TRADES, marks=pytest.mark.slow),
    ],
)
def test_an_entry_in_doubt_costs_its_proof_once(
    doubts: int, how: str, later_s: float, each: int
) -> None:
    """Trades are read when they can prove something; what they have proven is not looked at again.

    It was 54 for one and 122 for three, and with a limit 20 more.
    """
    spent: list[int] = []

    async def play(world: World) -> None:
        await doubted(world, doubts, how)
        world.kill()
        await world.sleep(later_s)
        spent.append(await restarted(world))

    World(1, Settings(beat_s=BEAT_S, rules=rules(BOTS), orders_per_10s=1_000)).run(play)
    assert spent[0] <= UNCHANGED + each * doubts
    assert spent[0] <= BASE + PER_SYMBOL or doubts > 1


def test_a_never_of_today_costs_its_own_question() -> None:
    """It is asked about for a day; 20 more of trades were read for it at every comparison."""
    spent: list[int] = []

    async def play(world: World) -> None:
        await doubted(world, 1, MARKET)
        await protected(world, BOTS)
        await world.sleep(90)
        world.stop()
        await world.sleep(30)
        spent.append(await restarted(world))

    world = World(1, Settings(beat_s=BEAT_S, rules=rules(BOTS), orders_per_10s=1_000))
    world.run(play)
    assert spent == [UNCHANGED + QUERY]


@pytest.mark.parametrize(("seconds", "samples"), [(0, 1), (1, 3)])
def test_a_clock_is_asked_again_only_after_a_long_way(seconds: float, samples: int) -> None:
    """Half of the way there and back is how wrong an offset can be."""
    spent: list[int] = []

    async def play(world: World) -> None:
        world.configure(configuration(1))
        if seconds:
            slow = {"on": "time", "seconds": seconds, "times": 0}
            world.simulator.armory.arm("slow_response", slow)
        world.start()
        await world.sleep(20)
        asked = [each for each in world.simulator.requests if each["operation"] == "time"]
        spent.append(len(asked))

    World(1, Settings(beat_s=BEAT_S, rules=rules(1), orders_per_10s=1_000)).run(play)
    assert spent == [samples]
