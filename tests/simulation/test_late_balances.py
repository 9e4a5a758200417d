"""Balances that are told as they were some seconds ago: what was sold is not sold again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any
from unittest.mock import patch

import pytest
from tests.simulation.test_set_back_worlds import LOCAL, give
from tests.simulation.test_situations import bot, by_hand, lived, ours
from tests.simulation.world import World

from surefoot.simulator import wire

VISIBLE_S = 30
# So late everything is shown, and so late is the balance: later than a request can still act.
LATE_S = 25.0


@contextmanager
def late_balances(world: World, seconds: float) -> Iterator[None]:
    """Let the account answer what it held so long ago; the time of the answer is that of now."""
    now_told, exchange = wire.account, world.simulator.exchange
    kept = [(0.0, now_told(exchange, 0)["balances"])]
    exchange.listen(lambda *_: kept.append((world.now, now_told(exchange, 0)["balances"])))

    def told(exchange: Any, now_ms: int) -> dict[str, Any]:
        then = max(world.now - seconds, 0.0)
        held = next(balances for at, balances in reversed(kept) if at <= then)
        return {**now_told(exchange, now_ms), "balances": held}

    with patch.object(wire, "account", told):
        yield


@pytest.mark.parametrize("coins", ["before", "after", "none"])
@pytest.mark.parametrize("bots", [LOCAL, bot("btc")], ids=["here", "exchange"])
def test_an_exit_whose_answer_is_lost_sells_once(bots: str, coins: str) -> None:
    """It is not shown, nor are its fills, nor does the balance show what is gone."""

    async def play(world: World) -> None:
        give(world, "0.05" if coins == "before" else "0")
        with late_balances(world, LATE_S):
            world.start()
            await world.sleep(40)
            arm = world.simulator.armory.arm
            for where in ("order.send", "order.replace"):
                arm("hide_order", {"on": where, "side": "SELL", "seconds": LATE_S})
                arm("lose_response", {"on": where, "side": "SELL"})
            arm("stream_drop", {"on": "user", "times": 0})
            world.move("BTCUSDT", 0.9)
            await world.sleep(1)
            if coins == "after":
                by_hand(world, "BUY", Decimal("0.05"))
            await world.sleep(90)

    world = lived(bots, play, visible_s=VISIBLE_S)
    gone = sum((each.executed for each in ours(world, "SELL")), Decimal(0))
    assert gone == Decimal("0.01619"), world.story.lines[-40:]
