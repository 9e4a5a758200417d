"""Answers that are lost, late or lies: one order, and no conclusion before its evidence."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D

import pytest
from tests.process.play import LIFETIME_S, VISIBILITY_S, Play

from surefoot.core.records import OrderIntended, OrderNever

UNKNOWN_ANSWERS = {
    "lose_response": {},
    "error_after": {"status": 504, "code": -1007},
    "html_body": {"status": 200},
    "empty_body": {},
    "truncated_body": {},
    "ack_without_id": {},
}


@pytest.mark.parametrize("fault", UNKNOWN_ANSWERS)
@pytest.mark.parametrize("wish", ["enter", "enter limit=62000"])
async def test_an_answer_lost_after_acceptance(play: Play, fault: str, wish: str) -> None:
    """Exactly one order; OPENING until the exchange has been asked (streams are silent)."""
    await play.open()
    play.say(wish)
    play.control.arm(fault, on="order.send", **UNKNOWN_ANSWERS[fault])
    play.control.arm("stream_drop", on="user", times=0)
    server = await play.start()
    position = await play.state_is("OPEN", server=server)
    kinds = await play.kinds()
    assert kinds.index("OrderDoubted") < kinds.index("OrderReported") < kinds.index("FillBooked")
    assert len(play.orders()) == len(play.sends()) == 1
    assert position.entered == D("0.00162") or position.entered == D("0.00161")
    await server.stop()
    play.judge()


async def test_a_resting_order_whose_answer_is_lost_is_adopted(play: Play) -> None:
    await play.open()
    play.say("enter limit=60000")
    play.control.arm("lose_response", on="order.send")
    play.control.arm("stream_drop", on="user", times=0)
    server = await play.start()
    await play.until(lambda: play.rows("SELECT 1 FROM orders WHERE status = 'WORKING'"), server)
    assert (await play.position()).state == "OPENING"
    play.control.disarm()
    play.control.price("BTCUSDT", 59990)
    await play.state_is("OPEN", server=server)
    assert len(play.orders()) == len(play.sends()) == 1
    await server.stop()
    play.judge()


async def test_accepted_but_invisible_for_30_s(play: Play) -> None:
    """Every read says "no such order", streams are silent: never absent, never entered twice.

    Breaks a bot that concludes from an empty answer, and one whose bound is not kept.
    """
    await play.open(visibility="40s")
    play.say("enter", "enter", "enter")
    play.control.arm("hide_order", on="order.send", seconds=30)
    play.control.arm("lose_response", on="order.send")
    server = await play.start()
    await play.until(play.orders, server)
    hidden_until = play.control.state()["now_ms"] + 29_000
    while play.control.state()["now_ms"] < hidden_until:
        assert (await play.position()).state == "OPENING"
        await play.stage.clock.sleep(1)
    await play.state_is("OPEN", server=server)
    assert "OrderNever" not in await play.kinds()
    assert len(play.orders()) == len(play.sends()) == 1
    await server.stop()
    play.judge()


async def test_a_request_that_never_arrived(play: Play) -> None:
    """FLAT again, and only after not_after + V (both in exchange time)."""
    await play.open()
    play.say("enter")
    play.control.arm("lose_request", on="order.send")
    server = await play.start()
    await play.state_is("OPENING", server=server)
    await play.state_is("FLAT", server=server)
    entries = await play.entries()
    order = next(e.record.order for e in entries if isinstance(e.record, OrderIntended))
    never = next(e.record for e in entries if isinstance(e.record, OrderNever))
    assert order.not_after - order.signed_at == timedelta(seconds=LIFETIME_S)
    assert never.at > order.not_after + timedelta(seconds=VISIBILITY_S)
    assert play.orders() == []
    await server.stop()
    play.judge()


@pytest.mark.parametrize("held_s", [3, 8])
async def test_a_request_that_arrives_late_is_refused_by_its_own_expiry(
    play: Play, held_s: int
) -> None:
    """Killed, restarted, and only then the old bytes arrive: the fence is the request's expiry."""
    await play.open()
    play.say("enter")
    play.control.arm("hold_request", on="order.send", seconds=held_s)
    server = await play.start()
    await play.until(play.sends, server)
    await server.kill()
    server = await play.start()
    await play.state_is("FLAT", server=server)
    # After a failure the next entry has to wait a second; so ask until it is taken.
    play.say(*["buy"] * 40)
    await play.state_is("OPEN", server=server)
    assert len([each for each in play.sends() if each["done"]]) == 1
    await server.stop()
    play.judge()


@pytest.mark.parametrize("fault", ["empty_list", "omit_row", "zero_balance"])
async def test_silent_bad_answers_close_nothing(play: Play, fault: str) -> None:
    """An order that rests stays known, and a holding stays held, whatever lists pretend."""
    await play.open(bot='stop_loss = "2%"\nstop_at = "exchange"'.replace("stop_at", "# stop_at"))
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    for operation in ("openOrders", "myTrades", "account"):
        play.control.arm(fault, on=operation, times=0)
    await server.kill()
    server = await play.start()
    await play.recovered(server)
    position = await play.position()
    assert (position.state, position.frozen is None or fault == "zero_balance") == ("OPEN", True)
    play.control.disarm()
    await server.stop()
    play.judge()


async def test_a_definitive_refusal_is_no(play: Play) -> None:
    """The one answer that needs no proof: a code on the venue's list."""
    await play.open()
    play.say("enter")
    message = "Account has insufficient balance for requested action."
    play.control.arm("reject", on="order.send", code=-2010, message=message)
    server = await play.start()
    await play.until(lambda: play.rows("SELECT 1 FROM orders WHERE status = 'REJECTED'"), server)
    assert (await play.position()).state == "FLAT"
    assert play.orders() == []
    await server.stop()
    play.judge()
