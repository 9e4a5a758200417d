"""When an order is asked about: often while it is unsure, seldom while all is well."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.builders import BTC, START, Life

from surefoot.core.order import Order, OrderStatus
from surefoot.core.values import ClientOrderId
from surefoot.engine.questions import RESTING_SHARE, Questions

AT = 100.0


def unsure() -> Order:
    return Life().enter()


def asked(questions: Questions, order: Order, *, until: float) -> list[float]:
    """Return after how many seconds each question falls due, to a tenth."""
    moments = [tenth / 10 for tenth in range(round(until * 10) + 1)]
    return [moment for moment in moments if questions.due([order], AT + moment + 1e-6)]


def test_an_unsure_order_is_asked_about_ever_less_often() -> None:
    """Catches a schedule that stops asking, and one that hammers the exchange."""
    questions, order = Questions(), unsure()
    questions.urge(order.client_order_id, AT)
    moments = asked(questions, order, until=46)
    gaps = [round(b - a, 1) for a, b in zip([0, *moments], moments, strict=False)]
    assert gaps == [0.3, 1.0, 2.0, 4.0, 8.0, 10.0, 10.0, 10.0]


def test_an_urge_starts_the_schedule_over() -> None:
    questions, order = Questions(), unsure()
    questions.urge(order.client_order_id, AT)
    asked(questions, order, until=16)
    questions.urge(order.client_order_id, AT + 20)
    assert questions.due([order], AT + 20.29) == ()
    assert questions.due([order], AT + 20.31) == (order.client_order_id,)
    assert questions.due([order], AT + 21.32) == (order.client_order_id,)


def test_an_order_that_rests_is_asked_about_seldom() -> None:
    questions = Questions()
    resting = replace(unsure(), status=OrderStatus.WORKING)
    assert asked(questions, resting, until=31) == [0.3, 10.3, 20.3, 30.3]


@pytest.mark.parametrize(
    "change",
    [
        {"verdict": OrderStatus.FILLED},  # over, but not counted yet
        {"cancel_at": START},  # a cancel may have been lost
    ],
)
def test_an_ending_that_is_not_believed_yet_is_pursued(change: dict[str, object]) -> None:
    questions = Questions()
    order = replace(unsure(), status=OrderStatus.WORKING, **change)
    assert len(asked(questions, order, until=4)) == 3


def test_after_a_restart_every_order_is_due_without_an_urge() -> None:
    questions, order = Questions(), unsure()
    assert questions.due([order], AT) == ()
    assert questions.due([order], AT + 0.3) == (order.client_order_id,)


def test_only_what_is_due_is_asked_and_what_is_over_is_forgotten() -> None:
    questions = Questions()
    first, second = unsure(), Life(bot="other").enter()
    questions.urge(first.client_order_id, AT)
    questions.urge(second.client_order_id, AT + 5)
    assert questions.due([first, second], AT + 1) == (first.client_order_id,)
    assert questions.due([second], AT + 5.3) == (second.client_order_id,)
    assert questions.due([first], AT + 6) == ()  # forgotten meanwhile, so it starts anew
    assert questions.due([first], AT + 6.3) == (first.client_order_id,)


def test_a_thousand_orders_that_rest_cost_their_share_and_no_more() -> None:
    """Catches 24 weight a minute for each resting stop: 250 of them used up the address."""
    limit, price = 6_000, 4
    spacing_s = price / (limit * RESTING_SHARE / 60)
    questions = Questions(spacing_s=spacing_s)
    resting = [
        replace(unsure(), client_order_id=ClientOrderId(f"n{n}"), status=OrderStatus.WORKING)
        for n in range(1_000)
    ]
    minutes = [
        sum(len(questions.due(resting, AT + minute * 60 + second)) for second in range(60)) * price
        for minute in range(20)
    ]
    assert sum(minutes) / len(minutes) <= limit * RESTING_SHARE
    assert max(minutes) <= limit / 2


def test_what_was_denied_is_looked_at_at_once_and_then_ever_less_often() -> None:
    """Each look reads all of a symbol, and what keeps it from being weighed may last for hours."""
    questions = Questions()
    denied = [(BTC, START)]
    moments = [s for s in range(200) if questions.suspects(denied, AT + s)]
    assert moments == [0, 10, 30, 70, 130, 190]
    assert questions.suspects([], AT + 200) == frozenset()
    assert questions.suspects(denied, AT + 201) == {BTC}
