"""What a strategy looks back on: a bounded window, its columns, and indicators made of it."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from surefoot.core.errors import InvalidValue
from surefoot.strategy import Candle, Candles, Enter, Exit, Strategy, View
from surefoot.strategy.errors import InvalidParameters
from surefoot.strategy.load import HISTORY_MAX, load_strategy, make_strategy
from surefoot.strategy.memory import durable

START = datetime(2026, 1, 1, tzinfo=UTC)
EXAMPLES = Path(__file__).parents[3] / "examples"


def candle(number: int, close: float = 100.0, timeframe: str = "5m") -> Candle:
    return Candle(
        symbol="BTC/USDT",
        timeframe=timeframe,
        at=START + timedelta(minutes=5 * number),
        open=close - 1,
        high=close + 1,
        low=close - 2,
        close=close,
        volume=3.0,
    )


def view(candles: Candles, **changes: Any) -> View:
    facts: dict[str, Any] = {"symbol": "BTC/USDT", "now": START, "memory": {}, "candles": candles}
    return View(**facts | changes)


def test_a_window_is_a_list_that_cannot_be_written() -> None:
    rows = [candle(n, 100.0 + n) for n in range(10)]
    window = Candles(rows, 6, 9)
    rows.append(candle(10))
    assert len(window) == 3
    assert window.close == [106.0, 107.0, 108.0] == [each.close for each in window[-3:]]
    assert (window[-1].close, window[0].close) == (108.0, 106.0)
    assert window.at == [each.at for each in rows[6:9]]
    assert (window.open[0], window.high[0], window.low[0], window.volume[0]) == (105, 107, 104, 3)
    with pytest.raises(IndexError):
        window[3]
    with pytest.raises(TypeError):
        window[0] = rows[0]  # type: ignore[index]
    assert list(Candles()) == []


def test_a_window_that_is_not_full_yet_begins_with_what_there_is() -> None:
    assert len(Candles([candle(0)], -5, 1)) == 1


def test_a_window_becomes_arrays() -> None:
    pytest.importorskip("numpy")
    arrays = Candles([candle(0, 5.0), candle(1, 6.0)]).to_arrays()
    assert list(arrays) == ["open", "high", "low", "close", "volume"]
    assert arrays["close"].tolist() == [5.0, 6.0]
    assert arrays["close"].dtype == float


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_window_becomes_a_frame(library: str) -> None:
    pytest.importorskip(library)
    frame = Candles([candle(0, 5.0), candle(1, 6.0)]).to_frame(library)
    assert list(frame.columns) == ["at", "open", "high", "low", "close", "volume"]
    assert list(frame["close"]) == [5.0, 6.0]


def test_a_frame_is_made_of_named_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    """As both libraries take them; neither has to be installed for it."""
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=dict))
    frame = Candles([candle(0, 5.0), candle(1, 6.0)]).to_frame()
    assert list(frame) == ["at", "open", "high", "low", "close", "volume"]
    assert frame["close"] == [5.0, 6.0]
    assert [at.tzinfo for at in frame["at"]] == [UTC, UTC]


def test_a_library_that_is_missing_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """And none is imported before somebody asks: most strategies need none."""
    for name in ("pandas", "polars", "numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InvalidValue, match="pandas or polars is not installed here"):
        Candles().to_frame()
    with pytest.raises(InvalidValue, match="pip install numpy"):
        Candles().to_arrays()


def test_only_candles_that_were_asked_for_can_be_read() -> None:
    hours = Candles([candle(0, timeframe="1h")])
    seen = view(Candles(), windows={("BTC/USDT", "1h"): hours})
    assert seen.candles_of("1h") is hours
    with pytest.raises(InvalidValue, match=r"did not ask .* ETH/USDT 1h; it asked for BTC/USDT 1h"):
        seen.candles_of("1h", "ETH/USDT")


def test_a_note_is_one_line_and_the_last_one_counts() -> None:
    seen = view(Candles())
    seen.note("first")
    seen.note("RSI 31,\n waiting " + "x" * 300)
    assert len(seen.noted) == 1
    assert seen.noted[0].startswith("RSI 31, waiting x")
    assert len(seen.noted[0]) == 200


@pytest.mark.parametrize(
    ("attributes", "problem"),
    [
        ({"history": 5}, "of candles: say of which"),
        ({"symbols": ("ETH/USDT",)}, "of candles: say of which"),
        ({"timeframe": "1h", "history": -1}, "expected 0 to"),
        ({"timeframe": "1h", "history": HISTORY_MAX + 1}, "expected 0 to"),
        ({"timeframe": "1h", "timeframes": ("soon",)}, "expected a time frame"),
        ({"timeframe": "1h", "timeframes": "4h"}, "expected several"),
    ],
)
def test_candles_that_cannot_be_meant_are_refused(attributes: Any, problem: str) -> None:
    with pytest.raises(InvalidParameters, match=problem):
        make_strategy(type("Odd", (Strategy,), attributes), {})


def test_history_may_depend_on_a_parameter_or_be_one() -> None:
    class Long(Strategy):
        timeframe: str | None = "1h"

    assert make_strategy(Long, {"history": 300}).history == 300


# Numbers of libraries ----------------------------------------------------------------------------


def test_numpy_in_memory_is_the_numbers_that_it_is() -> None:
    """Catches a strategy that works until it remembers what its indicator said."""
    numpy = pytest.importorskip("numpy")
    memory = {
        "rsi": numpy.float64(31.5),
        "small": numpy.float32(0.5),
        "count": numpy.int64(7),
        "up": numpy.bool_(True),
        "closes": numpy.array([[1.0, 2.0], [3.0, 4.0]]),
    }
    plain = durable(memory)
    assert plain == {
        "rsi": 31.5,
        "small": 0.5,
        "count": 7,
        "up": True,
        "closes": [[1.0, 2.0], [3.0, 4.0]],
    }
    assert [type(each) for each in plain.values()] == [float, float, int, bool, list]
    with pytest.raises(InvalidValue, match=r'memory\["closes"\]\[1\]'):
        durable({"closes": numpy.array([1.0, numpy.nan])})


def test_numpy_in_a_signal_is_made_exact() -> None:
    numpy = pytest.importorskip("numpy")
    signal = Enter(limit=numpy.float32(0.5), time_to_live=numpy.int64(30))
    assert (str(signal.limit), signal.time_to_live) == ("0.5", timedelta(seconds=30))


def test_a_decimal_in_memory_is_refused_with_what_to_write() -> None:
    with pytest.raises(InvalidValue, match=r"keep str\(\) of it and read it with Decimal"):
        durable({"price": Decimal("1.5")})


# Indicators --------------------------------------------------------------------------------------

FALLING = [200.0 - n for n in range(150)]
TURNING = [*FALLING, *(50.0 + 3 * n for n in range(40))]


def asked(strategy: Strategy, closes: list[float], warm: int) -> list[tuple[int, Any]]:
    """Show a strategy what comes after its history; return what it answered, by candle."""
    rows = [candle(n, close) for n, close in enumerate(closes)]
    hours = {("BTC/USDT", "1h"): Candles([candle(n, 40.0, "1h") for n in range(60)])}
    strategy.on_start(view(Candles(rows, warm - strategy.history, warm), windows=hours))
    answers = []
    for n in range(warm, len(rows)):
        seen = view(Candles(rows, n + 1 - strategy.history, n + 1), windows=hours)
        answer = strategy.on_candle(rows[n], seen)
        durable(seen.memory)
        if answer is not None:
            answers.append((n, answer))
    return answers


def test_the_talipp_example_enters_when_the_trend_turns() -> None:
    """And at the same candle however much of the past was history: it is warm."""
    pytest.importorskip("talipp", reason="talipp is not installed")
    kind = load_strategy("ema_talipp.py:EmaTrend", EXAMPLES)
    early, late = (asked(make_strategy(kind, {}), TURNING, warm) for warm in (60, 149))
    assert early == late
    assert isinstance(early[0][1], Enter)
    assert early[0][0] > 150


def test_the_ta_lib_example_buys_what_is_oversold() -> None:
    pytest.importorskip("numpy")
    pytest.importorskip("talib", reason="TA-Lib is not installed")
    kind = load_strategy("rsi_talib.py:RsiFromArrays", EXAMPLES)
    answers = asked(make_strategy(kind, {}), TURNING, 100)
    assert isinstance(answers[0][1], Enter | Exit)


@pytest.mark.parametrize("example", ["ema_talipp.py:EmaTrend", "rsi_talib.py:RsiFromArrays"])
def test_an_example_waits_for_enough_candles(example: str) -> None:
    """Of a symbol that is new there are few: what is not complete was remembered, and refused."""
    for library in ("numpy", "talipp", "talib"):
        pytest.importorskip(library, reason=f"{library} is not installed")
    strategy = make_strategy(load_strategy(example, EXAMPLES), {})
    assert asked(strategy, FALLING[:13], 0) == []
