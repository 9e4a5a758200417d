"""Reserve, then write, then send: what finds no room is not written down, and facts never wait."""

from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.builders import BTC, PROTECTED, D
from tests.unit.engine.desk import DIP, ENTER, SWING, Desk
from tests.unit.engine.fake import ETHER

from surefoot.core.errors import SignalRefused
from surefoot.core.exits import ExitPlan
from surefoot.core.lanes import Lane
from surefoot.core.order import Role
from surefoot.core.position import State
from surefoot.core.reports import PriceSeen, Reduction, TimePassed
from surefoot.engine.capacity import Capacity
from surefoot.engine.keeper import Keeper
from surefoot.exchange.budget import Urgency
from surefoot.exchange.errors import Refused

LITTLE = D("0.00160")


def protect(desk: Desk, room: int) -> None:
    desk.exchange.room_for[Urgency.PROTECTION] = room


async def test_an_entry_without_room_is_refused_and_nothing_is_written(desk: Desk) -> None:
    """Of 1,110 entries wanted at one tick 675 were written down, waited, and never left."""
    keeper = await desk.keeper()
    desk.exchange.room_for[Urgency.ENTRY] = 0
    before = desk.journal.commits
    with pytest.raises(SignalRefused, match="the exchange takes no more"):
        await keeper.tell(ENTER)
    assert desk.journal.commits == before
    assert desk.exchange.sent == desk.exchange.reserved == []
    assert keeper.position.state is State.FLAT


async def test_the_place_of_an_order_is_kept_before_it_is_written(desk: Desk) -> None:
    """Catches a budget that counts what has left: two hundred decide before the first leaves."""
    keeper, other = await desk.keeper(), await desk.keeper(SWING)
    desk.exchange.room_for[Urgency.ENTRY] = 1
    await keeper.tell(ENTER)
    assert desk.exchange.sent == []
    assert [order.role for order in desk.exchange.reserved] == [Role.ENTRY]
    with pytest.raises(SignalRefused):
        await other.tell(ENTER)


async def test_a_fill_is_booked_while_its_stop_waits(desk: Desk) -> None:
    """Facts never wait for room; the stop is owed, and written with all its lifetime before it."""
    keeper = await desk.keeper(terms=PROTECTED)
    protect(desk, 0)
    position = await desk.opened(keeper)
    assert (position.state, position.quantity) == (State.OPEN, LITTLE)
    assert position.unfinished is None
    assert [order.role for order in desk.exchange.sent] == [Role.ENTRY]
    desk.clock.elapsed += 9
    await keeper.tell(TimePassed())
    assert keeper.position.unfinished is None
    (said,) = desk.log.said("a stop or an exit waits")
    assert (said["bot"], "until 00:00:10 UTC" in said["why"]) == (DIP, True)
    protect(desk, 100)
    await keeper.tell(TimePassed())
    stop = keeper.position.unfinished
    assert stop is not None
    assert (stop.role, stop.signed_at) == (Role.STOP, desk.exchange.now())


async def test_an_exit_without_room_is_wished_and_follows(desk: Desk) -> None:
    keeper = await desk.keeper()
    await desk.opened(keeper)
    protect(desk, 0)
    await keeper.tell(PriceSeen(price=D(40000)))
    wish = keeper.position.exit_wish
    assert wish is not None
    assert keeper.position.unfinished is None
    protect(desk, 100)
    await keeper.tell(TimePassed())
    assert keeper.position.last(Role.EXIT) is not None


async def test_no_entry_goes_before_a_stop_that_waits(desk: Desk) -> None:
    """Catches entries that use up each new window before the stops of the last come to it."""
    keeper = await desk.keeper(terms=PROTECTED)
    other = await desk.keeper(SWING, terms=replace(PROTECTED, instrument=ETHER))
    protect(desk, 0)
    await desk.opened(keeper)
    with pytest.raises(SignalRefused, match="go first"):
        await other.tell(ENTER)
    protect(desk, 100)
    await keeper.tell(TimePassed())
    await other.tell(ENTER)
    assert desk.exchange.reserved[-1].role is Role.ENTRY


async def test_a_stop_that_is_not_wanted_any_more_holds_nobody_up(desk: Desk) -> None:
    """Catches a bot that waits for ever, and all others with it."""
    keeper = await desk.keeper(terms=PROTECTED)
    other = await desk.keeper(SWING, terms=replace(PROTECTED, instrument=ETHER))
    protect(desk, 0)
    await desk.opened(keeper)
    await keeper.tell(Reduction(quantity=LITTLE, price=D(50000), evidence="sold by hand"))
    await other.tell(ENTER)
    assert desk.exchange.reserved[-1].role is Role.ENTRY


class TestComparing:
    """A comparison decides upon many positions at once, and its orders need room as well."""

    @pytest.mark.parametrize(("room", "stops"), [(2, 2), (1, 0)])
    async def test_facts_are_committed_and_orders_only_with_room_for_all(
        self, desk: Desk, room: int, stops: int
    ) -> None:
        for bot in (DIP, SWING):
            keeper = await desk.keeper(bot, terms=PROTECTED)
            await keeper.tell(ENTER)
        await desk.works.run()
        desk.exchange.reserved.clear()
        protect(desk, room)
        gathered = await desk.read(BTC)
        _, applied = await desk.books.conclude([BTC], gathered, desk.comparing.compare)
        assert applied.fills == 2
        assert applied.intents == stops
        assert len(desk.exchange.reserved) == stops
        assert {keeper.position.state for keeper in desk.keepers.values()} == {State.OPEN}
        protect(desk, 100)
        for keeper in desk.keepers.values():
            await keeper.tell(TimePassed())
        assert [order.role for order in desk.exchange.reserved] == [Role.STOP, Role.STOP]


class TestPlacesForStops:
    """Binance takes five stops of an account on a symbol; here it takes one."""

    ONE = replace(PROTECTED, instrument=replace(PROTECTED.instrument, stops_max=1))
    EITHER = replace(ONE, stop_may_wait_here=True)

    async def test_without_a_place_for_its_stop_nothing_is_entered(self, desk: Desk) -> None:
        """The sixth bot on a symbol entered, was refused its stop, and stood there bare."""
        first = await desk.keeper(terms=self.ONE)
        second = await desk.keeper(SWING, terms=self.ONE)
        await first.tell(ENTER)
        before = desk.journal.commits
        with pytest.raises(SignalRefused, match="1 places for stops on BTC/USDT"):
            await second.tell(ENTER)
        assert desk.journal.commits == before

    async def test_where_no_stop_may_rest_nothing_is_entered_that_wants_one(
        self, desk: Desk
    ) -> None:
        none = replace(PROTECTED, instrument=replace(PROTECTED.instrument, stops_max=0))
        with pytest.raises(SignalRefused, match="0 places for stops on BTC/USDT"):
            await (await desk.keeper(terms=none)).tell(ENTER)
        waits = await desk.keeper(SWING, terms=replace(none, stop_may_wait_here=True))
        await desk.opened(waits)
        assert [order.role for order in desk.exchange.sent] == [Role.ENTRY], "it is watched here"

    async def test_an_entry_without_a_stop_needs_no_place(self, desk: Desk) -> None:
        first = await desk.keeper(terms=self.ONE)
        second = await desk.keeper(SWING, terms=self.ONE)
        await first.tell(ENTER)
        await second.tell(replace(ENTER, plan=ExitPlan(take_profit=D("0.04"))))
        assert second.position.state is State.OPENING

    async def test_an_entry_that_came_to_nothing_gives_its_place_back(self, desk: Desk) -> None:
        first = await desk.keeper(terms=self.ONE)
        second = await desk.keeper(SWING, terms=self.ONE)
        desk.exchange.answer(Refused("-2010", "insufficient balance"))
        await first.tell(ENTER)
        await desk.works.run()
        assert first.position.state is State.FLAT
        await second.tell(ENTER)

    async def test_a_position_that_was_closed_gives_its_place_back(self, desk: Desk) -> None:
        first = await desk.keeper(terms=self.ONE)
        second = await desk.keeper(SWING, terms=self.ONE)
        await desk.opened(first)
        await self.close(desk, first)
        await second.tell(ENTER)

    async def close(self, desk: Desk, keeper: Keeper) -> None:
        position = keeper.position
        await keeper.tell(Reduction(quantity=LITTLE, price=D(50000), evidence="sold by hand"))
        await desk.works.run()
        (kept,) = (p for p in keeper.positions if p.position_id == position.position_id)
        number = kept.orders[-1].exchange_order_id
        gone = next(o for o in desk.exchange.orders if o.exchange_order_id == number)
        await keeper.tell(gone, position_id=position.position_id)
        assert keeper.position.number == 2

    async def test_if_it_may_the_stop_waits_here_until_there_is_a_place(self, desk: Desk) -> None:
        first = await desk.keeper(terms=self.ONE)
        second = await desk.keeper(SWING, terms=self.EITHER)
        await desk.opened(first)
        position = await desk.opened(second)
        assert position.levels.stop is not None
        assert position.lane(Lane.PROTECTION) is None
        assert not second.terms.native_stop
        await self.close(desk, first)
        await second.tell(TimePassed())
        assert second.position.lane(Lane.PROTECTION) is not None

    async def test_what_is_loaded_has_its_place_already(self, desk: Desk) -> None:
        """Catches a restart that lets another bot take the place of a stop that rests."""
        first = await desk.keeper(terms=self.EITHER)
        await desk.opened(first)
        desk.login.capacity = Capacity(desk.exchange, desk.log)
        desk.keep(DIP, first.positions, self.EITHER)
        with pytest.raises(SignalRefused, match="1 places for stops"):
            await (await desk.keeper(SWING, terms=self.ONE)).tell(ENTER)
