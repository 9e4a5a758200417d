"""One door: decide, write down, believe, act; in this order, whatever goes wrong."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import START, D, Life, fill, named, report
from tests.unit.engine.clock import turns
from tests.unit.engine.desk import DIP, ENTER, Desk, opened, tick

from surefoot.core import draft
from surefoot.core.account_records import kind_of
from surefoot.core.errors import SignalRefused
from surefoot.core.order import OrderStatus, Role
from surefoot.core.position import Dust, Position, State
from surefoot.core.reports import PriceSeen, TimePassed
from surefoot.core.signals import Close, ExitSignal, Freeze
from surefoot.core.values import PositionId
from surefoot.engine.keeper import Keeper
from surefoot.engine.quotes import Quote
from surefoot.engine.staged import commit_points, next_position
from surefoot.exchange.errors import NotSent, Refused, Unknown
from surefoot.journal.errors import JournalPoisoned
from surefoot.journal.port import Command, Memory, Verdict

FIRST, SECOND = PositionId("dip-btc-1"), PositionId("dip-btc-2")
COMMAND = Command(
    command_id="c1",
    kind="close",
    target="dip-btc",
    actor="ann",
    posted_at=START,
    expires_at=START + timedelta(minutes=1),
)


# Write, then act ---------------------------------------------------------------------------------


def first(keeper: Keeper) -> Position | None:
    """Return the bot's first position, if it is still kept."""
    return next((each for each in keeper.positions if each.position_id == FIRST), None)


async def test_an_intent_is_durable_before_its_order_is_sent(desk: Desk) -> None:
    keeper = await desk.keeper()
    await keeper.tell(ENTER)
    assert await desk.kinds() == ["position-started", "order-intended", "state-changed"]
    assert desk.exchange.sent == []
    await desk.works.run()
    assert [order.client_order_id for order in desk.exchange.sent] == [
        named(FIRST, Role.ENTRY, 1),
    ]


async def test_what_is_believed_is_what_was_checked(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches a keeper that folds the records again beside the checks."""
    seen: list[Position] = []
    monkeypatch.setattr(draft, "check", lambda _, after: seen.append(after))
    keeper = await desk.keeper()
    records = await keeper.tell(ENTER)
    assert len(seen) == len(records)
    assert keeper.position is seen[-1]
    assert await desk.journal.positions() == (keeper.position,)
    desk.works.drop()


async def test_a_poisoned_journal_sends_nothing_and_believes_nothing(desk: Desk) -> None:
    """Catches a keeper that spawns the send before its commit has come back (S1)."""
    keeper = await desk.keeper()
    before = keeper.position
    desk.journal.poisoned = True
    with pytest.raises(JournalPoisoned):
        await keeper.tell(ENTER)
    assert desk.works.waiting == []
    assert desk.heard.records == []
    assert keeper.position == before
    assert desk.exchange.sent == []


async def test_a_poisoned_journal_stops_every_later_send_too(desk: Desk) -> None:
    keeper = await desk.keeper()
    await desk.opened(keeper)
    sent = len(desk.exchange.sent)
    desk.journal.poisoned = True
    for wish in (ExitSignal(), Close(by="ann"), PriceSeen(price=D(1))):
        with pytest.raises(JournalPoisoned):
            await keeper.tell(wish)
    assert (desk.works.waiting, len(desk.exchange.sent)) == ([], sent)


async def test_a_refused_wish_writes_nothing(desk: Desk) -> None:
    keeper = await desk.keeper()
    commits = desk.journal.commits
    with pytest.raises(SignalRefused):
        await keeper.tell(ExitSignal(), memory=Memory(bot=DIP, data={"n": 1}))
    await keeper.tell(TimePassed())
    assert desk.journal.commits == commits
    assert await desk.journal.memory(DIP) == {}


async def test_memory_and_verdict_are_durable_with_the_decision(desk: Desk) -> None:
    """One change: catches a memory or an answer that is written on its own."""
    keeper = await desk.keeper()
    await desk.journal.post(COMMAND)
    await desk.journal.take_commands(at=START)
    await desk.opened(keeper)
    commits = desk.journal.commits
    await keeper.tell(
        Close(by="ann"),
        memory=Memory(bot=DIP, data={"n": 1}),
        verdict=Verdict(command_id="c1", status="done", result="closing"),
    )
    assert desk.journal.commits == commits + 1
    assert await desk.journal.memory(DIP) == {"n": 1}
    assert [command.status for command in await desk.journal.commands()] == ["done"]


async def test_two_signals_at_once_are_decided_one_after_the_other(desk: Desk) -> None:
    """S2. Catches a keeper without its lock: both would see FLAT, and two orders would go out."""
    keeper = await desk.keeper()
    refused = []

    async def want() -> None:
        try:
            await keeper.tell(ENTER)
        except SignalRefused as error:
            refused.append(str(error))

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(want())
        tasks.create_task(want())
    await desk.works.run()
    assert refused == ["no entry while the position is OPENING"]
    assert len(desk.exchange.sent) == 1


# What a send comes to ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "status", "state"),
    [
        (NotSent("no route"), "order-never", "NEVER", "FLAT"),
        (Refused("-2010", "no balance"), "order-refused", "REJECTED", "FLAT"),
        (Unknown("time-out"), "order-doubted", "INTENDED", "OPENING"),
    ],
)
async def test_an_answer_is_journaled_as_what_it_proves(
    desk: Desk, error: Exception, kind: str, status: str, state: str
) -> None:
    keeper = await desk.keeper()
    desk.exchange.answer(error)
    await keeper.tell(ENTER)
    await desk.works.run()
    assert kind in await desk.kinds()
    assert (keeper.position.orders[0].status, keeper.position.state) == (status, state)
    assert desk.heard.urged == [keeper.position.orders[0].client_order_id]


async def test_an_unknown_outcome_is_never_sent_again(desk: Desk) -> None:
    keeper = await desk.keeper()
    desk.exchange.answer(Unknown("time-out"), accepted=True)
    await keeper.tell(ENTER)
    await desk.works.run()
    desk.clock.elapsed += 3600
    await keeper.tell(TimePassed())
    await desk.works.run()
    assert len(desk.exchange.sent) == 1
    assert keeper.position.state is State.OPENING


# CLOSED brings the next --------------------------------------------------------------------------


async def test_a_closed_position_brings_its_successor_in_the_same_change(desk: Desk) -> None:
    """Catches a bot that is left without a position by a crash right after its last fill."""
    keeper = await desk.keeper()
    await desk.opened(keeper)
    await keeper.tell(ExitSignal())
    await desk.works.run()
    commits = desk.journal.commits
    await keeper.tell(desk.exchange.trades[-1], position_id=FIRST)
    assert desk.journal.commits == commits + 1
    assert [p.state for p in keeper.positions] == [State.CLOSED, State.FLAT]
    assert (keeper.position.position_id, keeper.position.number) == (SECOND, 2)
    assert await desk.kinds("position/dip-btc-2") == ["position-started"]
    stored = await desk.journal.positions()
    assert stored == keeper.positions


async def test_dust_goes_into_the_successor_in_the_same_change(desk: Desk) -> None:
    """Catches dust that no position has, and a crash between its leaving and its arriving."""
    dust = Dust(quantity=D("0.0000084"), cost=D("0.42"))
    keeper = await desk.keeper(carried=dust)
    await desk.opened(keeper)
    await keeper.tell(ExitSignal())
    await desk.works.run()
    await keeper.tell(desk.exchange.trades[-1], position_id=FIRST)
    old = first(keeper)
    assert old is not None
    assert (old.claim, old.left.quantity) == (0, dust.quantity)
    assert (keeper.position.claim, keeper.position.carried) == (dust.quantity, old.left)
    assert (await desk.journal.positions())[-1] == keeper.position


async def test_a_late_fill_of_an_old_position_brings_no_second_successor(desk: Desk) -> None:
    keeper = await desk.keeper()
    position = await desk.opened(keeper)
    await keeper.tell(ExitSignal())
    await desk.works.run()
    await keeper.tell(desk.exchange.trades[-1], position_id=FIRST)
    late = fill(position.orders[0], "50000", "0.00001", trade="late")
    await keeper.tell(late, position_id=FIRST)
    old = first(keeper)
    assert old is not None
    assert old.frozen is not None
    assert [p.position_id for p in keeper.positions] == [FIRST, SECOND]


def test_the_next_position_is_the_same_bot_on_the_same_symbol() -> None:
    closed = replace(Life().position, number=7, state=State.CLOSED)
    record = next_position(closed, START)
    assert (record.position_id, record.number, record.at) == ("dip-btc-8", 8, START)
    assert (record.symbol, record.bot, record.account) == (
        closed.symbol,
        closed.bot,
        closed.account,
    )


async def test_only_settled_positions_are_forgotten(desk: Desk) -> None:
    keeper = await desk.keeper()
    await desk.opened(keeper)
    await keeper.tell(ExitSignal())
    await desk.works.run()
    await keeper.tell(desk.exchange.trades[-1], position_id=FIRST)
    closed = first(keeper)
    assert closed is not None
    never = replace(closed.orders[0], client_order_id="n", status=OrderStatus.NEVER)
    unsure = replace(closed, orders=(*closed.orders, never))
    for kept in (replace(closed, frozen="late fill"), unsure, closed):
        current = keeper.position
        again = desk.keep(DIP, (kept, current))
        again.forget_settled()
        assert (first(again) is None) == (kept is closed)
        assert again.position is current


async def test_a_keeper_is_idle_while_time_could_change_nothing(desk: Desk) -> None:
    """Catches a look that passes over an entry in doubt, a holding, or what is not settled."""
    keeper = await desk.keeper()
    assert keeper.idle
    await keeper.tell(ENTER)
    assert not keeper.idle
    await desk.works.run()
    await keeper.tell(desk.exchange.trades[-1])
    assert not keeper.idle
    await keeper.tell(ExitSignal())
    await desk.works.run()
    await keeper.tell(desk.exchange.trades[-1], position_id=FIRST)
    assert (keeper.position.state, keeper.idle) == (State.FLAT, False)
    keeper.forget_settled()
    assert keeper.idle
    await keeper.tell(Freeze(reason="somebody said so"))
    assert not keeper.idle


async def test_no_price_is_ignored_while_something_is_decided(desk: Desk) -> None:
    """Catches a price that falls between an entry's commit and its being believed."""
    keeper, quote = await desk.keeper(), Quote.of(tick("50000"))
    assert keeper.ignores(quote)
    async with keeper.lock:
        assert not keeper.ignores(quote)


# Promises ----------------------------------------------------------------------------------------


async def test_a_broken_promise_freezes_and_is_not_committed(desk: Desk) -> None:
    """S3. Catches a keeper that commits what breaks a promise, or dies of it."""
    keeper = await desk.keeper()
    await keeper.tell(ENTER)
    await desk.works.run()
    order = keeper.position.orders[0]
    absurd = fill(order, "50000", trade="9", fee="0.00200", asset="BTC")  # more fee than bitcoin
    await keeper.tell(absurd)
    kinds = await desk.kinds()
    assert "fill-booked" not in kinds
    assert "position-frozen" in kinds
    assert keeper.position.frozen is not None
    assert keeper.position.frozen.startswith("invariant S3: ")
    assert (await desk.journal.positions()) == (keeper.position,)


async def test_commit_points_say_what_a_commit_holds(desk: Desk) -> None:
    keeper = await desk.keeper()
    assert commit_points(await keeper.tell(ENTER)) == ("intent",)
    await desk.works.run()
    assert commit_points(await keeper.tell(desk.exchange.trades[-1])) == ("fill",)
    assert commit_points(()) == ()


# Cancels -----------------------------------------------------------------------------------------


async def test_a_cancel_is_written_down_before_it_is_asked_for(desk: Desk) -> None:
    keeper = await desk.keeper()
    await keeper.tell(replace(ENTER, limit=D(49000), time_to_live=timedelta(seconds=10)))
    await desk.works.run()
    desk.clock.elapsed += 10
    await keeper.tell(TimePassed())
    assert (await desk.kinds())[-1] == "cancel-intended"
    assert desk.exchange.cancelled == []
    await desk.works.run()
    assert [number for _, number in desk.exchange.cancelled] == ["1"]
    assert keeper.position.state is State.OPENING  # the reply proves nothing


async def ask_again(desk: Desk, keeper: Keeper) -> None:
    """Let the account ask for every cancel that is owed, as it does when it asks about orders."""
    async with opened(exchange=desk.exchange, journal=desk.journal) as floor:
        floor.account.roster.keepers[keeper.bot] = keeper
        orders = [order.client_order_id for order in keeper.position.orders]
        await floor.account.rounds.inspection.pursue(keeper.symbol, orders)


async def test_a_cancel_waits_until_the_exchange_has_given_the_order_a_number(desk: Desk) -> None:
    keeper = await desk.keeper()
    desk.exchange.answer(Unknown("time-out"), accepted=True)
    await keeper.tell(replace(ENTER, limit=D(49000), time_to_live=timedelta(seconds=10)))
    await desk.works.run()
    desk.clock.elapsed += 10
    await keeper.tell(TimePassed())
    await desk.works.run()
    assert desk.exchange.cancelled == []
    await keeper.tell(desk.exchange.orders[0])
    await ask_again(desk, keeper)
    assert [number for _, number in desk.exchange.cancelled] == ["1"]


async def test_a_lost_cancel_is_asked_for_again_and_a_done_one_is_not(desk: Desk) -> None:
    keeper = await desk.keeper()
    await keeper.tell(replace(ENTER, limit=D(49000), time_to_live=timedelta(seconds=10)))
    await desk.works.run()
    desk.clock.elapsed += 10
    desk.exchange.answer_cancel(Unknown("time-out"))
    await keeper.tell(TimePassed())
    await desk.works.run()
    await ask_again(desk, keeper)
    assert len(desk.exchange.cancelled) == 2
    await keeper.tell(report(keeper.position.orders[0], "CANCELED", exchange_id="1"))
    assert keeper.position.state is State.FLAT
    await ask_again(desk, keeper)
    assert len(desk.exchange.cancelled) == 2
    await turns(1)


async def test_a_record_that_the_journal_refuses_freezes_its_position(desk: Desk) -> None:
    """It ended the loop, and with it every bot of the account (L6)."""
    keeper = await desk.keeper()
    behind = keeper.position
    await keeper.tell(ENTER)
    stale = desk.keep(DIP, (behind,))
    kinds = [kind_of(record) for record in await stale.tell(ENTER)]
    assert kinds == ["position-frozen"]
    assert "stands at 3, not 1" in str(stale.position.frozen)
    assert stale.position == await desk.journal.position(FIRST)
    assert await keeper.tell(TimePassed()) == ()
    assert len(keeper.position.orders) == len(stale.position.orders) == 1


async def test_an_operator_hears_that_the_journal_refused_what_was_asked(desk: Desk) -> None:
    keeper = await desk.keeper()
    await desk.opened(keeper)
    behind = keeper.position
    await keeper.tell(TimePassed())
    await keeper.tell(Freeze(reason="look"))
    stale = desk.keep(DIP, (behind,))
    await desk.journal.post(COMMAND)
    await desk.journal.take_commands(at=START)
    done = Verdict(command_id="c1", status="done", result="closing")
    with pytest.raises(SignalRefused, match="the journal refused it"):
        await stale.tell(Close(by="ann"), verdict=done)
    assert [command.status for command in await desk.journal.commands()] == ["posted"]
