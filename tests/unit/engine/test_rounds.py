"""A comparison takes seconds; what follows from it holds against what is believed afterwards."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import BTC, START, D
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    SWING,
    Floor,
    PoisonableJournal,
    account_spec,
    bot_spec,
    kinds_in,
    opened,
    records_in,
    tick,
)
from tests.unit.engine.fake import ETH, FakeExchange

from surefoot.core.account_records import OthersSeen
from surefoot.core.order import Order, ReportedStatus, Role
from surefoot.core.position import State
from surefoot.core.records import CancelIntended
from surefoot.core.reports import Fill, Grounds, OrderReport
from surefoot.core.signals import Freeze
from surefoot.core.values import Asset, BotName, ClientOrderId, PositionId, Side, Symbol
from surefoot.engine.keeper import Keeper
from surefoot.engine.limits import Caps
from surefoot.engine.quotes import Quote
from surefoot.exchange.errors import Refused, Unknown

BY_HAND = Order(
    client_order_id=ClientOrderId("by_hand"),
    role=Role.ENTRY,
    attempt=1,
    side=Side.BUY,
    quantity=D("0.001"),
    limit=D(40000),
    signed_at=START,
    not_after=START,
)
LIMIT = replace(ENTER, limit=D(49000))
PAIR = BotName("pair-btc")
TWO_ON_BTC = account_spec(bot_spec(), bot_spec(PAIR))
RESTING = account_spec(bot_spec(native_stop=True))


@asynccontextmanager
async def floor_of(
    spec: object = None, exchange: FakeExchange | None = None
) -> AsyncIterator[Floor]:
    """Serve an account that is recovered, without its timers."""
    exchange = exchange or FakeExchange(HandClock())
    async with opened(spec or account_spec(), exchange=exchange) as floor:  # type: ignore[arg-type]
        exchange.clock.hurried = True
        await floor.account.recovery.patiently()
        await turns()
        exchange.clock.hurried = False
        yield floor


def kept(floor: Floor, bot: BotName = DIP) -> Keeper:
    return floor.account.roster.keepers[bot]


async def compared_while(floor: Floor, verb: str, *events: object, bot: BotName = DIP) -> None:
    """Compare everything; while one of its questions is on its way, something happens."""
    answered = floor.exchange.hold(verb)
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(floor.account.rounds.inspection.everything())
        await turns()
        for event in events:
            await kept(floor, bot).tell(event)  # type: ignore[arg-type]
        await turns()
        answered.set()
    await turns()


def live(floor: Floor) -> list[str]:
    return [str(r.client_order_id) for r in floor.exchange.orders if r.status == "OPEN"]


async def test_an_entry_that_was_accepted_during_the_read_is_not_cancelled() -> None:
    """It is in the list and not in the belief of before: it was called settled, and cancelled."""
    async with floor_of() as floor:
        await compared_while(floor, "open_orders", LIMIT)
        assert len(live(floor)) == 1
        assert floor.exchange.cancelled == []
        assert kept(floor).position.frozen is None


async def test_a_stop_that_was_accepted_during_the_read_is_not_cancelled() -> None:
    async with floor_of(RESTING) as floor:
        await kept(floor).tell(ENTER)
        await turns()
        await compared_while(floor, "open_orders", floor.exchange.trades[-1])
        assert [order.role for order in kept(floor).position.orders] == [Role.ENTRY, Role.STOP]
        assert len(live(floor)) == 1
        assert floor.exchange.cancelled == []


async def test_what_was_seen_is_booked_although_the_position_has_moved_on() -> None:
    """A position that moves with every price was never compared: a lost fill stayed lost."""
    async with floor_of() as floor:
        floor.exchange.answer(Unknown("time-out"), accepted=True)
        await kept(floor).tell(ENTER)
        await turns()
        name = kept(floor).position.orders[0].client_order_id
        moved = replace(floor.exchange.orders[0], filled=D(0), status=ReportedStatus.OPEN)
        await compared_while(floor, "balances", moved)
        assert name == kept(floor).position.orders[0].client_order_id
        assert kept(floor).position.state is State.OPEN


async def test_absence_is_not_concluded_of_an_order_that_was_confirmed_meanwhile() -> None:
    """The question was answered "no such order"; while others were answered, it was confirmed."""
    async with floor_of() as floor:
        floor.exchange.answer(Unknown("time-out"), accepted=True)
        await kept(floor).tell(LIMIT)
        await turns()
        report = floor.exchange.orders[0]
        floor.exchange.hidden.add(report.client_order_id)
        floor.clock.elapsed += 70
        await compared_while(floor, "fills", report)
        assert [order.status for order in kept(floor).position.orders] == ["WORKING"]
        assert kept(floor).position.frozen is None


async def in_doubt(keeper: Keeper, exchange: FakeExchange) -> Order:
    exchange.answer(Unknown("time-out"), accepted=False)
    await keeper.tell(ENTER)
    await turns()
    return keeper.position.orders[0]


async def test_a_new_order_of_one_bot_freezes_no_other_on_the_symbol() -> None:
    """The quick round saw its fill, and knew it not: "was an older journal restored?"."""
    async with floor_of(TWO_ON_BTC) as floor:
        doubt = await in_doubt(kept(floor), floor.exchange)
        floor.clock.elapsed += 70
        answered = floor.exchange.hold("fills")
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(floor.account.rounds.inspection.ask_on(BTC, [doubt.client_order_id]))
            await turns()
            await kept(floor, PAIR).tell(ENTER)
            await turns()
            answered.set()
        assert kept(floor).position.frozen is None
        assert kept(floor, PAIR).position.frozen is None


async def test_a_settled_order_of_one_bot_freezes_no_other_on_the_symbol() -> None:
    """Catches a quick round that does not ask whose an order is that no kept position has."""
    async with floor_of(TWO_ON_BTC) as floor:
        doubt = await in_doubt(kept(floor), floor.exchange)
        pair = kept(floor, PAIR)
        await pair.tell(ENTER)
        await turns()
        bought = floor.exchange.trades[-1]
        floor.clock.elapsed += 70
        pair._positions = {}
        floor.account.roster.keepers.pop(PAIR)
        await floor.account.rounds.inspection.ask_on(BTC, [doubt.client_order_id])
        assert bought in floor.exchange.trades
        assert kept(floor).position.frozen is None


async def test_an_orphan_is_looked_at_once_more_before_it_is_cancelled() -> None:
    """Catches a list that shows what ended long ago, and a cancel that is sent on its word."""
    async with floor_of(account_spec(exclusive=True)) as floor:
        report = floor.exchange.place(BY_HAND)
        floor.exchange.during["order_by_exchange_id"] = lambda: floor.exchange.end(
            report.exchange_order_id, "CANCELED"
        )
        await floor.account.rounds.inspection.everything()
        assert floor.exchange.cancelled == []
        again = floor.exchange.place(replace(BY_HAND, client_order_id=ClientOrderId("by_hand_2")))
        await floor.account.rounds.inspection.everything()
        assert floor.exchange.cancelled == [(BTC, again.exchange_order_id)]


# One symbol's trouble ----------------------------------------------------------------------------

BOTH = account_spec(bot_spec(), bot_spec(SWING, ETH))


async def hidden_fill(floor: Floor, bot: BotName) -> Fill:
    """Let a bot's resting entry fill without anybody being told."""
    await kept(floor, bot).tell(LIMIT)
    await turns()
    row = floor.exchange.orders[-1]
    return floor.exchange.execute(row.exchange_order_id, row.quantity, symbol=row.symbol)


@pytest.mark.parametrize("verb", ["open_orders", "order", "fills"])
async def test_one_symbol_s_answers_that_do_not_come_keep_no_other_bot_waiting(verb: str) -> None:
    """Ten seconds for each answer, under one lock: another bot's fill was unseen for a minute."""
    async with floor_of(BOTH) as floor:
        await in_doubt(kept(floor, SWING), floor.exchange)
        await hidden_fill(floor, DIP)
        answered = floor.exchange.hold(verb, about=ETH)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(floor.account.rounds.inspection.everything())
            await turns()
            assert kept(floor).position.state is State.OPEN
            answered.set()


async def test_the_next_round_leaves_out_what_is_still_being_read_and_comes_back_to_it() -> None:
    """While one symbol hangs, the others are compared again and again; then it has its turn."""
    async with floor_of(BOTH) as floor:
        floor.account.attend()
        floor.account.start()
        answered = floor.exchange.hold("open_orders", about=ETH)
        for _ in range(3):
            floor.account.rounds.want()
            await turns()
        asked = [ask.about[:3] for ask in floor.exchange.asked if ask.verb == "open_orders"]
        assert asked[-4:] == ["BTC", "ETH", "BTC", "BTC"]
        before = floor.exchange.count("open_orders")
        answered.set()
        await turns()
        assert floor.exchange.count("open_orders") == before + 1
        assert floor.exchange.asked[-1].about[:3] == "ETH"


async def test_an_order_of_one_symbol_that_is_asked_about_in_vain_delays_no_other() -> None:
    """The quick way, while the account's stream is down: a fill is seen when it is asked about."""
    async with floor_of(BOTH) as floor:
        floor.account.attend()
        floor.account.start()
        await in_doubt(kept(floor, SWING), floor.exchange)
        answered = floor.exchange.hold("order", about=ETH)
        await floor.clock.advance(1)
        assert floor.exchange.asked[-1].verb == "order"
        await hidden_fill(floor, DIP)
        await floor.clock.advance(1)
        assert kept(floor).position.state is State.OPEN
        answered.set()


async def test_what_is_in_doubt_or_leaving_is_asked_first() -> None:
    symbols = [Symbol(f"C{number}/USDT") for number in range(12)]
    bots = [bot_spec(BotName(f"bot-{each[:-5]}"), each) for each in symbols]
    exchange = FakeExchange(HandClock())
    for each in symbols:
        base = Asset(each[:-5])
        exchange.instruments[each] = replace(exchange.instruments[BTC], symbol=each, base=base)
    async with floor_of(account_spec(*bots), exchange) as floor:
        keepers = floor.account.roster.keepers
        await keepers[BotName("bot-C9")].tell(ENTER)
        await turns()
        await keepers[BotName("bot-C9")].tell(exchange.trades[-1])
        await in_doubt(keepers[BotName("bot-C5")], exchange)
        exchange.asked.clear()
        await floor.account.rounds.inspection.everything()
        asked = [ask.about for ask in exchange.asked if ask.verb == "open_orders"]
        assert asked[:3] == ["C5/USDT", "C9/USDT", "C0/USDT"]


# The owner's hand --------------------------------------------------------------------------------


async def with_a_stop(floor: Floor) -> OrderReport:
    """Let a bot buy, and its stop rest; return the stop."""
    await kept(floor).tell(ENTER)
    await turns()
    await kept(floor).tell(floor.exchange.trades[-1])
    await turns()
    await floor.account.rounds.inspection.everything()
    await floor.clock.advance(11)  # what it bought is in every balance by now
    return floor.exchange.orders[-1]


async def test_closed_by_hand_is_booked_as_soon_as_the_stop_is_refused() -> None:
    """The owner cancels our stop and sells; the refusal is a reason to look, and trades tell."""
    async with floor_of(RESTING) as floor:
        floor.account.attend()
        floor.account.start()
        stop = await with_a_stop(floor)
        position = kept(floor).position
        floor.exchange.trade(Side.SELL, position.quantity)
        floor.exchange.answer(Refused("-2010", "insufficient balance", Grounds.FUNDS))
        await kept(floor).tell(floor.exchange.end(stop.exchange_order_id, "CANCELED"))
        await floor.clock.advance(1)
        closed = await floor.journal.position(position.position_id)
        assert closed is not None
        assert (closed.state, closed.frozen) == (State.CLOSED, None)
        floor.exchange.trade(Side.BUY, "5")
        await floor.clock.advance(60)
        assert live(floor) == []
        assert [order.role for order in floor.exchange.sent] == ["entry", "stop", "stop"]


@pytest.mark.parametrize("sold", [None, "2"])
async def test_a_balance_that_does_not_show_a_fill_yet_says_nothing(sold: str | None) -> None:
    """Frozen for coins that nobody took; or what it had just bought was booked as sold by hand.

    Catches a balance, answered from a cache, that is weighed against a fill that is younger.
    """
    exchange = FakeExchange(HandClock())
    exchange.trade(Side.BUY, "2")
    async with floor_of(exchange=exchange) as floor:
        inspection = floor.account.rounds.inspection
        await inspection.everything()
        await kept(floor).tell(ENTER)
        await turns()
        fill = exchange.trades[-1]
        exchange.unsettled.add(fill.trade_id)
        await kept(floor).tell(fill)
        if sold is not None:
            exchange.trade(Side.SELL, sold)
        await inspection.everything()
        exchange.unsettled.clear()
        floor.clock.elapsed += 30
        await inspection.everything()
        held = kept(floor).position
        asked = None if sold is None else "2 BTC went, while nothing locked"
        assert (held.state, held.quantity) == (State.OPEN, fill.quantity)
        assert (held.frozen and held.frozen[:32]) == asked


async def test_a_clock_that_was_ahead_keeps_no_balance_from_being_weighed() -> None:
    """Noted an hour ahead, a fill was the newest thing for an hour: nothing was weighed."""
    exchange = FakeExchange(HandClock())
    exchange.trade(Side.BUY, "2")
    async with floor_of(exchange=exchange) as floor:
        inspection = floor.account.rounds.inspection
        await inspection.everything()
        await kept(floor).tell(ENTER)
        await turns()
        await kept(floor).tell(exchange.trades[-1])
        kept(floor).recall_trade(exchange.now() + timedelta(hours=1))
        exchange.trade(Side.SELL, "2")
        for frozen in (False, True):
            await inspection.everything()
            assert (kept(floor).position.frozen is not None) == frozen
            floor.clock.elapsed += 30


@pytest.mark.parametrize(("later", "is_frozen"), [(9, False), (11, True)])
async def test_nor_does_it_to_the_next_process(later: int, is_frozen: bool) -> None:
    """Killed within seconds of a fill, the next life froze the bot: its coins were not there yet.

    Catches a memory of the newest fills that dies with the process.
    """
    exchange, journal = FakeExchange(HandClock()), PoisonableJournal()
    exchange.clock.hurried = True
    exchange.trade(Side.BUY, "2")
    async with opened(exchange=exchange, journal=journal) as floor:
        await floor.account.recovery.patiently()
        await kept(floor).tell(ENTER)
        await turns()
        fill = exchange.trades[-1]
        await kept(floor).tell(fill)
    exchange.unsettled.add(fill.trade_id)
    exchange.clock.elapsed += later
    async with opened(exchange=exchange, journal=journal) as floor:
        await floor.account.recovery.patiently()
        assert (kept(floor).position.frozen is not None) is is_frozen
        assert kept(floor).position.quantity == fill.quantity


@pytest.mark.parametrize("first", ["owner", "stop"])
@pytest.mark.parametrize("share", ["1", "0.5"])
async def test_a_hand_trade_in_the_very_second_of_our_stop_is_the_owner_s(
    first: str, share: str
) -> None:
    """Two sales of one moment, read together: catches one that is booked as the other, or twice."""
    exchange = FakeExchange(HandClock())
    exchange.trade(Side.BUY, "2")
    async with floor_of(RESTING, exchange) as floor:
        stop, held = await with_a_stop(floor), kept(floor).position.quantity
        part = held * D(share)
        sales = [
            lambda: exchange.trade(Side.SELL, held, "by-hand"),
            lambda: exchange.execute(stop.exchange_order_id, part, price=D(49_000)),
        ]
        for sell in sales if first == "owner" else reversed(sales):
            sell()
        for _ in range(3):
            await floor.account.rounds.inspection.everything()
            await floor.clock.advance(30)
        kinds = await kinds_in(floor.journal, "position/dip-btc-1")
        position = await floor.journal.position(PositionId("dip-btc-1"))
        assert position is not None
        assert (position.exited, position.exit_proceeds) == (part, part * 49_000)
        assert (position.quantity, position.frozen) == (held - part, None)
        assert kinds.count("fill-booked") == 2
        assert "reduction-booked" not in kinds
        records = await records_in(floor.journal, "account/main")
        *_, seen = [each for each in records if isinstance(each, OthersSeen)]
        assert seen.coins[Asset("BTC")].amount == 2 - held


async def test_what_others_have_is_written_down_and_known_after_a_restart() -> None:
    """Catches a sale while nothing ran that nobody asks about: what they had before counts."""
    exchange, journal = FakeExchange(HandClock()), PoisonableJournal()
    exchange.clock.hurried = True
    exchange.trade(Side.BUY, "2")
    async with opened(exchange=exchange, journal=journal) as floor:
        await floor.account.recovery.patiently()
        await kept(floor).tell(ENTER)
        await turns()
        await kept(floor).tell(exchange.trades[-1])
    exchange.clock.elapsed += 15
    exchange.trade(Side.SELL, "1")
    async with opened(exchange=exchange, journal=journal) as floor:
        await floor.account.recovery.patiently()
        assert "1 BTC went, while nothing locked" in str(kept(floor).position.frozen)
        records = await journal.records()
        await floor.account.rounds.inspection.everything()
        assert await journal.records() == records


async def test_what_others_bring_and_sell_is_in_the_record() -> None:
    """It was a line of the log only: who read the journal later saw coins come out of nothing."""
    async with floor_of(RESTING) as floor:
        await with_a_stop(floor)
        await floor.account.rounds.inspection.everything()
        for side, amount in ((Side.BUY, "2"), (Side.SELL, "1.5")):
            floor.clock.elapsed += 5
            floor.exchange.trade(side, amount, f"by-hand-{side}")
            await floor.account.rounds.inspection.everything()
        records = await records_in(floor.journal, "account/main")
    *_, came, went = [each.found for each in records if isinstance(each, OthersSeen)]
    assert came == ("2 BTC came",)
    assert went == ("1.5 BTC went, others sold in orders by-hand-sell",)


async def test_a_coin_that_nobody_can_explain_keeps_a_doubt() -> None:
    """Hidden for longer than V, the order was called NEVER, and bought a second time."""
    async with floor_of() as floor:
        floor.exchange.answer(Unknown("time-out"), accepted=True)
        await kept(floor).tell(ENTER)
        await turns()
        floor.exchange.hidden.add(kept(floor).position.orders[0].client_order_id)
        floor.exchange.hide_trades = True
        floor.clock.elapsed += 70
        await floor.account.rounds.inspection.everything()
        await floor.account.rounds.inspection.ask_on(
            BTC, [kept(floor).position.orders[0].client_order_id]
        )
        assert kept(floor).position.orders[0].status == "INTENDED"


async def test_time_passes_for_a_few_bots_in_a_turn() -> None:
    """Catches a second's work for a thousand bots in one piece: every price waited for its end."""
    many = account_spec(*(bot_spec(BotName(f"bot-{number}")) for number in range(25)))
    async with floor_of(many) as floor:
        for keeper in floor.account.roster.keepers.values():
            await keeper.tell(Freeze(reason="somebody said so"))
        floor.clock.slept.clear()
        await pass_a_second(floor)
        assert floor.clock.slept.count(0) == 2


async def test_what_rests_is_withdrawn_on_a_day_that_lost_its_most() -> None:
    """Entries were refused, and those that rested already bought on into the fall."""
    spec = account_spec(bot_spec(), bot_spec(PAIR), caps=Caps(daily_loss=D(5)))
    async with floor_of(spec) as floor:
        pair = kept(floor, PAIR)
        await pair.tell(LIMIT)
        await kept(floor).tell(ENTER)
        await turns()
        await kept(floor).tell(floor.exchange.trades[-1])
        floor.account.roster.runners[DIP].see(Quote.of(tick("49500")))
        await pass_a_second(floor)
        assert len(live(floor)) == 1, "80 cents are not 5"
        floor.account.roster.runners[DIP].see(Quote.of(tick("45000")))
        await pass_a_second(floor)
        await turns()
        assert live(floor) == []
        (*_, withdrawn) = [
            each
            for each in await records_in(floor.journal, f"position/{pair.position.position_id}")
            if isinstance(each, CancelIntended)
        ]
        assert "would be lost by what is open" in withdrawn.reason


async def pass_a_second(floor: Floor) -> None:
    async with asyncio.TaskGroup() as tasks:
        passing = tasks.create_task(floor.account.rounds.pass_time())
        await floor.clock.advance(1)
        passing.cancel()
