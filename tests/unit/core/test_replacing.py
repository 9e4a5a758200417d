"""A stop is replaced, not cancelled: one intent of two halves, and each half has its own verdict.

Broken on purpose, and red here: a move that cancels first; a refused half that takes the resting
stop with it; an exit that waits for a move in doubt; two of a group that could both sell; absence
concluded while nobody knows what became of the other half; a stop that is moved with every step.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from msgspec.structs import replace
from tests.builders import REPLACING, D, Life, absence, fill, report

from surefoot.core.exits import ExitPlan
from surefoot.core.order import Order, OrderStatus, Role
from surefoot.core.position import State
from surefoot.core.records import CancelIntended, OrderIntended
from surefoot.core.reports import Absence, Doubt, PriceSeen, Refusal, TimePassed, Unsent
from surefoot.core.signals import Close, ExitSignal

TRAILING = ExitPlan(stop_loss=D("0.02"), trailing_stop=D("0.01"))


def protected(plan: ExitPlan = TRAILING) -> tuple[Life, Order]:
    """Return a life whose stop rests at 49000, and that stop."""
    life = Life(REPLACING)
    entry = life.enter(plan=plan)
    life.tell(report(entry, "FILLED", entry.quantity), fill(entry, "50000", trade="1"))
    stop = life.order
    life.tell(report(stop, "OPEN"))
    assert (stop.role, stop.trigger) == (Role.STOP, D(49000))
    return life, stop


def now(life: Life, order: Order) -> Order:
    found = life.position.find(order.client_order_id)
    assert found is not None
    return found


def moved(life: Life, price: str = "52000") -> Order:
    """Let the price rise so far that the resting stop follows; return its replacement."""
    life.tell(PriceSeen(price=D(price)))
    return life.order


def never(life: Life, order: Order, *, group_answered: bool = True) -> Absence:
    late = order.not_after + REPLACING.visibility + timedelta(seconds=1)
    life.now = max(life.now, late)
    return absence(life, order, read_started_at=late, group_answered=group_answered)


def test_a_stop_moves_by_one_intent_of_two_halves() -> None:
    """Both names are in one record; the old stop is not asked to go by itself."""
    life, stop = protected()
    new = moved(life)
    record = life.records[-1]
    assert isinstance(record, OrderIntended)
    assert (new.role, new.trigger, new.replaces) == (Role.STOP, D("51480"), stop.client_order_id)
    old = now(life, stop)
    assert old.replaced_by == new.client_order_id
    assert old.cancel_name == record.cancel_name
    assert record.cancel_name not in {None, stop.client_order_id, new.client_order_id}
    assert not any(isinstance(each, CancelIntended) for each in life.records)


def test_both_halves_done() -> None:
    life, stop = protected()
    new = moved(life)
    renamed = replace(report(stop, "CANCELED"), client_order_id=now(life, stop).cancel_name)
    life.tell(renamed, report(new, "OPEN"))
    assert now(life, stop).status is OrderStatus.CANCELED, "known by the exchange's id"
    assert life.position.unfinished == now(life, new)
    assert life.position.state is State.OPEN


def test_the_cancel_done_and_the_new_stop_refused_is_protected_anew_at_once() -> None:
    """409: the old stop is gone and nothing rests."""
    life, stop = protected()
    new = moved(life)
    refusal = Refusal(client_order_id=new.client_order_id, code="-1013", message="no")
    life.tell(report(stop, "CANCELED"), refusal)
    life.tell(TimePassed(), after=timedelta(seconds=1))
    third = life.order
    assert (third.role, third.trigger, third.replaces) == (Role.STOP, D("51480"), None)
    assert third.client_order_id != new.client_order_id


def test_neither_half_done_leaves_the_old_stop_standing() -> None:
    life, stop = protected()
    new = moved(life)
    life.tell(Unsent(client_order_id=new.client_order_id, reason="not tried"))
    assert now(life, stop).rests
    assert now(life, stop).replaced_by is None
    life.tell(TimePassed())
    assert life.position.unfinished == now(life, stop), "it protects; the next price tries again"
    again = timedelta(seconds=2)
    life.tell(PriceSeen(price=D(52100)), after=again)
    assert life.order.replaces == stop.client_order_id


def test_the_resting_stop_follows_in_coarser_steps_than_the_watched_one() -> None:
    life, stop = protected()
    life.tell(PriceSeen(price=D("49580")))
    assert life.position.levels.stop == D(49000)
    for price in ("50010", "50050"):
        life.tell(PriceSeen(price=D(price)))
    assert life.position.levels.stop == D("49549.5")
    first = life.order
    assert first.trigger == D("49509.9")
    life.tell(report(stop, "CANCELED"), report(first, "OPEN"))
    count = len(life.position.orders)
    life.tell(PriceSeen(price=D("50080")))
    assert life.position.levels.stop == D("49579.2"), "watched exactly"
    assert len(life.position.orders) == count, "and the resting one stays, less than a step behind"
    life.tell(PriceSeen(price=D("49575")))
    assert life.order.role is Role.EXIT, "the watched level is the one that counts"


def test_a_level_is_not_moved_by_a_price_that_has_reached_it() -> None:
    """The trigger is checked beforehand: what would trigger at once is an exit."""
    life, stop = protected()
    new = moved(life)
    life.tell(Unsent(client_order_id=new.client_order_id, reason="not tried"))
    life.tell(PriceSeen(price=D(51000)), after=timedelta(seconds=2))
    assert (life.order.role, life.order.replaces) == (Role.EXIT, stop.client_order_id)


def test_an_exit_takes_the_place_of_the_stop_in_one_request() -> None:
    life, stop = protected()
    life.tell(ExitSignal(reason="enough"))
    out = life.order
    assert (out.role, out.limit, out.replaces) == (Role.EXIT, None, stop.client_order_id)
    assert life.position.state is State.CLOSING
    life.tell(report(out, "FILLED", out.quantity), fill(out, "50500", trade="9"))
    assert life.position.state is State.CLOSING, "the cancel of the stop is not yet told"
    life.tell(report(stop, "CANCELED"))
    assert life.position.state is State.CLOSED


def test_an_exit_that_was_not_tried_leaves_the_position_protected() -> None:
    life, stop = protected()
    life.tell(ExitSignal(reason="enough"))
    life.tell(Unsent(client_order_id=life.order.client_order_id, reason="not tried"))
    assert life.position.state is State.OPEN
    assert life.position.exit_wish is None
    assert now(life, stop).rests


def test_a_refused_exit_lets_the_stop_make_way_first() -> None:
    """Every slot taken: the venue refuses the group before it cancels. Leaving must go on."""
    life, stop = protected()
    life.tell(Close(by="ann"))
    out = life.order
    refusal = Refusal(client_order_id=out.client_order_id, code="-1013", message="slots")
    life.tell(refusal)
    assert now(life, stop).rests, "protected while the exit has to wait"
    life.tell(TimePassed(), after=timedelta(seconds=1))
    assert now(life, stop).cancel_at is not None
    life.tell(report(stop, "CANCELED"))
    assert (life.order.role, life.order.replaces) == (Role.EXIT, None)


def test_a_stop_that_triggers_first_rules_its_replacement_out() -> None:
    """It could be cancelled only while nothing of it was filled: the other half cannot come."""
    life, stop = protected()
    new = moved(life)
    life.tell(Doubt(client_order_id=new.client_order_id, reason="no answer"))
    life.tell(fill(stop, "49000", trade="7"), report(stop, "FILLED", stop.quantity))
    assert now(life, new).status is OrderStatus.NEVER
    assert life.position.state is State.CLOSED


def test_an_exit_does_not_wait_for_a_move_in_doubt() -> None:
    """One lost answer kept everything for 65 s from being sold. Only one of the two can succeed."""
    life, stop = protected()
    new = moved(life)
    life.tell(Doubt(client_order_id=new.client_order_id, reason="no answer"))
    life.tell(ExitSignal(reason="enough"))
    out = life.order
    assert (out.role, out.replaces) == (Role.EXIT, stop.client_order_id)
    life.tell(report(stop, "CANCELED"), report(out, "FILLED", out.quantity))
    assert now(life, new).status is OrderStatus.NEVER
    life.tell(fill(out, "50500", trade="9"))
    assert life.position.state is State.CLOSED


def test_a_move_in_doubt_that_was_done_leaves_the_exit_out() -> None:
    life, stop = protected()
    new = moved(life)
    life.tell(Doubt(client_order_id=new.client_order_id, reason="no answer"))
    life.tell(Close(by="ann"))
    out = life.order
    life.tell(report(new, "OPEN"))
    assert now(life, out).status is OrderStatus.NEVER
    life.tell(Unsent(client_order_id=out.client_order_id, reason="not tried"))
    life.tell(report(stop, "CANCELED"))
    life.tell(TimePassed(), after=timedelta(seconds=2))
    assert (life.order.role, life.order.replaces) == (Role.EXIT, new.client_order_id)


def test_never_is_for_the_group() -> None:
    """S4: absent, but nobody knows what became of the old stop: the request may have arrived."""
    life, stop = protected()
    new = moved(life)
    life.tell(never(life, new, group_answered=False))
    assert now(life, new).status is OrderStatus.INTENDED
    life.tell(never(life, new))
    assert now(life, new).status is OrderStatus.NEVER
    assert now(life, stop).replaced_by is None


def test_what_arrives_late_is_covered_without_a_gap() -> None:
    """More is held than the stop covers: the larger one takes its place."""
    life, stop = protected()
    entry = life.position.orders[0]
    more = Decimal("0.0004")
    grown = replace(entry, quantity=entry.quantity + more)
    rest = tuple(o for o in life.position.orders if o is not entry)
    life.position = replace(life.position, orders=(grown, *rest))
    life.tell(fill(grown, "50000", more, trade="2"))
    new = life.order
    assert (new.role, new.replaces) == (Role.STOP, stop.client_order_id)
    assert new.quantity == stop.quantity + more


def test_a_stop_that_took_anothers_place_rules_its_own_successor_out() -> None:
    """The second move was on its way when the first one's stop triggered."""
    life, stop = protected()
    first = moved(life)
    life.tell(report(stop, "CANCELED"), report(first, "OPEN"))
    second = moved(life, "53000")
    assert second.replaces == first.client_order_id
    life.tell(fill(first, "51480", trade="7"), report(first, "FILLED", first.quantity))
    assert now(life, second).status is OrderStatus.NEVER
    assert life.position.state is State.CLOSED


def test_how_coarse_the_steps_are_is_the_operators_choice() -> None:
    life, stop = protected()
    life.terms = replace(life.terms, stop_step=D("0.1"))
    life.tell(PriceSeen(price=D(52000)))
    assert life.position.levels.stop == D("51480"), "watched exactly"
    assert life.position.unfinished == now(life, stop)
    life.terms = replace(life.terms, stop_step=D("0.05"))
    assert moved(life).replaces == stop.client_order_id
