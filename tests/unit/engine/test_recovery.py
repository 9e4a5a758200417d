"""Recovery: patient with the exchange, strict about the account, and the same the second time."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import BTC, START, D
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    SWING,
    Desk,
    Floor,
    PoisonableJournal,
    account_spec,
    bot_spec,
    kinds_in,
    opened,
    records_in,
)
from tests.unit.engine.fake import ETH, FakeExchange

from surefoot.core.account_records import AccountBound, Cause
from surefoot.core.errors import SignalRefused
from surefoot.core.position import Dust, State
from surefoot.core.signals import Freeze
from surefoot.core.values import AccountName, PositionId, Side
from surefoot.engine.binding import WrongAccount
from surefoot.engine.commands import refuse_if_review_stands
from surefoot.engine.everybody import resume_all, stop_all
from surefoot.engine.limits import MINUTE
from surefoot.engine.recovery import Outcome
from surefoot.engine.statuses import Status
from surefoot.exchange.errors import Banned, Misconfigured, ReadFailed, Unknown
from surefoot.journal.port import Append, Change

UNREACHABLE = ReadFailed("no route")
TWO_BOTS = account_spec(bot_spec(), bot_spec(SWING, ETH))


@pytest.fixture
def exchange() -> FakeExchange:
    made = FakeExchange(HandClock())
    made.clock.hurried = True
    return made


async def recovered(floor: Floor) -> bool:
    """Recover once, and let what it spawned come to rest."""
    outcome = await floor.account.recovery.patiently()
    await turns()
    return outcome is Outcome.RECOVERED


# Patience ----------------------------------------------------------------------------------------


async def test_the_back_off_doubles_up_to_a_minute_until_patience_ends(
    exchange: FakeExchange,
) -> None:
    """Catches a start that hammers a dead exchange, and one that never says that it gave up."""
    exchange.fail("connect", UNREACHABLE)
    async with opened(exchange=exchange) as floor:
        assert not await recovered(floor)
        assert exchange.clock.slept == [1, 2, 4, 8, 16, 32, *[60] * 8]
        assert exchange.clock.elapsed <= 600
        assert floor.account.roster.statuses.of(DIP) is Status.REVIEW
        refusal = floor.account.roster.refusal(DIP)
        assert refusal == "recovery has not finished"
        (report,) = await floor.reports()
        why = "the exchange cannot be reached: no route"
        assert (report.outcome, report.bots_in_review) == ("failed", {DIP: why})
        assert not floor.account.recovery.going_on


async def test_patience_is_as_long_as_the_operator_says(exchange: FakeExchange) -> None:
    exchange.fail("connect", UNREACHABLE)
    spec = account_spec(give_up_after=timedelta(seconds=7))
    async with opened(spec, exchange=exchange) as floor:
        assert not await recovered(floor)
    assert exchange.clock.slept == [1, 2, 4]


async def test_an_exchange_that_comes_back_is_recovered(exchange: FakeExchange) -> None:
    exchange.fail("connect", UNREACHABLE, times=3)
    async with opened(exchange=exchange) as floor:
        assert await recovered(floor)
        assert exchange.clock.slept == [1, 2, 4]
        assert floor.account.roster.refusal(DIP) is None
        assert [report.outcome for report in await floor.reports()] == ["complete"]


async def test_after_giving_up_it_may_be_tried_again(exchange: FakeExchange) -> None:
    exchange.fail("connect", UNREACHABLE)
    async with opened(exchange=exchange) as floor:
        assert not await recovered(floor)
        exchange.mend()
        assert await recovered(floor)
        assert floor.account.roster.refusal(DIP) is None
        assert [report.outcome for report in await floor.reports()] == ["failed", "complete"]


async def test_what_retrying_cannot_help_is_not_retried(exchange: FakeExchange) -> None:
    exchange.fail("connect", Misconfigured("invalid key"))
    async with opened(exchange=exchange) as floor:
        assert not await recovered(floor)
        assert floor.account.roster.statuses.in_review() == {DIP: "invalid key"}
    assert exchange.clock.slept == []


# Bans --------------------------------------------------------------------------------------------


async def test_a_ban_is_waited_out_and_noted(exchange: FakeExchange) -> None:
    until = START + timedelta(seconds=90)
    exchange.fail("connect", Banned(until, "too many requests"), times=1)
    async with opened(exchange=exchange) as floor:
        assert await recovered(floor)
        assert exchange.clock.slept == [90]
        records = await records_in(floor.journal, "account/main")
        assert getattr(records[0], "until", None) == until


async def test_a_ban_from_before_a_restart_still_holds(exchange: FakeExchange) -> None:
    """Catches a restart that forgets the ban, and by asking makes it longer."""
    journal = PoisonableJournal()
    exchange.fail("connect", Banned(START + timedelta(hours=1), "too many requests"))
    async with opened(exchange=exchange, journal=journal) as floor:
        assert not await recovered(floor)  # longer than its patience
    again = FakeExchange(exchange.clock)
    exchange.clock.elapsed = 3590
    async with opened(exchange=again, journal=journal) as floor:
        asked_at = exchange.clock.slept.copy()
        assert await recovered(floor)
        assert exchange.clock.slept[len(asked_at) :] == [10]
        assert again.bans == [START + timedelta(hours=1)]
        assert again.count("connect") == 1


async def test_a_ban_in_the_middle_is_waited_out_and_noted_too(exchange: FakeExchange) -> None:
    until = START + timedelta(seconds=90)
    exchange.fail("open_orders", Banned(until, "too many requests"), times=1)
    async with opened(exchange=exchange) as floor:
        assert await recovered(floor)
        assert exchange.clock.slept == [90]
        assert "ban-noted" in await kinds_in(floor.journal, "account/main")


async def test_orders_of_the_last_minute_count_after_a_restart(exchange: FakeExchange) -> None:
    """Catches a cap on orders a minute that a crash loop passes."""
    journal = PoisonableJournal()
    async with opened(exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        await floor.account.roster.keepers[DIP].tell(ENTER)
        await turns()
    for seconds, written in ((59, 1), (61, 0)):
        exchange.clock.elapsed = seconds
        async with opened(exchange=exchange, journal=journal) as floor:
            await recovered(floor)
            since = exchange.now() - MINUTE
            assert len(await floor.journal.written(DIP, since)) == written


# The account -------------------------------------------------------------------------------------


async def test_the_first_account_is_bound_and_another_one_refused(exchange: FakeExchange) -> None:
    """Catches keys that were swapped: the journal's orders would look as if they had vanished."""
    journal = PoisonableJournal()
    async with opened(exchange=exchange, journal=journal) as floor:
        assert await recovered(floor)
    records = await journal.records()
    for uid, environment in (("8", "simulated"), ("7", "live")):
        other = FakeExchange(exchange.clock)
        other.identity = type(exchange.identity)(
            exchange="binance", uid=uid, environment=environment
        )
        async with opened(exchange=other, journal=journal) as floor:
            with pytest.raises(WrongAccount, match="belongs to binance account 7"):
                await floor.account.recovery.patiently()
            assert floor.account.roster.keepers == {}
        assert [ask.verb for ask in other.asked] == ["connect", "identify"]
    assert await journal.records() == records


async def test_one_login_under_two_names_is_refused(exchange: FakeExchange) -> None:
    """Catches two accounts that cancel each other's orders as orphans."""
    journal = PoisonableJournal()
    bound = AccountBound(
        at=START,
        account=AccountName("second"),
        exchange=exchange.identity.exchange,
        uid=exchange.identity.uid,
        environment=exchange.identity.environment,
        balances={},
    )
    append = Append(stream="account/second", expected=0, records=(bound,))
    await journal.commit(Change(at=START, appends=(append,)))
    async with opened(exchange=exchange, journal=journal) as floor:
        with pytest.raises(WrongAccount, match=r"accounts.main and accounts.second are one login"):
            await floor.account.recovery.patiently()
        assert floor.account.roster.keepers == {}
    assert await journal.records() == 1


# Twice is once -----------------------------------------------------------------------------------


async def test_recovering_twice_changes_nothing_but_the_reports(exchange: FakeExchange) -> None:
    """In one process, and by the next one."""
    journal = PoisonableJournal()
    async with opened(TWO_BOTS, exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        exchange.answer(Unknown("time-out"), accepted=True)
        await floor.account.roster.keepers[DIP].tell(ENTER)
        await turns()
    for _ in range(2):
        async with opened(TWO_BOTS, exchange=exchange, journal=journal) as floor:
            assert await recovered(floor)
            position = floor.account.roster.keepers[DIP].position
            assert position.state is State.OPEN
            records = await journal.records()
            assert await recovered(floor)
            assert await journal.records() == records + 1  # the report
            assert floor.account.roster.keepers[DIP].position == position
    assert len(exchange.sent) == 1
    reports = await floor.reports()
    assert [report.fills_booked for report in reports] == [0, 1, 0, 0, 0]
    assert reports[1].positions["opened"] == 1


async def test_the_report_counts_what_was_asked(exchange: FakeExchange) -> None:
    async with opened(exchange=exchange) as floor:
        await recovered(floor)
        (report,) = await floor.reports()
        asked = exchange.spending()
        assert (report.requests, report.weight) == (asked.requests, asked.weight)
        assert (report.outcome, report.bots_restarted) == ("complete", 1)


async def test_fills_are_read_from_the_newest_trade_of_a_new_bot(exchange: FakeExchange) -> None:
    """What was traded before the bot existed is nobody's business here."""
    for _ in range(3):
        exchange.trade(Side.BUY, "1")
    async with opened(exchange=exchange) as floor:
        await recovered(floor)
        assert await floor.journal.watermark(floor.account.name, BTC) == "3"
    assert exchange.count("fills") == 0


# One bad symbol ----------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", ["open_orders", "newest_fills"])
async def test_one_unreadable_symbol_is_reviewed_after_three_tries(
    exchange: FakeExchange, verb: str
) -> None:
    """L6. Catches one symbol that keeps every other bot of its account from starting."""
    exchange.trade(Side.BUY, "1", symbol=ETH)  # coins of somebody, or of a journal that is lost
    exchange.fail(verb, ReadFailed("garbage"), about=ETH)
    async with opened(TWO_BOTS, exchange=exchange) as floor:
        assert await recovered(floor)
        assert exchange.clock.slept == [1, 2]
        assert floor.account.roster.refusal(DIP) is None
        assert floor.account.roster.statuses.of(SWING) is Status.REVIEW
        assert "garbage" in floor.account.roster.statuses.in_review()[SWING]
        (report,) = await floor.reports()
        assert (report.outcome, report.bots_restarted) == ("partial", 1)


@pytest.mark.parametrize("first", ["stopped", "unread"])
async def test_stop_all_and_resume_all_prove_no_symbol(exchange: FakeExchange, first: str) -> None:
    """The bot entered where nothing of what it holds or ordered had been read."""
    journal = PoisonableJournal()
    async with opened(TWO_BOTS, exchange=exchange, journal=journal) as floor:
        assert await recovered(floor)
        if first == "stopped":
            await stop_all([floor.account], "ann")
    exchange.trade(Side.BUY, "1", symbol=ETH)
    exchange.fail("open_orders", ReadFailed("garbage"), about=ETH)
    async with opened(TWO_BOTS, exchange=exchange, journal=journal) as floor:
        assert await recovered(floor)
        roster = floor.account.roster
        await stop_all([floor.account], "ann")
        said = await resume_all([floor.account], "ann")
        assert said == "1 bot may enter again; 1 still in review: surefoot status says why"
        assert roster.refusal(DIP) is None
        assert set(roster.statuses.in_review()) == {SWING}
        with pytest.raises(SignalRefused, match="before its symbol is read"):
            refuse_if_review_stands(floor.account, SWING)
        refuse_if_review_stands(floor.account, DIP)
        exchange.mend()
        await stop_all([floor.account], "ann")
        assert await recovered(floor)
        assert roster.statuses.of(SWING) is Status.PAUSED, "it is read, and held all the same"
        refuse_if_review_stands(floor.account, SWING)
        await resume_all([floor.account], "ann")
        assert roster.refusal(SWING) is None


async def test_if_nothing_can_be_read_nothing_goes_on(exchange: FakeExchange) -> None:
    exchange.fail("open_orders", ReadFailed("garbage"))
    async with opened(TWO_BOTS, exchange=exchange) as floor:
        assert not await recovered(floor)
        assert set(floor.account.roster.statuses.in_review()) == {DIP, SWING}


async def test_a_symbol_that_is_read_at_the_second_try_is_not_reviewed(
    exchange: FakeExchange,
) -> None:
    exchange.fail("fills", ReadFailed("garbage"), about=ETH, times=2)
    async with opened(TWO_BOTS, exchange=exchange) as floor:
        assert await recovered(floor)
        assert floor.account.roster.statuses.in_review() == {}


async def test_a_symbol_that_is_not_listed_costs_only_its_own_bot(exchange: FakeExchange) -> None:
    del exchange.instruments[ETH]
    async with opened(TWO_BOTS, exchange=exchange) as floor:
        assert await recovered(floor)
        assert floor.account.roster.statuses.in_review() == {
            SWING: "the venue does not list ETH/USDT"
        }
        assert floor.account.roster.refusal(DIP) is None


# What an operator said ---------------------------------------------------------------------------


@pytest.mark.parametrize("status", [Status.PAUSED, Status.STOPPED])
async def test_what_an_operator_stopped_stays_stopped(
    exchange: FakeExchange, status: Status
) -> None:
    journal = PoisonableJournal()
    async with opened(exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        await floor.account.roster.statuses.change(DIP, status, by="ann")
    async with opened(exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        assert floor.account.roster.statuses.of(DIP) is status
        assert floor.account.roster.refusal(DIP) == f"the bot is {status}"


@pytest.mark.parametrize("cause", sorted(set(Cause) - {Cause.STRATEGY, Cause.SETBACK}))
async def test_a_review_is_lifted_by_evidence_that_its_cause_is_gone(
    exchange: FakeExchange, cause: Cause
) -> None:
    """Everything was reached, read, matched and found trading: nothing stands against the bot."""
    async with opened(exchange=exchange) as floor:
        await recovered(floor)
        await floor.account.roster.review(DIP, "something", cause)
        assert floor.account.roster.refusal(DIP) == "the bot is REVIEW: something"
        await recovered(floor)
        assert floor.account.roster.refusal(DIP) is None


async def test_a_strategy_that_failed_is_lifted_by_no_recovery_and_no_restart(
    exchange: FakeExchange,
) -> None:
    """Catches a bot that another one's recovery, an outage or a restart lets trade again."""
    journal = PoisonableJournal()
    async with opened(TWO_BOTS, exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        await floor.account.roster.review(DIP, "its strategy failed", Cause.STRATEGY)
        await recovered(floor)
        await floor.account.roster.review_all("the exchange cannot be reached", Cause.UNREACHABLE)
        await recovered(floor)
        assert floor.account.roster.refusal(DIP) == "the bot is REVIEW: its strategy failed"
        assert floor.account.roster.refusal(SWING) is None
    async with opened(TWO_BOTS, exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        assert floor.account.roster.refusal(DIP) == "the bot is REVIEW: its strategy failed"
        assert floor.account.roster.runners[DIP].muted
        assert floor.account.roster.refusal(SWING) is None


async def test_a_symbol_that_trades_again_lifts_its_review(exchange: FakeExchange) -> None:
    journal = PoisonableJournal()
    for halted in (set(), {ETH}, set()):
        exchange.halted = halted
        async with opened(TWO_BOTS, exchange=exchange, journal=journal) as floor:
            await recovered(floor)
            assert set(floor.account.roster.statuses.in_review()) == ({SWING} if halted else set())


async def test_a_frozen_position_blocks_entries_while_its_bot_runs(exchange: FakeExchange) -> None:
    async with opened(exchange=exchange) as floor:
        await recovered(floor)
        await floor.account.roster.keepers[DIP].tell(Freeze(reason="look"))
        assert floor.account.roster.refusal(DIP) == "dip-btc-1 is frozen: look"


async def test_an_exchange_that_started_over_halts_every_bot(exchange: FakeExchange) -> None:
    async with opened(TWO_BOTS, exchange=exchange) as floor:
        await recovered(floor)
        await floor.account.roster.keepers[DIP].tell(ENTER)
        exchange.reset = True
        assert not await recovered(floor)
        assert set(floor.account.roster.statuses.in_review()) == {DIP, SWING}
        assert floor.account.roster.refusal(DIP) == "recovery has not finished"


async def test_a_bot_that_left_the_configuration_is_still_watched(exchange: FakeExchange) -> None:
    journal = PoisonableJournal()
    async with opened(TWO_BOTS, exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        await floor.account.roster.keepers[DIP].tell(ENTER)
        await turns()
    left = account_spec(bot_spec(SWING, ETH))
    async with opened(left, exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        assert floor.account.roster.keepers[DIP].position.state is State.OPEN
        assert floor.account.roster.runners[DIP].spec.limits.orders_per_minute == 0
        assert "not in the configuration" in str(floor.account.roster.refusal(DIP))


@pytest.mark.parametrize("goes", ["the bot", "the symbol"])
async def test_dust_that_nobody_will_sell_is_left_to_the_owner(
    exchange: FakeExchange, goes: str
) -> None:
    """Catches a bot in review, and coins claimed for ever, for a few cents of dust."""
    desk = Desk()
    dust = Dust(quantity=D("0.0000084"), cost=D("0.42"))
    await desk.keeper(carried=dust)
    journal = desk.journal
    kept = account_spec(bot_spec(DIP, ETH) if goes == "the symbol" else bot_spec(SWING, ETH))
    async with opened(kept, exchange=exchange, journal=journal) as floor:
        assert await recovered(floor)
        assert not floor.account.roster.statuses.in_review()
    position = await journal.position(PositionId("dip-btc-1"))
    assert position is not None
    assert (position.claim, position.realized_pnl) == (0, -dust.cost)


async def test_a_bot_that_cannot_run_as_configured_keeps_its_dust(exchange: FakeExchange) -> None:
    """Catches coins that are the owner's while a mistake stands, and are missed when it is mended.

    Another bot on the asset would be frozen for them then.
    """
    desk, dust = Desk(), Dust(quantity=D("0.0000084"), cost=D("0.42"))
    await desk.keeper(carried=dust)
    wrong = account_spec(bot_spec(timeframe="7m"))
    async with opened(wrong, exchange=exchange, journal=desk.journal) as floor:
        await recovered(floor)
        assert floor.account.roster.keepers[DIP].position.claim == dust.quantity
        assert floor.account.roster.statuses.of(DIP) is Status.REVIEW


async def test_steps_come_in_their_order(exchange: FakeExchange) -> None:
    """Bound before anything is loaded, streams up before anything is read, bots last.

    What the account has is written down with whose it is, before a bot can change it.
    """
    journal = PoisonableJournal()
    async with opened(exchange=exchange, journal=journal) as floor:
        await recovered(floor)
    assert [ask.verb for ask in exchange.asked] == [
        "connect",
        "identify",
        "balances",
        "market",
        "balances",
        "open_orders",
    ]
    assert await kinds_in(journal, "account/main") == [
        "account-bound",
        "life-began",
        "others-seen",
        "recovery-finished",
    ]
    assert await kinds_in(journal, "bot/dip-btc") == ["bot-status-changed"]
