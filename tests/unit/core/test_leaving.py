"""Leaving: a resting exit makes way for a stop and for an operator; what is healthy stays."""

from __future__ import annotations

from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import PROTECTED, START, TERMS, D, Life, fill, report

from surefoot.core.errors import SignalRefused
from surefoot.core.exits import ExitPlan, Level
from surefoot.core.facts import REFUSALS_MAX
from surefoot.core.lanes import Lane
from surefoot.core.order import OrderStatus, Role
from surefoot.core.position import State
from surefoot.core.records import ExitLapsed, ExitWished, OrderIntended, StateChanged
from surefoot.core.reports import PriceSeen, Refusal, TimePassed
from surefoot.core.signals import Close, ExitSignal, Filled, Flatten, Freeze
from surefoot.core.state import evolve
from surefoot.journal.sentences import sentence


def resting_exit() -> Life:
    """Return a life with a stop at 49000 whose limit exit rests at 52000."""
    life = Life(PROTECTED)
    life.opened()
    stop = life.order
    life.tell(report(stop, "OPEN"), ExitSignal(limit=D(52000)))
    life.tell(report(stop, "CANCELED"))
    life.tell(report(life.order, "OPEN"))
    assert (life.order.role, life.order.limit) == (Role.EXIT, D(52000))
    return life


def test_a_stop_is_honoured_while_an_exit_rests() -> None:
    """The exit took the stop's place at the exchange; prices were then ignored until it filled."""
    life = resting_exit()
    out = life.order
    life.tell(PriceSeen(price=D(48900)))
    assert life.position.find(out.client_order_id).cancel_at is not None  # type: ignore[union-attr]
    life.tell(report(out, "CANCELED"))
    assert (life.order.role, life.order.limit) == (Role.EXIT, None)
    assert life.position.state is State.CLOSING


def test_a_break_even_stop_is_told_as_one() -> None:
    life = Life()
    order = life.enter(plan=ExitPlan(stop_loss=D("0.02"), break_even=D("0.01")))
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="1"))
    life.tell(PriceSeen(price=D(50600)), PriceSeen(price=D(50000)))
    wished = next(record for record in life.records if isinstance(record, ExitWished))
    assert wished.wish.level is Level.BREAK_EVEN
    assert sentence(wished) == (
        "It is to be closed, says break-even stop: the price 50000 reached it."
    )


TRAILED = ExitPlan(stop_loss=D("0.02"), trailing_stop=D("0.01"))


def trailed() -> Life:
    """Return a life that bought at 50000 on a fall, and trails by a hundredth."""
    life = Life()
    order = life.enter(plan=TRAILED)
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="1", at=START))
    return life


@pytest.mark.parametrize(
    ("since", "stop"), [(-1.0, "49000"), (0.0, "49000"), (1.9, "49000"), (2.0, "50490")]
)
def test_a_stop_trails_no_price_from_before_anything_was_bought(since: float, stop: str) -> None:
    """It was sold at once: the price that it had fallen from came after the fill did.

    The book's prices say no time, and have that of their arrival.
    """
    life = trailed()
    life.tell(PriceSeen(price=D(51000), at=START + timedelta(seconds=since)))
    assert life.position.levels.stop == D(stop)


@pytest.mark.parametrize(("since", "leaves"), [(-0.1, False), (0.0, True), (1.0, True)])
def test_a_stop_is_honoured_at_once_but_not_before_anything_was_bought(
    since: float, leaves: bool
) -> None:
    life = trailed()
    life.tell(PriceSeen(price=D(48000), at=START + timedelta(seconds=since)))
    assert (life.position.exit_wish is not None) is leaves


def test_a_price_on_its_way_leaves_a_resting_exit_alone() -> None:
    life = resting_exit()
    before = life.position
    life.tell(PriceSeen(price=D(51000)), PriceSeen(price=D(50100)))
    assert life.position == before


def test_an_operator_does_not_wait_for_a_resting_exit() -> None:
    """Close was accepted, and then waited for the limit for ever."""
    life = resting_exit()
    out = life.order
    life.tell(Close(by="ann"))
    life.tell(report(out, "CANCELED"))
    assert (life.order.role, life.order.limit) == (Role.EXIT, None)
    done = life.order
    life.tell(report(done, "FILLED", done.quantity), fill(done, "50000", trade="9"))
    assert life.position.state is State.CLOSED


def test_a_healthy_position_is_not_written_off_by_a_slip() -> None:
    life = Life(PROTECTED)
    life.opened()
    with pytest.raises(SignalRefused, match="is not frozen: nothing is to resolve"):
        life.tell(Flatten(by="ann"))


def test_an_order_that_is_gone_unfilled_can_be_said_so() -> None:
    """The stop vanished, its coins are still held: frozen, then `--filled 0`, then a new stop."""
    life = Life(PROTECTED)
    life.opened()
    stop = life.order
    life.tell(report(stop, "OPEN"), Freeze(reason="it vanished"))
    word = Filled(by="ann", client_order_id=stop.client_order_id, quantity=D(0), price=D(0))
    with pytest.raises(SignalRefused, match="is no order in doubt"):
        life.tell(word)
    life.tell(replace(word, denied=True))
    gone = life.orders[stop.client_order_id]
    assert gone.status is OrderStatus.CANCELED
    assert life.position.frozen is None
    assert (life.order.role, life.order.status) == (Role.STOP, OrderStatus.INTENDED)


def test_less_than_the_exchange_has_told_is_refused() -> None:
    life = Life()
    order = life.enter()
    life.tell(report(order, "OPEN", "0.001"), Freeze(reason="its fills are gone"))
    name = order.client_order_id
    with pytest.raises(SignalRefused, match=r"say at least the 0.001 in between"):
        life.tell(Filled(by="ann", client_order_id=name, quantity=D("0.0005"), price=D(50000)))


def test_an_exit_does_not_wait_because_stops_were_refused() -> None:
    """Nine refused stops made the market exit wait for 60 s while the price fell."""
    life = Life(PROTECTED)
    life.opened()
    for _ in range(REFUSALS_MAX):
        life.tell(Refusal(client_order_id=life.order.client_order_id, code="-2010", message="no"))
        life.now += timedelta(minutes=2)
        life.tell(TimePassed())
    assert "refused 3 stops in a row" in (life.position.frozen or "")
    life.tell(Refusal(client_order_id=life.order.client_order_id, code="-2010", message="no"))
    life.tell(PriceSeen(price=D(40000)))
    assert life.order.role is Role.EXIT


def test_an_exit_in_parts_stays_on_the_grid() -> None:
    """A largest market order of 0.0010837 made every part of an exit fail the lot size."""
    largest = replace(TERMS.instrument, market_quantity_max=D("0.0010837"))
    life = Life(replace(TERMS, instrument=largest))
    life.opened()
    life.tell(ExitSignal())
    assert life.order.quantity == D("0.00108")


def test_an_exit_at_a_limit_asks_for_no_more_than_one_order_may_carry() -> None:
    """Added to, a position may be more; each exit was then refused for the lot size, for good."""
    bounds = {"market_quantity_max": D("0.0002"), "quantity_max": D("0.0010837")}
    life = Life(replace(TERMS, instrument=replace(TERMS.instrument, **bounds)))
    life.opened()
    life.tell(ExitSignal(limit=D(52000)))
    assert life.order.quantity == D("0.00108")


def test_a_wish_lapses_by_a_record_and_by_nothing_else() -> None:
    """Replaying asked the orders whether the exit had failed: a decision nobody had recorded."""
    life = Life()
    life.opened()
    life.tell(ExitSignal(limit=D(52000)))
    leaving, out = life.position, life.order
    back = StateChanged(at=life.now, target=State.OPEN, why="a test says so")
    assert evolve(leaving, back).exit_wish == leaving.exit_wish
    assert evolve(leaving, ExitLapsed(at=life.now, why="so")).exit_wish is None
    kinds = life.tell(report(out, "OPEN"), report(out, "CANCELED"))
    assert kinds[-3:] == ["order-finished", "exit-lapsed", "state-changed"]
    assert (life.position.state, life.position.exit_wish) == (State.OPEN, None)
    lapsed = next(record for record in life.records if isinstance(record, ExitLapsed))
    assert sentence(lapsed) == (
        "The wish to leave is over, and what follows is decided anew: "
        f"{out.client_order_id} is CANCELED."
    )


@pytest.mark.parametrize(("reason", "said"), [("", "no reason given"), ("enough", "enough")])
def test_an_exit_without_a_reason_says_so(reason: str, said: str) -> None:
    """The sentence read `because: strategy: .` and left it open whether one was lost."""
    life = Life()
    life.opened()
    life.tell(ExitSignal(reason=reason))
    intended = next(r for r in reversed(life.records) if isinstance(r, OrderIntended))
    assert sentence(intended).endswith(f" because: strategy: {said}.")


def test_an_exit_that_the_exchange_lets_expire_is_tried_again() -> None:
    """In a crash the price range rule ends exits: the wish was forgotten with the first of them."""
    life = Life()
    life.opened()
    life.tell(ExitSignal(reason="out"))
    kinds = life.tell(report(life.order, "EXPIRED"))
    assert "order-intended" in kinds
    for waits in (2, 4, 8):
        kinds = life.tell(report(life.order, "EXPIRED"))
        assert "exit-lapsed" not in kinds
        assert life.position.unfinished is None, "not at once: each try counts as an order"
        assert "order-intended" not in life.tell(TimePassed(), after=timedelta(seconds=waits - 0.1))
        assert "order-intended" in life.tell(TimePassed(), after=timedelta(seconds=0.1))
    assert (life.order.role, life.order.limit) == (Role.EXIT, None)


def test_what_a_thin_book_leaves_of_an_exit_follows_at_once() -> None:
    life = Life()
    life.opened()
    life.tell(ExitSignal())
    out = life.order
    life.tell(fill(out, "50000", "0.001", trade="2"), report(out, "EXPIRED", "0.001"))
    assert (life.order.role, life.order.quantity) == (Role.EXIT, D("0.0006"))


def test_a_stop_that_expires_as_it_is_triggered_is_not_sent_again_and_again() -> None:
    life = Life(PROTECTED)
    life.opened()
    for _ in range(2):
        life.tell(report(life.order, "OPEN"), report(life.order, "EXPIRED"))
    assert life.position.lane(Lane.PROTECTION) is None
    life.tell(PriceSeen(price=D(48000)))
    assert (life.order.role, life.order.limit) == (Role.EXIT, None)
