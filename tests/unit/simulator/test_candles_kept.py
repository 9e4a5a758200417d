"""Candles at the edge of what is kept: the clock moves by about that much, and none is missing.

Broken on purpose, and red here: a jump of one candle more than is kept that leaves a hole.
"""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise

import pytest

from surefoot.simulator.candles import KEPT, Candles
from surefoot.simulator.model import default_rules

RULES = default_rules()[:1]
SYMBOL = RULES[0].symbol
MINUTE = 60_000
BEGAN = 1_800_000_000_000 // MINUTE * MINUTE
PRICE = Decimal(61_000)


@pytest.mark.parametrize("past_asked_first", [True, False])
@pytest.mark.parametrize("candles", [1, KEPT - 1, KEPT, KEPT + 1, 3 * KEPT])
@pytest.mark.parametrize("more_ms", [-1, 0, 1, MINUTE - 1])
def test_whatever_the_clock_jumps_the_candles_meet_and_end_now(
    candles: int, more_ms: int, *, past_asked_first: bool
) -> None:
    kept = Candles(RULES, BEGAN + 10, seed=1)
    kept.trade(SYMBOL, PRICE, Decimal(1), BEGAN + 20)
    if past_asked_first:
        kept.klines(SYMBOL, "1m", None, 1)
    now = BEGAN + candles * MINUTE + more_ms
    closed = [each for symbol, frame, each in kept.roll(now) if frame == "1m"]
    rows = kept.klines(SYMBOL, "1m", None, KEPT)
    opens = [row[0] for row in rows]
    assert all(later - earlier == MINUTE for earlier, later in pairwise(opens))
    assert opens[-1] == now - now % MINUTE
    assert len(rows) <= KEPT
    assert closed == sorted(closed, key=lambda each: each.open_ms)
    assert all(each.open_ms + MINUTE <= now for each in closed)
    if candles <= KEPT:
        assert Decimal(rows[-1][4]) == PRICE, "the price goes on"
    shown = kept.klines(SYMBOL, "1m", opens[0] + 1, 2)
    assert [row[0] for row in shown] == opens[1:3], "from a time on, the first that opened then"
