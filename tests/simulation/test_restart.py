"""What a restart asks of the exchange: little, and more only of what has changed since.

The weight is the simulator's own count, from the start of the program to its report.
"""

from __future__ import annotations

from collections.abc import Sequence
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
ORDERS: Final = 20
TRADES: Final = 20
FILLS_OF: Final = 5


def meddle(world: World, bot: int, how: str) -> None:
    """Let something happen to a bot's stop and to what it locks."""
    exchange, symbol = world.simulator.exchange, f"C{bot}USDT"
    orders = [o for o in exchange.orders.values() if o.symbol == symbol and o.open]
    (stop,) = (order for order in orders if order.type == "STOP_LOSS")
    if how.startswith("FILL"):
        world.move(symbol, 0.9)
    else:
        exchange.cancel(stop, "by-hand")
    match how:
        case "WITHDRAW":
            exchange.free[f"C{bot}"] -= stop.quantity
        case "DEPOSIT":
            exchange.free[f"C{bot}"] += stop.quantity
        case "HALF":
            by_hand(world, bot, f"meddled-{bot}", "SELL", str(stop.quantity / 2))
        case "FILL, and others buy":
            by_hand(world, bot, f"meddled-{bot}", "BUY", "10")
        case "SELL" | "BUY":
            by_hand(world, bot, f"meddled-{bot}", how, str(stop.quantity))


def meddled(bots: int, symbols: Sequence[str], ago_s: float) -> tuple[int, World]:
    """Return what a restart costs after something happened to the stops of some bots."""
    spent: list[int] = []

    async def play(world: World) -> None:
        world.configure(configuration(bots))
        world.start()
        await protected(world, bots)
        await world.sleep(90)
        world.stop()
        await world.sleep(5)
        for number, how in enumerate(symbols):
            meddle(world, number, how)
        await world.sleep(ago_s)
        spent.append(await restarted(world))

    world = World(1, Settings(beat_s=BEAT_S, rules=rules(bots), orders_per_10s=1_000))
    world.run(play)
    return spent[0], world


@pytest.mark.parametrize(
    ("bots", "symbols", "how", "ago_s", "first", "each"),
    [
        (1, 1, "SELL", 90, QUERY, ORDERS),
        (30, 3, "SELL", 90, QUERY, ORDERS),
        (30, 3, "HALF", 20, 0, ORDERS),
        (30, 3, "WITHDRAW", 90, QUERY, ORDERS),
        (30, 3, "BUY", 20, 0, ORDERS),
        pytest.param(30, 3, "CANCEL", 20, 0, QUERY, marks=pytest.mark.slow),
        pytest.param(30, 10, "FILL", 90, 0, QUERY + FILLS_OF, marks=pytest.mark.slow),
        (30, 1, "FILL, and others buy", 90, 0, ORDERS + FILLS_OF),
        pytest.param(30, 10, "SELL", 20, QUERY, ORDERS, marks=pytest.mark.slow),
        pytest.param(30, 10, "HALF", 90, 0, ORDERS, marks=pytest.mark.slow),
        pytest.param(30, 10, "WITHDRAW", 90, QUERY, ORDERS, marks=pytest.mark.slow),
        pytest.param(30, 10, "BUY", 90, 0, ORDERS, marks=pytest.mark.slow),
        pytest.param(30, 10, "DEPOSIT", 90, 0, ORDERS, marks=pytest.mark.slow),
    ],
)
def test_what_happened_to_a_stop_is_told_by_its_name_or_by_one_list(
    bots: int, symbols: int, how: str, ago_s: float, first: int, each: int
) -> None:
    """What became of the stop, the trades, whose each order was, and a balance once more: 28 to 48.

    It was 41 to 101 each when a stop was sent for coins that had gone, and all was read again.
    """
    spent, world = meddled(bots, [how] * symbols, ago_s)
    assert world.story.counts.get("bot reduction-booked", 0) == symbols * (how in {"SELL", "HALF"})
    assert "bot order-refused" not in world.story.counts
    assert spent == (ALONE if bots == 1 else UNCHANGED) + first + each * symbols
    assert spent <= BASE + PER_SYMBOL * symbols


def test_one_that_filled_among_others_that_were_sold_by_hand_is_asked_for_its_fills() -> None:
    """What most were is a guess: one list too many, and never a conclusion."""
    spent, world = meddled(30, ["SELL", "FILL", "SELL"], 90)
    assert world.story.counts["bot reduction-booked"] == 2
    assert spent <= BASE + PER_SYMBOL * 3 + FILLS_OF + QUERY  # two lists too early at most


def test_stops_that_filled_beside_what_others_bought_cost_their_fills_more() -> None:
    """Over by 5 each, from the second on; it was 66 each."""
    spent, _ = meddled(30, ["FILL, and others buy"] * 3, 90)
    assert spent == UNCHANGED + (ORDERS + FILLS_OF) * 3


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
