"""What happens while nobody runs: fills, exits, partial fills and cancels, for seconds or days."""

from __future__ import annotations

from decimal import Decimal as D

import pytest
from tests.process.play import Play

DAY_S = 86_400


def only_order(play: Play, side: str) -> dict[str, str]:
    (order,) = play.orders(side)
    return {"symbol": "BTCUSDT", "order_id": str(order["orderId"])}


async def rest_entry(play: Play) -> None:
    """Leave a resting entry behind, and nobody to watch it."""
    await play.open()
    play.say("enter limit=60000")
    server = await play.start()
    await play.until(lambda: play.rows("SELECT 1 FROM orders WHERE status = 'WORKING'"), server)
    await server.kill()


async def rest_exit(play: Play, *arguments: str) -> None:
    """Leave a position with a resting exit behind."""
    await play.open(*arguments)
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    play.say("exit limit=63000")
    await play.until(lambda: play.orders("SELL"), server)
    await play.until(
        lambda: play.rows("SELECT 1 FROM orders WHERE role = 'exit' AND status = 'WORKING'"), server
    )
    await server.kill()


async def test_an_entry_filled_offline(play: Play) -> None:
    await rest_entry(play)
    play.control.do("fill", **only_order(play, "BUY"), price="60000")
    server = await play.start()
    position = await play.state_is("OPEN", server=server)
    assert position.entry_price == D(60000)
    assert position.entered == D("0.00166")
    assert position.fees == {"BTC": D("0.00000166")}
    assert position.quantity == D("0.00165834")
    await server.stop()
    play.judge()


async def test_an_entry_partly_filled_then_cancelled_offline(play: Play) -> None:
    await rest_entry(play)
    play.control.do("fill", **only_order(play, "BUY"), quantity="0.001", price="60000")
    play.control.do("cancel", **only_order(play, "BUY"))
    server = await play.start()
    position = await play.state_is("OPEN", server=server)
    assert position.quantity == D("0.000999")
    await server.stop()
    play.judge()


async def test_an_entry_cancelled_offline(play: Play) -> None:
    await rest_entry(play)
    play.control.do("expire", **only_order(play, "BUY"))
    server = await play.start()
    await play.state_is("FLAT", server=server)
    await server.stop()
    play.judge()


@pytest.mark.parametrize("fees", ["received", "quote", "bnb", "mixed"])
async def test_an_exit_filled_offline_is_right_to_the_last_digit(play: Play, fees: str) -> None:
    """Fees in the base asset, the quote asset and a third one; PnL is counted from the ledger."""
    await rest_exit(play, "--fees", fees)
    play.control.price("BTCUSDT", 63010)
    server = await play.start()
    position = await play.state_is("CLOSED", server=server)
    ledger = play.control.ledger()
    cash = sum(
        (-1 if trade["isBuyer"] else 1) * D(trade["price"]) * D(trade["qty"])
        - (D(trade["commission"]) if trade["commissionAsset"] == "USDT" else 0)
        for trade in ledger["trades"]
    )
    assert position.realized_pnl == cash + position.left.cost
    paid: dict[str, D] = {}
    for trade in ledger["trades"]:
        asset = trade["commissionAsset"]
        paid[asset] = paid.get(asset, D(0)) + D(trade["commission"])
    assert position.fees == {asset: fee for asset, fee in paid.items() if fee}
    await server.stop()
    play.judge()


async def test_an_exit_partly_filled_then_cancelled_offline(play: Play) -> None:
    """CLOSING becomes OPEN again: reduced, and looked after."""
    await rest_exit(play)
    play.control.do("fill", **only_order(play, "SELL"), quantity="0.001", price="63000")
    play.control.do("cancel", **only_order(play, "SELL"))
    server = await play.start()
    position = await play.state_is("OPEN", server=server)
    assert position.exited == D("0.001")
    assert position.quantity == D("0.00061838")
    play.say("exit")
    closed = await play.state_is("CLOSED", server=server)
    assert closed.exited == D("0.00161")
    await server.stop()
    play.judge()


@pytest.mark.parametrize("side", ["BUY", "SELL"])
async def test_partly_filled_then_cancelled_at_once(play: Play, side: str) -> None:
    """The exchange fills some and ends the order, while we watch."""
    await play.open()
    play.control.arm("partial_then_cancel", on="order.send", side=side, fraction="0.5")
    play.say("enter")
    server = await play.start()
    position = await play.state_is("OPEN", server=server)
    if side == "BUY":
        assert position.entered == D("0.00081")
    else:
        play.say("exit")
        await play.until(lambda: play.rows("SELECT 1 FROM orders WHERE status = 'EXPIRED'"), server)
        # The venue ended what was to sell everything, so the rest is sold by another order.
        assert (await play.state_is("CLOSED", server=server)).exited == D("0.00161")
        sold = [order["executedQty"] for order in play.orders("SELL")]
        assert [D(each) for each in sold] == [D("0.0008"), D("0.00081")]
    await server.stop()
    play.judge()


async def test_down_for_three_days_with_an_entry_filled_on_day_one(play: Play) -> None:
    """A 24-hour window would lose it; the order is asked by its id and fills by trade id."""
    await rest_entry(play)
    play.control.advance(DAY_S / 2)
    play.control.do("fill", **only_order(play, "BUY"), price="60000")
    for _ in range(1_200):  # more than one page of other trades on the account since
        play.control.do("order", symbol="BTCUSDT", side="buy", quantity="0.0001")
    play.control.advance(2.5 * DAY_S)
    server = await play.start()
    position = await play.state_is("OPEN", server=server)
    assert position.entered == D("0.00166")
    assert position.opened_at is not None
    await server.stop()
    play.judge()


async def test_closed_by_hand_while_down(play: Play) -> None:
    """Somebody sold it in the app: booked as what it was, through CLOSING, after a second look."""
    await play.open()
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await server.kill()
    play.control.do("order", symbol="BTCUSDT", side="sell", quantity="0.00161")
    server = await play.start()
    await play.state_is("CLOSED", server=server)
    kinds = await play.kinds()
    assert "ReductionBooked" in kinds
    assert play.orders("SELL") == []
    await server.stop()


async def test_an_archived_order_is_not_called_absent(play: Play) -> None:
    """-2026: the exchange knows that there was one. It proves nothing; the bot waits for a word."""
    await rest_entry(play)
    play.control.do("expire", **only_order(play, "BUY"))
    play.control.do("archive")
    server = await play.start()
    await play.stage.clock.sleep(6)
    assert (await play.position()).state == "OPENING"
    await server.stop()
