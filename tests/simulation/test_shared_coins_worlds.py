"""Worlds in which the owner's coins and a bot's lie together: nobody's are sold for the other's."""

from __future__ import annotations

from decimal import Decimal

from tests.simulation.test_set_back_worlds import (
    LOCAL,
    WRITER,
    copy,
    give,
    put_back,
    sold,
)
from tests.simulation.test_situations import bot, by_hand, lived, ours
from tests.simulation.world import World

# An order is not shown for so long, nor what it has traded.
HIDDEN_S = 60


def test_what_the_owner_bought_after_he_sold_the_bots_is_not_sold() -> None:
    """The balance is what it was; its trades say that the bot's coins went first."""

    async def play(world: World) -> None:
        world.start()
        await world.sleep(80)
        world.kill()
        await world.sleep(1)
        (entry,) = ours(world, "BUY")
        by_hand(world, "SELL", entry.quantity - Decimal("0.00002"))
        await world.sleep(1)
        by_hand(world, "BUY", entry.quantity)
        world.start()
        await world.sleep(80)
        world.move("BTCUSDT", 0.9)
        await world.sleep(20)

    world = lived(LOCAL, play)
    assert world.story.counts.get("bot reduction-booked"), world.story.lines[-40:]
    assert not sold(world), world.story.lines[-40:]


def test_what_is_free_is_sold_when_an_order_of_the_owner_locks_the_rest() -> None:
    async def play(world: World) -> None:
        world.start()
        await world.sleep(80)
        by_hand(world, "SELL", Decimal("0.01"), Decimal(90_000))
        await world.sleep(5)
        world.move("BTCUSDT", 0.9)
        await world.sleep(60)

    world = lived(LOCAL, play)
    gone = sum((each.executed for each in ours(world, "SELL")), Decimal(0))
    assert gone == Decimal("0.00619"), world.story.lines[-40:]


def test_what_the_owner_buys_while_another_sale_is_in_doubt_is_not_sold() -> None:
    """Nothing is weighed meanwhile: an exit that was refused for its coins found his there."""

    async def play(world: World) -> None:
        world.start()
        await world.sleep(80)
        arm = world.simulator.armory.arm
        arm("hide_order", {"on": "order.send", "side": "SELL", "seconds": HIDDEN_S})
        arm("lose_response", {"on": "order.send", "side": "SELL"})
        arm("stream_drop", {"on": "user", "times": 0})
        await world.post("first", "close", "btc-1", {})
        await world.sleep(5)
        give(world, str(-world.simulator.exchange.free["BTC"]))
        await world.post("second", "close", "other-1", {})
        await world.sleep(5)
        by_hand(world, "BUY", Decimal("0.05"))
        await world.sleep(HIDDEN_S + 120)

    world = lived(LOCAL + bot("other", stop_at="local"), play, visible_s=HIDDEN_S)
    assert (world.story.counts.get("bot order-refused") or 0) == 1, world.story.lines[-40:]
    gone = sum((each.executed for each in ours(world, "SELL")), Decimal(0))
    assert gone == Decimal("0.01619"), world.story.lines[-40:]


def test_a_sale_by_hand_keeps_no_exit_in_doubt() -> None:
    """It was lost on its way; that the owner sold coins of his own then spoke for it for ever."""

    async def play(world: World) -> None:
        give(world, "0.05")
        world.start()
        await world.sleep(80)
        world.simulator.armory.arm("lose_request", {"on": "order.send", "side": "SELL"})
        await world.post("first", "close", "btc-1", {})
        await world.sleep(2)
        by_hand(world, "SELL", Decimal("0.05"))
        await world.sleep(60)

    world = lived(LOCAL, play)
    assert world.story.counts.get("bot order-never"), world.story.lines[-40:]
    assert len(sold(world)) == 1, world.story.lines[-40:]


def test_a_wish_to_leave_from_before_files_were_put_back_is_not_carried_out() -> None:
    """Somebody wanted out then, and was refused; who adopts the holding now wants to keep it."""

    async def play(world: World) -> None:
        world.start()
        await world.sleep(80)
        refused = {"on": "order.send", "side": "SELL", "code": -2010, "message": "no", "times": 0}
        fault = world.simulator.armory.arm("reject", refused)
        await world.post("close", "close", "btc-1", {})
        await world.sleep(10)
        copy(world)
        await world.sleep(60)
        await put_back(world)
        world.simulator.armory.disarm(fault.fault_id)
        world.start()
        await world.sleep(10)
        await world.post("adopt", "resolve", "btc-1", {"how": "adopt"})
        await world.sleep(60)

    world = lived(LOCAL + WRITER, play)
    assert world.story.counts.get("bot exit-wished"), world.story.lines[-40:]
    assert world.story.counts.get("bot position-resolved"), world.story.lines[-40:]
    assert not sold(world), world.story.lines[-40:]


def test_refusals_for_the_time_of_a_request_freeze_nothing() -> None:
    """Two of them, and one that says something of the stop: three in a row would freeze it."""

    async def play(world: World) -> None:
        stop = {"on": "order.send", "side": "SELL", "message": "no"}
        world.simulator.armory.arm("reject", {**stop, "code": -1021, "times": 2})
        world.simulator.armory.arm("reject", {**stop, "code": -2010, "skip": 2})
        world.start()
        await world.sleep(60)

    world = lived(bot("bot"), play)
    assert (world.story.counts.get("bot order-refused") or 0) > 2, world.story.lines[-40:]
    assert not world.story.counts.get("bot position-frozen"), world.story.lines[-40:]
