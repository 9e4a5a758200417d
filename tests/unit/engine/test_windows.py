"""Candle windows: warm before the first question, joined by time, read once for all bots."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from msgspec.structs import replace
from tests.builders import BTC, START
from tests.unit.engine.clock import turns
from tests.unit.engine.counsel import Counsel, Ring
from tests.unit.engine.desk import DIP, SWING, Desk, bot_spec, candle, tick
from tests.unit.engine.fake import ETH

from surefoot.core.values import BotName
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.quotes import Quote
from surefoot.engine.runner import Runner
from surefoot.engine.specs import BotSpec
from surefoot.engine.tempo import Tempo
from surefoot.engine.windows import CATCH_UP_MAX, Window, Windows
from surefoot.exchange.errors import ReadFailed

WARM = bot_spec(timeframe="1m", history=3)


def opened(candles: Any) -> list[int]:
    """Return in which minutes after the start these candles opened."""
    return [round((each.at - START) / timedelta(minutes=1)) for each in candles]


class Hall:
    """Some bots with their loops, and the windows that they share."""

    def __init__(self, desk: Desk) -> None:
        self.desk = desk
        self.counsels: dict[BotName, Counsel] = {}
        self.runners: BySymbol[Runner] = BySymbol(lambda runner: runner.spec.symbol)
        self.windows = Windows(desk.login, self.runners)

    async def enter(self, spec: BotSpec, counsel: Counsel) -> None:
        self.counsels[spec.bot] = counsel
        counsel.hears.add("on_start")
        ring = Ring(self.desk, await self.desk.keeper(spec.bot), counsel, spec)
        self.runners[spec.bot] = ring.runner

    async def at(self, minute: float) -> None:
        self.desk.clock.elapsed = minute * 60
        await turns()

    async def hear(self, *minutes: int) -> None:
        for minute in minutes:
            self.windows.hear(candle(minute))
        await turns()

    def shown(self, bot: BotName = DIP) -> list[int]:
        return opened(event for hook, event in self.counsels[bot].shown if hook == "candle")

    def windows_shown(self, bot: BotName = DIP) -> list[list[int]]:
        return [opened(glance.candles) for glance in self.counsels[bot].glances]


@asynccontextmanager
async def hall(
    desk: Desk, *bots: tuple[BotSpec, Counsel], minute: float = 10.5
) -> AsyncIterator[Hall]:
    """Serve these bots, so many minutes after the start; the venue knows what has closed."""
    desk.clock.elapsed = minute * 60
    desk.exchange.history = [candle(n) for n in range(-50, int(minute))]
    here = Hall(desk)
    for spec, counsel in bots:
        await here.enter(spec, counsel)
    async with asyncio.TaskGroup() as tasks:
        works = [here.windows.keep(), here.windows.look()]
        works += [runner.advise() for runner in here.runners.values()]
        running = [tasks.create_task(work) for work in works]
        await turns()
        yield here
        for task in running:
            task.cancel()


async def test_the_history_is_there_before_the_first_question(desk: Desk) -> None:
    """`on_start` and the first candle both see it. Catches indicators that start cold."""
    async with hall(desk, (WARM, Counsel())) as here:
        assert here.windows_shown() == [[7, 8, 9]]
        await here.at(11)
        await here.hear(10)
        assert here.windows_shown() == [[7, 8, 9], [8, 9, 10]]
        assert here.shown() == [10]


async def test_no_hook_is_called_before_the_history_is_there(desk: Desk) -> None:
    """A venue that does not answer costs the bot its questions, and it is said once."""
    desk.exchange.fail("candles", ReadFailed("no answer"))
    async with hall(desk, (WARM, Counsel())) as here:
        here.windows.hear(candle(10))
        here.runners[DIP].see(quote_of(desk))
        await turns()
        await desk.clock.advance(Tempo().candles_s)
        assert here.counsels[DIP].glances == []
        desk.exchange.mend()
        await desk.clock.advance(Tempo().candles_s)
        await turns()
        assert [len(each) for each in here.windows_shown()][:1] == [3]
        assert [line["why"] for line in desk.log.said("candles not read")] == ["no answer"]


async def test_bots_on_one_symbol_and_time_frame_share_one_read(desk: Desk) -> None:
    other = bot_spec(BotName("other"), timeframe="1m", history=2)
    ether = bot_spec(SWING, ETH, timeframe="1m", history=1)
    async with hall(desk, (WARM, Counsel()), (other, Counsel())) as here:
        assert desk.exchange.count("candles") == 1
        await here.at(11)
        await here.hear(10)
        assert here.windows_shown(other.bot)[-1] == [9, 10]
        mine, theirs = (here.counsels[bot].glances[-1].candles for bot in (DIP, other.bot))
        assert mine[-1] is theirs[-1]
    assert ether.pairs == ((ETH, "1m"),)


async def test_after_a_restart_each_missed_candle_is_shown_with_its_own_window(desk: Desk) -> None:
    """Catches a look into the future: a window that ends with today under yesterday's candle."""
    async with hall(desk, (WARM, Counsel(candle_at=candle(6).at))) as here:
        assert here.shown() == [7, 8, 9]
        assert here.windows_shown() == [[4, 5, 6], [5, 6, 7], [6, 7, 8], [7, 8, 9]]


async def test_bots_that_heard_differently_much_each_go_on_from_there(desk: Desk) -> None:
    other = bot_spec(BotName("other"), timeframe="1m", history=2)
    async with hall(
        desk, (WARM, Counsel(candle_at=candle(8).at)), (other, Counsel(candle_at=candle(5).at))
    ) as here:
        assert (here.shown(), here.shown(other.bot)) == ([9], [6, 7, 8, 9])
        assert desk.exchange.count("candles") == 1


async def test_a_bot_that_wants_no_history_and_has_seen_no_candle_reads_none(desk: Desk) -> None:
    async with hall(desk, (bot_spec(timeframe="1m"), Counsel())) as here:
        assert desk.exchange.count("candles") == 0
        await here.at(11)
        await here.hear(10)
        assert (here.shown(), here.windows_shown()[-1]) == ([10], [])


async def test_a_hole_in_the_stream_is_read_before_anything_more_is_shown(desk: Desk) -> None:
    async with hall(desk, (WARM, Counsel())) as here:
        await here.at(13)
        desk.exchange.history += [candle(10), candle(11), candle(12)]
        await here.hear(10, 12, 12)
        assert here.shown() == [10, 11, 12]
        assert here.windows_shown()[-1] == [10, 11, 12]


async def test_an_outage_is_read_when_the_stream_comes_up_again(desk: Desk) -> None:
    async with hall(desk, (WARM, Counsel())) as here:
        await here.at(20.5)
        desk.exchange.history += [candle(n) for n in range(10, 20)]
        here.windows.rejoin()
        await turns()
        assert here.shown() == list(range(10, 20))


async def test_a_candle_that_nobody_tells_is_asked_for(desk: Desk) -> None:
    """By the clock: the stream says nothing of what it lost. The next may be a day away."""
    async with hall(desk, (WARM, Counsel())) as here:
        desk.exchange.history += [candle(10), candle(11)]
        await desk.clock.advance(40)  # minute 11, and 10 s
        await turns()
        assert here.shown() == []
        await desk.clock.advance(70)
        await turns()
        assert here.shown() == [10, 11]


async def test_a_hole_that_the_venue_keeps_is_believed_at_last(desk: Desk) -> None:
    """A venue under maintenance makes no candles. Catches a bot that waits for ever."""
    async with hall(desk, (WARM, Counsel())) as here:
        await here.at(13)
        desk.exchange.history += [candle(12)]
        await here.hear(12)
        assert here.shown() == []
        for _ in range(3):
            await desk.clock.advance(Tempo().candles_s)
            await turns()
        assert here.shown() == [12]


async def test_more_than_the_bound_is_not_shown_after_a_long_time(desk: Desk) -> None:
    minute = CATCH_UP_MAX + 100
    async with hall(desk, (WARM, Counsel(candle_at=candle(0).at)), minute=minute) as here:
        assert len(here.shown()) == CATCH_UP_MAX
        assert here.shown()[-1] == minute - 1
        assert here.windows_shown()[0] == [minute - 503, minute - 502, minute - 501]


async def test_other_time_frames_and_symbols_are_there_to_be_read(desk: Desk) -> None:
    """As they were when the candle closed, and never later ones."""
    spec = bot_spec(timeframe="1m", history=2, others=((ETH, "1m"),))
    async with hall(desk, (spec, Counsel(candle_at=candle(8).at))) as here:
        assert [opened(g.others[ETH, "1m"]) for g in here.counsels[DIP].glances[1:]] == [[8, 9]]


async def test_the_open_candle_is_shown_as_far_as_it_has_come(desk: Desk) -> None:
    async with hall(desk, (WARM, Counsel())) as here:
        here.windows.hear(replace(candle(10), closed=False))
        here.runners[DIP].see(quote_of(desk))
        await turns()
        glance = here.counsels[DIP].glances[-1]
        assert glance.open_candle is not None
        assert opened([glance.open_candle]) == [10]
        assert opened(glance.candles) == [7, 8, 9]


async def test_a_strategy_that_only_hears_ticks_looks_back_on_the_newest(desk: Desk) -> None:
    counsel = Counsel()
    counsel.hears = {"on_tick"}  # and on_start
    async with hall(desk, (WARM, counsel)) as here:
        await here.at(11)
        await here.hear(10)
        here.runners[DIP].see(quote_of(desk))
        await turns()
        assert here.windows_shown()[-1] == [8, 9, 10]


def test_a_window_keeps_no_more_than_it_needs() -> None:
    """Whoever looks back keeps what they see; the window itself does not grow for ever."""
    window = Window((BTC, "1m"), START)
    window.history = 10
    for minute in range(20):
        window.add(candle(minute))
    seen = window.view(10)
    for minute in range(20, 5_000):
        window.add(candle(minute))
    assert opened(seen) == list(range(10, 20))
    assert opened(window.view(3)) == [4997, 4998, 4999]
    assert len(window._rows) <= 2 * (10 + CATCH_UP_MAX) + 1


def quote_of(desk: Desk) -> Quote:
    return Quote.of(replace(tick(), at=desk.exchange.now()))
