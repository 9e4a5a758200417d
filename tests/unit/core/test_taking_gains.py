"""A gain is taken at its level or better, in the stop's place, and what is not sold is protected.

Broken on purpose, and red here: a gain that is sold at whatever the market pays; one that is not
sold at the moment it is reached; a wish that outlives the price; tries without a pause; a stop that
has to wait because nobody met a limit; an exit in doubt that keeps everything bare until V; a part
in doubt that is sold again; a freeze for coins that were sold well.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import PLAN, PROTECTED, REPLACING, TERMS, D, Life, fill, lost, report

from surefoot.core.exits import Part
from surefoot.core.lanes import Lane
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import State
from surefoot.core.reports import Doubt, Grounds, PriceSeen, Refusal, TimePassed, Unsent
from surefoot.core.signals import ExitSignal
from surefoot.core.terms import Terms

GAIN = D(52000)


def gaining(terms: Terms = REPLACING) -> tuple[Life, Order | None]:
    """Return a life whose take-profit of 52000 is just reached, and its stop if one rests."""
    life = Life(terms)
    life.opened()
    stop = life.order if terms.native_stop else None
    if stop is not None:
        life.tell(report(stop, "OPEN"))
    life.tell(PriceSeen(price=GAIN))
    return life, stop


def tried(life: Life, sold: str = "0") -> Order:
    """Let the order that takes the gain sell only so much; return it."""
    out = life.order
    assert out.role is Role.EXIT
    if out.replaces is not None:
        old = life.position.find(out.replaces)
        assert old is not None
        life.tell(report(old, "CANCELED"))
    if D(sold):
        life.tell(fill(out, "52000", sold, trade=f"9{out.attempt}"))
    life.tell(report(out, "EXPIRED", sold))
    return out


def test_it_is_sold_at_the_level_in_the_stops_place() -> None:
    life, stop = gaining()
    out = life.order
    assert stop is not None
    assert (out.role, out.limit, out.immediate) == (Role.EXIT, GAIN, True)
    assert out.replaces == stop.client_order_id
    life.tell(report(stop, "CANCELED"), report(out, "FILLED", out.quantity))
    life.tell(fill(out, "52010", trade="9"))
    assert life.position.state is State.CLOSED


def test_without_a_stop_at_the_exchange_it_is_no_other() -> None:
    life, _ = gaining(TERMS)
    assert (life.order.limit, life.order.immediate, life.order.replaces) == (GAIN, True, None)


def test_where_the_stop_has_to_be_cancelled_first_it_is_sold_at_the_market() -> None:
    life, stop = gaining(PROTECTED)
    assert stop is not None
    life.tell(report(stop, "CANCELED"))
    assert (life.order.role, life.order.limit) == (Role.EXIT, None)


def test_what_is_not_sold_has_its_stop_again_and_is_sold_at_the_next_price() -> None:
    life, _ = gaining()
    half = "0.0008"
    tried(life, half)
    again = life.order
    assert (again.role, again.quantity, again.trigger) == (Role.STOP, D(half), D(50000))
    life.tell(report(again, "OPEN"), PriceSeen(price=GAIN))
    assert (life.order.role, life.order.replaces) == (Role.EXIT, again.client_order_id)


@pytest.mark.parametrize("sold", ["0", "0.00001", "0.00039"])
def test_nobody_who_buys_is_asked_again_only_after_a_while(sold: str) -> None:
    """Each try takes the stop away for two answers: on a thin book that sold a lot a price."""
    life, _ = gaining()
    tried(life, sold)
    stop = life.order
    life.tell(report(stop, "OPEN"), PriceSeen(price=GAIN), after=timedelta(seconds=4))
    assert life.order == life.position.find(stop.client_order_id)
    life.tell(PriceSeen(price=GAIN), after=timedelta(seconds=1))
    assert life.order.role is Role.EXIT


def test_the_wish_ends_with_the_price() -> None:
    """Else a strategy could not leave any more: an exit would be under way for ever."""
    life, _ = gaining()
    tried(life)
    life.tell(report(life.order, "OPEN"), TimePassed())
    assert life.position.exit_wish is not None
    life.tell(PriceSeen(price=D(51900)))
    assert life.position.exit_wish is None
    life.tell(ExitSignal(reason="enough"))
    assert (life.order.role, life.order.limit) == (Role.EXIT, None)


@pytest.mark.parametrize("times", [1, 2, 5])
def test_a_stop_never_waits_for_a_limit_that_nobody_met(times: int) -> None:
    life, _ = gaining()
    for _ in range(times):
        tried(life)
        life.tell(report(life.order, "OPEN"))
        life.tell(PriceSeen(price=GAIN), after=timedelta(seconds=5))
    tried(life)
    life.tell(report(life.order, "OPEN"), PriceSeen(price=D(48000)))
    assert (life.order.role, life.order.limit) == (Role.EXIT, None)


def missed() -> tuple[Life, Order]:
    """Return a life whose exit took the stop away, was not heard of, and is in no read."""
    life, stop = gaining()
    out = life.order
    assert stop is not None
    life.tell(Doubt(client_order_id=out.client_order_id, reason="no answer"))
    life.tell(report(stop, "CANCELED"))
    life.now += timedelta(seconds=2)
    life.tell(lost(life, out))
    return life, out


def test_an_exit_in_doubt_does_not_keep_it_bare() -> None:
    """Killed between the halves: it sold at once or never will, and the coins are protected."""
    life, out = missed()
    found = life.position.find(out.client_order_id)
    assert found is not None
    assert (found.status, found.shut, found.hailed) == (OrderStatus.INTENDED, True, False)
    again = life.order
    assert (again.role, again.quantity, again.replaces) == (Role.STOP, out.quantity, None)
    life.tell(report(again, "OPEN"), PriceSeen(price=GAIN))
    assert (life.order.role, life.order.replaces) == (Role.EXIT, again.client_order_id)


def test_what_it_had_sold_is_booked_and_not_sold_again() -> None:
    life, out = missed()
    again = life.order
    no = Refusal(
        client_order_id=again.client_order_id, code="-2010", message="no", grounds=Grounds.FUNDS
    )
    life.tell(no, fill(out, "52000", trade="9"), report(out, "FILLED", out.quantity))
    assert (life.position.state, life.position.frozen) == (State.CLOSED, None)
    assert life.position.lane(Lane.PROTECTION) is None


def test_coins_that_are_gone_with_it_freeze_nothing() -> None:
    """Its trades are seen late, and whatever is to sell meanwhile is refused: it proves no harm."""
    life, out = missed()
    for _ in range(10):
        name = life.order.client_order_id
        no = Refusal(client_order_id=name, code="-2010", message="no", grounds=Grounds.FUNDS)
        life.tell(no, PriceSeen(price=D(47000)))
        life.tell(PriceSeen(price=D(47000)), after=timedelta(minutes=2))
    assert life.position.frozen is None
    life.tell(fill(out, "52000", trade="9"), report(out, "FILLED", out.quantity))
    life.tell(Unsent(client_order_id=life.order.client_order_id, reason="withdrawn"))
    assert (life.position.state, life.position.frozen) == (State.CLOSED, None)


@pytest.mark.parametrize("terms", [REPLACING, TERMS], ids=["one", "here"])
def test_a_part_in_doubt_is_not_sold_again(terms: Terms) -> None:
    """The account has as much again, which is to stay: the exchange would sell it as well."""
    life = Life(terms)
    life.opened()
    stop = life.order
    if terms.native_stop:
        life.tell(report(stop, "OPEN"))
    life.tell(ExitSignal(fraction=D("0.5")))
    out = life.order
    life.tell(Doubt(client_order_id=out.client_order_id, reason="no answer"))
    if terms.native_stop:
        life.tell(report(stop, "CANCELED"))
    life.now += timedelta(seconds=30)
    assert life.tell(lost(life, out)) == []
    assert life.order == life.position.find(out.client_order_id)


def test_a_market_exit_in_doubt_is_tried_again_and_not_given_up() -> None:
    life = Life(replace(REPLACING, native_stop=False))
    life.opened()
    life.tell(PriceSeen(price=D(48000)))
    out = life.order
    life.tell(Doubt(client_order_id=out.client_order_id, reason="no answer"))
    life.now = out.not_after + life.terms.request_lifetime + timedelta(seconds=2)
    life.tell(lost(life, out))
    assert (life.order.role, life.order.attempt) == (Role.EXIT, out.attempt + 1)


def test_a_part_is_taken_at_its_level_too() -> None:
    parts = (Part(at=D("0.02"), fraction=D("0.5")),)
    life = Life(REPLACING)
    order = life.enter(plan=replace(PLAN, parts=parts))
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="1"))
    life.tell(report(life.order, "OPEN"), PriceSeen(price=D(51000)))
    out = tried(life, "0.0003")
    assert (out.limit, out.immediate, out.quantity) == (D(51000), True, D("0.0008"))
    again = life.order
    assert (again.role, again.quantity) == (Role.STOP, D("0.0013"))
    life.tell(report(again, "OPEN"), PriceSeen(price=D(51000)))
    assert (life.order.role, life.order.quantity) == (Role.EXIT, D("0.0005"))
