"""What only the SQLite journal promises: the disk, the lease, the file, the raw database."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import apsw
import pytest
from msgspec.structs import replace
from tests.builders import START, D, Life
from tests.unit.journal.tampering import raw, tamper

from surefoot.core.position import Position
from surefoot.core.records import FillBooked
from surefoot.core.values import BotName, ClientOrderId
from surefoot.journal.errors import (
    IllegalUpdate,
    JournalLocked,
    JournalPoisoned,
    JournalUnusable,
)
from surefoot.journal.port import Append, Change, Memory, position_stream
from surefoot.journal.reader import open_sqlite_reader
from surefoot.journal.schema import MIGRATIONS
from surefoot.journal.sqlite import SqliteJournal, open_sqlite


def change(life: Life, since: int = 0) -> Change:
    append = Append(
        stream=f"position/{life.position.position_id}",
        expected=since,
        records=tuple(life.records[since:]),
        position=life.position,
    )
    return Change(at=START, appends=(append,))


async def written(path: Path) -> Life:
    """Write one open position and close the journal."""
    journal = open_sqlite(path, at=START)
    life = Life()
    life.opened()
    await journal.commit(change(life))
    await journal.close()
    return life


async def test_durability_is_read_back(tmp_path: Path) -> None:
    journal = open_sqlite(tmp_path / "j.db", at=START)
    writing = journal._writing
    assert writing.execute("PRAGMA journal_mode").get == "wal"
    assert writing.execute("PRAGMA synchronous").get == 2
    assert writing.execute("PRAGMA foreign_keys").get == 1
    await journal.close()


async def test_files_are_for_the_owner_only(tmp_path: Path) -> None:
    """Even under a careless umask."""
    before = os.umask(0)
    try:
        journal = open_sqlite(tmp_path / "j.db", at=START)
        await journal.commit(change(Life()))
        modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()}
        await journal.close()
    finally:
        os.umask(before)
    assert set(modes) == {"j.db", "j.db-wal", "j.db-shm", "j.db.lock", "j.db.bound"}
    assert set(modes.values()) == {0o600}


@pytest.mark.parametrize(
    ("source", "target"),
    [("OPEN", "CLOSED"), ("OPEN", "FLAT"), ("OPEN", "OPENING"), ("OPEN", "NONSENSE")],
)
async def test_raw_sql_cannot_move_a_position_illegally(
    tmp_path: Path, source: str, target: str
) -> None:
    await written(tmp_path / "j.db")
    connection = raw(tmp_path / "j.db")
    with pytest.raises(sqlite3.IntegrityError, match=r"illegal transition|CHECK"):
        connection.execute("UPDATE positions SET state = ?", (target,))
    assert connection.execute("SELECT state FROM positions").fetchone() == (source,)
    connection.execute("UPDATE positions SET state = 'CLOSING'")
    connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE records SET data = '{}' WHERE sequence = 1",
        "DELETE FROM records WHERE sequence = 1",
        "INSERT INTO records SELECT 99, stream, version, at, kind, data, chain FROM records",
        "INSERT INTO fills SELECT * FROM fills",
        (
            "INSERT INTO positions (position_id, bot, account, symbol, number, version, state, "
            "phase, quantity, realized_pnl, data, seal) "
            "VALUES ('x', 'b', 'a', 's', 9, 1, 'OPEN', 'MONITORING', 0, 0, '', x'')"
        ),
    ],
)
async def test_raw_sql_cannot_rewrite_history(tmp_path: Path, statement: str) -> None:
    await written(tmp_path / "j.db")
    connection = raw(tmp_path / "j.db")
    with pytest.raises(sqlite3.IntegrityError):
        connection.execute(statement)
    connection.close()


async def test_a_changed_row_breaks_the_chain(tmp_path: Path) -> None:
    """An intruder who puts the guards back afterwards is still found out, at the next start."""
    await written(tmp_path / "j.db")
    tamper(tmp_path / "j.db", "UPDATE records SET data = replace(data, '0.00160', '0.00260')")
    with pytest.raises(JournalUnusable, match="does not follow from the rows before it"):
        open_sqlite(tmp_path / "j.db", at=START)


async def test_a_changed_projection_is_found(tmp_path: Path) -> None:
    """S8: the table must be what the records add up to."""
    await written(tmp_path / "j.db")
    connection = raw(tmp_path / "j.db")
    connection.execute("UPDATE positions SET quantity = '1'")
    connection.commit()
    connection.close()
    reader = open_sqlite_reader(tmp_path / "j.db")
    with pytest.raises(JournalUnusable, match="does not follow from its records"):
        await reader.positions()
    await reader.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE positions SET data = replace(data, '0.00160', '0.00260')",
        "UPDATE positions SET seal = x'00'",
        "UPDATE orders SET data = replace(data, '0.00160', '0.00260')",
        "UPDATE orders SET seal = x'00'",
        "INSERT INTO records VALUES (100, 'position/dip-btc-1', 100, '', 'x', 'x', x'00')",
    ],
)
async def test_what_is_acted_upon_follows_from_the_newest_record(
    tmp_path: Path, statement: str
) -> None:
    """S8: nothing is replayed at a start, so what is stored whole is tied to the chain."""
    life = await written(tmp_path / "j.db")
    connection = raw(tmp_path / "j.db")
    connection.execute(statement)
    connection.commit()
    connection.close()
    reader = open_sqlite_reader(tmp_path / "j.db")
    with pytest.raises(JournalUnusable, match="does not follow from its records"):
        await reader.positions()
        await reader.orders_of([life.position.position_id])
    await reader.close()


async def test_verifying_replays_every_position_and_every_order(tmp_path: Path) -> None:
    """What was stored wrong and sealed all the same is found by whoever has the time to look."""
    life = Life()
    life.enter()
    wrong = (replace(life.position, exit_proceeds=D(1)), wrong_order(life.position))
    for number, position in enumerate(wrong):
        path = tmp_path / f"{number}.db"
        journal = open_sqlite(path, at=START)
        stream = position_stream(position.position_id)
        records = tuple(life.records)
        append = Append(stream=stream, expected=0, records=records, position=position)
        await journal.commit(Change(at=START, appends=(append,)))
        assert await journal.positions() == (position,)
        with pytest.raises(JournalUnusable, match=r"(positions|orders) says of"):
            await journal.verify()
        await journal.close()


def wrong_order(position: Position) -> Position:
    (order,) = position.orders
    return replace(position, orders=(replace(order, quantity=D(1)),))


async def test_a_second_server_is_refused_and_told_by_whom(tmp_path: Path) -> None:
    code = (
        "import sys, time; from datetime import datetime, UTC; from pathlib import Path\n"
        "from surefoot.journal.sqlite import open_sqlite\n"
        "journal = open_sqlite(Path(sys.argv[1]), at=datetime(2026, 1, 2, tzinfo=UTC))\n"
        "print('held', flush=True); sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path / "j.db")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "held\n"
        with pytest.raises(JournalLocked, match=f"process {first.pid} on .* since 2026-01-02"):
            open_sqlite(tmp_path / "j.db", at=START)
        reader = open_sqlite_reader(tmp_path / "j.db")
        assert await reader.entries() == ()
        await reader.close()
        first.send_signal(signal.SIGKILL)
        first.wait()
    journal = open_sqlite(tmp_path / "j.db", at=START)
    await journal.close()


async def test_many_changes_share_a_commit(tmp_path: Path) -> None:
    journal = open_sqlite(tmp_path / "j.db", at=START)
    changes = [change(Life(bot=f"bot-{number}")) for number in range(200)]
    await asyncio.gather(*(journal.commit(each) for each in changes))
    assert len(await journal.entries()) == 200
    assert journal._writer.commits < 100
    await journal.close()


async def test_one_refused_change_does_not_disturb_its_neighbours(tmp_path: Path) -> None:
    journal = open_sqlite(tmp_path / "j.db", at=START)
    lives = [Life(bot=f"bot-{number}") for number in range(20)]
    outcomes = await asyncio.gather(
        *(journal.commit(change(life)) for life in [*lives, lives[3]]),
        return_exceptions=True,
    )
    assert sum(isinstance(outcome, BaseException) for outcome in outcomes) == 1
    assert len(await journal.entries()) == 20
    assert await journal.verify() == 20
    await journal.close()


async def test_a_failed_commit_poisons(tmp_path: Path) -> None:
    """S19: the disk is full; nobody knows what is on it, and nothing is written afterwards."""
    journal = open_sqlite(tmp_path / "j.db", at=START)
    journal._writing.execute("PRAGMA max_page_count = 1")
    with pytest.raises(JournalPoisoned, match="nobody knows whether it happened"):
        for number in range(500):
            await journal.commit(change(Life(bot=f"bot-{number}")))
    journal._writing.execute("PRAGMA max_page_count = 1000000")
    with pytest.raises(JournalPoisoned):
        await journal.commit(change(Life(bot="later")))
    await journal.close()


async def test_every_truncation_is_refused_or_consistent(tmp_path: Path) -> None:
    """Report B08, B11: a torn file gives an earlier state that adds up, or a clear refusal."""
    await written(tmp_path / "j.db")
    whole = (tmp_path / "j.db").read_bytes()
    refused = 0
    for size in range(0, len(whole), 4096):
        torn = tmp_path / f"torn-{size}.db"
        torn.write_bytes(whole[:size])
        with pytest.raises(JournalUnusable):
            open_sqlite(torn, at=START)
        assert torn.read_bytes() == whole[:size]
        refused += 1
    assert refused > 5


@pytest.mark.parametrize("content", [b"", b"not a database at all", b"\x00" * 5000])
def test_no_journal_at_all(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "j.db"
    path.write_bytes(content)
    with pytest.raises(JournalUnusable):
        open_sqlite(path, at=START)
    assert path.read_bytes() == content


def test_a_foreign_database_is_refused(tmp_path: Path) -> None:
    connection = raw(tmp_path / "j.db")
    connection.execute("CREATE TABLE customers (name)")
    connection.commit()
    connection.close()
    with pytest.raises(JournalUnusable, match="not a Surefoot journal"):
        open_sqlite(tmp_path / "j.db", at=START)


async def test_a_newer_schema_is_refused_untouched(tmp_path: Path) -> None:
    await written(tmp_path / "j.db")
    newer = (*MIGRATIONS, "CREATE TABLE future (x) STRICT".replace("x)", "x TEXT)"))
    journal = open_sqlite(tmp_path / "j.db", at=START, migrations=newer)
    await journal.close()
    before = (tmp_path / "j.db").read_bytes()
    with pytest.raises(JournalUnusable, match="knows up to 1"):
        open_sqlite(tmp_path / "j.db", at=START)
    assert (tmp_path / "j.db").read_bytes() == before


async def test_a_migration_keeps_a_copy_and_the_content(tmp_path: Path) -> None:
    life = await written(tmp_path / "j.db")
    newer = (*MIGRATIONS, "CREATE TABLE future (x TEXT) STRICT")
    journal = open_sqlite(tmp_path / "j.db", at=START, migrations=newer)
    assert await journal.positions() == (life.position,)
    await journal.close()
    copy = raw(tmp_path / "j.db.v1.bak")
    assert copy.execute("PRAGMA user_version").fetchone() == (1,)
    copy.close()


async def test_a_failing_migration_leaves_the_old_schema(tmp_path: Path) -> None:
    life = await written(tmp_path / "j.db")
    broken = (*MIGRATIONS, "CREATE TABLE future (x TEXT) STRICT; SELECT * FROM nowhere")
    with pytest.raises(apsw.SQLError):
        open_sqlite(tmp_path / "j.db", at=START, migrations=broken)
    journal = open_sqlite(tmp_path / "j.db", at=START)
    assert await journal.positions() == (life.position,)
    await journal.close()


async def test_a_backup_is_whole_and_draws_a_new_epoch(tmp_path: Path) -> None:
    """W32: names used under the first epoch can never be used again under the second."""
    path, copy = tmp_path / "j.db", tmp_path / "copy.db"
    life = await written(path)
    reader = open_sqlite_reader(path)
    assert await reader.backup(copy) == len(life.records)
    with pytest.raises(JournalUnusable, match="never overwrites"):
        await reader.backup(copy)
    await reader.close()
    original = open_sqlite(path, at=START)
    restored = open_sqlite(copy, at=START)
    assert await restored.positions() == (life.position,)
    assert restored.epoch != original.epoch
    assert restored.epochs == (restored.epoch, original.epoch)
    assert restored.setback is not None
    assert not restored.setback.lost  # it may know everything; what positions hold is not proven
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    await original.close()
    await restored.close()


async def test_a_copied_file_draws_a_new_epoch_and_a_reopened_one_does_not(tmp_path: Path) -> None:
    path, copy = tmp_path / "j.db", tmp_path / "copy.db"
    await written(path)
    copy.write_bytes(path.read_bytes())
    journals: list[SqliteJournal] = []
    for each in (path, copy):
        journals.append(open_sqlite(each, at=START))
        await journals[-1].close()
    again = open_sqlite(path, at=START)
    assert again.epoch == journals[0].epoch
    assert journals[1].epoch != journals[0].epoch
    await again.close()


def test_reading_where_nothing_is_creates_nothing(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="`surefoot run` creates it"):
        open_sqlite_reader(tmp_path / "none.db")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="does not exist"):
        open_sqlite(tmp_path / "none" / "j.db", at=START)


@pytest.mark.process
async def test_kill_9_loses_no_acknowledged_commit(tmp_path: Path) -> None:
    """Each line that the child prints is a commit that returned; all of them must be there."""
    code = (
        "import asyncio, sys; from pathlib import Path\n"
        "from tests.builders import START, Life\n"
        "from tests.unit.journal.test_sqlite import change\n"
        "from surefoot.journal.sqlite import open_sqlite\n"
        "async def main():\n"
        "    journal = open_sqlite(Path(sys.argv[1]), at=START)\n"
        "    for number in range(10_000):\n"
        "        await journal.commit(change(Life(bot=f'b{sys.argv[2]}-{number}')))\n"
        "        print(number, flush=True)\n"
        "asyncio.run(main())\n"
    )
    acknowledged = 0
    for run in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code, str(tmp_path / "j.db"), str(run)],
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdout is not None
            for _ in range(40 + 17 * run):
                assert child.stdout.readline()
                acknowledged += 1
            child.kill()
            acknowledged += len(child.stdout.readlines())
    journal = open_sqlite(tmp_path / "j.db", at=START)
    assert acknowledged <= await journal.verify() <= acknowledged + 3
    await journal.close()


async def test_an_older_file_put_back_in_place_draws_a_new_epoch(tmp_path: Path) -> None:
    """`cp backup surefoot.db` keeps the inode; names used since would be used again."""
    path, copy = tmp_path / "surefoot.db", tmp_path / "copy.db"
    journal = open_sqlite(path, at=START)
    first = journal.epoch
    await journal.close()
    copy.write_bytes(path.read_bytes())
    for _ in range(2):
        journal = open_sqlite(path, at=START)
        assert journal.epochs == (first,)
        await journal.commit(Change(at=START, memories=(Memory(bot=BotName("b"), data={}),)))
        await journal.close()
    inode = path.stat().st_ino
    path.write_bytes(copy.read_bytes())
    assert path.stat().st_ino == inode
    journal = open_sqlite(path, at=START)
    assert journal.epochs[1:] == (first,)
    assert journal.epoch != first
    await journal.close()


async def test_a_fill_that_breaks_another_rule_is_not_called_a_duplicate(tmp_path: Path) -> None:
    """What the database will not have is said as it is: "booked already" sends nobody looking."""
    life = await written(tmp_path / "j.db")
    booked = next(each for each in life.records if isinstance(each, FillBooked))
    stranger = replace(booked, client_order_id=ClientOrderId("nobody's"))
    append = Append(
        stream=position_stream(life.position.position_id),
        expected=life.position.version,
        records=(stranger,),
        position=life.position,
    )
    journal = open_sqlite(tmp_path / "j.db", at=START)
    with pytest.raises(IllegalUpdate, match="FOREIGN KEY constraint failed"):
        await journal.commit(Change(at=START, appends=(append,)))
    await journal.close()
