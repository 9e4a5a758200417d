"""A bot that is given another account holds one thing at a time, and nothing goes unwatched."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from tests.builders import START, D, Life
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    MAIN,
    Desk,
    PoisonableJournal,
    SaidLog,
    account_spec,
    bot_spec,
    kinds_in,
    opened,
)
from tests.unit.engine.fake import FakeExchange

from surefoot.core.position import Dust, Position, State
from surefoot.core.records import AccountBound, Cause
from surefoot.core.signals import ExitSignal
from surefoot.core.values import AccountName
from surefoot.engine.commands import _bot
from surefoot.engine.leftovers import review_unserved, with_leftovers
from surefoot.engine.recovery import Outcome
from surefoot.engine.specs import AccountSpec
from surefoot.engine.statuses import Status, Statuses
from surefoot.exchange.port import Identity
from surefoot.journal.port import Append, Change

SECOND = AccountName("second")
DUST = Dust(quantity=D("0.0000084"), cost=D("0.42"))


@pytest.fixture
def exchanges() -> dict[AccountName, FakeExchange]:
    clock = HandClock()
    clock.hurried = True
    made = {MAIN: FakeExchange(clock), SECOND: FakeExchange(clock)}
    made[SECOND].identity = Identity(exchange="binance", uid="8", environment="simulated")
    return made


def trading_on(account: AccountName) -> AccountSpec:
    return account_spec(replace(bot_spec(), account=account), account=account)


async def test_a_bot_that_holds_something_elsewhere_does_not_run_on_its_new_account(
    exchanges: dict[AccountName, FakeExchange],
) -> None:
    """It ran on both. Paused on the first, as commands found it, it went on entering here."""
    journal = PoisonableJournal()
    async with opened(trading_on(MAIN), exchange=exchanges[MAIN], journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        await floor.account.roster.keepers[DIP].tell(ENTER)
        await turns()
    async with opened(trading_on(SECOND), exchange=exchanges[SECOND], journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        roster = floor.account.roster
        assert (DIP in roster.keepers, DIP in roster.runners) == (False, False)
        assert roster.statuses.of(DIP) is Status.REVIEW
        assert "on main, but the configuration says second" in str(roster.statuses.reason(DIP))


async def test_a_bot_that_comes_back_to_an_account_takes_a_number_of_its_own(
    exchanges: dict[AccountName, FakeExchange],
) -> None:
    """The position after its own was the other account's: what it sold could never be booked."""
    journal = PoisonableJournal()
    for account in (MAIN, SECOND, MAIN):
        spec, exchange = trading_on(account), exchanges[account]
        async with opened(spec, exchange=exchange, journal=journal) as floor:
            assert await floor.account.recovery.patiently() is Outcome.RECOVERED
            keeper = floor.account.roster.keepers[DIP]
            number = keeper.position.number
            if (account, number) != (MAIN, 3):
                continue
            for wish in (ENTER, ExitSignal()):
                await keeper.tell(wish)
                await turns()
                await keeper.tell(exchange.trades[-1])
            assert [each.state for each in keeper.positions] == [State.CLOSED, State.FLAT]
    assert number == 3
    assert keeper.position.number == 4


async def test_two_accounts_may_speak_of_one_bot_at_once() -> None:
    """One of them would have died of it: the word of the other came in between."""
    journal, log = PoisonableJournal(), SaidLog()
    both = [Statuses(journal, lambda: START, log) for _ in range(2)]
    await asyncio.gather(
        *(each.review(DIP, f"{n}", Cause.CONFIGURATION) for n, each in enumerate(both))
    )
    assert len(await kinds_in(journal, "bot/dip-btc")) == 2


@pytest.mark.parametrize("first", [MAIN, SECOND])
def test_a_command_means_a_bot_where_it_holds_something(first: AccountName) -> None:
    """What it closes is never the dust of one account while the other one's holding goes on."""

    def account(*kept: Position) -> Any:
        keepers = {DIP: SimpleNamespace(positions=kept)} if kept else {}
        return SimpleNamespace(roster=SimpleNamespace(bots=(DIP,), keepers=keepers))

    held, dust = Life(), Life(carried=DUST)
    held.opened()
    for other in ((), (dust.position,)):
        accounts = {MAIN: account(held.position), SECOND: account(*other)}
        in_order = {name: accounts[name] for name in sorted(accounts, key=lambda e: e != first)}
        assert _bot(DIP, in_order) == (accounts[MAIN], DIP)
        assert _bot(DIP, {SECOND: accounts[SECOND]}) == (accounts[SECOND], DIP)


async def test_an_account_is_used_as_long_as_something_is_left_there(desk: Desk) -> None:
    """Its last bot went from the configuration, and what it held was watched by nobody."""
    await bound(desk)
    keeper = await desk.keeper()
    assert await with_leftovers([SECOND], desk.journal, START) == {SECOND}
    await desk.opened(keeper)
    assert await with_leftovers([SECOND], desk.journal, START) == {MAIN, SECOND}
    assert await with_leftovers([SECOND], None, START) == {SECOND}


async def test_what_is_left_on_an_account_that_is_gone_is_said(desk: Desk) -> None:
    await bound(desk)
    await desk.opened(await desk.keeper())
    for accounts, bots in ([MAIN], []), ([SECOND], [DIP]):
        await review_unserved(accounts, bots, desk.journal, desk.clock, desk.log)
    assert await desk.kinds("bot/dip-btc") == []
    for _ in range(2):
        await review_unserved([SECOND], [], desk.journal, desk.clock, desk.log)
    assert await desk.kinds("bot/dip-btc") == ["bot-status-changed"]
    (said,) = desk.log.said("bot status")
    assert said["status"] == "REVIEW"
    assert "nobody watches it" in said["reason"]


async def test_positions_are_read_only_if_an_account_is_used_by_no_bot(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All of them were, twice at every start: a second of it with ten thousand positions."""
    read: list[object] = []
    monkeypatch.setattr(desk.journal, "unsettled", read.append)
    await bound(desk)
    assert await with_leftovers([MAIN], desk.journal, START) == {MAIN}
    await review_unserved([MAIN], [], desk.journal, desk.clock, desk.log)
    assert read == []


async def bound(desk: Desk) -> None:
    """Bind the account: it is, before anything is ordered on it."""
    identity = desk.exchange.identity
    record = AccountBound(
        at=START,
        account=MAIN,
        exchange=identity.exchange,
        uid=identity.uid,
        environment=identity.environment,
        balances={},
    )
    append = Append(stream="account/main", expected=0, records=(record,))
    await desk.journal.commit(Change(at=START, appends=(append,)))
