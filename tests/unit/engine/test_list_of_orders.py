"""What a list of the newest orders tells of coins that are gone, and what it must not.

Red, each once, when the core was broken on purpose: a list believed that does not account for the
balance; one read where an order is at work still, or was before the coins were weighed; an order
booked that had been booked before; a part of a stop that filled taken for a sale by hand.
"""

from __future__ import annotations

from decimal import Decimal

import pytest
from msgspec.structs import replace
from tests.builders import BTC, PROTECTED, D, Life, report
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    PoisonableJournal,
    account_spec,
    bot_spec,
    of_a_lost_journal,
    opened,
    records_in,
)
from tests.unit.engine.fake import FakeExchange

from surefoot.core.evidence import Belief
from surefoot.core.moves import foreign_among
from surefoot.core.position import Position, State
from surefoot.core.records import ReductionBooked
from surefoot.core.reports import Grounds, OrderReport
from surefoot.core.values import Asset, BotName, ClientOrderId, ExchangeOrderId, PositionId, Side
from surefoot.engine.specs import AccountSpec
from surefoot.exchange.errors import ReadFailed, Refused

ONE = account_spec(bot_spec(DIP, BTC, native_stop=True))
HAND = "by-hand"


@pytest.fixture
def exchange() -> FakeExchange:
    made = FakeExchange(HandClock())
    made.clock.hurried = True
    return made


class Start:
    """A bot that holds something with its stop, a server that stops, and one that starts again."""

    def __init__(self, exchange: FakeExchange, *, before: str = "0") -> None:
        self.exchange = exchange
        self.journal = PoisonableJournal()
        self.before = D(before)

    async def hold(self) -> OrderReport:
        """Let the bot enter beside coins of others; return its stop."""
        if self.before:
            self.exchange.trade(Side.BUY, self.before, "long-ago")
            self.exchange.clock.elapsed += 100
        async with opened(ONE, exchange=self.exchange, journal=self.journal) as floor:
            await floor.account.recovery.patiently()
            await floor.account.roster.keepers[DIP].tell(ENTER)
            await turns()
            await floor.account.roster.keepers[DIP].tell(self.exchange.trades[-1])
            await turns()
            self.exchange.clock.elapsed += 15
            await floor.account.rounds.inspection.everything()
        self.exchange.clock.elapsed += 100
        return self.exchange.orders[-1]

    def cancel(self, stop: OrderReport) -> None:
        """Let somebody cancel the stop by hand."""
        self.exchange.end(stop.exchange_order_id, "CANCELED")
        self.exchange.clock.elapsed += 5

    def sell(self, quantity: Decimal, number: str = HAND) -> None:
        self.exchange.trade(Side.SELL, quantity, number)
        self.exchange.clock.elapsed += 5

    async def again(self, *, later: float = 100, spec: AccountSpec = ONE) -> list[str]:
        """Start once more; return what is asked beyond what every start asks."""
        self.exchange.clock.elapsed += later
        self.exchange.asked.clear()
        async with opened(spec, exchange=self.exchange, journal=self.journal) as floor:
            await floor.account.recovery.patiently()
            asked = [each.verb for each in self.exchange.asked]
        every = ["connect", "identify", "market", "balances", "open_orders", "ticks"]
        for verb in every:
            if verb in asked:
                asked.remove(verb)
        return asked

    async def again_and_again(self) -> list[str]:
        """Start once more, and compare once more; return what that second time asks of trades."""
        self.exchange.clock.elapsed += 100
        async with opened(ONE, exchange=self.exchange, journal=self.journal) as floor:
            await floor.account.recovery.patiently()
            self.exchange.asked.clear()
            self.exchange.clock.elapsed += 11
            await floor.account.rounds.inspection.everything()
        return [each.verb for each in self.exchange.asked if "fills" in each.verb]

    async def position(self) -> Position:
        found = await self.journal.position(PositionId(f"{DIP}-1"))
        assert found is not None
        return found

    async def booked(self) -> list[ReductionBooked]:
        records = await records_in(self.journal, f"position/{DIP}-1")
        return [each for each in records if isinstance(each, ReductionBooked)]


async def test_what_was_sold_by_hand_is_booked_from_one_list(exchange: FakeExchange) -> None:
    """The stop's own question, the trades and whose each was: 28 of weight."""
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    exchange.trade(Side.SELL, stop.quantity / 4, HAND, price=D(48000))
    start.sell(stop.quantity / 4)
    assert await start.again() == ["newest_orders"]
    (booked,) = await start.booked()
    assert (booked.quantity, booked.price) == (stop.quantity / 2, D(49000))
    assert (booked.trades, booked.orders) == ((), (HAND,))
    assert [each.quantity for each in exchange.sent[2:]] == [stop.quantity / 2]


async def test_all_of_it_sold_by_hand_may_have_been_the_stop(exchange: FakeExchange) -> None:
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    start.sell(stop.quantity)
    assert await start.again() == ["order", "newest_orders"]
    assert (await start.position()).state is State.CLOSED
    assert [each.orders for each in await start.booked()] == [(HAND,)]


async def test_a_list_that_lags_concludes_nothing_and_the_trades_are_read_next(
    exchange: FakeExchange,
) -> None:
    """Coins that no order took are not yet gone without one: nothing is asked of anybody."""
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    start.sell(stop.quantity / 2)
    exchange.lagging.add(HAND)
    assert await start.again() == ["newest_orders"]
    position = await start.position()
    assert (await start.booked(), position.frozen, position.missing) == ([], None, 0)
    exchange.answer(Refused("-2010", "insufficient balance", Grounds.FUNDS))
    assert "fills" in await start.again_and_again()
    (booked,) = await start.booked()
    assert (booked.quantity, booked.orders) == (stop.quantity / 2, ())


@pytest.mark.parametrize("shown", ["as live", "not at all"])
async def test_a_stop_that_a_list_does_not_end_is_asked_about(
    exchange: FakeExchange, shown: str
) -> None:
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    start.sell(stop.quantity / 2)
    number = stop.exchange_order_id
    (exchange.unfinished if shown == "as live" else exchange.lagging).add(number)
    assert await start.again() == ["newest_orders", "order"]
    assert [each.quantity for each in await start.booked()] == [stop.quantity / 2]


@pytest.mark.parametrize("what", ["a full page", "no answer", "a sale that goes on"])
async def test_trades_tell_what_a_list_does_not(exchange: FakeExchange, what: str) -> None:
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    start.sell(stop.quantity / 2)
    if what == "a full page":
        exchange.newest = 1
    elif what == "no answer":
        exchange.fail("newest_orders", ReadFailed("no answer"))
    else:
        exchange.unfinished.add(HAND)
    asked = await start.again()
    assert (asked.count("newest_orders"), asked.count("fills")) == (1, 1)
    (booked,) = await start.booked()
    assert (booked.quantity, len(booked.trades), booked.orders) == (stop.quantity / 2, 1, ())


async def test_an_order_of_before_the_coins_were_weighed_is_no_sale_of_all_it_sold(
    exchange: FakeExchange,
) -> None:
    """A quarter was sold of others' coins, a quarter of the bot's, and as much was withdrawn."""
    start = Start(exchange, before="0.0004")
    exchange.trade(Side.SELL, "0.0004", HAND)
    stop = await start.hold()
    start.cancel(stop)
    start.sell(D("0.0004"))
    exchange.moved[Asset("BTC")] = D("-0.0004")
    assert "fills" in await start.again()
    assert await start.booked() == []


async def test_what_was_withdrawn_beside_a_sale_is_no_part_of_it(exchange: FakeExchange) -> None:
    """Catches a list that is believed although it does not account for the balance."""
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    start.sell(stop.quantity / 2)
    exchange.moved[Asset("BTC")] = -stop.quantity / 4
    assert "fills" in await start.again()
    assert await start.booked() == []


async def test_what_a_list_told_is_not_told_again_by_trades(exchange: FakeExchange) -> None:
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    start.sell(stop.quantity / 2)
    await start.again()
    assert "fills" not in await start.again()
    start.cancel(exchange.orders[-1])
    start.sell(stop.quantity / 4, "by-hand-2")
    exchange.unfinished.add("by-hand-2")
    assert "fills" in await start.again()
    assert [each.quantity for each in await start.booked()] == [
        stop.quantity / 2,
        stop.quantity / 4,
    ]


async def test_what_a_list_told_is_not_told_again_by_the_next(exchange: FakeExchange) -> None:
    start = Start(exchange)
    stop = await start.hold()
    for number, part in ((HAND, 2), ("by-hand-2", 4)):
        start.cancel(exchange.orders[-1])
        start.sell(stop.quantity / part, number)
        assert await start.again() == ["newest_orders"]
    assert [each.orders for each in await start.booked()] == [(HAND,), ("by-hand-2",)]


async def test_what_trades_told_is_no_sale_of_what_is_withdrawn_after_it(
    exchange: FakeExchange,
) -> None:
    """The order is in the list as before, and is of just as many coins."""
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    start.sell(stop.quantity / 2)
    exchange.unfinished.add(HAND)
    await start.again()
    exchange.unfinished.clear()
    start.cancel(exchange.orders[-1])
    exchange.moved[Asset("BTC")] = -stop.quantity / 2
    await start.again()
    assert [each.quantity for each in await start.booked()] == [stop.quantity / 2]


async def test_what_trades_told_is_not_told_again_by_a_list(exchange: FakeExchange) -> None:
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    start.sell(stop.quantity / 2)
    exchange.unfinished.add(HAND)
    await start.again()
    exchange.unfinished.clear()
    start.cancel(exchange.orders[-1])
    start.sell(stop.quantity / 4, "by-hand-2")
    await start.again()
    assert [each.quantity for each in await start.booked()] == [
        stop.quantity / 2,
        stop.quantity / 4,
    ]


async def test_what_others_buy_after_they_sold_is_theirs_in_a_list_too(
    exchange: FakeExchange,
) -> None:
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    start.sell(stop.quantity / 2)
    exchange.trade(Side.BUY, stop.quantity / 4, "by-hand-2")
    assert await start.again() == ["newest_orders"]
    assert [each.quantity for each in await start.booked()] == [stop.quantity / 2]


async def test_orders_of_both_sides_at_once_are_told_apart_by_their_trades(
    exchange: FakeExchange,
) -> None:
    """Which came first decides whose the coins are."""
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    exchange.trade(Side.BUY, stop.quantity / 4, "by-hand-2")
    start.sell(stop.quantity)
    exchange.trade(Side.BUY, stop.quantity / 4, "by-hand-2")
    assert "fills" in await start.again()


async def test_a_part_of_the_stop_and_a_sale_by_hand_are_each_what_they_are(
    exchange: FakeExchange,
) -> None:
    start = Start(exchange)
    stop = await start.hold()
    exchange.execute(stop.exchange_order_id, stop.quantity / 4)
    start.cancel(stop)
    start.sell(stop.quantity / 2)
    exchange.answer(Refused("-2010", "insufficient balance", Grounds.FUNDS))
    asked = await start.again()
    assert asked[:2] == ["newest_orders", "fills_of"]
    assert "fills" in asked
    await start.again_and_again()
    assert [each.quantity for each in await start.booked()] == [stop.quantity / 2]
    assert (await start.position()).exited == stop.quantity * 3 / 4


async def test_a_sale_with_our_mark_is_nobody_else_s(exchange: FakeExchange) -> None:
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    lost = replace(of_a_lost_journal(), side=Side.SELL, quantity=stop.quantity / 2)
    exchange.place(lost)
    await start.again()
    position = await start.position()
    assert await start.booked() == []
    assert "carries our mark" in str(position.frozen)


async def test_of_two_bots_nobody_knows_whose_was_sold(exchange: FakeExchange) -> None:
    start = Start(exchange)
    stop = await start.hold()
    both = account_spec(*(bot_spec(bot, BTC, native_stop=True) for bot in (DIP, BotName("second"))))
    async with opened(both, exchange=exchange, journal=start.journal) as floor:
        await floor.account.recovery.patiently()
        await floor.account.roster.keepers[BotName("second")].tell(ENTER)
        await turns()
        await floor.account.roster.keepers[BotName("second")].tell(exchange.trades[-1])
        exchange.clock.elapsed += 15
        await floor.account.rounds.inspection.everything()
    exchange.clock.elapsed += 100
    start.cancel(stop)
    start.sell(stop.quantity / 2)
    asked = await start.again(spec=both)
    assert asked.count("fills") == 1
    assert "newest_orders" not in asked
    assert await start.booked() == []


async def test_what_comes_beside_a_stop_that_was_cancelled_is_looked_at_again(
    exchange: FakeExchange,
) -> None:
    """Coins that no order brought: somebody may have sold the bot's before they came."""
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    exchange.moved[Asset("BTC")] = D(2)
    assert await start.again() == ["newest_orders"]
    assert exchange.sent[-1].quantity == stop.quantity
    assert await start.again_and_again() == ["fills"]


async def test_a_sale_that_no_balance_shows_yet_is_not_weighed_against_it(
    exchange: FakeExchange,
) -> None:
    start = Start(exchange)
    stop = await start.hold()
    start.cancel(stop)
    start.sell(stop.quantity / 4)
    late = exchange.trade(Side.SELL, stop.quantity / 4, "by-hand-2")
    exchange.unsettled.add(late.trade_id)
    assert "fills" in await start.again(later=5)
    assert sum(each.quantity for each in await start.booked()) <= stop.quantity / 4
    exchange.unsettled.clear()
    await start.again_and_again()
    assert sum(each.quantity for each in await start.booked()) == stop.quantity / 2


def test_an_order_of_ours_is_no_other_s_whatever_its_cancel_was_called() -> None:
    """A cancel by hand may have taken its name; what it sold is not known, so trades are read."""
    life = Life(PROTECTED)
    life.opened()
    stop = replace(life.order, exchange_order_id=ExchangeOrderId("7"))
    row = report(stop, "CANCELED", stop.quantity / 4, "7")
    renamed = replace(row, client_order_id=ClientOrderId("web_1"))
    belief = Belief(positions=(), terms={}, is_ours=lambda _: False, exclusive=False)
    assert foreign_among([renamed], belief, [stop], []) is None
    assert foreign_among([renamed], belief, [replace(stop, filled=row.filled)], []) == ()
    assert foreign_among([renamed], belief, [], []) == (renamed,)
