"""What an author writes becomes exact, or is refused on the line that wrote it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from enum import StrEnum
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import BTC, Life, fill

import surefoot.strategy
from surefoot.core.errors import InvalidValue
from surefoot.core.exits import ExitPlan, Part
from surefoot.core.values import Direction
from surefoot.strategy import UNSET, Candle, Enter, Exit, Fill, PositionView, Tick
from surefoot.strategy.memory import BYTES_MAX, durable
from surefoot.strategy.parse import amount, duration, fraction

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_the_public_surface_is_what_it_says() -> None:
    assert surefoot.strategy.__all__ == sorted(
        surefoot.strategy.__all__, key=lambda name: (not name.isupper(), name)
    )
    for name in surefoot.strategy.__all__:
        assert hasattr(surefoot.strategy, name)


@pytest.mark.parametrize(
    ("written", "exact"),
    [(0.1, "0.1"), (61685.99, "61685.99"), ("0.10", "0.10"), (5, "5"), (D("1e-8"), "1e-8")],
)
def test_a_limit_is_the_number_that_was_written(written: Any, exact: str) -> None:
    assert Enter(limit=written).limit == D(exact)


def test_an_entry_keeps_the_bots_plan_unless_it_says_otherwise() -> None:
    configured = ExitPlan(stop_loss=D("0.02"), take_profit=D("0.04"), trailing_stop=D("0.01"))
    assert Enter().plan(configured) == configured
    assert Enter(stop_loss=None, take_profit="1.5%").plan(configured) == ExitPlan(
        stop_loss=None, take_profit=D("0.015"), trailing_stop=D("0.01")
    )
    assert Enter(stop_loss=0.01).stop_loss == D("0.01")
    assert Enter().take_profit is UNSET


def test_an_entry_has_a_direction() -> None:
    assert Enter().direction is Direction.LONG
    assert Enter(long=False).direction is Direction.SHORT
    with pytest.raises(InvalidValue, match="expected True or False"):
        Enter(long="no")  # type: ignore[arg-type]  # what an author might write


@pytest.mark.parametrize("written", [timedelta(minutes=5), 300, 300.0, "5m", "300s"])
def test_a_time_to_live_is_written_in_many_ways(written: Any) -> None:
    assert Enter(time_to_live=written).time_to_live == timedelta(minutes=5)
    assert Exit(time_to_live=written).time_to_live == timedelta(minutes=5)


@pytest.mark.parametrize("wrong", [-1, 0, float("nan"), 1e300, "5", "5 minutes", "", [], True])
def test_a_wrong_time_to_live_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="time_to_live: expected a"):
        Exit(time_to_live=wrong)


def test_a_reason_is_one_bounded_line() -> None:
    assert Exit(reason="a\n b\x00").reason == "a b\x00"
    assert len(Exit(reason="x" * 9999).reason) == 500


def test_signals_are_facts() -> None:
    with pytest.raises(AttributeError):
        Enter().limit = D(5)  # type: ignore[misc]  # frozen


@given(st.floats(min_value=1e-12, max_value=1e12, allow_nan=False))
def test_floats_survive_the_edge(value: float) -> None:
    """The shortest notation of a float is the number its author saw."""
    assert float(amount(value)) == value


@pytest.mark.parametrize(
    "wrong", [0, -1, "nan", "inf", "-5", "1e99", "", "abc", None, True, [1], D("NaN"), D("-0")]
)
def test_amounts_that_no_market_has(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match="expected a"):
        amount(wrong)


@pytest.mark.parametrize(
    ("written", "exact"), [("2%", "0.02"), (" 2.5 % ", "0.025"), (0.02, "0.02"), ("0.02", "0.02")]
)
def test_percentages_and_fractions_are_the_same(written: Any, exact: str) -> None:
    assert fraction(written) == D(exact)


def test_a_bare_number_that_may_be_a_percentage_is_refused() -> None:
    with pytest.raises(InvalidValue, match='such as "2%"'):
        fraction(2)
    assert fraction("200%") == 2


def test_durations_are_bounded() -> None:
    assert duration("3d") == timedelta(days=3)
    for wrong in ("0s", "999999999d", "1w", "-1s", 60):
        with pytest.raises(InvalidValue, match="expected a duration"):
            duration(wrong)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**62), 2**62) | st.text(max_size=5)
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=10,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=5), JSON))
def test_what_json_holds_is_kept_and_copied(memory: dict[str, Any]) -> None:
    copy = durable(memory)
    assert copy == memory
    assert copy is not memory


def test_memory_is_what_a_restart_would_bring() -> None:
    class Colour(StrEnum):
        RED = "red"

    copy = durable({"pair": (1, 2), "colour": Colour.RED})
    assert copy == {"pair": [1, 2], "colour": "red"}
    assert type(copy["colour"]) is str


@pytest.mark.parametrize(
    ("memory", "told"),
    [
        ({"at": AT}, r'memory\["at"\] is a datetime'),
        ({"price": D(1)}, r'memory\["price"\] is the Decimal 1, which JSON cannot hold'),
        ({"ratio": float("nan")}, r'memory\["ratio"\] is the number nan'),
        ({"n": 10**30}, r'memory\["n"\] is the number 10'),
        ({"by": {1: 2}}, r'memory\["by"\] has the key 1; keys must be text'),
        ({"text": "\ud800"}, "not valid Unicode"),
        ({"window": [0.5] * BYTES_MAX}, "keep a bounded window"),
        ([], "memory must stay a table"),
    ],
)
def test_memory_that_would_not_survive_is_named(memory: object, told: str) -> None:
    with pytest.raises(InvalidValue, match=told):
        durable(memory)


def test_memory_that_contains_itself_is_refused() -> None:
    memory: dict[str, Any] = {}
    memory["self"] = memory
    with pytest.raises(InvalidValue, match="contains itself"):
        durable(memory)


def test_a_position_is_shown_while_something_is_on() -> None:
    life = Life()
    assert PositionView.of(life.position, D(50000)) is None
    life.enter()
    opening = PositionView.of(life.position, D(50000))
    assert opening is not None
    assert (opening.state, opening.quantity, opening.entry_price) == ("OPENING", 0.0, None)


def test_an_open_position_is_shown_in_floats() -> None:
    life = Life()
    view = PositionView.of(life.opened(), D(51000))
    assert view is not None
    assert (view.state, view.direction, view.entry_price) == ("OPEN", "long", 50000.0)
    assert (view.stop_loss, view.take_profit) == (49000.0, 52000.0)
    assert view.unrealized_pnl == 1.6
    blind = PositionView.of(life.position, None)
    assert blind is not None
    assert blind.unrealized_pnl is None


def test_exact_facts_are_shown_in_floats() -> None:
    life = Life()
    shown = Fill.of(fill(life.enter(), "50000.1", trade="7"))
    assert (shown.price, shown.trade_id, shown.fee_asset) == (50000.1, "7", "USDT")
    tick = Tick.of(ExactTick())
    assert (tick.price, tick.symbol, tick.at) == (1.1, BTC, AT)
    candle = Candle.of(ExactCandle())
    assert (candle.high, candle.volume, candle.timeframe) == (2.5, 3.5, "1m")


class ExactTick:
    symbol, price, bid, ask, at = BTC, D("1.1"), D("1.0"), D("1.2"), AT


class ExactCandle:
    symbol, timeframe, at = BTC, "1m", AT
    open, high, low, close, volume = D(1), D("2.5"), D(1), D(2), D("3.5")


@pytest.mark.parametrize(
    ("written", "exact"), [("50%", "0.5"), (0.25, "0.25"), ("100%", None), (None, None)]
)
def test_a_part_is_the_fraction_that_was_written(written: Any, exact: str | None) -> None:
    assert Exit(fraction=written).fraction == (None if exact is None else D(exact))


@pytest.mark.parametrize("wrong", ["150%", 2, 0, -0.5, "half", float("nan")])
def test_a_part_that_is_none_is_refused(wrong: Any) -> None:
    with pytest.raises(InvalidValue, match=r"Exit\.fraction"):
        Exit(fraction=wrong)


def test_gains_may_be_taken_in_parts() -> None:
    plan = Enter(take_profit=[{"at": "3%", "fraction": 0.5}, {"at": "6%"}]).plan(ExitPlan())
    assert plan.parts == (Part(at=D("0.03"), fraction=D("0.5")),)
    assert (plan.take_profit, plan.target(0), plan.target(1)) == (D("0.06"), D("0.03"), D("0.06"))
    halves = [{"at": 0.03, "fraction": "50%"}, {"at": 0.06, "fraction": "50%"}]
    assert Enter(take_profit=halves).plan(ExitPlan()) == plan, "together they are all"
    some = Enter(take_profit=[{"at": "3%", "fraction": "40%"}]).plan(plan)
    assert (len(some.parts), some.take_profit) == (1, None)
    assert Enter(take_profit="4%").plan(plan) == ExitPlan(take_profit=D("0.04"))
    assert Enter(take_profit=None).plan(plan) == ExitPlan()


@pytest.mark.parametrize(
    ("written", "why"),
    [
        ([], "no take-profit is listed"),
        ([{"at": "3%"}, {"at": "6%"}], "needs a fraction"),
        ([{"at": "6%", "fraction": 0.5}, {"at": "3%"}], "from the nearest"),
        ([{"at": "3%", "fraction": 0.5}, {"at": "3%"}], "from the nearest"),
        ([{"at": "3%", "fraction": 0.6}, {"at": "6%", "fraction": 0.5}], "more than there is"),
        ([{"at": "3%", "fraction": "100%"}, {"at": "6%"}], "more than there is"),
        ([{"at": "3%", "part": 0.5}], "expected a table"),
        (["3%"], "expected a table"),
        ([{"at": "3%", "fraction": 1}], "percentage"),
    ],
)
def test_take_profits_that_make_no_sense(written: Any, why: str) -> None:
    with pytest.raises(InvalidValue, match=f"Enter.take_profit: .*{why}"):
        Enter(take_profit=written)
