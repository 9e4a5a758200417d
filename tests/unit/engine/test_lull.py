"""A minute in which nothing happens is said, with what each strategy waits for."""

from __future__ import annotations

from typing import Any

import pytest
from tests.builders import START
from tests.unit.engine.clock import turns
from tests.unit.engine.counsel import served
from tests.unit.engine.desk import DIP, MAIN, Desk, bot_spec, opened, tick

from surefoot.core.account_records import BanNoted
from surefoot.engine.lull import EVERY_S
from surefoot.strategy import Enter

LINE = "alive, and nothing happened for a minute"


async def test_a_quiet_minute_is_said_and_a_busy_one_is_not() -> None:
    """Catches a server that looks like one that hangs, and one that chatters."""
    async with opened() as floor:
        await floor.account.recovery.patiently()
        floor.account.start()
        await turns()
        floor.exchange.market_events.put_nowait(tick())
        await floor.clock.advance(EVERY_S)
        said = floor.log.said(LINE)
        quiet: list[dict[str, Any]] = said[-1:]
        before = len(said)
        await floor.account.login.note(BanNoted(at=START, account=MAIN, until=START))
        await floor.clock.advance(EVERY_S)
        assert len(floor.log.said(LINE)) == before
        await floor.clock.advance(EVERY_S)
        quiet += floor.log.said(LINE)[-1:]
    assert quiet[-1]["prices"] in {"of 1 of 1 symbols", "of 0 of 1 symbols"}
    assert list(quiet[-1]["waits_for"]) == [DIP]


async def test_what_a_strategy_waits_for_is_its_note_or_what_keeps_it(desk: Desk) -> None:
    async with served(desk) as ring:
        assert ring.counsel is not None
        assert ring.runner.waits_for == "a signal of its strategy"
        ring.counsel.note = "RSI 41, waiting for 30"
        await ring.show(tick())
        assert ring.runner.waits_for == "RSI 41, waiting for 30"
        ring.gate = "it is PAUSED"
        assert ring.runner.waits_for == "it is PAUSED"
        ring.runner.mute()
        assert "an operator" in ring.runner.waits_for
    assert (await desk.journal.signs()).remarks[DIP].waits_for == "RSI 41, waiting for 30"


async def test_why_a_signal_was_refused_is_kept_for_whoever_asks(desk: Desk) -> None:
    async with served(desk, Enter(), spec=bot_spec()) as ring:
        ring.gate = "it is PAUSED"
        await ring.show(tick())
    remark = (await desk.journal.signs()).remarks[DIP]
    assert (remark.refused, remark.refused_at) == ("Enter: it is PAUSED", desk.exchange.now())


@pytest.mark.parametrize("history", [200])
async def test_a_bot_whose_candles_are_missing_says_so(desk: Desk, history: int) -> None:
    async with served(desk, spec=bot_spec(timeframe="1m", history=history)) as ring:
        ring.runner._begun.clear()
        assert ring.runner.waits_for == "the last 200 candles, which are not read yet"
