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
from surefoot.simulator.model import Recording

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

# A replay reads prices again so often, and paper twice as often.
_LOOK = timedelta(seconds=21)
# The trailing stops of `BOTS`.
_TRAILING = {"ETHUSDT": D("0.004")}

Traded = tuple[datetime, str, str, D, D, D]


def on_paper(lasts_s: float) -> list[Traded]:
    world = PaperWorld(1, week(lasts_s))
    found: list[Traded] = []

    async def play(it: World) -> None:
        it.configure(BOTS)
        await it.sleep(BEFORE_S - BEFORE_MS / 1_000)
        it.start()
        await it.sleep(lasts_s + BEFORE_MS / 1_000 + 5)
        trades = it.simulator.exchange.trades
        found.extend((_moment(each.at_ms), *_same(each)) for each in trades)

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


def _fell_between(one: Traded, other: Traded, entered: Traded, played: Recording) -> bool:
    """Tell whether a price fell between the levels of a trailing stop, as either saw it.

    A trade and the book come as two messages. Whichever is first is what the level follows, and
    what comes behind it is less than a step: so two levels may be half a spread apart.
    """
    sold_at, since = min(one[0], other[0]), entered[0]
    seen = [
        tick.price
        for tick in played.ticks
        if tick.symbol == one[1] and since <= _moment(tick.at_ms) <= sold_at + _APART
    ]
    level = max(seen) * (1 - _TRAILING[one[1]])
    apart = played.spread / 2 * level
    same_sale = one[1:3] == other[1:3] == (one[1], "SELL") and one[4] == other[4]
    return same_sale and abs(seen[-1] - level) <= apart


def _waited_for_a_look(one: Traded, other: Traded, sold: Traded) -> bool:
    """Tell whether it is the same entry after a sale, at the next message or at the next look.

    No price follows for a hundred seconds. A strategy whose position is just over hears the last
    one with the book that follows it, or when prices are read again.
    """
    return (
        one[1:] == other[1:]
        and (sold[1:3], one[2]) == ((one[1], "SELL"), "BUY")
        and abs(one[0] - other[0]) <= _LOOK
    )


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)


@pytest.mark.parametrize(
    ("hours", "trades", "otherwise"),
    [(1, 12, (0, 0, 0)), pytest.param(24, 256, (1, 3, 3), marks=pytest.mark.slow)],
)
def test_paper_and_replay_trade_the_same(
    hours: int, trades: int, otherwise: tuple[int, int, int], tmp_path: Path
) -> None:
    """Symbol, side, price, quantity, fee and moment of every trade; what differs is explained.

    In a day six entries come at the next look, three on paper and three in the replay: neither is
    the one that waits. One sale by a trailing stop is another. Which they are is a matter of when
    prices are read between the messages, and an engine that asks less, or in another order, moves
    that: it was none and two when a start still read the same trades twice.
    """
    paper = sorted(on_paper(hours * 3600), key=_place)
    replay = sorted(replayed(hours * 3600, tmp_path), key=_place)
    assert len(paper) == len(replay) == trades
    played, fell, waited = week(hours * 3600), 0, {"paper": 0, "replay": 0}
    for before, one, other in zip([paper[0], *paper], paper, replay, strict=False):
        if one[1:] != other[1:]:
            assert _fell_between(one, other, before, played), (one, other)
            fell += 1
        elif abs(one[0] - other[0]) >= _APART:
            assert _waited_for_a_look(one, other, before), (one, other)
            waited["paper" if one[0] > other[0] else "replay"] += 1
    assert (fell, waited["paper"], waited["replay"]) == otherwise
    assert {each[1] for each in paper} == {"BTCUSDT", "ETHUSDT", "SOLUSDT"}
    assert {each[2] for each in paper} == {"BUY", "SELL"}
