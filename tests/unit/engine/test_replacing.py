"""The resting stop is replaced in one request, and never is nothing at the exchange.

Broken on purpose, and red here: a move that cancels by itself; a half that is not told; an order
that is called vanished because the exchange knows it by its cancel's name; a lost answer after
which nothing rests until V.
"""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.builders import BTC, REPLACING, D
from tests.unit.engine.clock import turns
from tests.unit.engine.desk import DIP, Desk
from tests.unit.engine.test_supervisor import House, serving

from surefoot.core.exits import ExitPlan
from surefoot.core.order import Order, OrderStatus, ReportedStatus, Role
from surefoot.core.position import State
from surefoot.core.reports import Grounds, PriceSeen
from surefoot.core.signals import EntrySignal, ExitSignal
from surefoot.engine.keeper import Keeper
from surefoot.exchange.errors import Refused, Unknown

TRAILING = ExitPlan(stop_loss=D("0.02"), trailing_stop=D("0.01"))


async def protected(desk: Desk) -> Keeper:
    """Return a keeper whose position is open and whose stop rests."""
    keeper = await desk.keeper(terms=REPLACING)
    await keeper.tell(EntrySignal(quantity=D("0.00160"), plan=TRAILING))
    await desk.works.run()
    await keeper.tell(desk.exchange.trades[-1])
    await desk.works.run()
    assert [order.role for order in desk.exchange.sent] == [Role.ENTRY, Role.STOP]
    return keeper


def replacing_house() -> House:
    house = House(native_stop=True)
    house.exchange.instruments[BTC] = REPLACING.instrument
    return house


async def entered(house: House, plan: ExitPlan = TRAILING) -> Keeper:
    """Return a keeper whose entry has filled, and which has not heard of it."""
    keeper = house.account.roster.keepers[DIP]
    await keeper.tell(EntrySignal(quantity=D("0.00160"), plan=plan))
    await turns()
    return keeper


def live(desk: Desk) -> list[str]:
    """Return what really rests at the exchange, by name."""
    rows = desk.exchange.orders
    return [str(row.client_order_id) for row in rows if row.status is ReportedStatus.OPEN]


def stops(keeper: Keeper) -> list[Order]:
    return [order for order in keeper.position.orders if order.role is Role.STOP]


async def test_a_stop_is_moved_without_a_gap(desk: Desk) -> None:
    keeper = await protected(desk)
    await keeper.tell(PriceSeen(price=D(52000)))
    old, new = stops(keeper)
    assert live(desk) == [old.client_order_id], "durable first; nothing has left"
    await desk.works.run()
    old, new = stops(keeper)
    assert live(desk) == [new.client_order_id]
    assert (old.status, new.status) == (OrderStatus.CANCELED, OrderStatus.WORKING)
    assert desk.exchange.cancelled == []
    assert {old.client_order_id, new.client_order_id} <= set(desk.heard.urged)


async def test_a_refused_half_is_protected_anew(desk: Desk) -> None:
    """The old stop was cancelled and the new one refused: another one, as soon as it may."""
    keeper = await protected(desk)
    desk.exchange.second_half = Refused("-1013", "no")
    await keeper.tell(PriceSeen(price=D(52000)))
    await desk.works.run()
    assert live(desk) == []
    await desk.clock.advance(1)
    await keeper.tell(PriceSeen(price=D(52000)))
    await desk.works.run()
    assert live(desk) == [stops(keeper)[-1].client_order_id]


async def test_an_exit_and_the_stops_cancel_are_one_request(desk: Desk) -> None:
    keeper = await protected(desk)
    await keeper.tell(ExitSignal(reason="enough"))
    await desk.works.run()
    await keeper.tell(desk.exchange.trades[-1])
    assert keeper.position.state is State.FLAT, "closed, and the next one begins"
    assert desk.exchange.cancelled == []
    assert live(desk) == []


async def test_a_lost_answer_is_settled_by_asking(desk: Desk) -> None:
    """The exchange knows the old stop by its cancel's name now; it is found by its number."""
    keeper = await protected(desk)
    desk.exchange.answer(Unknown("no answer"), accepted=True)
    await keeper.tell(PriceSeen(price=D(52000)))
    await desk.works.run()
    old, new = stops(keeper)
    assert (old.status, new.status) == (OrderStatus.WORKING, OrderStatus.INTENDED)
    assert await desk.exchange.order(BTC, old.client_order_id) is None
    names = [old.client_order_id, new.client_order_id]
    gathered = await desk.sweep.some(desk.books.belief((BTC,)), names)
    for report in gathered.evidence.looked_up.values():
        assert report is not None
        await keeper.tell(report)
    old, new = stops(keeper)
    assert (old.status, new.status) == (OrderStatus.CANCELED, OrderStatus.WORKING)


async def test_a_lost_answer_leaves_it_bare_for_seconds_only() -> None:
    """Cancelled, the new one refused, and nobody heard: it was bare until V, for 65 seconds."""
    house = replacing_house()
    async with serving(house):
        keeper = await entered(house)
        await keeper.tell(house.exchange.trades[-1])
        await house.clock.advance(1)
        house.exchange.second_half = Refused("-1013", "no")
        house.exchange.answer(Unknown("no answer"), accepted=True)
        house.exchange.last_price = D(52000)
        await keeper.tell(PriceSeen(price=D(52000)))
        await turns()
        assert not [r for r in house.exchange.orders if r.status is ReportedStatus.OPEN]
        for _ in range(6):
            await house.clock.advance(1)
        (row,) = [r for r in house.exchange.orders if r.status is ReportedStatus.OPEN]
        lost, again = stops(keeper)[-2:]
        assert row.client_order_id == again.client_order_id
        assert {*house.exchange.hailed} == {lost.client_order_id}
        assert lost.status is OrderStatus.INTENDED


@pytest.mark.parametrize("gain", [False, True], ids=["a move", "a gain"])
async def test_killed_between_the_halves_it_is_protected_by_the_next_life(*, gain: bool) -> None:
    """Neither the new stop nor the limit came; the answer died with the process."""
    house = replacing_house()
    plan = replace(TRAILING, take_profit=D("0.04")) if gain else TRAILING
    async with serving(house):
        keeper = await entered(house, plan)
        await keeper.tell(house.exchange.trades[-1])
        await house.clock.advance(1)
        house.exchange.second_half = Refused("-1013", "no")
        house.exchange.hold("replace")
        house.exchange.last_price = D(52000)
        await keeper.tell(PriceSeen(price=D(52000)))
        await turns()
        assert (house.exchange.sent[-1].role is Role.EXIT) is gain
        assert not [r for r in house.exchange.orders if r.status is ReportedStatus.OPEN]
    house.exchange.last_price = D(51900)
    async with serving(house):
        for _ in range(8):
            await house.clock.advance(1)
        (row,) = [r for r in house.exchange.orders if r.status is ReportedStatus.OPEN]
        again = stops(house.account.roster.keepers[DIP])[-1]
        assert (row.client_order_id, again.quantity) == (again.client_order_id, D("0.00160"))
        assert house.account.roster.keepers[DIP].position.frozen is None


async def test_a_venue_without_replace_keeps_the_old_way(desk: Desk) -> None:
    plain = replace(REPLACING, instrument=replace(REPLACING.instrument, replaces=False))
    keeper = await desk.keeper(terms=plain)
    await keeper.tell(EntrySignal(quantity=D("0.00160"), plan=TRAILING))
    await desk.works.run()
    await keeper.tell(desk.exchange.trades[-1])
    await desk.works.run()
    await keeper.tell(PriceSeen(price=D(52000)))
    await desk.works.run()
    assert len(desk.exchange.cancelled) == 1


async def test_coins_that_are_not_there_let_everything_be_compared() -> None:
    """A part was sold by hand: nobody looked for as long as the stop was refused."""
    house = replacing_house()
    async with serving(house):
        keeper = await entered(house)
        funds = Refused("-2010", "insufficient balance", Grounds.FUNDS)
        house.exchange.answer(funds)
        await keeper.tell(house.exchange.trades[-1])
        await turns()
        before = house.exchange.count("balances")
        await house.clock.advance(1)
        assert house.exchange.count("balances") > before
