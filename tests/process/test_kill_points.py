"""SIGKILL at every named point of an order's life, entry and exit, and what comes after.

Judged only from the exchange's ledger and the raw database. Each case also says where the bot
must end up, so that "nothing happened" cannot pass for "nothing went wrong".
"""

from __future__ import annotations

from collections.abc import Sequence
from decimal import ROUND_DOWN, Decimal
from typing import Any

import pytest
from tests.builders import D
from tests.process.play import Play

# point → the state after an entry and after an exit that died there. An intent that never left
# is proven absent: back to FLAT, or to OPEN, still holding. Everything else is found and adopted.
# Before the intent was durable there was no decision: it is made again.
ENDINGS = {
    "intent.before-commit": ("OPEN", "CLOSED"),
    "intent.after-commit": ("FLAT", "OPEN"),
    "order.before-send": ("FLAT", "OPEN"),
    "order.after-response": ("OPEN", "CLOSED"),
    "order.after-result-commit": ("OPEN", "CLOSED"),
    "fill.before-commit": ("OPEN", "CLOSED"),
    "fill.after-commit": ("OPEN", "CLOSED"),
}


def long_after(most: int, values: Sequence[Any]) -> list[Any]:
    """Leave all but so many of these to the long sweeps: each costs seconds."""
    slow = [pytest.param(value, marks=pytest.mark.slow) for value in values[most:]]
    return [*values[:most], *slow]


@pytest.mark.parametrize("point", ENDINGS)
async def test_killed_while_entering(play: Play, point: str) -> None:
    await play.open()
    play.say("enter")
    await play.die(await play.start(crash_at=point))
    server = await play.start()
    await play.recovered(server)
    ending = ENDINGS[point][0]
    position = await play.state_is(ending, server=server)
    await play.until(lambda: not play.rows(UNSURE), server)
    assert (position.quantity > 0) == (ending == "OPEN")
    assert len(play.orders("BUY")) == (1 if ending == "OPEN" else 0)
    await server.stop()
    play.judge()


@pytest.mark.parametrize("point", ENDINGS)
async def test_killed_while_leaving(play: Play, point: str) -> None:
    """The second intent, send and fill are the exit's: the bot has no stop at the exchange."""
    await play.open()
    play.say("enter")
    server = await play.start(crash_at=f"{point}:2")
    await play.state_is("OPEN", server=server)
    play.say("exit")
    await play.die(server)
    server = await play.start()
    await play.recovered(server)
    ending = ENDINGS[point][1]
    await play.until(lambda: not play.rows(UNSURE), server)
    position = await play.state_is(ending, server=server)
    assert (position.quantity > 0.001) == (ending == "OPEN")
    assert len(play.orders("SELL")) == (1 if ending == "CLOSED" else 0)
    await server.stop()
    play.judge()


@pytest.mark.parametrize("point", long_after(1, [*reversed(ENDINGS)]))
async def test_killed_while_selling_a_part(play: Play, point: str) -> None:
    """Half of it goes, once, or it is decided anew; never more than the half."""
    await play.open()
    play.say("enter")
    server = await play.start(crash_at=f"{point}:2")
    held = (await play.state_is("OPEN", server=server)).quantity
    play.say("exit fraction=50%")
    await play.die(server)
    server = await play.start()
    await play.recovered(server)
    await play.until(lambda: not play.rows(UNSURE), server)
    sold = ENDINGS[point][1] == "CLOSED"
    await play.until(lambda: len(play.orders("SELL")) == sold, server)
    position = await play.state_is("OPEN", server=server)
    half = (held / 2).quantize(D("0.00001"), ROUND_DOWN)
    assert held - position.quantity == (half if sold else 0)
    assert (await play.stage.run("close", "bot"))[0] == 0
    await play.state_is("CLOSED", server=server)
    assert len(play.orders("SELL")) == 1 + sold
    await server.stop()
    play.judge()


@pytest.mark.parametrize(("side", "ending"), [("BUY", "OPEN"), ("SELL", "CLOSED")])
async def test_killed_between_acceptance_and_answer(play: Play, side: str, ending: str) -> None:
    """The order is in, the answer is on its way, the stream is silent, and the process dies."""
    await play.open()
    play.say("enter")
    server = await play.start()
    if side == "SELL":
        await play.state_is("OPEN", server=server)
        play.say("exit")
    play.control.arm("stream_drop", on="user", times=0)
    play.control.arm("slow_response", on="order.send", side=side, seconds=60)
    await play.until(lambda: play.orders(side), server)
    await server.kill()
    play.control.disarm()
    server = await play.start()
    await play.state_is(ending, server=server)
    assert len(play.orders(side)) == 1
    await server.stop()
    play.judge()


@pytest.mark.parametrize("point", ["cancel.before-send", "cancel.after-send"])
async def test_killed_while_cancelling(play: Play, point: str) -> None:
    """A resting entry outlives its time; the cancel is written down, and survives."""
    await play.open()
    play.say("enter limit=60000 ttl=1")
    await play.die(await play.start(crash_at=point))
    server = await play.start()
    await play.state_is("FLAT", server=server)
    assert [order["status"] for order in play.orders()] == ["CANCELED"]
    await server.stop()
    play.judge()


@pytest.mark.parametrize(
    "point", ["migration.before-commit", "migration.after-commit", "creation.before-rename"]
)
async def test_killed_while_the_journal_is_made(play: Play, point: str) -> None:
    """Old schema or new, never between."""
    await play.open()
    play.say("enter")
    await play.die(await play.start(crash_at=point))
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await server.stop()
    play.judge()


@pytest.mark.parametrize("number", long_after(3, [1, 4, 9, 2, 6, 13]))
@pytest.mark.parametrize("point", ["journal.before-commit", "journal.after-commit"])
async def test_killed_at_any_commit(play: Play, point: str, number: int) -> None:
    """Not only where we thought of it: the n-th transaction of the writer, whatever it holds."""
    await play.open()
    play.say("buy", "sell", "buy")
    server = await play.start(crash_at=f"{point}:{number}")
    await play.stage.until(lambda: server.exit_code is not None, 8)
    await server.kill()
    server = await play.start()
    await play.recovered(server)
    await play.until(lambda: not play.rows(UNSURE), server)
    await server.stop()
    play.judge()


UNSURE = "SELECT 1 FROM orders WHERE status IN ('INTENDED', 'WORKING')"


MOVING = ("intent.after-commit", "order.before-send", "order.after-response")


@pytest.mark.parametrize("point", MOVING)
async def test_killed_while_moving_the_stop(play: Play, point: str) -> None:
    """The third intent is the stop's move: whenever it dies there, a stop rests.

    Cancel, ask, place left nothing at the exchange between the first and the last.
    """
    await play.open(stop_at="exchange", bot='stop_loss = "2%"\ntrailing_stop = "1%"')
    play.say("enter")
    server = await play.start(crash_at=f"{point}:3")
    await play.until(
        lambda: play.rows("SELECT 1 FROM orders WHERE role = 'stop' AND status = 'WORKING'"),
        server,
    )
    play.control.price("BTCUSDT", "63000")
    await play.die(server)
    live = [order for order in play.orders("SELL") if order["status"] == "NEW"]
    assert len(live) == 1, "nothing runs, and the position is protected"
    server = await play.start()
    await play.recovered(server)
    await play.until(
        lambda: not play.rows("SELECT 1 FROM orders WHERE status = 'INTENDED'"), server
    )
    live = [order for order in play.orders("SELL") if order["status"] == "NEW"]
    assert len(live) == 1
    await server.stop()
    play.judge()


@pytest.mark.slow
@pytest.mark.parametrize("point", ["amend.before-send", "amend.after-send"])
async def test_killed_while_making_the_stop_smaller(play: Play, point: str) -> None:
    """Some of its coins are gone: one stop rests for the others at last, and one meanwhile."""
    await play.open(stop_at="exchange", bot='stop_loss = "2%"')
    play.say("enter")
    server = await play.start()
    working = "SELECT 1 FROM orders WHERE role = 'stop' AND status = 'WORKING'"
    await play.until(lambda: play.rows(working), server)
    await server.kill()
    (stop,) = play.orders("SELL")
    whole = D(stop["origQty"])
    less = (whole * 3 / 5).quantize(D("0.00001"), ROUND_DOWN)
    play.control.do("balance", asset="BTC", free="0", locked=str(less))
    await play.die(await play.start(crash_at=point))

    def resting() -> list[Decimal]:
        return [D(each["origQty"]) for each in play.orders("SELL") if each["status"] == "NEW"]

    assert resting() == [less if point == "amend.after-send" else whole]
    server = await play.start()
    await play.until(lambda: resting() == [less], server)
    await play.recovered(server)
    assert len(play.orders("SELL")) == (1 if point == "amend.after-send" else 2)
    rest = (await play.position()).quantity - less
    play.control.do("balance", asset="BTC", free=str(rest), locked=str(less))
    await server.stop()
    play.judge()
