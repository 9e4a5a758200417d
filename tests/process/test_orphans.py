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


async def test_an_entry_that_filled_after_the_backup_is_not_made_twice(play: Play) -> None:
    """The restored journal knows nothing of it, nothing is live: its fill tells whose it was."""
    await play.open()
    server = await play.start()
    await play.recovered(server)
    await server.stop()
    shutil.copy(play.stage.journal, play.stage.directory / "old.db")
    play.say("buy")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await server.stop()
    for name in ("surefoot.db-wal", "surefoot.db-shm"):
        (play.stage.directory / name).unlink(missing_ok=True)
    shutil.copy(play.stage.directory / "old.db", play.stage.journal)
    server = await play.start()
    await play.until(lambda: '"position-frozen"' in log_of(server), server)
    await play.recovered(server)
    frozen = (await play.status())["bots"][0]["position"]["frozen"]
    assert "carries our mark, but the journal has no such order" in frozen
    await play.until(lambda: '"signal refused"' in log_of(server), server)
    assert len(play.orders()) == 1
    await server.stop()


async def test_a_new_journal_does_not_buy_beside_what_a_deleted_one_bought(play: Play) -> None:
    """Nothing of ours is live, and no file tells of it: the account's trades do."""
    await play.open()
    play.say("buy")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await server.stop()
    for file in play.stage.directory.glob("surefoot.db*"):
        file.unlink()
    server = await play.start()
    await play.recovered(server)
    await play.until(lambda: '"signal refused"' in log_of(server), server)
    (bot,) = (await play.status())["bots"]
    assert "carries our mark, but the journal has no such order" in bot["position"]["frozen"]
    assert len(play.orders()) == 1
    assert (await play.stage.run("resolve", "bot-1", "--ignore"))[0] == 0
    await server.stop()


async def test_what_was_sold_after_the_copy_is_not_sold_again_from_the_owners_coins(
    play: Play,
) -> None:
    """The older file has the coins still, and a level that is reached; the account has some too."""
    await play.open(bot='stop_loss = "2%"')
    play.say("buy")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    await server.stop()
    shutil.copy(play.stage.journal, play.stage.directory / "old.db")
    play.say("sell")
    server = await play.start()
    await play.state_is("CLOSED", server=server)
    await server.kill()
    for name in ("surefoot.db-wal", "surefoot.db-shm"):
        (play.stage.directory / name).unlink(missing_ok=True)
    play.stage.journal.write_bytes((play.stage.directory / "old.db").read_bytes())
    play.control.do("balance", asset="BTC", free="1", locked="0")
    play.control.do("price", symbol="BTCUSDT", price="30000")
    server = await play.start()
    await play.recovered(server)
    await play.until(lambda: '"position-set-back"' in log_of(server), server)
    await play.stage.clock.sleep(3)  # prices under the level arrive all the while
    assert len(play.orders("SELL")) == 1
    assert '"exit-wished"' not in log_of(server), "nor will it be when somebody adopts it"
    code, output, _ = await play.stage.run("close", "bot")
    assert code == 1
    assert "nothing of it is sold: surefoot resolve bot-1 first" in output
    await server.stop()
    for how in ((), ("--dry-run",)):
        code, output, _ = await play.stage.run("recover", *how)
        assert code == 3, output
        assert "LOOK HERE" in output
        assert "bot-1 is frozen: " in output
        assert "carries our mark, but the journal has no such order" in " ".join(output.split())
    assert len(play.orders("SELL")) == 1


async def test_a_stop_that_a_position_left_behind_is_cancelled(play: Play) -> None:
    """The operator wrote the position off; its stop would sell what is not its own any more."""
    await play.open(stop_at="exchange", bot='stop_loss = "2%"')
    play.say("buy")
    server = await play.start()
    await play.until(lambda: play.orders("SELL"), server)
    play.control.do("balance", asset="BTC", free="0", locked="0")
    await server.stop()
    server = await play.start()
    await play.until(lambda: '"position-frozen"' in log_of(server), server)
    code, output, _ = await play.stage.run("resolve", "bot-1", "--flat")
    assert code == 0, output
    await play.until(lambda: play.orders("SELL")[0]["status"] == "CANCELED", server)
    await server.stop()
