"""Stuck is an alarm: each deadline, the last moment before it, and what ends it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import BTC, PROTECTED, REPLACING, TERMS, D, Life, fill, report

from surefoot.core.deadlines import PATIENCE, overdue, uncompared, unsensed
from surefoot.core.order import Role
from surefoot.core.reports import Doubt, PriceSeen, Refusal, TimePassed, Unsent
from surefoot.core.signals import AddSignal, Close, EntrySignal, ExitSignal, Freeze
from surefoot.core.stuck import StuckKind
from surefoot.core.terms import Terms
from surefoot.core.values import BotName

MOMENT = timedelta(milliseconds=1)
LIFETIME_AND_V = TERMS.request_lifetime + TERMS.visibility


def kinds(life: Life, after: timedelta) -> list[str]:
    terms = {BotName("dip-btc"): life.terms}
    return [each.kind for each in overdue((life.position,), terms, life.now + after)]


def in_doubt() -> Life:
    life = Life()
    order = life.enter()
    life.tell(Doubt(client_order_id=order.client_order_id, reason="504"))
    return life


def uncounted() -> Life:
    """Fill an entry whose trades never come."""
    life = Life()
    order = life.enter()
    life.tell(report(order, "FILLED", order.quantity))
    return life


def uncancelled() -> Life:
    """Every cancel is refused, for six hours."""
    life = Life()
    life.tell(EntrySignal(quantity=D("0.0016"), plan=life.position.plan, limit=D(40000)))
    life.tell(report(life.order, "OPEN"), Freeze(reason="look"))
    return life


def short() -> Life:
    """More was bought, and the exchange does not let the stop grow: the old one rests on."""
    life = Life(REPLACING)
    life.opened()
    life.tell(report(life.order, "OPEN"), AddSignal(quantity=D("0.0016")))
    more = life.order
    life.tell(report(more, "FILLED", more.quantity), fill(more, "49500", trade="a"))
    name = life.order.client_order_id
    life.tell(Refusal(client_order_id=name, code="-2010", message="filter"))
    return life


def unable_to_leave() -> Life:
    """Leave with an exit that is live and does not fill."""
    life = Life()
    life.opened()
    life.tell(Close(by="ann"))
    life.tell(report(life.order, "OPEN"))
    return life


def bare() -> Life:
    """Somebody cancelled the stop, and the next one is in flight."""
    life = Life(PROTECTED)
    life.opened()
    life.tell(report(life.order, "OPEN"))
    life.tell(report(life.order, "CANCELED"))
    return life


@pytest.mark.parametrize(
    ("make", "kind", "deadline"),
    [
        (in_doubt, StuckKind.ORDER_IN_DOUBT, LIFETIME_AND_V + PATIENCE),
        (uncounted, StuckKind.FILLS_UNCOUNTED, PATIENCE),
        (uncancelled, StuckKind.CANCEL_UNFINISHED, PATIENCE),
        (unable_to_leave, StuckKind.EXIT_STUCK, PATIENCE),
        (bare, StuckKind.STOP_MISSING, PATIENCE),
        (short, StuckKind.STOP_MISSING, PATIENCE),
    ],
)
def test_each_has_a_deadline(
    make: Callable[[], Life], kind: StuckKind, deadline: timedelta
) -> None:
    """Refused cancels went on for six hours, all RUNNING: catches a wait without an end."""
    life = make()
    assert kinds(life, deadline) == []
    assert kinds(life, deadline + MOMENT)[:1] == [kind]


def test_an_addition_that_fills_slowly_does_not_put_the_alarm_off() -> None:
    """The venue has no room for a larger stop, and a trade a minute moved the deadline for ever."""
    life = Life(REPLACING)
    life.opened()
    life.tell(report(life.order, "OPEN"), AddSignal(quantity=D("0.0016"), limit=D(49500)))
    more = life.order
    life.tell(report(more, "OPEN"))
    life.terms = replace(REPLACING, held={Role.STOP: "full"})
    for number, filled in enumerate(("0.0004", "0.0008"), 1):
        life.tell(report(more, "OPEN", filled), after=timedelta(seconds=45))
        life.tell(fill(more, "49500", "0.0004", trade=f"a{number}"))
    assert kinds(life, timedelta(0)) == [StuckKind.STOP_MISSING]


def test_what_ended_is_not_stuck() -> None:
    life = in_doubt()
    order = life.order
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="1"))
    assert kinds(life, timedelta(days=1)) == []
    life = bare()
    life.tell(report(life.order, "OPEN"))
    assert kinds(life, timedelta(days=1)) == []


def test_a_position_without_a_stop_of_its_own_wish_is_not_bare() -> None:
    """`stop_at = "local"` is the operator's choice; so is an exit at a limit that rests."""
    life = Life()
    life.opened()
    assert kinds(life, timedelta(days=1)) == []
    life.tell(ExitSignal(limit=D(60000)))
    life.tell(report(life.order, "OPEN"))
    assert kinds(life, timedelta(days=1)) == []


def test_a_wish_that_waits_for_its_price_hides_no_missing_stop() -> None:
    """Banned, its stop and its exit were turned away; then it wished more, and nothing was said."""
    life = Life(REPLACING)
    life.opened()
    life.tell(Unsent(client_order_id=life.order.client_order_id, reason="banned"))
    life.tell(PriceSeen(price=D(40000)))
    assert life.order.role is Role.EXIT
    life.tell(Unsent(client_order_id=life.order.client_order_id, reason="banned"))
    life.tell(PriceSeen(price=D(51000)), after=timedelta(seconds=2))
    life.tell(Unsent(client_order_id=life.order.client_order_id, reason="banned"))
    life.tell(ExitSignal(limit=D(60000)))
    assert kinds(life, PATIENCE) == [StuckKind.STOP_MISSING]


@pytest.mark.parametrize(
    "answer",
    [
        lambda name: Refusal(client_order_id=name, code="-2010", message="no balance"),
        lambda name: Unsent(client_order_id=name, reason="429: too many"),
    ],
)
def test_tries_that_fail_again_and_again_do_not_begin_anew(
    answer: Callable[[str], Refusal | Unsent],
) -> None:
    """Nothing freezes, and each try ended a moment ago: a since that moves hides it for ever."""
    life = Life(PROTECTED)
    life.opened()
    began = life.now
    for _ in range(4):
        life.tell(answer(life.order.client_order_id))
        life.tell(TimePassed(), after=timedelta(seconds=30))
    (stuck,) = overdue((life.position,), {BotName("dip-btc"): PROTECTED}, life.now)
    assert (stuck.kind, stuck.since) == (StuckKind.STOP_MISSING, began)
    assert "turned away 4 times in a row" in stuck.true


def test_a_wish_that_is_wished_anew_with_every_price_is_one_wish() -> None:
    life = Life()
    life.opened()
    began = life.now
    for _ in range(4):
        life.tell(PriceSeen(price=D(40000)))
        life.tell(Unsent(client_order_id=life.order.client_order_id, reason="banned"))
        life.tell(PriceSeen(price=D(40000)), after=timedelta(seconds=40))
    (stuck,) = overdue((life.position,), {BotName("dip-btc"): TERMS}, life.now)
    assert (stuck.kind, stuck.since) == (StuckKind.EXIT_STUCK, began)


def test_an_alarm_does_not_come_and_go_with_every_try() -> None:
    """Each refused exit lapses and the next price brings one: in between a stop was missing."""
    life = Life(PROTECTED)
    life.opened()
    said = []
    for _ in range(14):
        while not life.order.finished:
            name = life.order.client_order_id
            life.tell(Refusal(client_order_id=name, code="-1013", message="no"))
            said.append(kinds(life, timedelta(0)))
        life.tell(PriceSeen(price=D(40000)), after=timedelta(seconds=20))
        said.append(kinds(life, timedelta(0)))
    first = said.index([StuckKind.EXIT_STUCK])
    assert all(each == [] for each in said[:first])
    assert all(each == [StuckKind.EXIT_STUCK] for each in said[first:])
    assert len(said) > first + 8
    life.tell(Unsent(client_order_id=life.order.client_order_id, reason="no line"))
    later = kinds(life, timedelta(minutes=3))
    assert StuckKind.STOP_MISSING in later, "nobody tries any more"
    assert StuckKind.EXIT_STUCK not in later


@pytest.mark.parametrize("terms", [TERMS, PROTECTED])
def test_only_what_is_at_stake_is_missed(terms: Terms) -> None:
    """A symbol without a price matters while something is held, one without reads while out."""
    life = Life(terms)
    since = {BTC: life.now}
    long_after = life.now + PATIENCE + MOMENT
    assert unsensed((life.position,), since, since, {}, long_after) == ()
    life.enter()
    found = unsensed((life.position,), since, since, {}, long_after)
    assert [each.kind for each in found] == [StuckKind.READ_UNPROVEN]
    order = life.order
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade="1"))
    found = unsensed((life.position,), since, since, {}, long_after)
    assert [each.kind for each in found] == [StuckKind.READ_UNPROVEN, StuckKind.PRICE_STALE]
    assert unsensed((life.position,), since, since, {}, long_after - MOMENT) == ()


def test_a_balance_that_could_not_be_weighed_is_said_of_its_symbol() -> None:
    """Who trades that often has a new position every time: it would be raised again and again."""
    bought, next_one = Life(), Life(number=2)
    bought.opened()
    late = {BTC: bought.now}
    for life in (bought, next_one):
        (found,) = unsensed((life.position,), {}, {}, late, life.now + PATIENCE + MOMENT)
        assert found.id == "holding-unweighed/BTC/USDT"
        assert unsensed((life.position,), {}, {}, late, life.now + PATIENCE) == ()


def test_a_stop_that_has_just_ended_is_not_missed_since_the_entry() -> None:
    """Its successor is in flight: "missing for an hour" would be said whenever a stop moves."""
    life = Life(PROTECTED)
    life.opened()
    life.tell(report(life.order, "OPEN"))
    life.tell(report(life.order, "CANCELED"), after=timedelta(hours=1))
    assert kinds(life, PATIENCE) == []
    assert kinds(life, PATIENCE + MOMENT) == [StuckKind.STOP_MISSING]


def open_before(life: Life, after: timedelta = PATIENCE + MOMENT) -> list[str]:
    found = uncompared((life.position,), life.now, life.now + after)
    assert all(each.kind is StuckKind.READ_UNPROVEN for each in found)
    return [each.believed.partition(" as ")[0] for each in found]


def test_a_start_that_compares_nothing_says_what_the_journal_leaves_open() -> None:
    """Catches an addition without its stop that nobody hears of while no start gets through."""
    life = Life(REPLACING)
    assert open_before(life) == []
    life.enter()
    assert open_before(life) == ["buy 0.0016 (entry) is out"]
    assert open_before(life, PATIENCE) == []
    order = life.order
    life.tell(report(order, "FILLED", order.quantity))
    assert open_before(life) == ["buy 0.0016 (entry) is out"], "its trades are not counted"
    life.tell(fill(order, "50000", trade="1"))
    assert open_before(life) == ["sell 0.0016 (stop) is out"]
    life.tell(report(life.order, "OPEN"))
    assert open_before(life) == [], "it rests, and covers it all"
    life.tell(AddSignal(quantity=D("0.0016")))
    assert open_before(life) == ["buy 0.0016 (entry) is out"]


def test_what_no_stop_covers_is_left_open() -> None:
    life = Life(TERMS)
    life.opened()
    assert open_before(life) == ["no stop at the exchange covers 0.0016 BTC"]


@pytest.mark.parametrize("kind", list(StuckKind))
def test_an_alarm_does_not_end_between_a_doubt_and_the_stop_that_lacks(kind: StuckKind) -> None:
    """The entry turned up bought after minutes; its stop was on its way, and all seemed well.

    After an outage it is no alarm that a stop is on its way: only what was stuck itself is.
    """
    life = in_doubt()
    entry, terms = life.order, {BotName("dip-btc"): PROTECTED}
    life.terms = PROTECTED
    life.now += LIFETIME_AND_V + PATIENCE + MOMENT
    (doubt,) = overdue((life.position,), terms, life.now)
    standing = [replace(doubt, kind=kind)]
    life.tell(report(entry, "FILLED", entry.quantity), fill(entry, "50000", trade="a"))
    found = [e.kind for e in overdue((life.position,), terms, life.now + MOMENT, standing)]
    unsensed = {StuckKind.READ_UNPROVEN, StuckKind.PRICE_STALE, StuckKind.HOLDING_UNWEIGHED}
    assert found == ([] if kind in unsensed else [StuckKind.STOP_MISSING])
    assert overdue((life.position,), terms, life.now + MOMENT) == (), "nobody was alarmed: it waits"
    life.tell(report(life.order, "OPEN"))
    assert overdue((life.position,), terms, life.now + MOMENT, standing) == ()
