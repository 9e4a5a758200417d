# ruff: noqa: ARG002 (a hook takes what it is given)
"""One room for the code of all bots: few threads, few descriptors, and each pays for itself."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from surefoot.strategy import Enter, Fill, Signal, Strategy, Tick, View
from surefoot.strategy import call as call_module
from surefoot.strategy.call import Advice, Caller, Room
from surefoot.strategy.errors import StrategyFailed, StrategyNotLoaded
from surefoot.strategy.load import load_strategy, make_strategy
from surefoot.strategy.workers import ABANDONED_MAX, WORKERS_MAX, Crowded, Late, Workers

AT = datetime(2026, 1, 1, tzinfo=UTC)
TICK = Tick(symbol="BTC/USDT", price=100.0, bid=99.9, ask=100.1, at=AT)
PROMPT_S, AMPLE_S = 0.05, 20.0
DESCRIPTORS = Path("/proc/self/fd")

Said = list[tuple[str, dict[str, Any]]]


@pytest.fixture
def said() -> Said:
    return []


@pytest.fixture
async def room(said: Said) -> AsyncIterator[Room]:
    made = Room(lambda event, **fields: said.append((event, fields)))
    yield made
    made.close()


class Plain(Strategy):
    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        view.memory["n"] = view.memory.get("n", 0) + 1
        return None


class Waiting(Strategy):
    async def on_tick(self, tick: Tick, view: View) -> Signal | None:
        await asyncio.get_running_loop().run_in_executor(None, int)
        view.memory["n"] = view.memory.get("n", 0) + 1
        return Enter()


def blocking(act: Callable[[], Any]) -> Strategy:
    class Blocking(Strategy):
        async def on_tick(self, tick: Tick, view: View) -> Signal | None:
            act()
            return None

    return Blocking()


def ask(caller: Caller, *, limit_s: float = AMPLE_S, **memory: Any) -> Awaitable[Advice]:
    view = View(symbol="BTC/USDT", now=AT, memory=memory)
    return caller.consult("on_tick", TICK, view, limit_s=limit_s)


async def settled(*asked: Awaitable[Advice]) -> list[Advice | BaseException]:
    return await asyncio.gather(*asked, return_exceptions=True)


@pytest.mark.skipif(not DESCRIPTORS.is_dir(), reason="nothing here counts descriptors")
@pytest.mark.parametrize("kind", [Plain, Waiting])
async def test_a_thousand_bots_cost_no_more_than_a_few(room: Room, kind: type[Strategy]) -> None:
    """Catches a thread, a loop or three descriptors for each bot: 400 were the end of it."""
    before, threads = len(list(DESCRIPTORS.iterdir())), threading.active_count()
    callers = [Caller(kind(), name=f"bot-{n}", room=room) for n in range(1_000)]
    answers = await asyncio.gather(*(ask(caller) for caller in callers))
    assert [answer.memory for answer in answers] == [{"n": 1}] * 1_000
    assert len(list(DESCRIPTORS.iterdir())) <= before + 10
    assert threading.active_count() <= threads + WORKERS_MAX + 10


async def test_quick_hooks_need_one_thread(room: Room) -> None:
    """Two would only fight over the global lock, with the engine too."""
    callers = [Caller(Plain(), name=f"bot-{n}", room=room) for n in range(50)]
    for _ in range(10):
        await asyncio.gather(*(ask(caller) for caller in callers))
    assert len(room.workers._workers) <= 2  # a second one joins if the machine is slow


async def test_blocking_strategies_cost_only_themselves(room: Room, said: Said) -> None:
    """As many as there are workers, all at once: whoever comes after them is served."""
    release = threading.Event()

    class Blocking(Strategy):
        def on_tick(self, tick: Tick, view: View) -> Signal | None:
            release.wait(60)
            return None

    stuck = [Caller(Blocking(), name=f"stuck-{n}", room=room) for n in range(5)]
    other = Caller(Plain(), name="other", room=room)
    ended = asyncio.gather(*(settled(ask(each, limit_s=0.5)) for each in stuck))
    assert (await ask(other)).memory == {"n": 1}
    for (failure,) in await ended:
        assert isinstance(failure, StrategyFailed)
        assert failure.blocked
    assert (await ask(other, n=1)).memory == {"n": 2}
    assert {fields["bot"] for _, fields in said} == {f"stuck-{n}" for n in range(5)}
    release.set()


async def test_abandoned_threads_are_bounded(said: Said) -> None:
    """Past the bound work is refused, at once; when they come back there is room again."""
    release = threading.Event()
    workers = Workers(lambda event, **fields: said.append((event, fields)))
    for _ in range(ABANDONED_MAX):
        with pytest.raises(Late):
            await workers.do(lambda: release.wait(60), name="stuck", limit_s=0)
    with pytest.raises(Crowded, match="32 strategies never came back"):
        await workers.do(int, name="other", limit_s=AMPLE_S)
    assert said[-1][1]["abandoned"] == said[-1][1]["most"] == ABANDONED_MAX
    stuck = list(workers._abandoned)
    release.set()
    for thread in stuck:
        await asyncio.to_thread(thread.join, 10)
    assert await workers.do(int, name="other", limit_s=AMPLE_S) == 0
    workers.close()


@pytest.mark.parametrize("spinning", [True, False])
async def test_a_blocking_coroutine_costs_only_itself(
    room: Room, said: Said, spinning: bool
) -> None:
    """Those that wait on the same loop are asked again, on a new one."""
    release, waits = threading.Event(), threading.Event()

    class Patient(Strategy):
        async def on_tick(self, tick: Tick, view: View) -> Signal | None:
            view.memory["n"] = view.memory.get("n", 0) + 1
            waits.set()
            while not said:
                await asyncio.get_running_loop().run_in_executor(None, release.wait, 0.01)
            return Enter()

    def spin() -> None:
        while not release.is_set():
            pass

    patient = Caller(Patient(), name="patient", room=room)
    rude = Caller(blocking(spin if spinning else lambda: release.wait(60)), name="rude", room=room)
    waiting = asyncio.gather(settled(ask(patient)))
    assert await asyncio.to_thread(waits.wait, 10)
    (failure,) = await settled(ask(rude, limit_s=PROMPT_S))
    assert isinstance(failure, StrategyFailed)
    assert failure.blocked
    assert await waiting == [[Advice(signal=Enter(), memory={"n": 1})]]
    assert said == [("strategies' loop abandoned", {"bot": "rude", "abandoned": 1, "most": 32})]
    (later,) = await settled(ask(rude))
    assert "not called: it blocked earlier" in str(later)
    release.set()


async def test_a_task_left_behind_that_blocks_is_its_bots_failure(room: Room) -> None:
    """Catches a culprit who gets away because the call that began it has ended."""
    release = threading.Event()

    class Leaving(Strategy):
        async def on_tick(self, tick: Tick, view: View) -> Signal | None:
            async def later() -> None:
                release.wait(60)

            self.left = asyncio.get_running_loop().create_task(later())
            return None

    leaving, other = (Caller(kind(), name="bot", room=room) for kind in (Leaving, Waiting))
    await ask(leaving)
    assert (await ask(other)).signal == Enter()
    (later,) = await settled(ask(leaving))
    assert "not called: it blocked earlier" in str(later)
    release.set()


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, GeneratorExit])
async def test_leaving_the_program_from_a_coroutine_ends_only_the_call(
    room: Room, error: type[BaseException]
) -> None:
    def leave() -> None:
        raise error

    leaving = Caller(blocking(leave), name="leaving", room=room)
    patient = Caller(Waiting(), name="patient", room=room)
    (failure,), (advice,) = await asyncio.gather(settled(ask(leaving)), settled(ask(patient)))
    assert isinstance(failure, StrategyFailed)
    assert (failure.blocked, failure.reason.startswith(error.__name__)) == (False, True)
    assert advice == Advice(signal=Enter(), memory={"n": 1})


async def test_leaving_the_program_from_a_task_or_a_callback_ends_nothing(room: Room) -> None:
    class Leaving(Strategy):
        async def on_tick(self, tick: Tick, view: View) -> Signal | None:
            async def later() -> None:
                sys.exit(3)

            asyncio.get_running_loop().call_soon(sys.exit, 3)
            await asyncio.gather(
                asyncio.get_running_loop().create_task(later()), return_exceptions=True
            )
            return Enter()

    leaving = Caller(Leaving(), name="leaving", room=room)
    assert (await ask(leaving)).signal == Enter()
    assert (await ask(leaving)).signal == Enter()


async def test_only_hooks_that_were_written_listen(room: Room) -> None:
    class OnFill(Plain):
        def on_fill(self, fill: Fill, view: View) -> Signal | None:
            return None

    caller = Caller(OnFill(), name="bot", room=room)
    heard = [caller.listens(hook) for hook in ("on_tick", "on_candle", "on_fill")]
    assert heard == [True, False, True]


# Importing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("import sys; sys.exit(3)", "SystemExit: 3"),
        ("while True: pass", "importing it blocked: no answer in"),
        ("import time; time.sleep(2)", "importing it blocked: no answer in"),
    ],
)
async def test_an_authors_file_is_imported_where_it_blocks_nobody(
    room: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, written: str, told: str
) -> None:
    """Catches an import on the engine's loop: every stop would wait for it."""
    monkeypatch.setattr(call_module, "LOAD_LIMIT_S", 0.2)
    (tmp_path / "mine.py").write_text(written)

    def load() -> Strategy:
        return make_strategy(load_strategy("mine.py:Mine", tmp_path), {})

    async with asyncio.TaskGroup() as tasks:
        other = tasks.create_task(settled(ask(Caller(Plain(), name="other", room=room))))
        with pytest.raises(StrategyNotLoaded, match=told):
            await room.load(load, name="mine")
    assert other.result() == [Advice(signal=None, memory={"n": 1})]
