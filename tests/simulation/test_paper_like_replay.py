"""The same strategies over the same prices trade the same, on paper and in a replay."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest
from tests.simulation.paper import BEFORE_S, BEGUN_WITH, PaperWorld, listed, week
from tests.simulation.world import World

from surefoot import config
from surefoot.replay.world import BEFORE_MS, Replay

_ACCOUNT = """
[accounts.main]
exchange = "binance"
paper = true
"""
# A market order on a price, one on a candle, and limit orders that rest on both ways.
BOTS = """
[bots.dip]
account = "main"
symbol = "BTC/USDT"
strategy = "surefoot.strategy.examples:DipBuyer"
notional = 100
stop_loss = "0.5%"
take_profit = "0.5%"
params = { dip = 0.002 }
[bots.breakout]
account = "main"
symbol = "ETH/USDT"
strategy = "surefoot.strategy.examples:Breakout"
notional = 200
trailing_stop = "0.4%"
params = { timeframe = "5m", length = 6, exit_length = 3 }
[bots.resting]
account = "main"
symbol = "SOL/USDT"
strategy = "tests.simulation.traders:Resting"
notional = 300
stop_loss = "1%"
"""
# What a request takes on its way is another draw, and prices come a hundred seconds apart.
_APART = timedelta(seconds=1)

Traded = tuple[datetime, str, str, D, D, D]


def on_paper(lasts_s: float) -> list[Traded]:
    world = PaperWorld(1, week(lasts_s))
    found: list[Traded] = []

    async def play(it: World) -> None:
        it.configure(BOTS)
        await it.sleep(BEFORE_S - BEFORE_MS / 1_000)
        it.start()
        await it.sleep(lasts_s + BEFORE_MS / 1_000 + 5)
        for trade in it.simulator.exchange.trades:
            at = datetime.fromtimestamp(trade.at_ms / 1000, UTC)
            found.append((at, *_same(trade)))

    world.run(play)
    return found


def replayed(lasts_s: float, directory: Path) -> list[Traded]:
    path = directory / "surefoot.toml"
    path.write_text(_ACCOUNT + BOTS)
    played = week(lasts_s)
    result = Replay(
        config.load(path, {}),
        played,
        rules=listed(played),
        balances={"USDT": BEGUN_WITH},
        fee=D("0.001"),
        seed=1,
    ).run()
    assert result.wrong == ()
    return [(each.at, *_same(each)) for each in result.fills]


def _place(trade: Traded) -> tuple[str, datetime]:
    """Of one symbol in their order; two symbols may trade in the same moment."""
    return trade[1], trade[0]


def _same(trade: Any) -> tuple[str, str, D, D, D]:
    return trade.symbol, trade.side, trade.price, trade.quantity, trade.fee


@pytest.mark.parametrize("hours", [1, pytest.param(24, marks=pytest.mark.slow)])
def test_paper_and_replay_trade_the_same(hours: int, tmp_path: Path) -> None:
    """Symbol, side, price, quantity and fee of every trade; only milliseconds differ."""
    paper = sorted(on_paper(hours * 3600), key=_place)
    replay = sorted(replayed(hours * 3600, tmp_path), key=_place)
    assert [each[1:] for each in paper] == [each[1:] for each in replay]
    for one, other in zip(paper, replay, strict=True):
        assert abs(one[0] - other[0]) < _APART
    assert {each[1] for each in paper} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    assert {each[2] for each in paper} == {"BUY", "SELL"}
