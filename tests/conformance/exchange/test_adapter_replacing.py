"""Replacing an order in one request: both halves as they really were, by any answer.

Broken on purpose, and red here: the status read instead of the halves; a lost answer called
refused; a replacement that cancels what has begun to fill.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from tests.conformance.exchange.conftest import Do
from tests.conformance.exchange.orders import BTC, order, resting

from surefoot.core.order import Order, ReportedStatus, Role
from surefoot.core.reports import Grounds, OrderReport
from surefoot.core.values import ClientOrderId, Side
from surefoot.exchange.errors import NotSent, Refused, Unknown
from surefoot.exchange.port import Exchange, Halves

CANCEL, NEW = ClientOrderId("sfcancel"), ClientOrderId("sfnew")


async def stop(exchange: Exchange, do: Do, trigger: str = "60000", **more: Any) -> Order:
    await do("balance", asset="BTC", free="1")
    given = {"role": Role.STOP, "side": Side.SELL, "trigger": Decimal(trigger), **more}
    return order(exchange, **given)


async def replaced(exchange: Exchange, old: OrderReport, new: Order) -> Halves:
    return await exchange.replace(BTC, old.exchange_order_id, new, cancel_name=CANCEL)


async def test_the_venue_says_that_it_can(exchange: Exchange) -> None:
    assert exchange.instrument(BTC).replaces


async def test_a_stop_is_moved_in_one_request(exchange: Exchange, do: Do) -> None:
    old = await exchange.send(BTC, await stop(exchange, do))
    new = await stop(exchange, do, "60500", client_order_id=NEW)
    halves = await replaced(exchange, old, new)
    assert halves.cancelled is not None
    assert halves.cancelled.exchange_order_id == old.exchange_order_id
    assert halves.cancelled.status is ReportedStatus.CANCELED
    assert isinstance(halves.placed, OrderReport)
    assert halves.placed.status is ReportedStatus.OPEN, "asked for RESULT, a stop shows NEW"
    (live,) = await exchange.open_orders([BTC])
    assert live.client_order_id == NEW


async def test_the_old_order_is_known_by_the_requests_name_afterwards(
    exchange: Exchange, do: Do
) -> None:
    sent = await stop(exchange, do)
    old = await exchange.send(BTC, sent)
    await replaced(exchange, old, await stop(exchange, do, "60500", client_order_id=NEW))
    assert await exchange.order(BTC, sent.client_order_id) is None
    found = await exchange.order_by_exchange_id(BTC, old.exchange_order_id)
    assert found is not None
    assert (found.client_order_id, found.status) == (CANCEL, ReportedStatus.CANCELED)


async def test_what_has_begun_to_fill_is_not_cancelled(exchange: Exchange, do: Do) -> None:
    await do("arm", name="partial_fill", on="order.send", fraction="0.5")
    old = await exchange.send(BTC, order(exchange, limit=Decimal(62000)))
    assert old.filled == Decimal("0.0005")
    halves = await replaced(exchange, old, resting(exchange, client_order_id=NEW))
    assert halves.cancelled is None
    assert isinstance(halves.placed, NotSent)
    (live,) = await exchange.open_orders([BTC])
    assert live.exchange_order_id == old.exchange_order_id


async def test_the_naked_outcome_is_told_as_it_is(exchange: Exchange, do: Do) -> None:
    """409: cancelled, and nothing in its place."""
    old = await exchange.send(BTC, await stop(exchange, do))
    new = await stop(exchange, do, "61900", client_order_id=NEW)  # over the market of 61685.99
    halves = await replaced(exchange, old, new)
    assert halves.cancelled is not None
    assert isinstance(halves.placed, Refused)
    assert (halves.placed.code, halves.placed.grounds) == ("-2010", Grounds.PASSED)
    assert await exchange.open_orders([BTC]) == ()


async def test_coins_that_are_not_there_are_told_as_that(exchange: Exchange, do: Do) -> None:
    more = await stop(exchange, do, quantity=Decimal(2))
    with pytest.raises(Refused) as refused:
        await exchange.send(BTC, more)
    assert refused.value.grounds is Grounds.FUNDS


@pytest.mark.parametrize("code", [-1006, -1007])
async def test_a_half_that_says_nothing_is_unknown(exchange: Exchange, do: Do, code: int) -> None:
    old = await exchange.send(BTC, await stop(exchange, do))
    await do("arm", name="half_replace", on="order.replace", code=code, message="Timeout.")
    new = await stop(exchange, do, "60500", client_order_id=NEW)
    halves = await replaced(exchange, old, new)
    assert halves.cancelled is not None
    assert isinstance(halves.placed, Unknown)


async def test_what_is_over_is_not_replaced(exchange: Exchange, do: Do) -> None:
    old = await exchange.send(BTC, await stop(exchange, do))
    await do("price", symbol="BTCUSDT", price="59900")
    halves = await replaced(exchange, old, await stop(exchange, do, "59000", client_order_id=NEW))
    assert halves.cancelled is None
    assert isinstance(halves.placed, NotSent)
    assert await exchange.open_orders([BTC]) == ()


async def test_a_filter_refuses_before_anything_is_cancelled(exchange: Exchange, do: Do) -> None:
    old = await exchange.send(BTC, await stop(exchange, do))
    odd = await stop(exchange, do, "60500.001", client_order_id=NEW)
    with pytest.raises(Refused):
        await replaced(exchange, old, odd)
    (live,) = await exchange.open_orders([BTC])
    assert live.exchange_order_id == old.exchange_order_id


@pytest.mark.parametrize(
    ("fault", "given"),
    [
        ("lose_response", {}),
        ("error_after", {"status": 504, "code": -1007, "message": "Timeout."}),
        ("html_body", {"status": 502}),
        ("truncated_body", {}),
        ("empty_body", {}),
    ],
)
async def test_a_lost_answer_is_unknown(
    exchange: Exchange, do: Do, fault: str, given: dict[str, Any]
) -> None:
    old = await exchange.send(BTC, await stop(exchange, do))
    await do("arm", name=fault, on="order.replace", **given)
    new = await stop(exchange, do, "60500", client_order_id=NEW)
    with pytest.raises(Unknown):
        await replaced(exchange, old, new)


async def test_a_group_that_is_too_late_never_leaves(exchange: Exchange, do: Do) -> None:
    old = await exchange.send(BTC, await stop(exchange, do))
    late = await stop(exchange, do, "60500", client_order_id=NEW, lifetime_s=-1)
    with pytest.raises(NotSent):
        await replaced(exchange, old, late)
    (live,) = await exchange.open_orders([BTC])
    assert live.exchange_order_id == old.exchange_order_id


@pytest.mark.parametrize(
    ("limit", "filled", "status"),
    [("62000", "0.001", ReportedStatus.FILLED), ("60000", "0", ReportedStatus.EXPIRED)],
)
async def test_what_an_immediate_order_cannot_fill_does_not_rest(
    exchange: Exchange, limit: str, filled: str, status: ReportedStatus
) -> None:
    sent = order(exchange, limit=Decimal(limit), immediate=True)
    report = await exchange.send(BTC, sent)
    assert (report.status, report.filled) == (status, Decimal(filled))
    assert await exchange.open_orders([BTC]) == ()
