"""A stop is made smaller where it stands, by a request that is durable first.

Broken on purpose, and red here: a request that is not written down; a lost answer that is taken
for a no, or that nobody asks after; a refusal that is not told.
"""

from __future__ import annotations

from msgspec.structs import replace
from tests.builders import INSTRUMENT, PLAN, PROTECTED, D
from tests.unit.engine.desk import Desk

from surefoot.core.order import Order, Role
from surefoot.core.reports import Shortage
from surefoot.core.signals import EntrySignal
from surefoot.engine.keeper import Keeper
from surefoot.exchange.errors import NotSent, Refused, Unknown

WHOLE, LESS = D("0.0016"), D("0.001")
AMENDING = replace(PROTECTED, instrument=replace(INSTRUMENT, replaces=True, amends=True))


async def lacking(desk: Desk) -> tuple[Keeper, Order]:
    """Return a keeper whose stop rests for more than is there, and that stop."""
    keeper = await desk.keeper(terms=AMENDING)
    await keeper.tell(EntrySignal(quantity=WHOLE, plan=PLAN))
    await desk.works.run()
    await keeper.tell(desk.exchange.trades[-1])
    await desk.works.run()
    await keeper.tell(Shortage(missing=WHOLE - LESS, evidence="the balance"))
    stop = newest(keeper)
    assert desk.exchange.amended == [], "durable first; nothing has left"
    desk.heard.urged.clear()
    return keeper, stop


def newest(keeper: Keeper) -> Order:
    order = keeper.position.last(Role.STOP)
    assert order is not None
    return order


async def test_it_stays_the_same_order(desk: Desk) -> None:
    keeper, stop = await lacking(desk)
    await desk.works.run()
    assert desk.exchange.amended == [(stop.client_order_id, LESS)]
    (live,) = await desk.exchange.open_orders([keeper.symbol])
    assert (live.exchange_order_id, live.quantity) == (stop.exchange_order_id, LESS)
    assert (newest(keeper).client_order_id, newest(keeper).quantity) == (
        stop.client_order_id,
        LESS,
    )
    assert len(desk.exchange.sent) == 2, "the entry and its stop"


async def test_after_a_lost_answer_the_order_itself_is_asked(desk: Desk) -> None:
    keeper, stop = await lacking(desk)
    desk.exchange.answer(Unknown("no answer"), accepted=True)
    await desk.works.run()
    assert newest(keeper).quantity == WHOLE, "unknown is neither yes nor no"
    assert desk.heard.urged == [stop.client_order_id]
    row = await desk.exchange.order(keeper.symbol, stop.client_order_id)
    assert row is not None
    await keeper.tell(row)
    assert (newest(keeper).client_order_id, newest(keeper).quantity) == (
        stop.client_order_id,
        LESS,
    )


async def test_what_cannot_be_made_smaller_is_replaced(desk: Desk) -> None:
    keeper, stop = await lacking(desk)
    desk.exchange.answer(Refused("-2038", "ten times already"))
    await desk.works.run()
    assert newest(keeper).replaces == stop.client_order_id
    (live,) = await desk.exchange.open_orders([keeper.symbol])
    assert (live.client_order_id, live.quantity) == (newest(keeper).client_order_id, LESS)


async def test_so_is_one_for_which_no_request_left(desk: Desk) -> None:
    keeper, stop = await lacking(desk)
    desk.exchange.answer(NotSent("no line"))
    await desk.works.run()
    assert newest(keeper).replaces == stop.client_order_id


async def test_a_restart_in_between_sends_nothing_again(desk: Desk) -> None:
    """What the dead process asked for is told by the order, or is over with its time to live."""
    keeper, stop = await lacking(desk)
    again = desk.keep(keeper.bot, keeper.positions, AMENDING)
    await again.tell(Shortage(missing=WHOLE - LESS, evidence="the balance"))
    assert newest(again).amending == stop.amending
    assert len(desk.exchange.sent) == 2
