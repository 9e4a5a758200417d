"""One exam for every journal: what the port promises, each implementation must do."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.builders import BTC, PROTECTED, START, Life, closed_beside_a_never, fill, report
from tests.memory_journal import MemoryJournal

from surefoot.core.account_records import BotStatusChanged, HealthChanged, WatermarkMoved
from surefoot.core.evidence import Owned
from surefoot.core.health import Health, HealthState
from surefoot.core.order import LATE_SWEEP, OrderStatus
from surefoot.core.position import State
from surefoot.core.records import FillBooked, OrderAmended, StateChanged
from surefoot.core.signals import ExitSignal
from surefoot.core.values import AccountName, Asset, BotName, Symbol
from surefoot.journal.errors import DuplicateFill, IllegalUpdate, StaleAppend
from surefoot.journal.port import Append, Change, Command, Journal, Memory, Verdict
from surefoot.journal.sqlite import open_sqlite

MOMENT = timedelta(microseconds=1)


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    opened: Journal
    if request.param == "memory":
        opened = MemoryJournal()
    else:
        opened = open_sqlite(tmp_path / "exam.db", at=START)
    yield opened
    await opened.close()


def append(life: Life, since: int = 0) -> Append:
    return Append(
        stream=f"position/{life.position.position_id}",
        expected=since,
        records=tuple(life.records[since:]),
        position=life.position,
        left=tuple(life.orders.values()),
    )


def change(*appends: Append, **more: object) -> Change:
    return Change(at=START, appends=appends, **more)  # type: ignore[arg-type]


async def whole_life(journal: Journal) -> Life:
    """Enter and leave, one commit a step."""
    life = Life()
    await journal.commit(change(append(life)))
    for step in ("enter", "fill", "exit", "out"):
        since = len(life.records)
        if step == "enter":
            life.enter()
        elif step == "exit":
            life.tell(ExitSignal(reason="enough"))
        else:
            trade = "1" if step == "fill" else "2"
            done = report(life.order, "FILLED", life.order.quantity)
            life.tell(done, fill(life.order, "50000", trade=trade))
        await journal.commit(change(append(life, since)))
    return life


async def test_what_was_committed_is_read_back(journal: Journal) -> None:
    life = await whole_life(journal)
    assert await journal.positions() == (life.position,)
    assert life.position.state is State.CLOSED
    entries = await journal.entries()
    assert [entry.record for entry in entries] == life.records
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert await journal.entries(after=3, limit=2) == entries[3:5]
    assert await journal.version("position/dip-btc-1") == life.position.version


async def test_a_receipt_names_the_intents_that_it_covers(journal: Journal) -> None:
    """S1: only these may be sent on the strength of this commit."""
    life = Life()
    receipt = await journal.commit(change(append(life)))
    assert receipt.intents == frozenset()
    life.enter()
    receipt = await journal.commit(change(append(life, 1)))
    assert receipt.intents == {life.order.client_order_id}


async def test_a_repeated_append_changes_nothing(journal: Journal) -> None:
    life = Life()
    await journal.commit(change(append(life)))
    life.enter()
    step = change(append(life, 1))
    await journal.commit(step)
    before = await journal.entries()
    with pytest.raises(StaleAppend):
        await journal.commit(step)
    assert await journal.entries() == before


async def test_an_append_from_the_future_changes_nothing(journal: Journal) -> None:
    life = Life()
    life.enter()
    with pytest.raises(StaleAppend):
        await journal.commit(change(append(life, 1)))
    assert await journal.entries() == ()


async def test_all_or_nothing(journal: Journal) -> None:
    """One stale append in a change, and nothing of the change is there."""
    good, stale = Life(), Append(stream="bot/x", expected=5, records=())
    with pytest.raises(StaleAppend):
        await journal.commit(
            change(append(good), stale, memories=(Memory(bot=BotName("x"), data={"a": 1}),)),
        )
    assert await journal.entries() == ()
    assert await journal.positions() == ()
    assert await journal.memory(BotName("x")) == {}


async def test_a_fill_is_booked_once(journal: Journal) -> None:
    """S6: the same trade of the same order is refused by the store itself."""
    life = await whole_life(journal)
    again = next(each for each in life.records if isinstance(each, FillBooked))
    before = await journal.entries()
    version = life.position.version
    twice = Append(
        stream="position/dip-btc-1", expected=version, records=(again,), position=life.position
    )
    with pytest.raises(DuplicateFill):
        await journal.commit(change(twice))
    assert await journal.entries() == before


async def test_a_trade_between_two_orders_of_ours_is_booked_for_both(journal: Journal) -> None:
    """A self-trade has one id and two sides; refusing one was a crash loop with all bots down."""
    await whole_life(journal)
    other = Life(bot="other")
    other.enter()
    other.tell(fill(other.order, "50000", trade="1"))
    await journal.commit(change(append(other)))
    assert await journal.positions(bot=BotName("other")) == (other.position,)


async def test_an_illegal_transition_is_refused(journal: Journal) -> None:
    """The table is asked by the code and again by the store."""
    life = Life()
    await journal.commit(change(append(life)))
    skip = StateChanged(at=START, target=State.CLOSED, why="because")
    wrong = Append(stream="position/dip-btc-1", expected=1, records=(skip,), position=life.position)
    with pytest.raises(IllegalUpdate):
        await journal.commit(change(wrong))
    assert len(await journal.entries()) == 1


async def test_an_order_is_found_by_either_of_its_names(journal: Journal) -> None:
    """Whose fill or report something is, is asked here, whatever the age of the order."""
    life = await whole_life(journal)
    account, position = life.position.account, life.position.position_id
    entry, out = life.position.orders
    owned = Owned(position_id=position, bot=BotName("dip-btc"), order=entry)
    name, number = entry.client_order_id, entry.exchange_order_id
    assert number is not None
    for found in (
        await journal.find_orders(account, BTC, names=[name]),
        await journal.find_orders(account, BTC, numbers=[number]),
        await journal.find_orders(account, BTC, names=[name], numbers=[number]),
    ):
        assert found == (owned,)
    assert await journal.find_orders(account, BTC) == ()
    assert await journal.find_orders(account, Symbol("ETH/USDT"), numbers=[number]) == ()
    assert await journal.find_orders(AccountName("other"), BTC, numbers=[number]) == ()
    assert dict(await journal.orders_of([position])) == {position: (entry, out)}
    assert dict(await journal.orders_of([position], newest=1)) == {position: (out,)}
    assert dict(await journal.orders_of([position], newest=9)) == {position: (entry, out)}


async def test_what_is_settled_needs_no_looking_after(journal: Journal) -> None:
    life = await whole_life(journal)
    assert all(order.status is OrderStatus.FILLED for order in life.position.orders)
    assert await journal.unsettled(life.now) == ()
    assert await journal.positions(bot=BotName("nobody")) == ()


async def test_what_was_called_never_is_looked_after_for_a_day(journal: Journal) -> None:
    """Catches a closed position with one in it, which was loaded at every start for ever."""
    life = closed_beside_a_never()
    assert life.position.state is State.CLOSED
    ended = life.now - timedelta(minutes=1)
    await journal.commit(change(append(life)))
    assert await journal.unsettled(ended + LATE_SWEEP - MOMENT) == (life.position,)
    assert await journal.unsettled(ended + LATE_SWEEP) == ()


async def test_bots_memories_and_watermarks(journal: Journal) -> None:
    bot, account = BotName("dip-btc"), AccountName("main")
    status = BotStatusChanged(at=START, bot=bot, status="PAUSED", by="ann", reason="lunch")
    mark = WatermarkMoved(at=START, account=account, symbol=BTC, trade_id="77")
    await journal.commit(
        change(
            Append(stream="bot/dip-btc", expected=0, records=(status,)),
            Append(stream="account/main", expected=0, records=(mark,)),
            append(Life()),
            memories=(Memory(bot=bot, data={"high": 1.5}),),
        ),
    )
    assert await journal.bot_names() == {bot}
    assert (await journal.words())[bot].record == status
    (row,) = await journal.bots()
    assert (row.status, row.reason) == ("PAUSED", "lunch")
    assert await journal.version("bot/dip-btc") == 1
    assert row.position == Life().position
    assert await journal.memory(bot) == {"high": 1.5}
    assert await journal.watermark(account, BTC) == "77"
    last = await journal.last("account/main", "watermark-moved")
    assert last is not None
    assert last.record == mark
    assert await journal.last("account/main", "watermark-moved", before=last.sequence) is None
    first = await journal.last("account/main", "watermark-moved", before=last.sequence + 1)
    assert first == last
    assert await journal.last("account/main", "account-bound") is None


async def test_bots_are_listed_as_a_reader_counts(journal: Journal) -> None:
    """Thirteen comes after three; all that lists bots has its order from here."""
    for name in ("dip-13", "dip-3", "dip", "a2b10", "a2b9"):
        word = BotStatusChanged(
            at=START, bot=BotName(name), status="PAUSED", by="ann", reason="lunch"
        )
        await journal.commit(change(Append(stream=f"bot/{name}", expected=0, records=(word,))))
    listed = [row.bot for row in await journal.bots()]
    assert listed == ["a2b9", "a2b10", "dip", "dip-3", "dip-13"]


async def test_commands_are_durable_and_idempotent(journal: Journal) -> None:
    command = Command(
        command_id="c1",
        kind="close",
        target="dip-btc",
        actor="ann",
        posted_at=START,
        expires_at=START,
        arguments={"reason": "enough"},
    )
    assert await journal.post(command) is True
    assert await journal.post(command) is False
    assert await journal.commands() == ()
    for _ in range(2):
        await journal.take_commands(at=START)
        assert await journal.commands(status="posted") == (command,)
    await journal.commit(
        change(verdicts=(Verdict(command_id="c1", status="done", result="closing"),)),
    )
    assert await journal.commands(status="posted") == ()
    (done,) = await journal.commands()
    assert (done.status, done.result) == ("done", "closing")
    assert await journal.post(command) is False
    await journal.take_commands(at=START)
    assert await journal.commands() == (done,)


async def test_a_settled_command_takes_no_second_verdict(journal: Journal) -> None:
    """What was refused must not be told as done, nor what was done as refused."""
    command = Command(
        command_id="c1",
        kind="close",
        target="dip-btc",
        actor="ann",
        posted_at=START,
        expires_at=START,
    )
    await journal.post(command)
    await journal.take_commands(at=START)
    for status in ("refused", "done"):
        verdict = Verdict(command_id="c1", status=status, result=f"it was {status}")
        await journal.commit(change(verdicts=(verdict,)))
    (settled,) = await journal.commands()
    assert (settled.status, settled.result) == ("refused", "it was refused")


async def test_a_position_is_found_by_its_name_or_its_bots(journal: Journal) -> None:
    life = await whole_life(journal)
    name = life.position.position_id
    assert await journal.position(name) == life.position
    assert await journal.position(life.position.bot) == life.position
    assert await journal.position("nobody") is None
    assert await journal.position_ids() == (name,)
    everything = await journal.entries()
    assert await journal.newest(2) == everything[-2:]
    assert await journal.newest(2, bot=life.position.bot) == everything[-2:]
    assert await journal.newest(2, bot=BotName("nobody")) == ()


async def test_gauges_keep_the_newest_price(journal: Journal) -> None:
    """They are no records, and an older price never replaces a newer one."""
    account, other = AccountName("main"), AccountName("other")
    for name, price, second in ((account, "1", 1), (account, "3", 3), (account, "2", 2)):
        journal.gauges.price(name, BTC, D(price), START + timedelta(seconds=second))
    journal.gauges.price(other, BTC, D("7.10"), START)
    await journal.close()
    marks = await journal.marks()
    assert {each: mark.price for each, mark in marks.items()} == {
        (account, BTC): D(3),
        (other, BTC): D("7.10"),
    }
    assert marks[account, BTC].at == START + timedelta(seconds=3)


async def test_a_clock_that_went_back_hides_no_price(journal: Journal) -> None:
    """The price of before was shown for as long as the exchange's clock had gone back."""
    account = AccountName("main")
    journal.gauges.price(account, BTC, D(3), START + timedelta(hours=1))
    journal.gauges.price(account, BTC, D(2), START)
    await journal.close()
    assert (await journal.marks())[account, BTC].price == D(2)


async def test_amounts_come_back_exactly(journal: Journal) -> None:
    life = Life()
    order = life.enter("0.00160")
    life.tell(fill(order, "61685.990000001", trade="1", fee="0.000000016", asset="BTC"))
    await journal.commit(change(append(life)))
    (position,) = await journal.positions()
    assert position.entry_cost == D("61685.990000001") * D("0.00160")
    assert position == life.position


async def test_orders_of_the_last_minute_are_found_whatever_became_of_them(
    journal: Journal,
) -> None:
    """The cap on orders a minute must count those of positions that are closed already."""
    life = await whole_life(journal)
    bot = life.position.bot
    assert await journal.written(bot, START - timedelta(minutes=1)) == (START, START)
    assert await journal.written(bot, START + timedelta(minutes=1)) == ()
    assert await journal.written(BotName("dip"), START - timedelta(minutes=1)) == ()


async def test_what_fees_took_is_added_up_but_not_what_was_bought(journal: Journal) -> None:
    """Of what is bought a fee is kept back; others it takes from what the account has besides."""
    life = Life()
    life.enter()
    bought = report(life.order, "FILLED", life.order.quantity)
    life.tell(bought, fill(life.order, "50000", trade="1", fee="0.00001", asset="BTC"))
    life.tell(ExitSignal())
    life.tell(fill(life.order, "50000", "0.001", trade="2", fee="0.0002", asset="BNB"))
    later = START + MOMENT
    life.tell(fill(life.order, "50000", "0.0001", trade="3", fee="0.003", asset="BNB", at=later))
    life.tell(fill(life.order, "50000", "0.0001", trade="4", fee="0.04", asset="BTC", at=later))
    await journal.commit(change(append(life)))
    account = life.position.account
    assert await journal.fees(account, Asset("BNB"), START) == D("0.0032")
    assert await journal.fees(account, Asset("BNB"), later) == D("0.003")
    assert await journal.fees(account, Asset("BTC"), START) == D("0.04")
    assert await journal.fees(AccountName("other"), Asset("BNB"), START) == 0


async def test_an_order_that_has_left_is_known_as_it_was(journal: Journal) -> None:
    """A late fact about it is told with it: what it has booked, and how it ended."""
    life = Life()
    life.opened()
    life.tell(ExitSignal(limit=D(60000)))
    out = life.order
    partly = fill(out, "60000", "0.0006", trade="2")
    life.tell(report(out, "CANCELED", "0.0006"), partly, ExitSignal())
    await journal.commit(change(append(life)))
    assert life.position.find(out.client_order_id) is None
    account = life.position.account
    (owned,) = await journal.find_orders(account, BTC, names=[out.client_order_id])
    assert (owned.order.status, owned.order.trades) == (OrderStatus.CANCELED, ("2",))
    assert owned.order == life.orders[out.client_order_id]
    every = await journal.orders_of([life.position.position_id])
    assert every[life.position.position_id] == tuple(life.orders.values())
    assert await journal.verify() == len(life.records)


async def test_an_order_that_became_smaller_is_read_back_as_that(journal: Journal) -> None:
    """Its row kept the quantity that was asked for: every question that met it was refused."""
    life = Life(PROTECTED)
    life.opened(price="50000")
    stop = life.order
    life.tell(report(stop, "OPEN"))
    await journal.commit(change(append(life)))
    since = len(life.records)
    life.tell(replace(report(stop, "OPEN"), quantity=D("0.0004")))
    assert isinstance(life.records[since], OrderAmended)
    await journal.commit(change(append(life, since)))
    account, name = life.position.account, stop.client_order_id
    (owned,) = await journal.find_orders(account, BTC, names=[name])
    assert owned.order == life.orders[name]
    assert owned.order.quantity == D("0.0004")
    every = await journal.orders_of([life.position.position_id])
    assert every[life.position.position_id] == tuple(life.orders.values())
    assert await journal.verify() == len(life.records)


async def test_where_a_watermark_stood(journal: Journal) -> None:
    """Fills are read again from where it stood a while ago: what became visible late is found."""
    account = AccountName("main")
    assert await journal.watermark(account, BTC, before=START) is None
    for number, trade in enumerate(("70", "77", "84")):
        at = START + timedelta(hours=number)
        moved = WatermarkMoved(at=at, account=account, symbol=BTC, trade_id=trade)
        appended = Append(stream="account/main", expected=number, records=(moved,))
        await journal.commit(Change(at=at, appends=(appended,)))
    assert await journal.watermark(account, BTC) == "84"
    assert await journal.watermark(account, BTC, before=START + timedelta(minutes=90)) == "77"
    assert await journal.watermark(account, BTC, before=START - timedelta(days=1)) == "70"


async def test_every_account_that_has_a_record_is_named(journal: Journal) -> None:
    """Also one that was never reached and has no position: it is what wants somebody."""
    assert await journal.accounts() == ()
    for name in ("spare", "main"):
        for number in range(3):
            health = Health(state=HealthState.STARTING, since=START, watched=False)
            record = HealthChanged(
                at=START, account=AccountName(name), environment="live", health=health
            )
            added = Append(stream=f"account/{name}", expected=number, records=(record,))
            await journal.commit(change(added))
    await whole_life(journal)
    assert await journal.accounts() == ("main", "spare")
    last = await journal.last("account/spare", "health-changed")
    assert last is not None
    assert isinstance(last.record, HealthChanged)
    assert (last.record.account, last.record.health) == ("spare", health)
