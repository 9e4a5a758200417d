"""Candles: each is shown once, also across a restart; an old one is remembered, not acted upon."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import START
from tests.unit.engine.counsel import served
from tests.unit.engine.desk import Desk, bot_spec, candle, tick

from surefoot.engine.specs import length_of
from surefoot.strategy import Enter

MINUTES = bot_spec(timeframe="1m")


@pytest.mark.parametrize(("late", "sent"), [(30, 1), (30.001, 0)])
async def test_an_opinion_on_an_old_candle_is_remembered_and_not_acted_upon(
    desk: Desk, late: float, sent: int
) -> None:
    """After an outage averages go on, orders do not. Catches entries on yesterday's candle."""
    async with served(desk, None, Enter(), spec=MINUTES) as ring:
        await ring.show(tick())
        desk.clock.elapsed = 120 + late  # the candle of minute 1 closed at 120
        assert ring.counsel is not None
        ring.counsel.hears.remove("on_tick")
        await ring.show(tick())
        await ring.show(candle(1))
        assert (await ring.memory())["candle_at"] == candle(1).at.isoformat()
        assert (await ring.memory())["strategy"] == {"asked": 2}
    assert len(desk.exchange.sent) == sent
    assert ring.runner.refused == 0


async def test_a_candle_is_shown_once_and_in_order(desk: Desk) -> None:
    async with served(desk, spec=MINUTES) as ring:
        await ring.show(candle(1), candle(1), candle(0), candle(2))
        assert ring.counsel is not None
        assert [event.at.minute for _, event in ring.counsel.shown] == [1, 2]


async def test_a_strategy_that_fails_on_a_candle_is_not_shown_it_again_by_this_loop(
    desk: Desk,
) -> None:
    async with served(desk, spec=MINUTES) as ring:
        await ring.show(candle(0))
        ring.runner.mute()
        await ring.show(candle(1))
        assert ring.counsel is not None
        assert ring.counsel.hooks() == ["candle"]


@pytest.mark.parametrize(
    ("frame", "length"),
    [("1s", 1), ("15m", 900), ("4h", 14_400), ("1d", 86_400), ("1w", 604_800)],
)
def test_how_long_a_candle_lasts(frame: str, length: int) -> None:
    assert length_of(frame) == timedelta(seconds=length)
    assert START + length_of(frame) > START
