"""An exit with a limit is watched here while the stop rests: it must not lock the stop's coins.

Broken on purpose, and red here: a limit that takes the stop's place and rests; one that is sold at
before it is reached; one that is forgotten after a try, or never; a rest that stays bare.
"""

from __future__ import annotations

from datetime import timedelta

from tests.builders import REPLACING, D, Life, fill, report

from surefoot.core.order import Order, Role
from surefoot.core.position import State
from surefoot.core.reports import PriceSeen, TimePassed
from surefoot.core.signals import Close, ExitSignal

LIMIT = D(51000)


def waiting(time_to_live: timedelta | None = None) -> tuple[Life, Order]:
    """Return a life whose stop rests while an exit at 51000 is wished, and that stop."""
    life = Life(REPLACING)
    life.opened()
    stop = life.order
    life.tell(report(stop, "OPEN"), ExitSignal(limit=LIMIT, time_to_live=time_to_live))
    assert life.position.exit_wish is not None
    return life, stop


def reached() -> tuple[Life, Order, Order]:
    """Return a life whose limit was just reached, its stop, and the exit in its place."""
    life, stop = waiting()
    life.tell(PriceSeen(price=LIMIT))
    return life, stop, life.order


def test_the_stop_goes_on_resting() -> None:
    life, stop = waiting()
    life.tell(PriceSeen(price=D("50400")), TimePassed())
    assert life.position.state is State.OPEN
    found = life.position.find(stop.client_order_id)
    assert found is not None
    assert found.rests
    assert life.order == found


def test_a_limit_that_is_reached_is_sold_at_in_the_stops_place() -> None:
    life, stop, out = reached()
    assert (out.role, out.limit, out.immediate) == (Role.EXIT, LIMIT, True)
    assert out.replaces == stop.client_order_id
    life.tell(report(stop, "CANCELED"), report(out, "FILLED", out.quantity))
    life.tell(fill(out, "51000", trade="9"))
    assert life.position.state is State.CLOSED


def test_what_is_not_sold_is_protected_again_and_the_limit_watched_on() -> None:
    life, stop, out = reached()
    part = out.quantity / 2
    life.tell(report(stop, "CANCELED"), fill(out, "51000", part, trade="9"))
    life.tell(report(out, "EXPIRED", part))
    again = life.order
    level = life.position.levels.stop
    assert (again.role, again.quantity, again.trigger) == (Role.STOP, part, level)
    assert life.position.state is State.OPEN
    life.tell(report(again, "OPEN"), PriceSeen(price=LIMIT))
    assert (life.order.role, life.order.replaces) == (Role.EXIT, again.client_order_id)


def test_a_limit_lapses_with_its_time_to_live() -> None:
    life, _ = waiting(timedelta(seconds=20))
    life.tell(TimePassed(), after=timedelta(seconds=19))
    assert life.position.exit_wish is not None
    life.tell(TimePassed(), after=timedelta(seconds=1))
    assert life.position.exit_wish is None
    life.tell(PriceSeen(price=LIMIT))
    assert life.order.role is Role.STOP


def test_the_stop_has_the_last_word() -> None:
    """Past what rests at the exchange the process sells, whatever limit was wished."""
    life, stop = waiting()
    life.tell(PriceSeen(price=D(48000)))
    assert (life.order.role, life.order.limit) == (Role.EXIT, None)
    assert life.order.replaces == stop.client_order_id


def test_an_operator_does_not_wait_for_a_limit() -> None:
    life, stop = waiting()
    life.tell(Close(by="ann"))
    assert (life.order.role, life.order.limit) == (Role.EXIT, None)
    assert life.order.replaces == stop.client_order_id


def test_a_move_of_the_stop_goes_on_while_a_limit_waits() -> None:
    life, stop = waiting()
    life.tell(PriceSeen(price=D(50600)))
    moved = life.order
    assert (moved.role, moved.replaces) == (Role.STOP, stop.client_order_id)
    assert moved.trigger == D(50000)
