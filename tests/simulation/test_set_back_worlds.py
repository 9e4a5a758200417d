"""Worlds in which older files are put back: what was done since is not done again, nor believed."""

from __future__ import annotations

import gc
import shutil
from collections.abc import Iterable
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import apsw
from tests.simulation.test_situations import bot, by_hand, lived, ours
from tests.simulation.world import World

DATABASE = "surefoot.db"
# Nothing that a lost life sent can turn up later than this, and then it is looked at once more.
EXPLAINED_S = 90
# It writes so much that an older copy is known for one.
WRITER = bot("eth", "ETH/USDT", "Shuttle", params="pause = 2.0, hold = 0.0")
LOCAL = bot("btc", stop_at="local")


def files(world: World, *, whole: bool) -> Iterable[Path]:
    names = (DATABASE, f"{DATABASE}-wal")
    if whole:
        return sorted(world.directory.glob(f"{DATABASE}*"))
    return [file for name in names if (file := world.directory / name).exists()]


def copy(world: World, *, whole: bool = False) -> None:
    """Copy the journal; or all that is beside it as well, as a snapshot of the machine would."""
    (world.directory / "copy").mkdir()
    for file in files(world, whole=whole):
        shutil.copyfile(file, world.directory / "copy" / file.name)


async def snapshot(world: World) -> None:
    """Copy all that is there while the program is down, and go on."""
    world.kill()
    await world.sleep(0.5)
    gc.collect()
    copy(world, whole=True)
    world.start()


async def put_back(world: World, *, whole: bool = False) -> None:
    world.kill()
    await world.sleep(0.5)
    gc.collect()
    for file in [*files(world, whole=whole), world.directory / f"{DATABASE}-shm"]:
        if not whole or not (world.directory / "copy" / file.name).exists():
            file.unlink(missing_ok=True)
    for file in sorted((world.directory / "copy").iterdir()):
        shutil.copyfile(file, world.directory / file.name)


def give(world: World, quantity: str) -> None:
    """Let coins come by no trade."""
    free = world.simulator.exchange.free
    free["BTC"] = free.get("BTC", Decimal(0)) + Decimal(quantity)


def sold(world: World) -> list[str]:
    return [each.client_order_id for each in ours(world, "SELL") if each.symbol == "BTCUSDT"]


def test_nothing_is_bought_before_what_lies_beside_it_was_weighed() -> None:
    """So no copy believes in a holding and does not know what else was there."""
    told: list[tuple[str, int]] = []

    async def play(world: World) -> None:
        world.simulator.armory.arm("error_before", {"on": "account", "skip": 1, "times": 5})
        world.start()
        await world.sleep(120)
        with closing(apsw.Connection(str(world.directory / DATABASE))) as journal:
            first = "SELECT kind, min(sequence) FROM records WHERE kind IN (?, ?) GROUP BY kind"
            told.extend(journal.execute(first, ("others-seen", "order-intended")))

    lived(LOCAL, play)
    assert dict(told)["others-seen"] < dict(told)["order-intended"]


def test_coins_that_nobody_explains_are_not_sold_for_lost_ones() -> None:
    """What the bot held was sold by hand since; what lies there now came by no trade."""

    async def play(world: World) -> None:
        world.start()
        await world.sleep(30)
        copy(world)
        by_hand(world, "SELL", Decimal("0.016"))
        give(world, "0.05")
        await world.sleep(60)
        await put_back(world)
        world.start()
        await world.sleep(EXPLAINED_S)
        world.move("BTCUSDT", 0.9)
        await world.sleep(10)

    world = lived(LOCAL + WRITER, play)
    assert world.story.counts.get("bot position-set-back"), world.story.lines[-40:]
    assert not sold(world), world.story.lines[-40:]


def test_nothing_is_sold_while_what_a_lost_life_sent_may_still_sell() -> None:
    """Its exit is on its way; what lies beside the holding is the owner's."""

    async def play(world: World) -> None:
        give(world, "0.05")
        world.start()
        await world.sleep(30)
        copy(world)
        await world.sleep(30)
        held = {"on": "order.send", "symbol": "BTCUSDT", "side": "SELL", "seconds": 4}
        world.simulator.armory.arm("hold_request", held)
        world.move("BTCUSDT", 0.9)
        await world.sleep(0.5)
        await put_back(world)
        world.start()
        await world.sleep(0.5)
        world.simulator.streams.disconnect("user")  # whoever comes back compares once more
        await world.sleep(EXPLAINED_S)

    world = lived(LOCAL + WRITER, play)
    assert world.story.counts.get("bot position-set-back"), world.story.lines[-40:]
    assert len(sold(world)) == 1, world.story.lines[-40:]


def test_what_the_exchange_shows_to_be_lost_is_not_sold_again() -> None:
    """The whole machine went back: no file tells, and the owner has coins of his own."""

    async def play(world: World) -> None:
        give(world, "0.05")
        world.start()
        await world.sleep(30)
        await snapshot(world)
        await world.sleep(20)
        world.move("BTCUSDT", 0.9)
        await world.sleep(20)
        await put_back(world, whole=True)
        world.start()
        await world.sleep(EXPLAINED_S)

    world = lived(LOCAL, play)
    assert len(sold(world)) == 1, world.story.lines[-40:]


def test_what_a_lost_life_bought_is_not_bought_again() -> None:
    """The whole machine went back, and nothing rests of it: the balance says that there is more."""

    async def play(world: World) -> None:
        world.start()
        await world.sleep(5)
        await snapshot(world)
        await world.sleep(30)
        await put_back(world, whole=True)
        world.start()
        await world.sleep(EXPLAINED_S)

    world = lived(LOCAL, play)
    assert len(ours(world, "BUY")) == 1, world.story.lines[-40:]


def test_what_was_said_before_files_were_put_back_is_not_done_again() -> None:
    """Somebody adopted a holding, which was sold then: an older journal believes in it again.

    Two guards refuse it: the inbox is asked for what is older than the restore, and the answer for
    what it answered. Red without both.
    """

    async def play(world: World) -> None:
        give(world, "0.05")
        world.start()
        await world.sleep(30)
        copy(world)
        by_hand(world, "SELL", Decimal("0.01"))
        await world.sleep(60)
        await world.post("adopt", "resolve", "btc-1", {"how": "adopt"})
        await world.sleep(10)
        world.move("BTCUSDT", 0.9)
        await world.sleep(20)
        before.append(len(sold(world)))
        await put_back(world)
        world.start()
        await world.sleep(EXPLAINED_S)

    before: list[int] = []
    world = lived(LOCAL + WRITER, play)
    assert world.story.counts.get("bot position-resolved"), world.story.lines[-40:]
    assert before == [1], world.story.lines[-40:]
    assert len(sold(world)) == 1, world.story.lines[-40:]
