"""The journal keeps its word: whatever was changed behind its back is found."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec.inspect import StructType, type_info
from tests.builders import BTC, START, Life, closed_beside_a_never, fill, report
from tests.unit.journal.tampering import raw, tamper

from surefoot.core.account_records import BotStatusChanged, Record, WatermarkMoved
from surefoot.core.position import Position
from surefoot.core.signals import ExitSignal, Freeze
from surefoot.core.values import AccountName, BotName
from surefoot.journal.codec import decode, encode
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.port import Append, Change
from surefoot.journal.projection import POSITION_COLUMNS
from surefoot.journal.reader import open_sqlite_reader
from surefoot.journal.schema import PROJECTIONS
from surefoot.journal.sqlite import open_sqlite

MAIN = AccountName("main")


def lived(bot: str, number: int, *, until: str) -> Life:
    """Return a position that has come so far: working, open, closed or frozen."""
    life = Life(bot=bot, number=number)
    order = life.enter()
    if until == "working":
        return life
    life.tell(report(order, "FILLED", order.quantity), fill(order, "50000", trade=f"{bot}{number}"))
    if until == "open":
        return life
    life.tell(ExitSignal(reason="enough"))
    out = life.order
    done = report(out, "FILLED", out.quantity)
    life.tell(done, fill(out, "50000", trade=f"{bot}{number}x"))
    if until == "frozen":
        life.tell(Freeze(reason="look at it"))
    return life


async def written(path: Path) -> None:
    """Write a journal in which every table has rows, some of them past and some not."""
    lives = (
        lived("dip", 1, until="closed"),
        lived("dip", 2, until="frozen"),
        lived("dip", 3, until="open"),
        lived("top", 1, until="working"),
    )
    appends = [
        Append(
            stream=f"position/{life.position.position_id}",
            expected=0,
            records=tuple(life.records),
            position=life.position,
        )
        for life in lives
    ]
    for bot in ("dip", "top"):
        record = BotStatusChanged(at=START, bot=BotName(bot), status="PAUSED", by="ann")
        appends.append(Append(stream=f"bot/{bot}", expected=0, records=(record,)))
    moves = tuple(
        WatermarkMoved(at=START, account=MAIN, symbol=BTC, trade_id=trade) for trade in "12"
    )
    appends.append(Append(stream="account/main", expected=0, records=moves))
    journal = open_sqlite(path, at=START)
    await journal.commit(Change(at=START, appends=tuple(appends)))
    await journal.close()


def tables(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """Return all that follows from records."""
    with closing(raw(path)) as connection:
        return {
            name: sorted(connection.execute(f"SELECT * FROM {name}"), key=repr)  # noqa: S608
            for name in PROJECTIONS
        }


async def check(path: Path) -> int:
    reader = open_sqlite_reader(path)
    try:
        return await reader.verify()
    finally:
        await reader.close()


async def start(path: Path) -> None:
    """Read what a server reads before it acts."""
    journal = open_sqlite(path, at=START)
    try:
        await journal.bots()
        await journal.unsettled(START)
        await journal.watermark(MAIN, BTC)
    finally:
        await journal.close()


CALL_SETTLED = "UPDATE positions SET settled_at = '2026-01-01T00:00:00.000000Z'"
# What a start acts upon.
ACTED_UPON = {
    "a deleted open position": "DELETE FROM positions WHERE position_id = 'dip-3'",
    "every position deleted": "DELETE FROM positions",
    "a deleted frozen position": "DELETE FROM positions WHERE position_id = 'dip-2'",
    "an open position called settled": f"{CALL_SETTLED} WHERE position_id = 'dip-3'",
    "a frozen position called settled": f"{CALL_SETTLED} WHERE position_id = 'dip-2'",
    "a position of another account": "UPDATE positions SET account = 'other' WHERE number = 3",
    "a position of another symbol": "UPDATE positions SET symbol = 'ETH/USDT' WHERE number = 3",
    "another quantity": "UPDATE positions SET quantity = '9' WHERE position_id = 'dip-3'",
    "a thawed position": "UPDATE positions SET frozen = NULL",
    "a deleted live order": "DELETE FROM orders WHERE position_id = 'top-1'",
    "another size of a live order": (
        "UPDATE orders SET data = replace(data, '0.00160', '0.00260') WHERE position_id = 'top-1'"
    ),
    "a fill that never was": (
        "INSERT INTO fills SELECT client_order_id, '7', 'main', 'BTC/USDT', side, '1', '1', '0', "
        "NULL, '' FROM orders WHERE position_id = 'top-1'"
    ),
    "another time of the newest row": (
        "UPDATE records SET at = '2020-01-01' WHERE sequence = (SELECT max(sequence) FROM records)"
    ),
    "another kind of row": "UPDATE records SET kind = 'x' WHERE kind = 'position-frozen'",
    "another watermark": "UPDATE records SET data = replace(data, '\"2\"', '\"9\"')",
    "another state table": "INSERT INTO transitions VALUES ('OPEN', 'FLAT')",
    "a dropped index": "DROP INDEX recoveries",
    "a table too many": "CREATE TABLE more (x)",
}
# What only the whole journal shows.
SETTLED = {
    "a deleted closed position": "DELETE FROM positions WHERE position_id = 'dip-1'",
    "a deleted order of a closed position": "DELETE FROM orders WHERE position_id = 'dip-1'",
    "another order of a closed position": "UPDATE orders SET side = 'sell'",
    "a deleted fill": "DELETE FROM fills WHERE trade_id = 'dip1'",
    "a freeze that is not listed": "DELETE FROM frozen",
    "another price of a fill": "UPDATE fills SET price = '1' WHERE trade_id = 'dip1'",
}


@pytest.mark.parametrize("what", [*ACTED_UPON, *SETTLED])
async def test_checking_finds_whatever_was_changed(tmp_path: Path, what: str) -> None:
    path = tmp_path / "j.db"
    await written(path)
    assert await check(path) > 10
    tamper(path, (ACTED_UPON | SETTLED)[what])
    with pytest.raises(JournalUnusable, match=r"repair|restore"):
        await check(path)


@pytest.mark.parametrize("what", ACTED_UPON)
async def test_a_start_verifies_what_it_acts_upon(tmp_path: Path, what: str) -> None:
    """Of the tables only positions were compared, and only rows that were there."""
    path = tmp_path / "j.db"
    await written(path)
    await start(path)
    tamper(path, ACTED_UPON[what])
    with pytest.raises(JournalUnusable, match=r"repair|restore"):
        await start(path)


async def test_an_order_that_is_looked_for_is_not_hidden(tmp_path: Path) -> None:
    """Its position is closed, and not its bot's newest one: only the NEVER tells of it."""
    path = tmp_path / "j.db"
    life = closed_beside_a_never()
    journal = open_sqlite(path, at=START)
    appends = [
        Append(
            stream=f"position/{each.position.position_id}",
            expected=0,
            records=tuple(each.records),
            position=each.position,
            left=tuple(each.orders.values()),
        )
        for each in (life, Life(number=2))
    ]
    await journal.commit(Change(at=START, appends=tuple(appends)))
    await journal.close()
    tamper(path, f"{CALL_SETTLED} WHERE position_id = 'dip-btc-1'")
    reader = open_sqlite_reader(path)
    with pytest.raises(JournalUnusable, match="dip-btc-1 does not follow"):
        await reader.unsettled(life.now)
    await reader.close()


async def test_dropped_guards_are_found(tmp_path: Path) -> None:
    """Also by a command line, before it believes a row."""
    await written(tmp_path / "j.db")
    tamper(tmp_path / "j.db", guards=False)
    for ask in (start, check):
        with pytest.raises(JournalUnusable, match="schema is not this program's"):
            await ask(tmp_path / "j.db")


COLUMNS = "stream, version, at, kind, '{}', chain FROM records"
WHOLE = f"{POSITION_COLUMNS}, seal"
POSITION = WHOLE.replace("state", "'FLAT'")
# Of another bot, in the very place of a row.
OTHER = POSITION.replace("position_id, bot", "'x-1', 'x'")


@pytest.mark.parametrize(
    "statement",
    [
        f"INSERT OR REPLACE INTO records SELECT sequence, {COLUMNS} WHERE sequence = 1",
        f"INSERT OR REPLACE INTO records SELECT 1000, {COLUMNS} WHERE sequence = 1",
        "REPLACE INTO records SELECT * FROM records WHERE sequence = 3",
        "UPDATE OR REPLACE records SET sequence = 1 WHERE sequence = 2",
        "INSERT OR REPLACE INTO fills SELECT * FROM fills",
        "DELETE FROM fills",
        "DELETE FROM orders",
        "DELETE FROM positions",
        "DELETE FROM frozen",
        "UPDATE OR REPLACE frozen SET position_id = 'dip-1'",
        f"INSERT OR REPLACE INTO positions ({WHOLE}) SELECT {POSITION} FROM positions",  # noqa: S608
        f"INSERT OR REPLACE INTO positions (rowid, {WHOLE}) SELECT rowid, {OTHER} FROM positions",  # noqa: S608
    ],
)
async def test_no_row_is_put_in_the_place_of_another(tmp_path: Path, statement: str) -> None:
    """REPLACE deletes, and asks no trigger of deletion."""
    await written(tmp_path / "j.db")
    connection = raw(tmp_path / "j.db")
    before = connection.execute("SELECT * FROM records").fetchall()
    kept = "SELECT (SELECT count(*) FROM positions WHERE state = 'OPEN'), count(*) FROM fills"
    counts = connection.execute(kept).fetchone()
    with pytest.raises(sqlite3.IntegrityError, match=r"are never"):
        connection.execute(statement)
    assert connection.execute("SELECT * FROM records").fetchall() == before
    assert connection.execute(kept).fetchone() == counts
    connection.close()


def test_a_record_with_a_field_of_another_version_is_refused() -> None:
    """What it says would be lost on us, and may be what matters."""
    record = BotStatusChanged(at=START, bot=BotName("dip"), status="PAUSED", by="ann")
    newer = encode(record).replace('"by"', '"until": "tomorrow", "by"')
    with pytest.raises(JournalUnusable, match=r"journal row 7 cannot be read .*`until`"):
        decode(newer.encode(), 7)


def test_every_part_of_a_record_refuses_what_it_does_not_know() -> None:
    loose = [each.__name__ for each in {*structs(Record), Position} if not strict(each)]
    assert loose == []


def strict(struct: type[msgspec.Struct]) -> bool:
    return struct.__struct_config__.forbid_unknown_fields


def structs(root: object) -> set[type[msgspec.Struct]]:
    """Return every struct that a record may hold."""
    found: set[type[msgspec.Struct]] = set()
    waiting: list[object] = [type_info(root)]
    while waiting:
        value = waiting.pop()
        if isinstance(value, StructType):
            if value.cls not in found:
                found.add(value.cls)
                waiting += [each.type for each in value.fields]
            continue
        for name in ("types", "item_types"):
            waiting += getattr(value, name, ())
        inner = ("item_type", "key_type", "value_type")
        waiting += [getattr(value, name) for name in inner if hasattr(value, name)]
    assert len(found) > 20
    return found
