"""An account's pulse: said once, written once, kept over a restart, never a timer's memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from msgspec.structs import replace
from tests.builders import START, D, Life
from tests.memory_journal import MemoryJournal
from tests.unit.engine.clock import HandClock
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    MAIN,
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

from surefoot.core.account_records import HealthChanged, StuckChanged
from surefoot.core.position import State
from surefoot.core.stuck import StuckKind
from surefoot.core.values import ClientOrderId
from surefoot.engine.recovery import Outcome
from surefoot.exchange.errors import ReadFailed, Refused, TooMany, Unknown
from surefoot.exchange.port import Connected, Gap


async def states(journal: MemoryJournal) -> list[str]:
    records = await records_in(journal, "account/main")
    return [each.health.state.value for each in records if isinstance(each, HealthChanged)]


async def standing(journal: MemoryJournal) -> list[str]:
    """Return what the journal calls stuck at last."""
    records = await records_in(journal, "account/main")
    found = [each for each in records if isinstance(each, StuckChanged)]
    return [each.kind for each in found[-1].standing] if found else []


@asynccontextmanager
async def living(
    exchange: FakeExchange | None = None,
    journal: MemoryJournal | None = None,
    *,
    native_stop: bool = False,
    exclusive: bool = False,
) -> AsyncIterator[Floor]:
    """Serve an account whose recovery is done, and whose market moves."""
    spec = account_spec(bot_spec(native_stop=native_stop), exclusive=exclusive)
    async with opened(spec, exchange=exchange, journal=journal) as floor:
        floor.account.attend()
        await floor.account.recovery.patiently()
        floor.account.start()
        floor.exchange.market_events.put_nowait(tick())
        await floor.clock.advance(30)
        yield floor


async def go_round(floor: Floor, times: int) -> None:
    """Compare everything so often, half a minute apart."""
    for _ in range(times):
        floor.account.rounds.want()
        await floor.clock.advance(30)


async def enter(floor: Floor) -> None:
    keeper = floor.account.roster.keepers[DIP]
    await keeper.tell(ENTER)
    await floor.clock.advance(2)
    assert keeper.position.state is State.OPEN


async def test_an_outage_is_one_record_and_one_line_and_so_is_its_end() -> None:
    """45 lines in 30 s, and a green status: catches a word for every failed question."""
    async with living() as floor:
        for verb in ("open_orders", "fills", "newest_fills", "balances"):
            floor.exchange.fail(verb, ReadFailed("502"), times=4)
        await go_round(floor, 4)
        assert await states(floor.journal) == ["starting", "ok", "unreachable"]
        await go_round(floor, 2)
        assert await states(floor.journal) == ["starting", "ok", "unreachable", "ok"]
        loud = [line for line in floor.log.lines if line[0] in {"warning", "error"}]
        assert [line[1] for line in loud] == ["account health"]


async def test_one_symbol_that_cannot_be_read_is_no_outage() -> None:
    """Its reads hang and fail while the other's are answered: the account is reached."""
    spec = account_spec(bot_spec(), bot_spec(SWING, ETH))
    async with opened(spec) as floor:
        floor.account.attend()
        await floor.account.recovery.patiently()
        floor.account.start()
        await floor.clock.advance(30)
        for verb in ("open_orders", "fills"):
            floor.exchange.fail(verb, ReadFailed("502"), about=ETH)
        await go_round(floor, 4)
        assert await states(floor.journal) == ["starting", "ok", "degraded"]
        record = (await records_in(floor.journal, "account/main"))[-1]
        assert isinstance(record, HealthChanged)
        assert record.health.why == "no read of ETH/USDT is whole"


async def test_a_start_that_cannot_reach_the_exchange_is_not_green() -> None:
    exchange = FakeExchange(HandClock())
    exchange.fail("connect", ReadFailed("no route"), times=3)
    async with opened(exchange=exchange) as floor:
        floor.account.attend()
        async with asyncio.TaskGroup() as tasks:
            recovering = tasks.create_task(floor.account.recovery.patiently())
            await exchange.clock.advance(3)
            assert await states(floor.journal) == ["starting", "unreachable"]
            pulse = (await floor.journal.signs()).pulses[MAIN]
            assert (pulse.attempt, pulse.next_try) == (3, START + timedelta(seconds=7))
            await exchange.clock.advance(10)
            assert await recovering is Outcome.RECOVERED
        assert await states(floor.journal) == ["starting", "unreachable", "ok"]


async def test_a_start_that_reaches_nobody_says_what_the_journal_leaves_open() -> None:
    """Five minutes without an answer: an addition had no stop, and only the account was said."""
    journal, exchange = PoisonableJournal(), FakeExchange(HandClock())
    async with living(exchange, journal) as floor:
        await enter(floor)
        assert await standing(journal) == []
    exchange.fail("connect", ReadFailed("no route"), times=7)
    async with opened(exchange=exchange, journal=journal) as floor:
        floor.account.attend()
        async with asyncio.TaskGroup() as tasks:
            recovering = tasks.create_task(floor.account.recovery.patiently())
            await exchange.clock.advance(58)
            assert await standing(journal) == []
            await exchange.clock.advance(4)
            assert await standing(journal) == [StuckKind.READ_UNPROVEN]
            (said,) = floor.log.said("stuck")
            assert said["position"] == "dip-btc-1"
            await exchange.clock.advance(80)
            assert await recovering is Outcome.RECOVERED
        floor.account.start()
        await exchange.clock.advance(15)
        assert await standing(journal) == []
        assert [each["id"] for each in floor.log.said("no longer stuck")] == [said["id"]]
        assert len(floor.log.said("stuck")) == 1


async def test_dead_streams_are_said_once_and_only_when_they_last() -> None:
    async with living() as floor:
        await enter(floor)
        for _ in range(5):
            floor.exchange.market_events.put_nowait(Gap(reason="reset"))
            await floor.clock.advance(2)
        assert (await states(floor.journal))[-1] == "ok"
        await floor.clock.advance(10)
        assert (await states(floor.journal))[-1] == "degraded"
        assert len(floor.log.said("market stream broken")) == 5
        assert [line[0] for line in floor.log.lines if line[1] == "market stream broken"] == [
            "warning",
            *["debug"] * 4,
        ]
        floor.exchange.fail("ticks", ReadFailed("no answer"))  # nor can it be asked for
        await floor.clock.advance(70)
        assert await standing(floor.journal) == [StuckKind.PRICE_STALE]
        floor.exchange.market_events.put_nowait(Connected())
        floor.exchange.market_events.put_nowait(tick())
        await floor.clock.advance(2)
        assert (await states(floor.journal))[-1] == "ok"
        assert await standing(floor.journal) == []


async def test_a_quiet_market_is_not_a_dead_one() -> None:
    """No trade for an hour while the stream is up: the price has not moved."""
    async with living() as floor:
        await enter(floor)
        await floor.clock.advance(600)
        assert await standing(floor.journal) == []


async def test_a_doubt_that_never_ends_is_said_once_and_survives_a_restart() -> None:
    """Its window never proves complete, so its absence is never proven."""
    journal = PoisonableJournal()
    exchange = FakeExchange(HandClock())
    async with living(exchange, journal) as floor:
        exchange.complete = False
        exchange.answer(Unknown("504"), accepted=False)
        await floor.account.roster.keepers[DIP].tell(ENTER)
        await go_round(floor, 7)
        assert await standing(journal) == [StuckKind.ORDER_IN_DOUBT, StuckKind.READ_UNPROVEN]
        assert len(floor.log.said("stuck")) == 2
        written = (await kinds_in(journal, "account/main")).count("stuck-changed")
    async with living(exchange, journal) as again:
        await go_round(again, 2)
        assert await standing(journal) == [StuckKind.ORDER_IN_DOUBT, StuckKind.READ_UNPROVEN]
        assert again.log.said("stuck") == []
        assert (await kinds_in(journal, "account/main")).count("stuck-changed") == written
        exchange.complete = True
        await go_round(again, 2)
        assert await standing(journal) == []
        assert len(again.log.said("no longer stuck")) == 2


async def test_a_recovery_without_a_server_leaves_no_old_alarm_behind() -> None:
    """What had been stuck was proven, and `recover` listed it all the same, with exit code 3."""
    journal = PoisonableJournal()
    exchange = FakeExchange(HandClock())
    async with living(exchange, journal) as floor:
        exchange.complete = False
        exchange.answer(Unknown("504"), accepted=False)
        await floor.account.roster.keepers[DIP].tell(ENTER)
        await go_round(floor, 7)
        assert await standing(journal) == [StuckKind.ORDER_IN_DOUBT, StuckKind.READ_UNPROVEN]
    exchange.complete = True
    async with opened(exchange=exchange, journal=journal) as once:
        await once.account.recovery.patiently()
        await once.account.examine()
        assert await standing(journal) == []


async def test_too_many_again_and_again_is_said() -> None:
    """Nothing freezes by it; a stop that never gets there must be said all the same."""
    async with living(native_stop=True) as floor:
        for _ in range(20):
            floor.exchange.answer(TooMany("-1015"), accepted=False)
        floor.exchange._answers.appendleft((None, True))  # type: ignore[arg-type]
        await enter(floor)
        await floor.clock.advance(90)
        assert await standing(floor.journal) == [StuckKind.STOP_MISSING]
        assert floor.account.roster.keepers[DIP].position.frozen is None


async def test_a_ban_is_one_record_whoever_met_it_and_outlives_the_process() -> None:
    """It answered an order, and was forgotten: 17 requests went into it after the restart."""
    async with living() as floor:
        until = START + timedelta(hours=1)
        floor.exchange.note_ban(until)
        await floor.clock.advance(120)
        kinds = await kinds_in(floor.journal, "account/main")
        assert kinds.count("ban-noted") == 1
        assert (await states(floor.journal))[-1] == "banned"


async def test_a_new_server_does_not_live_on_the_word_of_the_last_one() -> None:
    """The same word is written again, as its own: until then it is starting."""
    journal = PoisonableJournal()
    for since in (START, START + timedelta(hours=1)):
        journal.since = since
        async with living(journal=journal):
            pass
    records = await records_in(journal, "account/main")
    said = [each for each in records if isinstance(each, HealthChanged)]
    assert [(each.server, each.health.state.value) for each in said] == [
        (START, "starting"),
        (START, "ok"),
        (START + timedelta(hours=1), "starting"),
        (START + timedelta(hours=1), "ok"),
    ]


async def test_an_orphan_whose_cancel_is_refused_for_ever_is_found_and_stays_so() -> None:
    """It was asked to go every half minute, silently; also over a restart, with its beginning."""
    exchange, journal = FakeExchange(HandClock()), PoisonableJournal()
    by_hand = replace(Life().enter(), client_order_id=ClientOrderId("web_1"), limit=D(40000))
    for _ in range(30):
        exchange.answer_cancel(Refused("-2011", "no"))
    for _ in range(2):
        async with living(exchange, journal, exclusive=True) as floor:
            if not exchange.orders:
                exchange.place(by_hand)
            await go_round(floor, 4)
    changes = await stuck_in(journal)
    assert [(each.raised, each.ended) for each in changes] == [
        (("cancel-unfinished/web_1",), ()),
    ]
    (stuck,) = changes[0].standing
    assert stuck.believed == "web_1 is to be cancelled: not ours"
    async with living(exchange, journal, exclusive=True) as floor:
        exchange.end("1", "CANCELED")
        await go_round(floor, 4)
    assert (await stuck_in(journal))[-1].ended == ("cancel-unfinished/web_1",)


async def stuck_in(journal: PoisonableJournal) -> list[StuckChanged]:
    records = await records_in(journal, "account/main")
    return [each for each in records if isinstance(each, StuckChanged)]
