"""Every cap, at its edge and one step over it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from msgspec.structs import replace
from tests.builders import BTC, START, D

from surefoot.core.errors import SignalRefused
from surefoot.engine.limits import Limits, check_order, check_price, check_rate

LIMITS = Limits(
    order_notional=D(100),
    position_notional=D(200),
    orders_per_minute=2,
    price_band=D("0.01"),
)
STEP = D("0.00001")


def size(quantity: Decimal, limits: Limits = LIMITS, price: str = "50000") -> None:
    check_order(limits, symbol=BTC, quantity=quantity, price=D(price), last=D(50000))


def test_an_order_may_be_worth_its_cap_and_no_more() -> None:
    size(D("0.002"))
    with pytest.raises(SignalRefused, match=r"worth 100\.5 passes the cap order_notional 100"):
        size(D("0.002") + STEP)


def test_a_position_may_be_worth_its_cap_and_no_more() -> None:
    """Catches a position cap that only holds where the order cap holds already."""
    wide = replace(LIMITS, order_notional=D(1000))
    size(D("0.004"), wide)
    with pytest.raises(SignalRefused, match=r"worth 200\.5 passes the cap position_notional 200"):
        size(D("0.004") + STEP, wide)


@pytest.mark.parametrize(("edge", "over"), [("50500", "50500.01"), ("49500", "49499.99")])
def test_the_price_band_holds_on_both_sides(edge: str, over: str) -> None:
    """A fat finger may point up or down; catches a band without `abs`."""
    check_price(LIMITS, symbol=BTC, price=D(edge), last=D(50000))
    with pytest.raises(SignalRefused, match=r"more than 1 % from the last trade at 50000"):
        check_price(LIMITS, symbol=BTC, price=D(over), last=D(50000))


def test_an_order_is_held_to_the_band_too() -> None:
    with pytest.raises(SignalRefused, match="price_band"):
        size(STEP, price="51000")


def test_as_many_orders_a_minute_as_the_cap_says() -> None:
    check_rate(LIMITS, [START], START)
    with pytest.raises(SignalRefused, match=r"2 orders .* the cap orders_per_minute is 2"):
        check_rate(LIMITS, [START, START], START)


def test_an_order_counts_for_exactly_one_minute() -> None:
    minute, instant = timedelta(minutes=1), timedelta(microseconds=1)
    with pytest.raises(SignalRefused):
        check_rate(LIMITS, [START, START], START + minute - instant)
    check_rate(LIMITS, [START, START], START + minute)


def test_a_cap_of_nothing_lets_nothing_through() -> None:
    nothing = Limits(
        order_notional=D(0), position_notional=D(0), orders_per_minute=0, price_band=D(0)
    )
    with pytest.raises(SignalRefused):
        size(STEP, nothing)
    with pytest.raises(SignalRefused):
        check_rate(nothing, [], START)
