"""Every order that has left, and everything the exchange may still say of it.

It must not matter whether the order was still here: each case is lived twice, once with the order
put back into the position beforehand, and once told as the journal does. Broken on purpose, and red
here: a recall without its trades, one at the end of the others, one without news.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import product

import pytest
from msgspec.structs import replace
from tests.builders import D, Life, absence, fill, report

from surefoot.core.account_records import kind_of
from surefoot.core.decide import decide
from surefoot.core.order import Order, OrderStatus
from surefoot.core.position import Position
from surefoot.core.reports import Fill, LateFact, OrderReport, Refusal, Unsent
from surefoot.core.signals import ExitSignal

PART = D("0.0006")


def ended(how: str) -> tuple[Life, Order]:
    """Return a position and an entry of it that has ended so, with others after it."""
    life = Life()
    order = life.enter()
    name = order.client_order_id
    match how:
        case "refused":
            life.tell(Refusal(client_order_id=name, code="-2010", message="no"))
        case "unsent":
            life.tell(Unsent(client_order_id=name, reason="no route"))
        case "absent":
            life.now += timedelta(minutes=2)
            life.tell(absence(life))
            life.now += timedelta(hours=25)
        case _:
            life.tell(report(order, how))
    life.now += timedelta(minutes=2)
    return life, order


def lived(how: str, after: str) -> tuple[Life, Order]:
    """Return what became of a position since an order of it has left."""
    if how == "sold a part":
        life = Life()
        life.opened()
        life.tell(ExitSignal(limit=D(60000)))
        order = life.order
        life.tell(report(order, "CANCELED", PART), fill(order, "60000", PART, trade="p"))
        life.tell(ExitSignal())
    else:
        life, order = ended(how)
        life.opened()
        if after == "closed":
            life.tell(ExitSignal())
    if after == "closed":
        rest = life.order
        life.tell(report(rest, "FILLED", rest.quantity), fill(rest, "50000", trade="z"))
    assert life.position.find(order.client_order_id) is None
    return life, life.orders[order.client_order_id]


def said(order: Order) -> Sequence[OrderReport | Fill]:
    """Return everything that can be said of an order, once more or anew."""
    amounts = (D(0), PART, order.quantity)
    statuses = ("OPEN", "FILLED", "CANCELED", "EXPIRED", "REJECTED")
    number = order.exchange_order_id or f"x{order.attempt}"
    reports = [
        report(order, status, amount, number) for status, amount in product(statuses, amounts)
    ]
    trades = [fill(order, "50000", amount, trade=t) for amount in amounts[1:] for t in ("p", "q")]
    nameless = [replace(each, client_order_id=None) for each in (*reports, *trades)]
    return [*reports, *trades, *nameless]


def stayed(position: Position, order: Order) -> Position:
    """Return the position as if the order had never left."""
    together = sorted((*position.orders, order), key=lambda each: each.attempt)
    return replace(position, orders=tuple(together))


@pytest.mark.parametrize("after", ["open", "closed"])
@pytest.mark.parametrize(
    "how", ["refused", "unsent", "absent", "CANCELED", "EXPIRED", "REJECTED", "sold a part"]
)
def test_what_is_said_of_an_order_that_left_is_heard_as_if_it_had_stayed(
    how: str, after: str
) -> None:
    life, order = lived(how, after)
    news = 0
    for fact in said(order):
        if not order.is_named(fact.client_order_id, fact.exchange_order_id):
            continue
        here = decide(stayed(life.position, order), fact, life.now, life.terms)
        gone = decide(life.position, LateFact(order=order, fact=fact), life.now, life.terms)
        kinds = [kind_of(record) for record in gone.records]
        without = [kind for kind in kinds if kind != "order-recalled"]
        assert without == [kind_of(record) for record in here.records]
        assert kinds.count("order-recalled") <= 1
        learnt = {"fill-booked", "order-reported"} & set(kinds)
        assert ("order-recalled" in kinds) is bool(learnt)
        after_all = gone.position if learnt else stayed(gone.position, order)
        assert replace(after_all, version=0) == replace(here.position, version=0)
        news += bool(learnt)
    assert news > 0 or order.status is OrderStatus.REJECTED
