"""Repairing: what follows from records is made anew, told, and never guessed."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.builders import START
from tests.unit.journal.tampering import raw, tamper
from tests.unit.journal.test_integrity import ACTED_UPON, SETTLED, check, start, tables, written

from surefoot.journal.errors import JournalLocked, JournalUnusable
from surefoot.journal.repair import repair_sqlite
from surefoot.journal.sqlite import open_sqlite

CHANGES = ACTED_UPON | SETTLED
OF_RECORDS = [what for what, statement in CHANGES.items() if "UPDATE records" in statement]
OF_TABLES = [what for what in CHANGES if what not in OF_RECORDS]


@pytest.mark.parametrize("what", OF_TABLES)
async def test_tables_are_made_anew_from_records(tmp_path: Path, what: str) -> None:
    path = tmp_path / "j.db"
    await written(path)
    before, records = tables(path), await check(path)
    tamper(path, CHANGES[what])
    done = repair_sqlite(path, at=START)
    assert done.mended
    assert tables(path) == before
    assert done.records == await check(path) == records
    await start(path)
    # What was there before is kept as it was.
    assert done.copy is not None
    assert done.copy.exists()
    with pytest.raises(JournalUnusable):
        await check(done.copy)


@pytest.mark.parametrize("what", OF_RECORDS)
async def test_damaged_records_are_not_repaired(tmp_path: Path, what: str) -> None:
    """Nothing is made from records that do not hold; somebody restores a backup."""
    path = tmp_path / "j.db"
    await written(path)
    tamper(path, CHANGES[what])
    before = path.read_bytes()
    with pytest.raises(JournalUnusable, match="restore a backup"):
        repair_sqlite(path, at=START)
    assert path.read_bytes() == before


async def test_dropped_guards_come_back(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    await written(path)
    tamper(path, "DROP TABLE fills", "ALTER TABLE orders DROP COLUMN role", guards=False)
    done = repair_sqlite(path, at=START)
    assert "the schema was wrong about records_are_final" in done.mended
    await start(path)
    assert await check(path) == done.records


async def test_a_sound_journal_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    await written(path)
    before = path.read_bytes()
    done = repair_sqlite(path, at=START)
    assert (done.mended, done.copy) == ((), None)
    assert path.read_bytes() == before


async def test_a_table_that_cannot_be_made_again_is_not_guessed(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    await written(path)
    tamper(path, "ALTER TABLE commands ADD COLUMN more TEXT")
    with pytest.raises(JournalUnusable, match="the table commands is not this program's"):
        repair_sqlite(path, at=START)


async def test_nothing_is_repaired_under_a_running_server(tmp_path: Path) -> None:
    journal = open_sqlite(tmp_path / "j.db", at=START)
    with pytest.raises(JournalLocked):
        repair_sqlite(tmp_path / "j.db", at=START)
    await journal.close()


def test_there_is_nothing_to_repair(tmp_path: Path) -> None:
    with pytest.raises(JournalUnusable, match="there is no journal"):
        repair_sqlite(tmp_path / "j.db", at=START)
    assert list(tmp_path.iterdir()) == []


async def test_a_repair_that_does_not_come_out_sound_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is one transaction, and is judged before it is committed."""
    path = tmp_path / "j.db"
    await written(path)
    tamper(path, "DELETE FROM fills")
    before = tables(path)
    monkeypatch.setattr("surefoot.journal.repair.INSERT_FILL", "SELECT ?,?,?,?,?,?,?,?,?,?")
    with pytest.raises(JournalUnusable, match="no sound tables"):
        repair_sqlite(path, at=START)
    assert tables(path) == before
    assert raw(path).execute("SELECT count(*) FROM records").fetchone() != (0,)
