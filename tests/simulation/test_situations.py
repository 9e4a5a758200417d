"""One situation a world: what luck makes so seldom that no drawn world can be counted upon for it.

`docket` names the mistake that each of them was seen to catch.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from tests.simulation.world import BEAT_S, World

from surefoot.simulator import Settings
from surefoot.simulator.model import NewOrder, Twist

BOT = """
[bots.{name}]
account = "main"
symbol = "{symbol}"
strategy = "tests.simulation.traders:{strategy}"
notional = 1000
stop_loss = "3%"
stop_at = "{stop_at}"
take_profit = "{gain}"
params = {{ {params} }}
"""
# V, and what the bots of these worlds wait before they wish for something again.
VISIBLE_S = 5


def bot(
    name: str,
    symbol: str = "BTC/USDT",
    strategy: str = "InAndOut",
    stop_at: str = "exchange",
    params: str = "hold = 100000.0",
    gain: str = "off",
) -> str:
    told = {"name": name, "symbol": symbol, "strategy": strategy, "stop_at": stop_at}
    return BOT.format(params=params, gain=gain, **told)


def resting(name: str) -> str:
    return bot(name, strategy="Shuttle", params="pause = 12.0, away = 0.01, hold = 100000.0")


def lived(
    bots: str,
    play: Callable[[World], Awaitable[None]],
    *,
    account: str = "",
    visible_s: float = VISIBLE_S,
) -> World:
    world = World(1, Settings(beat_s=BEAT_S, balances={"USDT": Decimal(100_000)}))

    async def whole(world: World) -> None:
        world.configure(bots, account=f'visibility = "{visible_s}s"\n{account}')
        await play(world)

    world.run(whole)
    return world


def ours(world: World, side: str) -> list[Any]:
    orders = world.simulator.exchange.orders.values()
    return [each for each in orders if each.origin == "api" and each.side == side]


def by_hand(world: World, side: Any, quantity: Decimal, price: Decimal | None = None) -> None:
    order = NewOrder(
        symbol="BTCUSDT",
        side=side,
        type="MARKET" if price is None else "LIMIT",
        quantity=quantity,
        price=price or Decimal(0),
        stop_price=Decimal(0),
        client_order_id="outside",
    )
    world.simulator.exchange.place(order, Twist(), origin="outside")


@pytest.mark.parametrize(("hanging", "falling"), [("BTCUSDT", "ETHUSDT"), ("ETHUSDT", "BTCUSDT")])
def test_a_start_sells_what_fell_while_another_symbols_answers_do_not_come(
    hanging: str, falling: str
) -> None:
    """No stream tells of a price either: it is asked for."""

    async def play(world: World) -> None:
        world.start()
        await world.sleep(20)
        world.kill()
        world.move(falling, 0.9)
        arm = world.simulator.armory.arm
        arm("stream_drop", {"on": "market", "times": 0})
        arm("hold_request", {"on": "*", "symbol": hanging, "seconds": 60, "times": 0})
        world.start()
        await world.sleep(4)

    both = bot("btc", stop_at="local") + bot("eth", "ETH/USDT", stop_at="local")
    world = lived(both, play)
    assert [each.symbol for each in ours(world, "SELL")] == [falling], world.story.lines[-40:]


def test_an_entry_that_rests_unseen_is_not_made_again() -> None:
    """It is shown long after V, but what it would cost is locked."""

    async def play(world: World) -> None:
        arm = world.simulator.armory.arm
        arm("hide_order", {"on": "order.send", "seconds": 9 * VISIBLE_S})
        arm("lose_response", {"on": "order.send"})
        world.start()
        await world.sleep(8 * VISIBLE_S)

    world = lived(resting("bot"), play)
    assert len(ours(world, "BUY")) == 1, world.story.lines[-40:]


@pytest.mark.parametrize(
    ("whose", "within_s"), [("another bot's", 6 * VISIBLE_S), ("the owner's", 16 * VISIBLE_S)]
)
def test_what_others_have_locked_blocks_no_bot_for_long(whose: str, within_s: float) -> None:
    """An entry never arrived, and what is locked is not its: a known order's at once."""

    async def play(world: World) -> None:
        arm = world.simulator.armory.arm
        arm("lose_request", {"on": "order.send", "symbol": "BTCUSDT"})
        world.start()
        if whose == "the owner's":
            by_hand(world, "BUY", Decimal("0.03"), Decimal(50_000))
        await world.sleep(within_s)

    params = "pause = 200.0, away = 0.01, hold = 100000.0"
    other = bot("other", "ETH/USDT", strategy="Shuttle", params=params)
    world = lived(resting("bot") + (other if whose == "another bot's" else ""), play)
    assert world.story.counts.get("bot order-doubted") == 1, world.story.lines[-40:]
    assert world.story.counts.get("bot order-never") == 1, world.story.lines[-40:]


def test_what_is_refused_again_and_again_is_one_alarm() -> None:
    async def play(world: World) -> None:
        world.start()
        await world.sleep(15)
        for where in ("order.replace", "order.send"):
            world.simulator.armory.arm(
                "reject",
                {"on": where, "side": "SELL", "code": -2010, "message": "no", "times": 0},
            )
        await world.sleep(900)

    world = lived(bot("bot", params="hold = 20.0"), play)
    assert world.story.counts.get("bot stuck") == 1, world.story.lines[-40:]
    assert not world.story.counts.get("bot no longer stuck"), world.story.lines[-40:]


def test_an_alarm_stays_until_what_was_in_doubt_is_protected() -> None:
    """Bought minutes ago, shown only now, and no stop yet: for a minute all seemed well."""

    async def play(world: World) -> None:
        arm = world.simulator.armory.arm
        arm("hide_order", {"on": "order.send", "side": "BUY", "seconds": 100})
        arm("lose_response", {"on": "order.send", "side": "BUY"})
        arm("stream_drop", {"on": "user", "times": 0})
        arm("lose_request", {"on": "order.send", "side": "SELL", "times": 0})
        world.start()
        await world.sleep(140)

    world = lived(bot("bot"), play)
    alarms = [line for line in world.story.lines if "stuck account" in line]
    begun = next(line for line in alarms if "stop-missing/bot-1" in line)
    ended = next(line for line in alarms if "no longer" in line and "order-in-doubt" in line)
    assert begun.split()[0] == ended.split()[0], alarms


def test_what_is_left_after_a_sale_by_hand_is_protected_at_once() -> None:
    """The next round would find out as well, when it comes."""

    async def play(world: World) -> None:
        exchange = world.simulator.exchange
        world.start()
        await world.sleep(65)
        (stop,) = exchange.standing
        exchange.cancel(stop, "outside_cancel")
        by_hand(world, "SELL", Decimal("0.006"))
        await world.sleep(8)

    world = lived(bot("bot"), play)
    standing = [each for each in ours(world, "SELL") if each.open]
    assert [each.type for each in standing] == ["STOP_LOSS"], world.story.lines[-40:]


def test_what_a_gateway_says_is_no_answer_of_the_exchange() -> None:
    """A 503 with a listed code: the order was accepted all the same."""

    async def play(world: World) -> None:
        fault = {"on": "order.send", "status": 503, "code": -2010, "message": "no"}
        world.simulator.armory.arm("error_after", fault)
        world.simulator.armory.arm("stream_drop", {"on": "user", "times": 0})
        world.start()
        await world.sleep(60)

    world = lived(bot("bot", strategy="Shuttle", params="pause = 12.0"), play)
    assert len(ours(world, "BUY")) == 1, world.story.lines[-40:]
    assert not world.story.counts.get("bot order-refused"), world.story.lines[-40:]
    assert not world.story.counts.get("bot position-frozen"), world.story.lines[-40:]


def test_a_stop_that_rests_stays_as_large_as_it_is_when_new_orders_may_be_no_larger() -> None:
    async def play(world: World) -> None:
        exchange = world.simulator.exchange
        world.start()
        await world.sleep(20)
        world.kill()
        smaller = replace(exchange.rules["BTCUSDT"], quantity_max=Decimal("0.005"))
        exchange.enlist(smaller)
        world.start()
        await world.sleep(40)

    world = lived(bot("bot"), play)
    (stop,) = ours(world, "SELL")
    assert stop.open
    assert stop.quantity > Decimal("0.01")
    assert not stop.amendments


def test_what_moves_unseen_is_asked_for_all_the_time() -> None:
    """Once in a while would be half a minute later."""

    async def play(world: World) -> None:
        world.start()
        await world.sleep(20)
        world.simulator.armory.arm("stream_drop", {"on": "market", "symbol": "BTCUSDT", "times": 0})
        for _ in range(50):
            world.move("BTCUSDT", 1.0002)
            await world.sleep(2)
        world.move("BTCUSDT", 0.9)
        await world.sleep(10)

    both = bot("btc", stop_at="local") + bot("eth", "ETH/USDT", stop_at="local")
    world = lived(both, play)
    assert len(ours(world, "SELL")) == 1, world.story.lines[-40:]


def test_a_day_begins_nothing_while_what_is_open_is_under_water() -> None:
    """Nothing was sold at a loss yet; what may be lost of it is more than the day may lose."""
    before: list[int] = []

    async def play(world: World) -> None:
        world.start()
        await world.sleep(40)
        world.move("BTCUSDT", 0.98)
        await world.sleep(2)
        before.append(len(ours(world, "BUY")))
        await world.sleep(60)

    bots = bot("btc") + bot("eth", "ETH/USDT", "Shuttle", params="pause = 15.0, hold = 10.0")
    world = lived(bots, play, account="caps = { daily_loss = 15 }")
    assert before[0] > 1, "the other one has not entered: this proves nothing"
    assert len(ours(world, "BUY")) == before[0], world.story.lines[-40:]


def test_a_sale_by_hand_after_our_stop_was_cancelled_by_hand_is_asked_about() -> None:
    """Other coins lie there, so nothing lacks that could not be the owner's; it was the bot's."""

    async def play(world: World) -> None:
        exchange = world.simulator.exchange
        exchange.free["BTC"] = Decimal("0.02")
        world.start()
        await world.sleep(120)
        (stop,) = exchange.standing
        exchange.cancel(stop, "outside_cancel")
        by_hand(world, "SELL", stop.quantity)
        await world.sleep(120)

    world = lived(bot("bot"), play)
    assert world.story.counts.get("bot position-frozen"), world.story.lines[-40:]


def test_a_stop_does_not_wait_because_nobody_met_a_limit() -> None:
    async def play(world: World) -> None:
        world.start()
        await world.sleep(20)
        unmet = {"on": "order.send", "side": "SELL", "type": "LIMIT", "fraction": 0, "times": 0}
        world.simulator.armory.arm("partial_fill", unmet)
        world.move("BTCUSDT", 1.01)
        for _ in range(60):
            world.move("BTCUSDT", 1.0001)
            await world.sleep(1)
        world.move("BTCUSDT", 0.95)
        await world.sleep(3)

    world = lived(bot("bot", stop_at="local", gain="0.5%"), play)
    tries = ours(world, "SELL")
    assert len(tries) > 5, "nothing was tried in vain: this proves nothing"
    assert tries[-1].type == "MARKET", world.story.lines[-40:]


def test_a_stop_for_more_than_is_there_makes_way_where_nothing_can_be_replaced() -> None:
    less: list[Decimal] = []

    async def play(world: World) -> None:
        exchange = world.simulator.exchange
        exchange.enlist(replace(exchange.rules["BTCUSDT"], replaces=False))
        world.start()
        await world.sleep(20)
        (stop,) = exchange.standing
        less.append((stop.quantity * 3 / 5).quantize(Decimal("0.00001")))
        exchange.locked["BTC"] = less[0]
        await world.sleep(90)

    world = lived(bot("bot"), play)
    standing = [each.quantity for each in ours(world, "SELL") if each.open]
    assert standing == less, world.story.lines[-40:]
