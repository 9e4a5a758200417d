"""The bundled examples do what they say, and a restart in the middle changes nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest

from surefoot.core.exits import Phase
from surefoot.core.position import State
from surefoot.core.values import Direction
from surefoot.strategy import Candle, Enter, Exit, PositionView, Strategy, Tick, View
from surefoot.strategy.examples import Breakout, DipBuyer, MovingAverageCross, RoundTrip
from surefoot.strategy.memory import durable

START = datetime(2026, 1, 1, tzinfo=UTC)
OPEN = PositionView(
    state=State.OPEN,
    phase=Phase.MONITORING,
    direction=Direction.LONG,
    quantity=1.0,
    entry_price=100.0,
    stop_loss=None,
    take_profit=None,
    realized_pnl=0.0,
    unrealized_pnl=0.0,
    opened_at=START,
    frozen=None,
)

Said = Literal["enter", "exit"] | None


def tick(price: float, number: int) -> Tick:
    at = START + timedelta(seconds=number)
    return Tick(symbol="BTC/USDT", price=price, bid=price, ask=price, at=at)


def candle(close: float, number: int) -> Candle:
    at = START + timedelta(minutes=number)
    return Candle(
        symbol="BTC/USDT",
        timeframe="1m",
        at=at,
        open=close,
        high=close + 1,
        low=close - 1,
        close=close,
        volume=1,
    )


@dataclass
class Run:
    """A bot whose entries and exits fill at once; memory goes through JSON, as in the journal."""

    make: Callable[[], Strategy]
    memory: dict[str, Any] = field(default_factory=dict)
    since: datetime | None = None

    def __post_init__(self) -> None:
        self.strategy = self.make()

    def restart(self) -> None:
        self.strategy = self.make()
        self.memory = json.loads(json.dumps(self.memory))

    def see(self, event: Tick | Candle) -> Said:
        view = View(
            symbol="BTC/USDT",
            now=event.at,
            memory=durable(self.memory),
            position=replace(OPEN, opened_at=self.since) if self.since else None,
        )
        if isinstance(event, Tick):
            signal = self.strategy.on_tick(event, view)
        else:
            signal = self.strategy.on_candle(event, view)
        self.memory = durable(view.memory)
        match signal:
            case Enter():
                self.since = event.at
                return "enter"
            case Exit():
                self.since = None
                return "exit"
            case _:
                assert signal is None
                return None


QUIET = [tick(100, n) for n in range(16)]
DIPS = [tick(p, n) for n, p in enumerate([100, 99.8, 99.69, 99, 101, 100.8, 100.6])]
RANGES = [candle(c, n) for n, c in enumerate([10, 11, 10, 11, 12, 12.5, 14, 15, 12, 11, 10, 16])]
TRENDS = [candle(c, n) for n, c in enumerate([9, 8, 7, 6, 7, 9, 11, 12, 11, 8, 6, 5, 8, 11])]

CASES: list[tuple[Callable[[], Strategy], Sequence[Tick | Candle], dict[int, Said]]] = [
    (DipBuyer, DIPS, {2: "enter"}),
    (lambda: Breakout(length=3, exit_length=2), RANGES, {6: "enter", 8: "exit", 11: "enter"}),
    (
        lambda: RoundTrip(rounds=2, hold="3s"),
        QUIET,
        {0: "enter", 3: "exit", 6: "enter", 9: "exit"},
    ),
    (
        lambda: MovingAverageCross(fast=2, slow=3),
        TRENDS,
        {5: "enter", 9: "exit", 12: "enter"},
    ),
]
every_example = pytest.mark.parametrize(
    ("make", "events", "said"), CASES, ids=["dip", "breakout", "round", "average"]
)


@every_example
def test_it_says_what_its_idea_says(
    make: Callable[[], Strategy], events: Sequence[Tick | Candle], said: dict[int, Said]
) -> None:
    run = Run(make)
    answers = dict(enumerate(run.see(event) for event in events))
    assert {number: answer for number, answer in answers.items() if answer} == said


@every_example
def test_a_restart_anywhere_changes_nothing(
    make: Callable[[], Strategy], events: Sequence[Tick | Candle], said: dict[int, Said]
) -> None:
    for stop in range(1, len(events)):
        run = Run(make)
        answers = []
        for number, event in enumerate(events):
            if number == stop:
                run.restart()
            answers.append(run.see(event))
        assert {number: answer for number, answer in enumerate(answers) if answer} == said


@pytest.mark.parametrize("case", [CASES[1], CASES[3]], ids=["breakout", "average"])
def test_a_candle_delivered_twice_counts_once(case: Any) -> None:
    """After a restart the feed may start with candles that were seen already."""
    make, events, said = case
    run = Run(make)
    answers: dict[int, Said] = {}
    for number, event in enumerate(events):
        answers[number] = run.see(event)
        assert run.see(event) is None
        assert run.see(events[max(0, number - 1)]) is None
    assert {number: answer for number, answer in answers.items() if answer} == said


@every_example
def test_memory_stays_bounded(
    make: Callable[[], Strategy], events: Sequence[Tick | Candle], said: dict[int, Said]
) -> None:
    assert said
    run = Run(make)
    event = tick if isinstance(events[0], Tick) else candle
    for number in range(300):
        run.see(event(100 + number % 7, number))
    size = len(json.dumps(run.memory))
    for number in range(300, 600):
        run.see(event(100 + number % 7, number))
    assert len(json.dumps(run.memory)) <= size + 16


def test_a_round_trip_asks_once_to_leave() -> None:
    """Catches an exit that is asked for at every price until it is done, and refused each time."""
    strategy = RoundTrip(hold="3s")
    leaving = replace(OPEN, state=State.CLOSING)
    view = View(symbol="BTC/USDT", now=START, memory={}, position=leaving)
    assert strategy.on_tick(tick(100, 60), view) is None
