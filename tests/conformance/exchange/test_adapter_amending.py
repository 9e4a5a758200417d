"""Making an order smaller where it stands, in one request; and what each answer proves.

Broken on purpose, and red here: a name that is not sent along; a lost answer called refused.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from tests.conformance.exchange.conftest import Do
from tests.conformance.exchange.orders import BTC
from tests.conformance.exchange.test_adapter_replacing import stop

from surefoot.core.order import Order, ReportedStatus
from surefoot.core.reports import OrderReport
from surefoot.exchange.errors import NotSent, Refused, Unknown
from surefoot.exchange.port import Exchange

LESS = Decimal("0.0006")


async def amended(
    exchange: Exchange, sent: Order, known: OrderReport, quantity: Decimal = LESS
) -> OrderReport:
    end = exchange.now() + timedelta(seconds=5)
    number = known.exchange_order_id
    return await exchange.amend(BTC, number, sent, quantity=quantity, not_after=end)


async def test_the_venue_says_that_it_can(exchange: Exchange) -> None:
    assert exchange.instrument(BTC).amends


async def test_it_keeps_both_its_names(exchange: Exchange, do: Do) -> None:
    sent = await stop(exchange, do)
    known = await exchange.send(BTC, sent)
    told = await amended(exchange, sent, known)
    assert (told.quantity, told.status) == (LESS, ReportedStatus.OPEN)
    (live,) = await exchange.open_orders([BTC])
    assert (live.client_order_id, live.quantity) == (sent.client_order_id, LESS)
    assert live.exchange_order_id == known.exchange_order_id
    assert await exchange.order(BTC, sent.client_order_id) == live


async def test_a_larger_quantity_is_refused(exchange: Exchange, do: Do) -> None:
    sent = await stop(exchange, do)
    known = await exchange.send(BTC, sent)
    with pytest.raises(Refused) as refused:
        await amended(exchange, sent, known, Decimal("0.002"))
    assert refused.value.code == "-2038"


async def test_the_same_quantity_may_be_our_own_request_done_before(
    exchange: Exchange, do: Do
) -> None:
    sent = await stop(exchange, do)
    known = await exchange.send(BTC, sent)
    await amended(exchange, sent, known)
    with pytest.raises(Unknown):
        await amended(exchange, sent, known)


async def test_a_lost_answer_is_unknown(exchange: Exchange, do: Do) -> None:
    sent = await stop(exchange, do)
    known = await exchange.send(BTC, sent)
    await do("arm", name="lose_response", on="order.amend")
    with pytest.raises(Unknown):
        await amended(exchange, sent, known)
    (live,) = await exchange.open_orders([BTC])
    assert live.quantity == LESS, "and yet it was done"


async def test_it_does_not_leave_after_its_time(exchange: Exchange, do: Do) -> None:
    sent = await stop(exchange, do)
    known = await exchange.send(BTC, sent)
    late = exchange.now() - timedelta(seconds=1)
    number = known.exchange_order_id
    with pytest.raises(NotSent):
        await exchange.amend(BTC, number, sent, quantity=LESS, not_after=late)
