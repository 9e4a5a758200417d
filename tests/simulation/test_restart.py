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


def configuration(bots: int) -> str:
    return "".join(
        f"""
[bots.bot-{bot}]
account = "main"
symbol = "C{bot}/USDT"
strategy = "tests.simulation.traders:InAndOut"
notional = 100
stop_loss = "2%"
params = {{ hold = 100000.0 }}
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
