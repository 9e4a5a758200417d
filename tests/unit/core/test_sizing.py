"""How large an entry is: never more than is free, and never more than the share or the risk."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.builders import START, D

from surefoot.core.errors import InvalidValue
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.sizing import (
    Amount,
    Funds,
    Pool,
    Risk,
    Share,
    committed,
    notional_of,
    told,
)
from surefoot.core.values import ClientOrderId, Side

amounts = st.decimals("0.00000001", "1e9", allow_nan=False, places=8)
fractions = st.decimals("0.0001", "1", allow_nan=False, places=4)
funds = st.builds(
    lambda free, more: Funds(free=free, total=free + more), amounts, st.decimals(0, 10**9, places=8)
)
shares = st.builds(Share, fraction=fractions, pool=st.sampled_from(Pool))
risks = st.builds(Risk, fraction=fractions)


@given(shares | risks, funds, fractions)
def test_no_size_is_ever_more_than_is_free(size: Share | Risk, there: Funds, stop: object) -> None:
    notional = notional_of(size, funds=there, stop=stop)  # type: ignore[arg-type]
    assert 0 < notional <= there.free


@given(shares, funds)
def test_a_share_is_never_more_than_its_share(size: Share, there: Funds) -> None:
    of = there.free if size.pool is Pool.FREE else there.total
    assert notional_of(size, funds=there, stop=None) <= size.fraction * of


@given(risks, funds, fractions)
def test_the_stop_never_costs_more_than_the_risk(size: Risk, there: Funds, stop: object) -> None:
    """At its level, before fees and slippage. Two roundings at the 28th digit are let pass."""
    notional = notional_of(size, funds=there, stop=stop)  # type: ignore[arg-type]
    lost = notional * stop  # type: ignore[operator]
    assert lost <= size.fraction * there.total * (1 + D("1e-20"))


@given(st.lists(shares, min_size=2, max_size=6), amounts)
def test_bots_that_enter_one_after_the_other_never_take_more_than_there_is(
    sizes: list[Share], free: object
) -> None:
    """Each is sized by what those before it left."""
    left = total = free
    for size in sizes:
        if left <= 0:  # type: ignore[operator]
            break
        left -= notional_of(size, funds=Funds(free=left, total=total), stop=None)  # type: ignore[operator,arg-type]
    assert left >= 0  # type: ignore[operator]


def test_an_amount_is_what_it_says() -> None:
    assert notional_of(Amount(notional=D(7)), funds=None, stop=None) == 7


def test_what_cannot_be_sized_is_said() -> None:
    nothing = Funds(free=D(0), total=D(100))
    for size in (Share(fraction=D("0.5"), pool=Pool.TOTAL), Risk(fraction=D("0.01"))):
        with pytest.raises(InvalidValue, match="nothing is free"):
            notional_of(size, funds=nothing, stop=D("0.02"))
        with pytest.raises(InvalidValue, match="is not known"):
            notional_of(size, funds=None, stop=D("0.02"))
    with pytest.raises(InvalidValue, match="needs a stop"):
        notional_of(Risk(fraction=D("0.01")), funds=Funds(free=D(1), total=D(1)), stop=None)


def entry(**changes: object) -> Order:
    facts: dict[str, object] = {
        "client_order_id": ClientOrderId("sf1"),
        "role": Role.ENTRY,
        "attempt": 1,
        "side": Side.BUY,
        "quantity": D(4),
        "signed_at": START,
        "not_after": START,
    }
    return Order(**facts | changes)  # type: ignore[arg-type]


def test_what_entries_may_still_cost_is_counted() -> None:
    """With a limit to the cent; at the market what its bot was sized for, less what is filled."""
    market, limited = entry(filled=D(1)), entry(limit=D(10))
    working = entry(limit=D(10), status=OrderStatus.WORKING)
    over = entry(limit=D(10), status=OrderStatus.FILLED)
    leaving = entry(role=Role.EXIT)
    orders = (market, limited, working, over, leaving)
    assert committed(orders, D(100)) == 75 + 40 + 40
    assert committed(orders, D(100), unsure=True) == 75 + 40


def test_a_size_is_told_as_it_is_written() -> None:
    sizes = (Amount(notional=D(100)), Share(fraction=D("0.2")), Risk(fraction=D("0.01")))
    assert [told(size) for size in sizes] == ["100", "20% of free", "risk 1%"]
