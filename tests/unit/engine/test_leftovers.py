"""A bot that is given another account holds one thing at a time, and nothing goes unwatched."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace
from tests.builders import BTC, START, D, Life
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.counsel import Counsel
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    MAIN,
    SWING,
    Desk,
    Floor,
    PoisonableJournal,
    SaidLog,
    account_spec,
    bot_spec,
    kinds_in,
    opened,
    tick,
)
from tests.unit.engine.fake import ETH, FakeExchange
from tests.unit.engine.test_supervisor import House, serving

from surefoot.app import assemble
from surefoot.core.account_records import AccountBound, BotStatusChanged, Cause
from surefoot.core.order import LATE_SWEEP, Order
from surefoot.core.position import Dust, Position, State
from surefoot.core.signals import Adopt, ExitSignal, Freeze
from surefoot.core.values import AccountName, BotName
from surefoot.engine.account import Account
from surefoot.engine.advisor import Advisor
from surefoot.engine.commands import _bot
from surefoot.engine.leftovers import review_unserved, with_leftovers
from surefoot.engine.recovery import Outcome
from surefoot.engine.specs import AccountSpec
from surefoot.engine.statuses import Status, Statuses
from surefoot.engine.supervision import Spawn
from surefoot.exchange.errors import Unknown
from surefoot.exchange.port import Identity
from surefoot.journal.port import Append, Change, bot_stream
from surefoot.strategy import Enter

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
        roster = SimpleNamespace(bots=(DIP,), configured=(DIP,), keepers=keepers)
        return SimpleNamespace(roster=roster)

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


class Moved(House):
    """Serves both accounts: the bot was on the first, and is configured for the second."""

    def __init__(self, former: House) -> None:
        super().__init__(former.journal)
        self.exchange, self.clock = former.exchange, former.clock
        self.supervisor._clock = former.clock
        self.elsewhere = FakeExchange(former.clock)
        self.elsewhere.identity = Identity(exchange="binance", uid="8", environment="simulated")
        self.counsel = Counsel(Enter())

    def _accounts(self, spawn: Spawn) -> Mapping[AccountName, Account]:
        async def advise(_bot: BotName, _memory: dict[str, Any]) -> Advisor | None:
            return self.counsel  # type: ignore[return-value]

        self.account, self.second = (
            assemble(
                spec,
                exchange=exchange,
                journal=self.journal,
                clock=self.clock,
                make_advisor=advise,
                spawn=spawn,
                log=self.log,
            )
            for spec, exchange in (
                (replace(account_spec(), bots=()), self.exchange),
                (trading_on(SECOND), self.elsewhere),
            )
        )
        return {MAIN: self.account, SECOND: self.second}


async def test_a_bot_runs_on_its_new_account_once_it_is_resumed_after_the_other_is_closed() -> None:
    """It wanted a restart, and every word on it went to the account that it had left."""
    former = House()
    async with serving(former):
        await former.enter()
    house = Moved(former)
    async with serving(house):
        await house.clock.advance(2)
        roster = house.second.roster
        assert str(roster.statuses.reason(DIP)) == (
            "dip-btc-1 is OPEN on main, but the configuration says second; "
            "close it, then: surefoot resume dip-btc"
        )
        assert await house.done("close") == ("done", "closing")
        await house.clock.advance(2)
        assert house.account.roster.keepers[DIP].position.state is State.FLAT
        assert DIP not in roster.keepers
        assert await house.done("resume") == ("done", "recovery looks whether it can run now")
        await house.clock.advance(5)
        assert roster.refusal(DIP) is None
        now = house.clock.now()
        house.elsewhere.market_events.put_nowait(replace(tick(), at=now))
        await house.clock.advance(2)
        assert [order.role for order in house.elsewhere.sent] == ["entry"]
        assert roster.keepers[DIP].position.position_id == "dip-btc-3"
        (asked,) = [each for each in house.elsewhere.asked if each.verb == "market"]
        assert "BTC/USDT" in asked.about, "its prices were listened to all the while"


async def test_a_pause_holds_a_bot_on_whichever_account_it_was_said() -> None:
    """It was heard where the bot held something; the other account had it enter all the same."""
    former = House()
    async with serving(former):
        await former.enter()
    house = Moved(former)
    async with serving(house):
        await house.clock.advance(2)
        assert await house.done("pause") == ("done", "dip-btc is PAUSED")
        await house.done("close")
        await house.clock.advance(2)
        assert house.account.roster.keepers[DIP].position.state is State.FLAT
        await house.done("recover")
        await house.clock.advance(5)
        assert house.second.roster.refusal(DIP) == "the bot is PAUSED"
        assert await house.done("resume") == ("done", "dip-btc is RUNNING")
        assert house.second.roster.refusal(DIP) is None


async def test_what_is_resolved_by_a_bot_s_name_is_what_has_to_be() -> None:
    """The first account had nothing frozen: the answer was refused, and the bot stayed frozen."""
    former = House()
    async with serving(former):
        await former.enter()
    house = Moved(former)
    async with serving(house):
        await house.clock.advance(2)
        await house.done("close")
        await house.clock.advance(2)
        await house.done("resume")
        await house.clock.advance(5)
        moved = house.second.roster.keepers[DIP]
        assert DIP in house.account.roster.keepers, "its dust is kept on the account that it left"
        await moved.tell(Freeze(reason="look"))
        assert await house.done("resolve", how="ignore") == ("done", "dip-btc-3 is resolved")
        assert moved.position.frozen is None


async def test_a_resume_takes_a_pause_back_that_was_said_on_another_account() -> None:
    former = House()
    async with serving(former):
        await former.enter()
    house = Moved(former)
    async with serving(house):
        await house.clock.advance(2)
        for said in ("pause", "close"):
            assert (await house.done(said))[0] == "done"
        await house.clock.advance(2)
        assert await house.done("resume") == ("done", "recovery looks whether it can run now")
        await house.clock.advance(5)
        assert house.second.roster.refusal(DIP) is None


async def test_an_order_called_never_is_sought_also_if_its_bot_leaves_the_configuration() -> None:
    """It turned up, and nobody looked: what it bought had no stop, and no bot knew of it."""
    exchange, journal = FakeExchange(HandClock()), PoisonableJournal()
    exchange.clock.hurried = True
    async with opened(exchange=exchange, journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        lost = await never(floor)
    day_later = exchange.now() + LATE_SWEEP
    assert await with_leftovers([SECOND], journal, exchange.now()) == {MAIN, SECOND}
    assert await with_leftovers([SECOND], journal, day_later) == {SECOND}
    spec = account_spec(bot_spec(SWING, ETH))
    async with opened(spec, exchange=exchange, journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        roster = floor.account.roster
        assert roster.statuses.in_review() == {}, "nobody has to look at what has not come"
        exchange.place(lost)
        await floor.account.rounds.inspection.everything()
        await turns()
        (found,) = roster.keepers[DIP].positions
        assert "was NEVER, yet the exchange has it" in str(found.frozen)
        (stop,) = [each for each in exchange.orders if each.status == "OPEN"]
        assert (stop.side, stop.quantity) == ("sell", found.quantity), "what it bought has its stop"


async def test_an_order_called_never_is_sought_also_if_its_bot_is_given_another_symbol() -> None:
    """Its 24 hours ended with that: what it had bought in the old one belonged to nobody."""
    exchange, journal = FakeExchange(HandClock()), PoisonableJournal()
    exchange.clock.hurried = True
    async with opened(exchange=exchange, journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        lost = await never(floor)
    spec = account_spec(bot_spec(symbol=ETH))
    async with opened(spec, exchange=exchange, journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        roster = floor.account.roster
        assert roster.symbols == (BTC,), "it is compared as before"
        why = roster.statuses.in_review()[DIP]
        assert why.startswith("an order of dip-btc-1 in BTC/USDT that nobody has seen may still")
        exchange.place(lost)
        await floor.account.rounds.inspection.everything()
        (found,) = roster.keepers[DIP].positions
        assert "was NEVER, yet the exchange has it" in str(found.frozen)


async def test_a_day_later_it_may_have_another_symbol() -> None:
    exchange, journal = FakeExchange(HandClock()), PoisonableJournal()
    exchange.clock.hurried = True
    async with opened(exchange=exchange, journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        await never(floor)
    exchange.clock.elapsed += LATE_SWEEP.total_seconds()
    async with opened(account_spec(bot_spec(symbol=ETH)), exchange=exchange, journal=journal) as it:
        assert await it.account.recovery.patiently() is Outcome.RECOVERED
        assert it.account.roster.statuses.in_review() == {}
        assert it.account.roster.symbols == (ETH,)


async def never(floor: Floor) -> Order:
    """Let an entry be lost, and be called NEVER."""
    keeper = floor.account.roster.keepers[DIP]
    floor.exchange.answer(Unknown("time-out"))
    await keeper.tell(ENTER)
    await turns()
    floor.clock.elapsed += 70
    await floor.account.rounds.inspection.everything()
    (lost,) = keeper.position.orders
    assert (lost.status, keeper.position.state) == ("NEVER", State.FLAT)
    return lost


async def test_all_are_resumed_where_they_are_to_trade_and_not_where_they_were() -> None:
    """It said "still paused" of a bot, for the account that this had left."""
    former = House()
    async with serving(former):
        await former.enter()
    house = Moved(former)
    async with serving(house):
        await house.clock.advance(2)
        assert (await house.done("stop-all", "all"))[0] == "done"
        await house.done("close")
        await house.clock.advance(2)
        assert await house.done("resume-all", "all") == (
            "done",
            "0 bots may enter again; recovery looks whether dip-btc can run now",
        )
        await house.clock.advance(5)
        assert house.second.roster.refusal(DIP) is None


async def test_what_is_frozen_in_a_former_symbol_keeps_its_keeper() -> None:
    """The bot began anew in its new symbol, and what was frozen was kept by nobody."""
    exchange, journal = FakeExchange(HandClock()), PoisonableJournal()
    exchange.clock.hurried = True
    async with opened(exchange=exchange, journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        keeper = floor.account.roster.keepers[DIP]
        for wish in (ENTER, ExitSignal()):
            await keeper.tell(wish)
            await turns()
            await keeper.tell(exchange.trades[-1])
        closed, _ = keeper.positions
        await keeper.tell(Freeze(reason="look"), position_id=closed.position_id)
    spec = account_spec(bot_spec(symbol=ETH))
    async with opened(spec, exchange=exchange, journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        roster = floor.account.roster
        assert [each.frozen for each in roster.keepers[DIP].positions] == ["look"]
        assert roster.symbols == (BTC,), "it is compared as before"
        assert roster.statuses.in_review() == {
            DIP: "dip-btc-1 is frozen in BTC/USDT, but the configuration says ETH/USDT; "
            "resolve it first, then start again; what it holds is still watched"
        }
        await roster.keepers[DIP].tell(Adopt(by="ann"), position_id=closed.position_id)
        await floor.account.recovery.again()
        said = await journal.last(bot_stream(DIP), "bot-status-changed")
        assert said is not None
        assert isinstance(said.record, BotStatusChanged)
        assert said.record.cause is Cause.UNFIT, "what helps is a start, and no recovery"
    async with opened(spec, exchange=exchange, journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        assert floor.account.roster.statuses.of(DIP) is Status.RUNNING
