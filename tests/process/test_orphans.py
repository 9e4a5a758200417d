"""Orders that no live intent explains: ours, somebody's, and a former life's."""

from __future__ import annotations

import shutil

import pytest
from tests.process.play import Play, log_of


def place(play: Play, name: str) -> None:
    play.control.do(
        "order",
        symbol="BTCUSDT",
        side="buy",
        quantity="0.001",
        price="50000",
        client_order_id=name,
    )


def status_of(play: Play, name: str) -> str:
    orders = play.control.ledger()["orders"]
    return str(next(o["status"] for o in orders if o["clientOrderId"] == name))


@pytest.mark.parametrize(("ownership", "ending"), [("shared", "NEW"), ("exclusive", "CANCELED")])
async def test_a_manual_order(play: Play, ownership: str, ending: str) -> None:
    """Left alone on a shared account; cancelled, as a journaled intent, on an exclusive one."""
    await play.open(ownership=ownership)
    place(play, "by_hand")
    server = await play.start()
    await play.recovered(server)
    await play.until(lambda: '"foreign-order"' in log_of(server), server)
    if ending == "CANCELED":
        await play.until(lambda: status_of(play, "by_hand") == ending, server)
        assert play.rows("SELECT 1 FROM records WHERE kind = 'orphan-cancel-intended'")
    await play.stage.clock.sleep(1)
    assert status_of(play, "by_hand") == ending
    await server.stop()


async def test_an_order_of_ours_that_came_back_is_cancelled(play: Play) -> None:
    """Ours, entry-side, its intent over here, live there: a list that lied, or a late cancel."""
    await play.open()
    play.say("enter limit=60000 ttl=1")
    server = await play.start()
    await play.state_is("FLAT", server=server)
    await play.until(lambda: play.rows("SELECT 1 FROM orders WHERE status = 'CANCELED'"), server)
    await server.stop()
    (order,) = play.orders()
    play.control.do("revive", symbol="BTCUSDT", order_id=order["orderId"])
    server = await play.start()
    await play.until(lambda: play.orders()[0]["status"] == "CANCELED", server)
    assert '"orphan"' in log_of(server)
    await server.stop()
    play.judge()


async def test_an_order_that_only_a_newer_journal_knows_freezes_its_bots(play: Play) -> None:
    """A backup is restored: the exchange has an order with our mark that it does not know."""
    await play.open()
    server = await play.start()
    await play.recovered(server)
    await server.stop()
    code, _, errors = await play.stage.run("backup", "old.db")
    assert code == 0, errors
    play.say("enter limit=60000")
    server = await play.start()
    await play.until(lambda: play.rows("SELECT 1 FROM orders WHERE status = 'WORKING'"), server)
    await server.kill()
    for name in ("surefoot.db", "surefoot.db-wal", "surefoot.db-shm"):
        (play.stage.directory / name).unlink(missing_ok=True)
    shutil.copy(play.stage.directory / "old.db", play.stage.journal)
    server = await play.start()
    await play.recovered(server)
    document = await play.status()
    assert "carries our mark" in document["bots"][0]["position"]["frozen"]
    assert len(play.orders()) == 1
    assert play.orders()[0]["status"] == "NEW"
    code, output, _ = await play.stage.run("status")
    assert code == 3, output
    await server.stop()
