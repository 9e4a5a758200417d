"""One bot's loop: protection first, signals only through the guards, opinions at arm's length."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import BTC, START, D
from tests.unit.engine.clock import turns
from tests.unit.engine.counsel import Counsel, Ring, served
from tests.unit.engine.desk import LIMITS, MAIN, Desk, bot_spec, candle, tick

from surefoot.core.position import State
from surefoot.core.sizing import Amount
from surefoot.engine.quotes import Quote
from surefoot.engine.runner import INBOX_MAX
from surefoot.journal.errors import JournalPoisoned
from surefoot.strategy import Enter, Exit
from surefoot.strategy.errors import StrategyFailed

FAILED = StrategyFailed("Dip", "on_tick", "ZeroDivisionError", details="Traceback …")


async def entered(ring: Ring) -> None:
    """Let the bot's next answer, an Enter, become an open position."""
    await ring.show(tick())
    await ring.keeper.tell(ring.desk.exchange.trades[-1])
    assert ring.keeper.position.state is State.OPEN


# The market must be fresh ------------------------------------------------------------------------


async def test_a_signal_becomes_an_order_of_the_configured_worth(desk: Desk) -> None:
    async with served(desk, Enter(reason="dip")) as ring:
        await ring.show(tick("50000", spread="1"))
    (order,) = desk.exchange.sent
    assert order.quantity == D("0.00199")  # 100 USDT at the ask of 50001, floored to the lot
    assert order.limit is None


async def test_no_entry_while_the_stream_is_broken_and_none_before_the_next_tick(
    desk: Desk,
) -> None:
    async with served(desk, None, Enter(), Enter()) as ring:
        await ring.show(tick())
        assert ring.counsel is not None
        ring.counsel.held = asyncio.Event()
        ring.see(tick("50001"))
        await turns()
        ring.runner.go_stale()  # while the strategy thinks about it
        ring.counsel.held.set()
        await turns()
        assert ring.refusals() == ["no entry while market data is stale"]
        assert desk.exchange.sent == []
        await ring.show(tick("50002"))
    assert len(desk.exchange.sent) == 1


@pytest.mark.parametrize(("age", "sent"), [(30, 1), (30.001, 0)])
async def test_a_tick_is_fresh_for_thirty_seconds(desk: Desk, age: float, sent: int) -> None:
    """By the exchange's own time of it. Catches entries on a price of yesterday."""
    async with served(desk, Enter()) as ring:
        assert ring.counsel is not None
        ring.counsel.held = asyncio.Event()
        ring.see(tick())
        await turns()
        desk.clock.elapsed += age
        ring.counsel.held.set()
        await turns()
        await desk.works.run()
    assert len(desk.exchange.sent) == sent
    assert ring.runner.refused == 1 - sent


async def test_an_exit_passes_while_the_market_is_stale(desk: Desk) -> None:
    """Catches a guard against new risk that also locks the way out."""
    async with served(desk, Enter(), Exit(reason="enough")) as ring:
        await entered(ring)
        ring.gate = "the bot is PAUSED"
        ring.runner.go_stale()
        fill = desk.exchange.trades[0]
        await ring.show(fill)
    assert [order.role for order in desk.exchange.sent] == ["entry", "exit"]
    assert ring.runner.refused == 0


async def test_an_entry_needs_the_gate(desk: Desk) -> None:
    async with served(desk, Enter(), Enter()) as ring:
        ring.gate = "recovery has not finished"
        await ring.show(tick())
        assert ring.refusals() == ["recovery has not finished"]
        ring.gate = None
        await ring.show(tick("50001"))
    assert len(desk.exchange.sent) == 1


async def test_an_entry_that_waits_for_its_turn_hears_of_a_stop(desk: Desk) -> None:
    """It was let in, and then waited for the position's lock while an operator stopped all."""
    async with served(desk, Enter()) as ring:
        async with ring.keeper.lock:
            ring.see(tick())
            await turns()
            ring.gate = "the bot is PAUSED: stop-all"
        await turns()
        await desk.works.run()
        assert ring.refusals() == ["the bot is PAUSED: stop-all"]
    assert desk.exchange.sent == []


# Caps --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "limits", "why"),
    [
        (Enter(), {"order_notional": D(99)}, "order_notional"),
        (Enter(), {"position_notional": D(99)}, "position_notional"),
        (Enter(), {"orders_per_minute": 0}, "orders_per_minute"),
        (Enter(limit=40000), {}, "price_band"),
        (Enter(limit=0.01), {}, "price_band"),
    ],
)
async def test_a_cap_refuses_before_anything_is_written(
    desk: Desk, answer: Enter, limits: dict[str, object], why: str
) -> None:
    spec = bot_spec(limits=replace(LIMITS, **limits))
    async with served(desk, answer, spec=spec) as ring:
        kinds = await desk.kinds()
        await ring.show(tick())
        assert len(ring.refusals()) == 1
        assert why in ring.refusals()[0]
        assert await desk.kinds() == kinds
    assert desk.exchange.sent == []


async def test_an_exit_far_from_the_market_is_refused_and_one_at_the_market_never(
    desk: Desk,
) -> None:
    tight = bot_spec(limits=replace(LIMITS, orders_per_minute=1, price_band=D("0.01")))
    async with served(desk, Enter(), Exit(limit=90000), Exit(), spec=tight) as ring:
        await entered(ring)
        await ring.show(tick("50001"))
        assert "price_band" in ring.refusals()[0]
        await ring.show(tick("50002"))
    assert [order.role for order in desk.exchange.sent] == ["entry", "exit"]


async def test_orders_of_closed_positions_count_against_the_rate(desk: Desk) -> None:
    """Catches a cap that starts over with every position."""
    spec = bot_spec(limits=replace(LIMITS, orders_per_minute=2))
    async with served(desk, Enter(), Exit(), Enter(), Enter(), spec=spec) as ring:
        for _ in range(2):
            number = ring.keeper.position.position_id
            await ring.show(tick())
            await ring.keeper.tell(desk.exchange.trades[-1], position_id=number)
        ring.keeper.forget_settled()
        await ring.show(tick())
        assert len(desk.exchange.sent) == 2
        assert "orders_per_minute" in ring.refusals()[0]
        desk.clock.elapsed += 60
        await ring.show(tick())
        assert len(desk.exchange.sent) == 3


async def test_an_impatient_strategy_is_bounded_when_it_leaves_too(desk: Desk) -> None:
    """160 exits a minute passed a cap that counted them and only ever refused entries."""
    spec = bot_spec(limits=replace(LIMITS, orders_per_minute=2))
    impatient = Exit(limit=50500, time_to_live=0.5)
    async with served(desk, Enter(), *[impatient] * 6, spec=spec) as ring:
        await entered(ring)
        for number in range(6):
            await ring.show(tick(f"5000{number}"))
            exits = [order for order in desk.exchange.sent if order.role == "exit"]
            await ring.keeper.tell(
                desk.exchange.end(desk.exchange.orders[-1].exchange_order_id, "CANCELED"),
            )
        assert len(exits) == 2
        assert "orders_per_minute" in ring.refusals()[-1]


async def test_a_notional_under_the_minimum_is_a_refusal_too(desk: Desk) -> None:
    async with served(desk, Enter(), spec=bot_spec(notional=Amount(notional=D(1)))) as ring:
        await ring.show(tick())
    assert ring.runner.refused == 1
    assert "minimum" in ring.refusals()[0]


async def test_refused_signals_are_counted_and_said_once_a_minute(desk: Desk) -> None:
    """A strategy may ask at every tick: the count goes on, the log does not fill."""
    async with served(desk, *(Exit() for _ in range(6))) as ring:
        for price in ("1", "2", "3"):
            await ring.show(tick(price))
        assert (ring.runner.refused, len(ring.refusals())) == (3, 1)
        desk.clock.elapsed += 60
        await ring.show(tick("4"))
        assert (ring.runner.refused, len(ring.refusals())) == (4, 2)
    assert desk.log.said("signal refused")[-1]["refused"] == 4


async def test_another_refusal_is_said_at_once(desk: Desk) -> None:
    async with served(desk, Exit(), Enter()) as ring:
        ring.gate = "the bot is PAUSED"
        await ring.show(tick("1"), tick("2"))
    assert ring.refusals() == ["no exit while the position is FLAT", "the bot is PAUSED"]


# A strategy that fails ---------------------------------------------------------------------------


async def test_a_failed_strategy_is_muted_and_somebody_is_told(desk: Desk) -> None:
    async with served(desk, FAILED, Enter()) as ring:
        await ring.show(tick("1"), tick("2"))
        assert ring.runner.muted
        assert ring.reviews == ["Dip.on_tick: ZeroDivisionError"]
        assert ring.counsel is not None
        assert (len(ring.counsel.shown), ring.counsel.closed) == (1, True)
    assert desk.exchange.sent == []
    assert desk.log.said("strategy failed")[0]["details"] == "Traceback …"


async def test_a_muted_bot_is_still_protected(desk: Desk) -> None:
    """Catches a loop that ends with its strategy: the stop would end with it."""
    async with served(desk, Enter(), FAILED) as ring:
        await entered(ring)
        await ring.show(tick("49990"))
        assert ring.runner.muted
        await ring.show(tick("48000"))
    assert [order.role for order in desk.exchange.sent] == ["entry", "exit"]


async def test_a_strategy_that_thinks_long_does_not_delay_the_stop(desk: Desk) -> None:
    """Catches one loop for both: the stop would wait for an opinion."""
    async with served(desk, Enter()) as ring:
        await entered(ring)
        assert ring.counsel is not None
        ring.counsel.held = asyncio.Event()
        await ring.show(tick("49990"))
        await ring.show(tick("48000"))
        assert [order.role for order in desk.exchange.sent] == ["entry", "exit"]
        ring.counsel.held.set()


async def test_a_fresh_strategy_is_heard_again(desk: Desk) -> None:
    async with served(desk, FAILED) as ring:
        await ring.show(tick("1"))
        assert ring.counsel is not None
        ring.counsel.answers.append(Enter())
        ring.runner.hear(ring.counsel)  # type: ignore[arg-type]
        await ring.show(tick())
    assert len(desk.exchange.sent) == 1


async def test_a_poisoned_journal_is_no_mistake_of_a_strategy(desk: Desk) -> None:
    """It must get out: this process may not go on."""
    with pytest.raises(ExceptionGroup) as ended:
        async with served(desk, Enter()) as ring:
            desk.journal.poisoned = True
            ring.see(tick())
            await turns()
    assert ended.group_contains(JournalPoisoned)
    assert (ring.reviews, desk.exchange.sent) == ([], [])


# Memory ------------------------------------------------------------------------------------------


async def test_memory_is_journaled_in_the_same_change_as_the_decision(desk: Desk) -> None:
    """Catches a strategy that forgets, by a crash, that it has just decided."""
    async with served(desk, Enter()) as ring:
        desk.clock.elapsed += 0.5
        ring.runner._remembered_at = desk.clock.monotonic()  # its second is not over
        commits = desk.journal.commits
        ring.see(tick())
        await turns()
        assert desk.journal.commits == commits + 1
        assert (await ring.memory())["strategy"] == {"asked": 1}
        assert (await desk.kinds())[-2:] == ["order-intended", "state-changed"]


async def test_memory_without_a_signal_is_written_once_a_second(desk: Desk) -> None:
    async with served(desk) as ring:
        await ring.show(tick("1"))
        assert (await ring.memory())["strategy"] == {"asked": 1}
        desk.clock.elapsed += 0.9
        await ring.show(tick("2"))
        assert (await ring.memory())["strategy"] == {"asked": 1}
        desk.clock.elapsed += 0.1
        await ring.show(tick("3"))
        assert (await ring.memory())["strategy"] == {"asked": 3}


async def test_the_memory_of_a_refused_signal_is_remembered_as_well(desk: Desk) -> None:
    async with served(desk, Exit()) as ring:
        await ring.show(tick("1"))
        assert ring.runner.refused == 1
        assert (await ring.memory())["strategy"] == {"asked": 1}


async def test_the_last_word_is_written_down_when_the_bot_is_stopped(desk: Desk) -> None:
    async with served(desk) as ring:
        await ring.show(tick("1"), tick("2"))
        commits = desk.journal.commits
        await ring.runner.checkpoint()
        assert (await ring.memory())["strategy"] == {"asked": 2}
        await ring.runner.checkpoint()
        assert desk.journal.commits == commits + 1


async def marked(desk: Desk) -> D:
    return (await desk.journal.marks())[MAIN, BTC].price


async def test_the_market_price_is_noted_every_five_seconds(desk: Desk) -> None:
    async with served(desk) as ring:
        await ring.show(tick("1"), tick("2"))
        desk.clock.elapsed += 1
        desk.clock.elapsed += 3
        await ring.show(tick("3"))
        assert await marked(desk) == D("1")
        desk.clock.elapsed += 1
        await ring.show(tick("4"))
        assert await marked(desk) == D("4")
        desk.clock.elapsed -= 60  # the exchange's clock went back
        await ring.show(tick("5"))
        assert await marked(desk) == D("5")
        assert "mark" not in await ring.memory()


# The inbox ---------------------------------------------------------------------------------------


async def test_of_ticks_only_the_newest_waits(desk: Desk) -> None:
    async with served(desk) as ring:
        for price in ("1", "2", "3"):
            ring.see(tick(price))
        await turns()
        assert ring.counsel is not None
        assert [event.price for _, event in ring.counsel.shown] == [D(3)]


async def test_a_full_inbox_drops_the_oldest_and_says_so(desk: Desk) -> None:
    keeper = await desk.keeper()
    await desk.opened(keeper)
    ring = Ring(desk, keeper, Counsel())
    trade = desk.exchange.trades[0]
    for number in range(INBOX_MAX + 1):
        ring.runner.offer(replace(trade, trade_id=str(number)))  # type: ignore[arg-type]
    assert [line["waiting"] for line in desk.log.said("news dropped")] == [INBOX_MAX]
    assert [ring.runner._news[0], len(ring.runner._news)] == [
        replace(trade, trade_id="1"),  # type: ignore[arg-type]
        INBOX_MAX,
    ]


async def test_a_stop_between_two_looks_is_not_missed(desk: Desk) -> None:
    """Catches a loop that shows positions the newest price only."""
    async with served(desk, Enter()) as ring:
        await entered(ring)
        ring.see(tick("49990"), tick("48000"), tick("50000"))
        await turns()
        await desk.works.run()
        assert ring.counsel is not None
        assert [event.price for hook, event in ring.counsel.shown if hook == "tick"][1:] == [50000]
    assert [order.role for order in desk.exchange.sent] == ["entry", "exit"]


async def test_a_price_that_changes_nothing_wakes_nobody(desk: Desk) -> None:
    """Catches fifty bots that are each woken to decide that a price is none of their business."""
    async with served(desk, Enter()) as ring:
        await entered(ring)
        ring.see(tick("49990"))
        assert not ring.runner._priced.is_set()
        ring.see(tick("48000"))
        assert ring.runner._priced.is_set()


async def test_a_price_during_a_decision_is_shown_after_it(desk: Desk) -> None:
    """What is being decided may set a level that this price has reached already."""
    async with served(desk, Enter()) as ring:
        await entered(ring)
        async with ring.runner.keeper.lock:
            ring.see(tick("49990"))
            assert ring.runner._priced.is_set()


def test_extremes_are_shown_in_their_order() -> None:
    early, late = START, START + timedelta(seconds=1)
    up, down = replace(tick("3"), at=early), replace(tick("1"), at=late)
    assert Quote.of(up).then(Quote.of(down)).then(Quote.of(down)).path() == (3, 1)
    newest = replace(tick("2"), at=late)
    assert Quote.of(up).then(Quote.of(down)).then(Quote.of(newest)).path() == (3, 1, 2)
    assert Quote.of(newest).path() == (2,)


def test_extremes_are_in_the_order_in_which_they_arrived() -> None:
    """A book event's own time made the last price before a rise look like a fall after it.

    The trailing stop was raised by the high, and the older price was then taken to breach it.
    """
    rise = replace(tick("3"), at=START)
    stale = replace(tick("1"), at=START + timedelta(seconds=1))
    assert Quote.of(stale).then(Quote.of(rise)).path() == (1, 3)
    both = Quote.of(tick("2")).then(Quote.of(stale)).then(Quote.of(rise))
    assert both.path() == (1, 3)
    assert Quote.of(tick("2")).then(both).path() == (1, 3)
    assert both.then(Quote.of(tick("0.5"))).path() == (3, D("0.5"))


async def test_a_tick_that_waited_is_as_old_as_it_says(desk: Desk) -> None:
    """Catches nine seconds, or an hour, in a queue that make a price new again."""
    async with served(desk, Enter(), Enter()) as ring:
        ring.runner.see(Quote.of(replace(tick(), at=desk.exchange.now() - timedelta(seconds=31))))
        await turns()
        assert ring.refusals() == ["no entry while market data is stale"]
    assert desk.exchange.sent == []


async def test_a_strategy_that_wants_no_ticks_is_asked_about_none(desk: Desk) -> None:
    """Its position is watched all the same."""
    async with served(desk, Enter()) as ring:
        assert ring.counsel is not None
        await entered(ring)
        ring.counsel.hears = {"on_fill"}
        asked = len(ring.counsel.shown)
        await ring.show(tick("50001"), tick("50002"), candle(0), tick("48000"))
        assert len(ring.counsel.shown) == asked
        await ring.show(desk.exchange.trades[0])
        assert ring.counsel.hooks()[asked:] == ["fill"]
    assert [order.role for order in desk.exchange.sent] == ["entry", "exit"]
