"""Operators' commands: each at most once, never after its time, and not into a recovery."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta

import pytest
from msgspec.structs import replace
from tests.builders import BTC, D
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    MAIN,
    PoisonableJournal,
    SaidLog,
    account_spec,
    bot_spec,
    kinds_in,
    no_advisor,
)
from tests.unit.engine.fake import FakeExchange

from surefoot.app import assemble
from surefoot.core.account_records import Cause
from surefoot.core.errors import InvalidValue
from surefoot.core.order import OrderStatus
from surefoot.core.position import State
from surefoot.core.signals import Adopt, Filled, Flatten, Freeze, Ignore
from surefoot.core.values import AccountName, ClientOrderId
from surefoot.engine.account import Account
from surefoot.engine.commands import resolution
from surefoot.engine.statuses import Status
from surefoot.engine.supervision import Spawn
from surefoot.engine.supervisor import Supervisor
from surefoot.exchange.errors import ReadFailed, Unknown
from surefoot.exchange.port import Identity
from surefoot.journal.port import Command

LIFETIME = timedelta(seconds=60)


class House:
    """A served account, and what its operator may do."""

    def __init__(
        self, journal: PoisonableJournal | None = None, *, native_stop: bool = False
    ) -> None:
        self.spec = account_spec(bot_spec(native_stop=native_stop))
        self.clock = HandClock()
        self.exchange = FakeExchange(self.clock)
        self.journal = journal or PoisonableJournal()
        self.log = SaidLog()
        self.supervisor = Supervisor(
            journal=self.journal, clock=self.clock, accounts=self._accounts, log=self.log
        )
        self.account: Account

    def _accounts(self, spawn: Spawn) -> Mapping[AccountName, Account]:
        self.account = assemble(
            self.spec,
            exchange=self.exchange,
            journal=self.journal,
            clock=self.clock,
            make_advisor=no_advisor,
            spawn=spawn,
            log=self.log,
        )
        return {MAIN: self.account}

    async def post(self, kind: str, target: str = DIP, **arguments: str) -> str:
        """Post a command and return its id."""
        name = f"c{len(await self.journal.commands()) + 1}"
        now = self.clock.now()
        await self.journal.post(
            Command(
                command_id=name,
                kind=kind,
                target=target,
                actor="ann",
                posted_at=now,
                expires_at=now + LIFETIME,
                arguments=arguments,
            ),
        )
        return name

    async def answer(self, name: str) -> tuple[str, str | None]:
        found = {command.command_id: command for command in await self.journal.commands()}
        return found[name].status, found[name].result

    async def done(self, kind: str, target: str = DIP, **arguments: str) -> tuple[str, str | None]:
        """Post a command, let time pass, and return what became of it."""
        name = await self.post(kind, target, **arguments)
        await self.clock.advance(1)
        return await self.answer(name)

    async def enter(self) -> None:
        await self.account.roster.keepers[DIP].tell(ENTER)
        await self.clock.advance(1)
        assert self.account.roster.keepers[DIP].position.state is State.OPEN


@asynccontextmanager
async def serving(house: House | None = None) -> AsyncIterator[House]:
    house = house or House()
    async with asyncio.TaskGroup() as tasks:
        task = tasks.create_task(house.supervisor.run())
        await turns()
        yield house
        task.cancel()


# Once, in time -----------------------------------------------------------------------------------


async def test_a_command_is_carried_out_once() -> None:
    async with serving() as house:
        await house.enter()
        assert await house.done("close") == ("done", "closing")
        await house.clock.advance(5)
        assert [order.role for order in house.exchange.sent] == ["entry", "exit"]
        assert len(house.log.said("command")) == 1


async def test_a_command_is_done_once_across_a_restart() -> None:
    """Its answer is in the same change as what it does. Catches a close that closes twice."""
    house = House()
    async with serving(house):
        await house.enter()
        await house.done("close")
        await house.clock.advance(2)
    again = House(house.journal)
    again.clock.elapsed = house.clock.elapsed
    async with serving(again):
        await again.clock.advance(5)
        assert again.log.said("command") == []
        assert (await kinds_in(again.journal, "position/dip-btc-1")).count("exit-wished") == 1


async def test_a_command_is_void_after_its_time() -> None:
    """Catches a "close" from yesterday that closes today's position."""
    async with serving() as house:
        await house.enter()
        name = await house.post("close")
        house.clock.elapsed += LIFETIME.total_seconds() + 0.001
        await house.clock.advance(1)
        status, result = await house.answer(name)
        assert (status, str(result)[:18]) == ("refused", "it was void after ")
        assert house.account.roster.keepers[DIP].position.state is State.OPEN


async def test_a_command_is_good_until_its_last_moment() -> None:
    async with serving() as house:
        await house.enter()
        name = await house.post("close")
        house.clock.elapsed += LIFETIME.total_seconds() - 0.25
        await house.clock.advance(0.25)
        assert await house.answer(name) == ("done", "closing")


async def test_a_command_waits_while_its_account_is_being_recovered() -> None:
    house = House()
    house.exchange.fail("connect", ReadFailed("no route"), times=3)
    async with serving(house):
        name = await house.post("resume")
        await house.clock.advance(5)
        assert house.account.recovery.going_on
        assert await house.answer(name) == ("posted", None)
        await house.clock.advance(5)
        assert await house.answer(name) == ("done", "dip-btc is RUNNING")
        assert house.account.roster.statuses.of(DIP) is Status.RUNNING


@pytest.mark.parametrize("known", [True, False])
async def test_a_pause_waits_for_no_recovery(known: bool) -> None:
    """In an outage longer than its time it was void, and the bot entered when that was over."""
    house = House()
    if known:
        async with serving(house):
            await house.clock.advance(1)
        house = House(house.journal)
    house.exchange.fail("connect", ReadFailed("no route"), times=3)
    async with serving(house):
        name = await house.post("pause")
        await house.clock.advance(2)
        assert house.account.recovery.going_on
        assert await house.answer(name) == ("done", "dip-btc is PAUSED")
        await house.clock.advance(10)
        assert house.account.roster.refusal(DIP) == "the bot is PAUSED"


async def test_a_command_posted_before_the_start_waits_for_recovery_too() -> None:
    """Catches a server that refuses, in its first instant, what it could do a second later."""
    house = House()
    async with serving(house):
        await house.enter()
    again = House(house.journal)
    again.exchange, again.clock = house.exchange, house.clock
    again.supervisor._clock = house.clock
    name = await again.post("close")
    async with serving(again):
        await again.clock.advance(1)
        assert await again.answer(name) == ("done", "closing")


async def test_a_command_does_not_wait_past_its_time() -> None:
    house = House()
    house.exchange.fail("connect", ReadFailed("no route"))
    async with serving(house):
        name = await house.post("close")
        await house.clock.advance(LIFETIME.total_seconds() + 1)
        assert house.account.recovery.going_on
        assert (await house.answer(name))[0] == "refused"


# What they do ------------------------------------------------------------------------------------


async def test_pause_and_resume() -> None:
    async with serving() as house:
        assert await house.done("pause", reason="lunch") == ("done", "dip-btc is PAUSED")
        assert house.account.roster.refusal(DIP) == "the bot is PAUSED: lunch"
        assert await house.done("resume") == ("done", "dip-btc is RUNNING")
        assert house.account.roster.refusal(DIP) is None


async def test_recover_is_what_a_given_up_account_needs() -> None:
    house = House()
    house.exchange.fail("connect", ReadFailed("no route"))
    async with serving(house):
        await house.clock.advance(601)
        assert not house.account.recovery.going_on
        assert (await house.done("resume"))[0] == "refused"
        assert (await house.done("close"))[0] == "refused"
        house.exchange.mend()
        assert await house.done("recover") == ("done", "recovery is starting")
        await house.clock.advance(1)
        assert house.account.roster.refusal(DIP) is None


@pytest.mark.parametrize(
    ("kind", "target", "why"),
    [
        ("close", DIP, "there is nothing to close"),
        ("close", "nobody", "there is no bot nobody"),
        ("resolve", "dip-btc-9", "no position dip-btc-9 is kept here"),
        ("resolve", "dip-btc-1", "resolve how?"),
    ],
)
async def test_what_cannot_be_done_is_refused_with_a_reason(
    kind: str, target: str, why: str
) -> None:
    """Refused for good, too: catches a command that is tried again for ever."""
    async with serving() as house:
        status, result = await house.done(kind, target)
        assert status == "refused"
        assert why in str(result)
        await house.clock.advance(5)
        assert len(house.log.said("command")) == 1


async def test_a_frozen_position_is_resolved_and_looked_at_again() -> None:
    async with serving() as house:
        await house.enter()
        await house.account.roster.keepers[DIP].tell(Freeze(reason="look"))
        asked = house.exchange.count("open_orders")
        assert await house.done("resolve", "dip-btc-1", how="ignore") == (
            "done",
            "dip-btc-1 is resolved",
        )
        assert house.account.roster.refusal(DIP) is None
        assert house.exchange.count("open_orders") == asked + 1


async def test_the_wrong_account_is_one_account_s_trouble() -> None:
    """Its bots are in review and nothing is sent; the process and the other accounts go on."""
    house = House()
    async with serving(house):
        pass
    other = House(house.journal)
    other.exchange.identity = Identity(exchange="binance", uid="8", environment="simulated")
    async with serving(other):
        await other.clock.advance(120)
        reviewed = other.account.roster.statuses.in_review()
        assert "belongs to binance account 7" in reviewed[DIP]
        assert (await other.done("resume"))[0] == "refused"
        assert other.exchange.count("identify") == 1
        assert [ask.verb for ask in other.exchange.asked] == ["connect", "identify"]
    assert other.exchange.closed


async def test_a_bot_that_has_nothing_to_run_it_is_not_resumed() -> None:
    """Catches an answer "RUNNING" while nothing runs."""
    house = House()
    del house.exchange.instruments[BTC]
    async with serving(house):
        status, result = await house.done("resume")
        assert status == "refused"
        assert "the venue does not list BTC/USDT; mend the configuration" in str(result)
        assert house.account.roster.statuses.of(DIP) is Status.REVIEW


async def test_the_operator_s_word_lifts_a_failed_strategy() -> None:
    async with serving() as house:
        await house.account.roster.review(DIP, "its strategy failed", Cause.STRATEGY)
        assert await house.done("resume") == ("done", "dip-btc is RUNNING")
        assert house.account.roster.refusal(DIP) is None


async def test_an_account_that_was_given_up_is_tried_again_by_itself() -> None:
    """Catches a night without bots because the exchange was away for ten minutes."""
    house = House()
    house.exchange.fail("connect", ReadFailed("no route"))
    async with serving(house):
        await house.clock.advance(601)
        assert house.account.roster.statuses.of(DIP) is Status.REVIEW
        tried = house.exchange.count("connect")
        await house.clock.advance(600)
        assert house.exchange.count("connect") - tried in {9, 10}
        assert (await kinds_in(house.journal, "account/main")).count("recovery-finished") == 1
        house.exchange.mend()
        await house.clock.advance(61)
        assert house.account.roster.refusal(DIP) is None
        await house.enter()


async def test_close_is_obeyed_while_in_review() -> None:
    """Refused just when somebody wanted out: a contradiction had stopped all entries."""
    async with serving() as house:
        await house.enter()
        await house.account.roster.review_all("two orders vanished", Cause.CONTRADICTION)
        assert await house.done("close") == ("done", "closing")
        assert house.exchange.sent[-1].role == "exit"


async def test_close_waits_for_proof_of_what_is_held() -> None:
    """What was believed before a crash may have been sold since: selling it again is worse."""
    house = House()
    house.exchange.fail("open_orders", ReadFailed("down"))
    async with serving(house):
        await house.clock.advance(700)
        status, why = await house.done("close")
        assert (status, str(why)[:31]) == ("refused", "dip-btc is not recovered yet, s")


async def test_a_paused_bot_withdraws_an_entry_that_rests() -> None:
    """It was left, filled an hour after the pause, and the bot held what nobody wanted."""
    async with serving() as house:
        resting = replace(ENTER, limit=D(40000))
        await house.account.roster.keepers[DIP].tell(resting)
        await house.clock.advance(2)
        assert await house.done("pause") == ("done", "dip-btc is PAUSED")
        await house.clock.advance(15)
        position = house.account.roster.keepers[DIP].position
        assert position.orders[-1].status is OrderStatus.CANCELED
        assert position.state is State.FLAT
        kinds = await kinds_in(house.journal, "position/dip-btc-1")
        assert kinds.count("cancel-intended") == 1


async def test_a_bot_and_its_position_are_named_alike() -> None:
    async with serving() as house:
        await house.enter()
        assert await house.done("pause", "dip-btc-1") == ("done", "dip-btc is PAUSED")
        assert await house.done("close", "dip-btc-1") == ("done", "closing")
        status, why = await house.done("close", "dip-btc-1")
        assert (status, str(why)[:30]) == ("refused", "there is no bot dip-btc-1, and")
        await house.account.roster.keepers[DIP].tell(Freeze(reason="look"))
        assert await house.done("resolve", "dip-btc", how="ignore") == (
            "done",
            "dip-btc-2 is resolved",
        )


# What the exchange knows -------------------------------------------------------------------------


async def in_doubt(house: House, *, accepted: bool, limit: str | None = None) -> ClientOrderId:
    """Write an entry down whose answer is lost; return its name."""
    keeper = house.account.roster.keepers[DIP]
    house.exchange.answer(Unknown("504"), accepted=accepted)
    for verb in ("order", "open_orders"):
        house.exchange.fail(verb, ReadFailed("down"))
    await keeper.tell(replace(ENTER, limit=None if limit is None else D(limit)))
    await house.clock.advance(1)
    house.exchange.mend()
    return keeper.position.orders[-1].client_order_id


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        ("40000", "live (buy 0.0016, 0 filled): nothing is in doubt"),
        (None, "is FILLED with 0.0016 filled, not 0.001: it is booked from there"),
    ],
)
async def test_what_the_exchange_has_is_not_told_of(limit: str | None, why: str) -> None:
    """It would be booked beside what the order does by itself."""
    async with serving() as house:
        await in_doubt(house, accepted=True, limit=limit)
        status, result = await house.done(
            "resolve", "dip-btc-1", how="filled", quantity="0.001", price="50000"
        )
        assert (status, str(result).endswith(why)) == ("refused", True), result
        position = house.account.roster.keepers[DIP].position
        assert not any(trade.startswith("operator") for trade in position.orders[-1].trades)


async def test_what_the_exchange_denies_may_be_told_of() -> None:
    async with serving() as house:
        await in_doubt(house, accepted=False)
        assert await house.done("resolve", DIP, how="filled", quantity="0") == (
            "done",
            "dip-btc-1 is resolved",
        )
        assert house.account.roster.keepers[DIP].position.state is State.FLAT


async def test_a_live_stop_is_not_told_of_while_nobody_can_be_asked() -> None:
    """It was: the position was closed on paper, and its real stop cancelled as an orphan."""
    house = House(native_stop=True)
    async with serving(house):
        await house.enter()
        await house.clock.advance(2)
        keeper = house.account.roster.keepers[DIP]
        stop = keeper.position.orders[-1]
        await keeper.tell(Freeze(reason="look"))
        house.exchange.fail("order", ReadFailed("down"))
        status, result = await house.done(
            "resolve",
            "dip-btc-1",
            how="filled",
            quantity="0.0016",
            price="50000",
            order=stop.client_order_id,
        )
        assert (status, "is no order in doubt" in str(result)) == ("refused", True)
        assert keeper.position.quantity == D("0.0016")


# The words of resolve ----------------------------------------------------------------------------


def command(**arguments: str) -> Command:
    clock = HandClock()
    return Command(
        command_id="c1",
        kind="resolve",
        target="dip-btc-1",
        actor="ann",
        posted_at=clock.now(),
        expires_at=clock.now(),
        arguments=arguments,
    )


@pytest.mark.parametrize(
    ("how", "word"),
    [("adopt", Adopt(by="ann")), ("flat", Flatten(by="ann")), ("ignore", Ignore(by="ann"))],
)
def test_a_plain_word_is_what_it_says(how: str, word: object) -> None:
    assert resolution(command(how=how), None) == word


def test_filled_is_of_the_order_that_is_out_unless_another_is_named() -> None:
    said = {"how": "filled", "quantity": "0.001", "price": "50000"}
    live = ClientOrderId("live")
    word = Filled(by="ann", client_order_id=live, quantity=D("0.001"), price=D(50000))
    assert resolution(command(**said), live) == word
    named = resolution(command(**said, order="other"), live)
    assert getattr(named, "client_order_id", None) == "other"


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        ({}, "resolve how"),
        ({"how": "magic"}, "none of adopt, flat, filled, ignore"),
        ({"how": "filled"}, "QUANTITY@PRICE"),
        ({"how": "filled", "quantity": "x", "price": "1"}, "two decimal numbers"),
        ({"how": "filled", "quantity": "NaN", "price": "1"}, "two positive numbers"),
        ({"how": "filled", "quantity": "1", "price": "Infinity"}, "two positive numbers"),
        ({"how": "filled", "quantity": "-1", "price": "1"}, "two positive numbers"),
        ({"how": "filled", "quantity": "1", "price": "0"}, "two positive numbers"),
    ],
)
def test_a_word_that_says_nothing_is_refused(arguments: dict[str, str], why: str) -> None:
    with pytest.raises(InvalidValue, match=why):
        resolution(command(**arguments), ClientOrderId("live"))


def test_filled_needs_an_order() -> None:
    with pytest.raises(InvalidValue, match="no single order is in doubt"):
        resolution(command(how="filled", quantity="1", price="1"), None)
