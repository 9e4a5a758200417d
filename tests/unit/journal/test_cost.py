"""What a question costs does not follow from how much has happened: plans and counts, no clock."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import apsw
import pytest
from msgspec.structs import replace
from tests.builders import BTC, PROTECTED, START, Life, started
from tests.unit.journal.test_inbox import change
from tests.unit.journal.test_integrity import lived

from surefoot.core.account_records import BotStatusChanged, WatermarkMoved
from surefoot.core.position import Position
from surefoot.core.reports import Refusal
from surefoot.core.signals import Adopt, Freeze
from surefoot.core.state import evolve
from surefoot.core.values import (
    AccountName,
    BotName,
    ClientOrderId,
    ExchangeOrderId,
    PositionId,
)
from surefoot.journal import rows
from surefoot.journal.codec import decode_position
from surefoot.journal.port import Append, Change, Reader, entries_of
from surefoot.journal.reader import SqliteReader, open_sqlite_reader
from surefoot.journal.sqlite import SqliteJournal, open_sqlite
from surefoot.journal.status import ORDERS_SHOWN, read_status

MAIN, BOT = AccountName("main"), BotName("bot-7")


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    opened = open_sqlite(tmp_path / "j.db", at=START)
    await filled(opened, 30)
    yield opened
    await opened.close()


async def filled(journal: SqliteJournal, bots: int) -> None:
    await asyncio.gather(*(journal.commit(change(f"bot-{number}")) for number in range(bots)))


async def write_all(journal: SqliteJournal, lives: Iterable[Life]) -> None:
    """Commit positions that have been lived through, all at once."""
    appends = (
        Append(
            stream=f"position/{life.position.position_id}",
            expected=0,
            records=tuple(life.records),
            position=life.position,
        )
        for life in lives
    )
    await journal.commit(Change(at=START, appends=tuple(appends)))


async def statements(reader: SqliteReader, ask: Awaitable[object]) -> list[str]:
    """Return what a question sends to the database."""
    sent: list[str] = []

    def note(_: object, statement: str, __: object) -> bool:
        sent.append(statement)
        return True

    reader._read.exec_trace = note
    await ask
    reader._read.exec_trace = None
    return [statement for statement in sent if statement.lstrip().startswith(("SELECT", "WITH"))]


def plan(reader: SqliteReader, statement: str) -> list[str]:
    bound = [None] * statement.count("?")
    rows = reader._read.execute(f"EXPLAIN QUERY PLAN {statement}", bound)
    return [str(row[3]) for row in rows]


Ask = Callable[[Reader], Awaitable[object]]
QUESTIONS: dict[str, Ask] = {
    "watermark": lambda reader: reader.watermark(MAIN, BTC, before=START),
    "written": lambda reader: reader.written(BOT, START),
    "last": lambda reader: reader.last("account/main", "account-bound"),
    "last recovery": lambda reader: reader.last_recovery(),
    "version": lambda reader: reader.version("position/bot-7-1"),
    "stream": lambda reader: reader.entries(stream="position/bot-7-1", after=1),
    "newest of a bot": lambda reader: reader.newest(5, bot=BOT),
    "position": lambda reader: reader.position("bot-7"),
    "current": lambda reader: reader.unsettled(START),
    "bots": lambda reader: reader.bots(),
    "bot names": lambda reader: reader.bot_names(),
    "words": lambda reader: reader.words(),
    "accounts": lambda reader: reader.accounts(),
    "orders": lambda reader: reader.orders_of([PositionId("bot-7-1")]),
    "newest orders": lambda reader: reader.orders_of([PositionId("bot-7-1")], newest=3),
    "named orders": lambda reader: reader.find_orders(MAIN, BTC, names=[ClientOrderId("x")]),
    "numbered orders": lambda reader: reader.find_orders(MAIN, BTC, numbers=[ExchangeOrderId("1")]),
}
# The whole of these is what is asked for, or ends after one row of an index that has little else.
SCANS = {
    "SCAN records USING INDEX recoveries",
    "SCAN frozen",
    "SCAN positions USING INDEX positions_frozen",
    "SCAN bots",
}


@pytest.mark.parametrize("name", QUESTIONS)
async def test_an_index_answers(journal: SqliteJournal, name: str) -> None:
    """Catches a question that reads every record, or sorts what an index has in order.

    Of a million records, the sorted question for what is unsettled read every position there was.
    """
    sent = await statements(journal, QUESTIONS[name](journal))
    assert sent
    steps = [step for statement in sent for step in plan(journal, statement)]
    scans = [step for step in steps if step.startswith("SCAN") and step not in SCANS]
    allowed = (
        "SCAN streams",
        "SCAN names",
        "SCAN newest",
        "SCAN json_each",
        "SCAN CONSTANT ROW",
        "SCAN found",
    )
    scans = [step for step in scans if not step.startswith(allowed)]
    assert scans == [], steps
    if name in {"watermark", "stream", "last"}:
        assert [step for step in steps if "TEMP B-TREE" in step] == []


async def test_the_question_of_a_watermark_uses_its_own_index(journal: SqliteJournal) -> None:
    sent = await statements(journal, journal.watermark(MAIN, BTC, before=START))
    assert len(sent) == 2
    for statement in sent:
        (step,) = plan(journal, statement)
        assert "USING INDEX watermark_moves (stream=? AND <expr>=?" in step


async def test_many_moves_of_other_symbols_are_not_read(journal: SqliteJournal) -> None:
    """The answer is the same among thousands; the steps of the database's machine are counted."""
    steps = []
    version = 0
    for _ in range(2):
        records = tuple(
            WatermarkMoved(
                at=START + timedelta(seconds=n), account=MAIN, symbol=symbol, trade_id=f"{n}"
            )
            for n in range(400)
            for symbol in (BTC, type(BTC)("ETH/USDT"))
        )
        append = Append(stream="account/main", expected=version, records=records)
        await journal.commit(Change(at=START, appends=(append,)))
        version += len(records)
        before = START + timedelta(seconds=200)
        assert await journal.watermark(MAIN, BTC, before=before) == "200"
        steps.append(await counted(journal, journal.watermark(MAIN, BTC, before=before)))
    assert steps[1] <= steps[0] + 5


async def test_opening_does_not_read_the_file(tmp_path: Path) -> None:
    """Ten times the records, and the same pages read: what is checked is what is acted upon."""
    pages, sizes = [], []
    for bots in (400, 4_000):
        path = tmp_path / f"{bots}.db"
        journal = open_sqlite(path, at=START)
        for number in range(bots // 200):
            names = [f"b{number}-{n}" for n in range(200)]
            await asyncio.gather(*(journal.commit(change(name)) for name in names))
        await journal.close()
        journal = open_sqlite(path, at=START)
        await journal.records()
        missed = apsw.SQLITE_DBSTATUS_CACHE_MISS
        pages.append(sum(each.status(missed)[0] for each in (journal._writing, journal._read)))
        sizes.append(path.stat().st_size)
        await journal.close()
    assert sizes[1] > 5 * sizes[0]
    assert pages[1] <= pages[0] + 20


class Asked:
    """A reader that counts the questions."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self.count = 0

    def __getattr__(self, name: str) -> Any:
        self.count += 1
        return getattr(self._reader, name)


async def test_a_start_reads_what_is_frozen_and_not_what_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every position that was ever frozen was read, and verified, at each start for ever."""
    read: list[str] = []

    def decoded(data: str, name: str) -> Position:
        read.append(name)
        return decode_position(data, name)

    monkeypatch.setattr(rows, "decode_position", decoded)
    journal = open_sqlite(tmp_path / "j.db", at=START)
    lives = [lived("dip", number, until="frozen") for number in range(1, 20)]
    for life in lives[1:]:
        life.tell(Adopt(by="ann"))
    await write_all(journal, lives)
    read.clear()
    await journal.unsettled(START + timedelta(days=2))
    assert {*read} == {"dip-1", "dip-19"}  # what is frozen still, and the bot's newest
    await journal.close()


async def test_nobody_looks_for_garbage_among_what_is_being_read(tmp_path: Path) -> None:
    """It took a seventh of loading 10,000 positions; and it is looked for again afterwards."""
    journal = open_sqlite(tmp_path / "j.db", at=START)
    lives = [lived(f"bot{number}", 1, until="open") for number in range(40)]
    await write_all(journal, lives)
    walks: list[str] = []

    def note(phase: str, _info: object) -> None:
        walks.append(phase)

    usual = gc.get_threshold()
    gc.collect()
    gc.set_threshold(100)
    gc.callbacks.append(note)
    try:
        assert len(await journal.unsettled(START)) == 40
    finally:
        gc.callbacks.remove(note)
        gc.set_threshold(*usual)
    assert walks.count("start") <= 1, "one at the end, for all of it"
    assert gc.isenabled()
    await journal.close()


async def test_what_cannot_be_read_leaves_nobody_resting(tmp_path: Path) -> None:
    journal = open_sqlite(tmp_path / "j.db", at=START)
    with pytest.raises(apsw.SQLError), journal._snapshot():
        journal._read.execute("SELECT nothing")
    assert gc.isenabled()
    await journal.close()


async def test_who_reads_beside_another_does_not_put_the_collector_to_rest_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That one's reading, in its thread, ends just after it was asked whether there is a rest."""
    journal = open_sqlite(tmp_path / "j.db", at=START)

    def asked() -> bool:
        gc.enable()
        return False

    with monkeypatch.context() as patch:
        patch.setattr(gc, "isenabled", asked)
        assert await journal.unsettled(START) == ()
    left = gc.isenabled()
    gc.enable()
    assert left
    await journal.close()


async def test_a_start_does_not_walk_what_was_ever_frozen(tmp_path: Path) -> None:
    """One freeze or fifty: an index of all there ever were was walked, 29 ms for 100,000."""
    steps = []
    for times in (1, 50):
        life = lived("dip", 1, until="open")
        for _ in range(times):
            life.tell(Freeze(reason="look at it"))
            life.tell(Adopt(by="ann"))
        journal = open_sqlite(tmp_path / f"{times}.db", at=START)
        append = Append(
            stream=f"position/{life.position.position_id}",
            expected=0,
            records=tuple(life.records),
            position=life.position,
        )
        await journal.commit(Change(at=START, appends=(append,)))
        steps.append(await counted(journal, journal.unsettled(START)))
        await journal.close()
    assert steps[1] <= steps[0] + 5


async def test_status_asks_as_many_questions_of_many_bots_as_of_few(tmp_path: Path) -> None:
    """And as many statements: what they return is all that grows."""
    questions, sent = [], []
    for bots in (10, 40):
        journal = open_sqlite(tmp_path / f"{bots}.db", at=START)
        await filled(journal, bots)
        for number in range(bots):
            name = BotName(f"bot-{number}")
            record = BotStatusChanged(at=START, bot=name, status="RUNNING", by="ann", reason=None)
            append = Append(stream=f"bot/{name}", expected=0, records=(record,))
            await journal.commit(Change(at=START, appends=(append,)))
        asked = Asked(journal)
        found = await statements(journal, read_status(asked, now=START))  # type: ignore[arg-type]
        assert len(await journal.bots()) == bots
        questions.append(asked.count)
        sent.append(len(found))
        await journal.close()
    assert questions[0] == questions[1]
    assert sent[0] == sent[1]


async def test_a_bot_is_told_by_its_newest_position_only(tmp_path: Path) -> None:
    """Of the older ones, nine or ninety, not a record is read: the database's steps are counted."""
    steps = []
    for many in (10, 100):
        journal = open_sqlite(tmp_path / f"{many}.db", at=START)
        for number in range(1, many + 1):
            name = PositionId(f"dip-btc-{number}")
            first = replace(started("dip-btc"), position_id=name, number=number)
            append = Append(
                stream=f"position/{name}",
                expected=0,
                records=(first,),
                position=evolve(None, first),
            )
            await journal.commit(Change(at=START, appends=(append,)))
        steps.append(await counted(journal, journal.position("dip-btc")))
        found = await journal.position("dip-btc")
        assert found is not None
        assert found.position_id == f"dip-btc-{many}"
        assert (await journal.position("dip-btc-3")) == (await journal.positions())[2]
        assert await journal.position("nobody") is None
        assert len(await journal.position_ids()) == many
        await journal.close()
    assert steps[1] <= steps[0] + 5


async def counted(journal: SqliteJournal, question: Awaitable[object]) -> int:
    """Return how many steps of the database's machine a question takes."""
    steps = 0

    def count() -> bool:
        nonlocal steps
        steps += 1
        return False

    journal._read.set_progress_handler(count, 1)
    await question
    journal._read.set_progress_handler(None)
    return steps


async def test_status_lists_what_is_open_and_the_newest_of_the_others(tmp_path: Path) -> None:
    """It listed every order that a position ever had: 10,000 took a quarter of a second."""
    documents, steps = [], []
    for orders in (20, 200):
        journal = open_sqlite(tmp_path / f"{orders}.db", at=START)
        life = Life(PROTECTED)
        for _ in range(orders):
            name = life.enter().client_order_id
            life.tell(Refusal(client_order_id=name, code="-2010", message="no"))
            life.now += timedelta(minutes=2)
        life.opened()
        history = Append(
            stream=f"position/{life.position.position_id}",
            expected=0,
            records=tuple(life.records),
            position=life.position,
            left=tuple(life.orders.values()),
        )
        word = BotStatusChanged(at=START, bot=life.position.bot, status="RUNNING", by="ann")
        of_bot = Append(stream=f"bot/{word.bot}", expected=0, records=(word,))
        await journal.commit(Change(at=START, appends=(history, of_bot)))
        steps.append(await counted(journal, read_status(journal, now=START)))
        ((bot,), every) = (await read_status(journal, now=START)).bots, tuple(life.orders.values())
        assert bot.position is not None
        listed = [order.client_order_id for order in bot.position.orders]
        assert listed == [order.client_order_id for order in every[-ORDERS_SHOWN:]]
        assert bot.position.orders_not_shown + len(listed) == orders + 2
        documents.append(listed)
        await journal.close()
    assert len(documents[0]) == len(documents[1]) == ORDERS_SHOWN
    assert steps[1] <= steps[0] + 20


@pytest.mark.parametrize("orders", [1, 50])
async def test_a_position_is_read_without_its_records(tmp_path: Path, orders: int) -> None:
    """A month of failed entries was replayed at every start and at every status."""
    journal = open_sqlite(tmp_path / "j.db", at=START)
    life = Life()
    for _ in range(orders):
        order = life.enter()
        life.tell(Refusal(client_order_id=order.client_order_id, code="-2010", message="no"))
        life.now += timedelta(minutes=2)
    stream = f"position/{life.position.position_id}"
    append = Append(stream=stream, expected=0, records=tuple(life.records), position=life.position)
    await journal.commit(Change(at=START, appends=(append,)))
    assert await counted(journal, journal.unsettled(START)) < 400
    assert await journal.unsettled(START) == (life.position,)
    await journal.close()


async def test_the_newest_rows(journal: SqliteJournal) -> None:
    everything = await journal.entries()
    assert await journal.newest(3) == everything[-3:]
    assert await journal.newest(1_000) == everything
    assert [each.stream for each in await journal.newest(5, bot=BOT)] == ["position/bot-7-1"]


async def test_a_stream_is_read_a_page_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("surefoot.journal.port.PAGE", 2)
    journal = open_sqlite(tmp_path / "j.db", at=START)
    life = Life()
    life.opened()
    stream = f"position/{life.position.position_id}"
    records = tuple(life.records)
    append = Append(stream=stream, expected=0, records=records, position=life.position)
    await journal.commit(Change(at=START, appends=(append,)))
    await journal.close()
    reader = open_sqlite_reader(tmp_path / "j.db")
    found = [entry.record async for entry in entries_of(reader, stream)]
    assert found == life.records
    await reader.close()
