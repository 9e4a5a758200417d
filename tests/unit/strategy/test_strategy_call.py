# ruff: noqa: ARG002 (a hook takes what it is given)
"""Whatever a hook does, the loop goes on, and what comes back is an answer or nothing."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any, cast

import pytest

from surefoot.strategy import Candle, Enter, Exit, Fill, Signal, Strategy, Tick, View
from surefoot.strategy.call import Advice, Caller, Room
from surefoot.strategy.errors import StrategyFailed

AT = datetime(2026, 1, 1, tzinfo=UTC)
TICK = Tick(symbol="BTC/USDT", price=100.0, bid=99.9, ask=100.1, at=AT)
PROMPT_S, AMPLE_S = 0.05, 20.0

Asking = Callable[[Strategy], Caller]


@pytest.fixture
async def asking() -> AsyncIterator[Asking]:
    room = Room(lambda _event, **_fields: None)

    def make(strategy: Strategy) -> Caller:
        return Caller(strategy, name="dip-btc", room=room)

    yield make
    room.close()


def seen(**memory: Any) -> View:
    return View(symbol="BTC/USDT", now=AT, memory=memory)


def answering(answer: Callable[[View], Any]) -> Strategy:
    """Return a strategy whose answer to every tick is computed by this function."""

    class Answering(Strategy):
        def on_tick(self, tick: Tick, view: View) -> Signal | None:
            return cast("Signal | None", answer(view))

    return Answering()


async def tick(caller: Caller, view: View | None = None) -> Advice:
    return await caller.consult("on_tick", TICK, view or seen(), limit_s=AMPLE_S)


async def failure(caller: Caller, view: View | None = None) -> StrategyFailed:
    with pytest.raises(StrategyFailed) as caught:
        await tick(caller, view)
    return caught.value


async def test_hooks_may_be_plain_or_async(asking: Asking) -> None:
    class Both(Strategy):
        def on_tick(self, tick: Tick, view: View) -> Signal | None:
            view.memory["n"] = view.memory.get("n", 0) + 1
            return Enter()

        async def on_candle(self, candle: Candle, view: View) -> Signal | None:
            await asyncio.to_thread(int)
            view.memory["async"] = True
            return Exit()

    caller = asking(Both())
    candle = Candle(
        symbol="BTC/USDT", timeframe="1m", at=AT, open=1, high=1, low=1, close=1, volume=1
    )
    first = await tick(caller)
    assert first == Advice(signal=Enter(), memory={"n": 1})
    second = await caller.consult("on_candle", candle, seen(n=1), limit_s=AMPLE_S)
    assert second == Advice(signal=Exit(), memory={"n": 1, "async": True})


async def test_the_default_hooks_want_nothing(asking: Asking) -> None:
    caller = asking(Strategy())
    assert (await tick(caller)).signal is None
    fill = cast("Fill", None)
    assert (await caller.consult("on_fill", fill, seen(), limit_s=AMPLE_S)).signal is None


async def test_an_exception_is_a_failure_with_its_place(asking: Asking) -> None:
    def divide(view: View) -> float:
        view.memory["half-done"] = True
        return 1 / 0

    view = seen(kept=1)
    caller = asking(answering(divide))
    failed = await failure(caller, view)
    assert failed.strategy == "Answering"
    assert failed.hook == "on_tick"
    assert failed.reason.startswith("ZeroDivisionError: division by zero (")
    assert "test_strategy_call.py:" in failed.reason
    assert "\n" not in failed.reason
    assert "1 / 0" in failed.details
    assert not failed.blocked
    assert view.memory == {"kept": 1}


async def test_a_failure_does_not_end_the_caller(asking: Asking) -> None:
    answers = iter([lambda: 1 / 0, Enter])
    caller = asking(answering(lambda _: next(answers)()))
    await failure(caller)
    assert (await tick(caller)).signal == Enter()


@pytest.mark.parametrize(
    "act",
    [
        lambda _: sys.exit(3),
        lambda _: (_ for _ in ()).throw(KeyboardInterrupt),
        lambda _: (_ for _ in ()).throw(GeneratorExit),
        lambda _: (_ for _ in ()).throw(asyncio.CancelledError),
        lambda _: (_ for _ in ()).throw(TimeoutError),
    ],
    ids=["exit", "interrupt", "generator", "cancelled", "timeout"],
)
async def test_even_leaving_the_program_ends_only_the_call(
    asking: Asking, act: Callable[[View], Any]
) -> None:
    """A TimeoutError of the strategy's own is no sign of a blocked call either."""
    caller = asking(answering(act))
    assert not (await failure(caller)).blocked
    assert not (await failure(caller)).blocked


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        ("buy", "returned a str; return Enter(…), Add(…), Exit(…) or None"),
        (True, "returned a bool"),
        (Enter, "returned the class Enter; write Enter()"),
        ({"enter": True}, "returned a dict"),
        ((x for x in [Enter()]), "returned a generator"),
    ],
)
async def test_nonsense_is_a_failure(asking: Asking, answer: object, told: str) -> None:
    failed = await failure(asking(answering(lambda _: answer)))
    assert failed.reason.startswith(told)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Enter(limit=float("nan")), "Enter.limit: expected a finite number"),
        (lambda: Exit(limit=float("inf")), "Exit.limit: expected a finite number"),
        (lambda: Enter(limit=-1), "Enter.limit: expected an amount greater than zero"),
        (lambda: Enter(time_to_live="soon"), "Enter.time_to_live: expected a duration"),
        (lambda: Exit(time_to_live=0), "Exit.time_to_live: expected a duration"),
        (lambda: Enter(stop_loss=2), "Enter.stop_loss: expected a percentage"),
        (lambda: Enter(stop_loss="150%"), "Enter.stop_loss: a stop is less than 100%"),
    ],
)
async def test_a_bad_signal_is_a_failure(
    asking: Asking, make: Callable[[], Signal], told: str
) -> None:
    failed = await failure(asking(answering(lambda _: make())))
    assert failed.reason.startswith(told)


async def test_memory_that_json_cannot_hold_is_a_failure(asking: Asking) -> None:
    def remember(view: View) -> None:
        view.memory["prices"] = {"last": [1.0, {2.0}]}

    failed = await failure(asking(answering(remember)))
    assert failed.reason.startswith('memory["prices"]["last"][1] is a set, which JSON cannot hold')


async def test_a_later_change_to_memory_changes_nothing(asking: Asking) -> None:
    """A reference that the strategy kept is not the journaled memory."""
    kept: list[dict[str, Any]] = []
    caller = asking(answering(lambda view: kept.append(view.memory)))
    advice = await tick(caller, seen(n=[1]))
    kept[0]["n"].append(2)
    assert advice.memory == {"n": [1]}


async def test_a_spinning_hook_stops_nobody_else(asking: Asking) -> None:
    """`while True` costs its own bot only; and its thread is stopped, not left to burn."""

    def spin(_: View) -> None:
        while True:
            pass

    spinning, other = asking(answering(spin)), asking(answering(lambda _: Enter()))
    with pytest.raises(StrategyFailed) as caught:
        await spinning.consult("on_tick", TICK, seen(), limit_s=PROMPT_S)
    assert caught.value.blocked
    assert caught.value.reason == "blocked: no answer in 0.05 s"
    assert (await tick(other)).signal == Enter()
    later = await failure(spinning)
    assert later.reason == "not called: it blocked earlier"
    assert await ended()


async def test_a_sleeping_hook_stops_nobody_else(asking: Asking) -> None:
    release = threading.Event()
    sleeping = asking(answering(lambda _: release.wait(60)))
    other = asking(answering(lambda _: Exit()))
    with pytest.raises(StrategyFailed, match="blocked"):
        await sleeping.consult("on_tick", TICK, seen(), limit_s=PROMPT_S)
    assert (await tick(other)).signal == Exit()
    release.set()
    assert await ended()


@pytest.mark.parametrize("blocking", [True, False])
async def test_a_slow_async_hook_is_blocked_too(asking: Asking, blocking: bool) -> None:
    """Also one that blocks inside `async def`: its loop is not the engine's."""
    release, over = threading.Event(), threading.Event()

    class Slow(Strategy):
        async def on_tick(self, tick: Tick, view: View) -> Signal | None:
            try:
                if blocking:
                    release.wait(60)
                else:
                    await asyncio.Event().wait()
            finally:
                over.set()
            return None

    caller = asking(Slow())
    with pytest.raises(StrategyFailed, match="blocked"):
        await caller.consult("on_tick", TICK, seen(), limit_s=PROMPT_S)
    release.set()
    assert await asyncio.to_thread(over.wait, 10)
    assert await ended()


async def test_a_cancelled_call_is_not_followed_by_another(asking: Asking) -> None:
    release = threading.Event()
    caller = asking(answering(lambda _: release.wait(60)))
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(PROMPT_S):
            await tick(caller)
    assert (await failure(caller)).reason == "not called: an earlier call was cancelled"
    release.set()
    assert await ended()


async def test_a_closed_caller_refuses(asking: Asking) -> None:
    caller = asking(Strategy())
    caller.close()
    assert (await failure(caller)).reason == "not called: it was closed"
    assert await ended()


async def ended() -> bool:
    """Wait for the threads that were abandoned, at most 10 s; those that serve others stay."""
    for _ in range(1_000):
        names = [each.name for each in threading.enumerate() if each.name.startswith("strategies")]
        if len(names) == len(set(names)):
            return True
        await asyncio.to_thread(threading.Event().wait, 0.01)
    return False
