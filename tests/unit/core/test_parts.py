"""Selling a part: so much stays, whatever is filled, refused or reached on the way."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import PROTECTED, REPLACING, TERMS, D, Life, fill, report, sold

from surefoot.core.errors import SignalRefused
from surefoot.core.order import Role
from surefoot.core.position import State
from surefoot.core.reports import PriceSeen, TimePassed
from surefoot.core.signals import Close, ExitSignal
from surefoot.core.terms import Terms

HALF = ExitSignal(fraction=D("0.5"))


def opened(terms: Terms = TERMS) -> Life:
    life = Life(terms)
    life.opened()
    if terms.native_stop:
        life.tell(report(life.order, "OPEN"))
    return life


def test_half_goes_and_the_rest_keeps_its_levels() -> None:
    life = opened()
    levels = life.position.levels
    life.tell(HALF)
    assert (life.position.state, life.order.quantity) == (State.CLOSING, D("0.0008"))
    sold(life)
    position = life.position
    assert (position.state, position.quantity) == (State.OPEN, D("0.0008"))
    assert (position.levels, position.exit_wish) == (levels, None)
    assert position.realized_pnl == D("0.0008") * 1000
    assert position.entry_price == D(50000)
    life.tell(HALF)
    sold(life)
    assert life.position.quantity == D("0.0004")
    life.tell(ExitSignal())
    sold(life)
    assert (life.position.state, life.position.realized_pnl) == (State.CLOSED, D("1.6"))


def test_at_the_exchange_the_part_takes_the_stop_s_place_and_the_rest_gets_its_own() -> None:
    life = opened(REPLACING)
    stop = life.order
    life.tell(HALF)
    out = life.order
    assert (out.replaces, out.quantity) == (stop.client_order_id, D("0.0008"))
    life.tell(report(stop, "CANCELED"))
    sold(life)
    assert life.position.state is State.OPEN
    assert (life.order.role, life.order.quantity) == (Role.STOP, D("0.0008"))
    assert life.order.trigger == stop.trigger


def test_a_venue_that_cannot_replace_counts_the_stop_first() -> None:
    life = opened(PROTECTED)
    stop = life.order
    assert life.tell(HALF) == ["exit-wished", "cancel-intended"]
    life.tell(report(stop, "CANCELED"))
    sold(life)
    assert (life.order.role, life.order.quantity) == (Role.STOP, D("0.0008"))


def test_what_a_thin_book_left_of_the_part_is_sold_and_no_more() -> None:
    """Catches a second order for the whole part beside what the first one sold."""
    life = opened()
    life.tell(HALF)
    sold(life, "0.0005", "EXPIRED")
    assert life.order.quantity == D("0.0003")
    sold(life)
    assert (life.position.state, life.position.quantity) == (State.OPEN, D("0.0008"))
    assert life.tell(TimePassed(), after=timedelta(minutes=5)) == []


def test_too_little_left_of_the_part_is_left() -> None:
    life = opened()
    life.tell(HALF)
    sold(life, "0.00079", "EXPIRED")
    assert (life.position.state, life.position.quantity) == (State.OPEN, D("0.00081"))
    assert life.position.exit_wish is None


@pytest.mark.parametrize("terms", [TERMS, PROTECTED, REPLACING], ids=["here", "cancels", "one"])
def test_a_stop_that_is_reached_on_the_way_takes_it_all(terms: Terms) -> None:
    """Catches half a position that falls through its stop because a part was being sold."""
    life = opened(terms)
    stop = life.order
    life.tell(HALF)
    assert "exit-wished" in life.tell(PriceSeen(price=D(48000)))
    if terms.native_stop:
        life.tell(report(stop, "CANCELED"))
    for _ in range(2):
        if life.position.state is not State.CLOSED:
            sold(life)
    assert (life.position.state, life.position.quantity) == (State.CLOSED, 0)


def test_a_stop_that_sold_a_part_and_ended_takes_it_all() -> None:
    life = opened(PROTECTED)
    stop = life.order
    life.tell(HALF)
    life.tell(fill(stop, "49000", "0.0001", trade="9"), report(stop, "CANCELED", "0.0001"))
    assert life.order.quantity == D("0.0015")
    sold(life)
    assert life.position.state is State.CLOSED


def test_an_operator_s_word_takes_it_all() -> None:
    life = opened()
    life.tell(HALF, Close(by="ann"))
    sold(life)
    assert life.order.quantity == D("0.0008")
    sold(life)
    assert life.position.state is State.CLOSED


def test_a_part_at_a_limit_is_watched_beside_the_stop() -> None:
    life = opened(REPLACING)
    stop = life.order
    life.tell(ExitSignal(fraction=D("0.5"), limit=D(50500)))
    assert life.position.state is State.OPEN
    life.tell(PriceSeen(price=D(50500)))
    assert (life.order.replaces, life.order.quantity) == (stop.client_order_id, D("0.0008"))
    life.tell(report(stop, "CANCELED"))
    sold(life)
    assert (life.position.state, life.position.exit_wish) == (State.OPEN, None)


def test_parts_that_cannot_be_traded() -> None:
    life = opened()
    with pytest.raises(SignalRefused, match="too little to trade"):
        life.tell(ExitSignal(fraction=D("0.01")))
    life.tell(ExitSignal(fraction=D("0.99")))
    assert life.order.quantity == D("0.0016"), "what would stay is dust, so all goes"


@pytest.mark.parametrize(
    ("terms", "goes"), [(TERMS, "0.0015"), (PROTECTED, "0.0016"), (REPLACING, "0.0016")]
)
def test_what_stays_is_worth_its_stop_or_goes_as_well(terms: Terms, goes: str) -> None:
    """0.0001 could be traded at 50000; its stop at 49000 was refused for ever."""
    life = opened(terms)
    life.tell(ExitSignal(fraction=D("0.9375")))
    assert life.position.exit_wish is not None
    assert life.position.exit_wish.keep == D("0.0016") - D(goes)
