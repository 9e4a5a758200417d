"""Stops and targets: at the exchange, in this process, and while nobody runs."""

from __future__ import annotations

from decimal import Decimal as D

from tests.process.play import Play, log_of

from surefoot.demo import Server

PROTECTED = 'stop_loss = "2%"\ntake_profit = "4%"'


async def protected(play: Play, extra: str = "") -> None:
    await play.open(stop_at="exchange", bot=f"{PROTECTED}\n{extra}")
    play.say("enter")


async def stop_rests(play: Play, server: Server) -> None:
    await play.until(
        lambda: play.rows("SELECT 1 FROM orders WHERE role = 'stop' AND status = 'WORKING'"),
        server,
    )


async def test_the_stop_rests_at_the_exchange_and_works_while_nobody_runs(play: Play) -> None:
    await protected(play)
    server = await play.start()
    await stop_rests(play, server)
    (stop,) = play.orders("SELL")
    assert (stop["type"], D(stop["stopPrice"])) == ("STOP_LOSS", D("60452.28"))
    await server.kill()
    play.control.price("BTCUSDT", "60400")
    server = await play.start()
    position = await play.state_is("CLOSED", server=server)
    assert position.exit_proceeds == D("0.00161") * D(60400)
    assert len(play.orders("SELL")) == 1
    await server.stop()
    play.judge()


async def test_a_target_takes_the_stops_place(play: Play) -> None:
    """One request: the stop is cancelled and the exit is sent in its place."""
    await protected(play)
    server = await play.start()
    await stop_rests(play, server)
    play.control.price("BTCUSDT", "64500")
    await play.state_is("CLOSED", server=server)
    stop, leave = play.orders("SELL")
    assert (stop["status"], leave["status"]) == ("CANCELED", "FILLED")
    await server.stop()
    play.judge()


async def test_a_local_stop_is_honoured_at_once_after_a_restart(play: Play) -> None:
    """The price fell through the level while nobody ran; nothing rested at the exchange."""
    await play.open(bot='stop_loss = "2%"')
    play.say("enter")
    server = await play.start()
    await play.state_is("OPEN", server=server)
    assert play.orders("SELL") == []
    await server.kill()
    play.control.price("BTCUSDT", "60000")
    server = await play.start()
    await play.state_is("CLOSED", server=server)
    assert '"by": "stop-loss"' in log_of(server)
    await server.stop()
    play.judge()


async def test_a_trailing_stop_never_loosens(play: Play) -> None:
    """Up, down a little, up again: every stop at the exchange is higher than the one before."""
    await protected(play, 'trailing_stop = "1%"')
    server = await play.start()
    await stop_rests(play, server)
    for price in ("62500", "62300", "63000", "62900", "63500"):
        play.control.price("BTCUSDT", price)
        await play.stage.clock.sleep(0.8)
    await play.until(lambda: len(play.orders("SELL")) >= 3, server)
    triggers = [D(order["stopPrice"]) for order in play.orders("SELL")]
    assert triggers == sorted(set(triggers))
    assert (await play.position()).levels.phase == "TRAILING"
    await server.stop()
    play.judge()


async def test_a_stop_that_would_trigger_at_once_is_an_exit(play: Play) -> None:
    """The answer is proof that the level is reached: the exit is ours, at once."""
    await protected(play)
    message = "Stop price would trigger immediately."
    play.control.arm("reject", on="order.send", type="STOP_LOSS", code=-2010, message=message)
    server = await play.start()
    await play.state_is("CLOSED", server=server)
    assert "would trigger at once" in log_of(server)
    await server.stop()
    play.judge()


async def test_a_stop_that_the_exchange_refuses_is_watched_here(play: Play) -> None:
    """Nothing can rest, so the level is watched here, and the exit is ours."""
    await protected(play)
    server_price = "60000"
    message = "Filter failure: MAX_NUM_ALGO_ORDERS"
    play.control.arm(
        "reject", on="order.send", type="STOP_LOSS", times=0, code=-1013, message=message
    )
    server = await play.start()
    await play.state_is("OPEN", server=server)
    play.control.price("BTCUSDT", server_price)
    await play.state_is("CLOSED", server=server)
    await server.stop()
    play.judge()


async def limit_wished(play: Play, server: Server) -> None:
    await stop_rests(play, server)
    await play.until(
        lambda: play.rows("SELECT 1 FROM records WHERE kind = 'exit-wished'"),
        server,
    )
    (stop,) = play.orders("SELL")
    assert (stop["type"], stop["status"]) == ("STOP_LOSS", "NEW"), "the limit locks no coins"


async def test_a_stop_rests_while_a_limit_exit_waits(play: Play) -> None:
    """The limit used to take the stop's place at the exchange; then the market fell."""
    await protected(play)
    play.say("sell limit=64000")
    server = await play.start()
    await limit_wished(play, server)
    play.control.price("BTCUSDT", "60400")
    await play.state_is("CLOSED", server=server)
    assert [order["type"] for order in play.orders("SELL")] == ["STOP_LOSS"]
    await server.stop()
    play.judge()


async def test_a_limit_that_is_reached_takes_the_stops_place(play: Play) -> None:
    await protected(play)
    play.say("sell limit=64000")
    server = await play.start()
    await limit_wished(play, server)
    play.control.price("BTCUSDT", "64010")
    await play.state_is("CLOSED", server=server)
    stop, leave = play.orders("SELL")
    assert (stop["status"], leave["status"]) == ("CANCELED", "FILLED")
    assert (leave["type"], leave["timeInForce"]) == ("LIMIT", "IOC")
    await server.stop()
    play.judge()


async def moved_through(play: Play, fault: str, **given: object) -> None:
    """Let the price rise so that the resting stop moves, with one fault on the way."""
    await protected(play, 'trailing_stop = "1%"')
    server = await play.start()
    await stop_rests(play, server)
    play.control.arm(fault, on="order.replace", **given)
    play.control.price("BTCUSDT", "63000")
    await play.until(
        lambda: [o for o in play.orders("SELL") if D(o["stopPrice"]) > D(62000)], server
    )

    def one_rests() -> bool:
        live = [order for order in play.orders("SELL") if order["status"] == "NEW"]
        believed = play.rows("SELECT 1 FROM orders WHERE role = 'stop' AND status = 'WORKING'")
        return len(live) == len(believed) == 1

    await play.until(one_rests, server)
    await server.stop()
    play.judge()


async def test_a_stop_that_was_cancelled_and_not_replaced_is_placed_again(play: Play) -> None:
    """409: the old one is gone, the new one refused."""
    await moved_through(play, "half_replace", code=-1013, message="Filter failure: MAX_NUM_ORDERS")


async def test_a_move_whose_answer_is_lost_is_settled_by_asking(play: Play) -> None:
    """Both halves were done, and the old stop is known by another name since."""
    await moved_through(play, "lose_response")


async def test_a_move_that_was_not_done_leaves_the_old_stop(play: Play) -> None:
    """Refused before anything was cancelled: the old one protects until the next price."""
    await protected(play, 'trailing_stop = "1%"')
    server = await play.start()
    await stop_rests(play, server)
    play.control.arm("reject", on="order.replace", code=-1013, message="no")
    play.control.price("BTCUSDT", "63000")
    await play.until(
        lambda: play.rows("SELECT 1 FROM records WHERE kind = 'order-refused'"), server
    )
    (stop,) = play.orders("SELL")
    assert (stop["status"], D(stop["stopPrice"])) == ("NEW", D("60452.28"))
    await play.stage.clock.sleep(1.2)
    play.control.price("BTCUSDT", "63010")
    await play.until(lambda: len(play.orders("SELL")) == 2, server)
    assert [order["status"] for order in play.orders("SELL")] == ["CANCELED", "NEW"]
    await server.stop()
    play.judge()
