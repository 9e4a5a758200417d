"""A journal that went back in time is noticed, and nothing is acknowledged into a lost file."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from datetime import timedelta
from errno import ENOSPC
from pathlib import Path
from unittest.mock import Mock

import pytest
from tests.builders import START, Life
from tests.unit.journal.test_inbox import change, command

from surefoot.journal.errors import JournalLocked, JournalPoisoned, JournalUnusable
from surefoot.journal.outside import bound_of, read_bound
from surefoot.journal.reader import open_sqlite_reader
from surefoot.journal.sqlite import SqliteJournal, open_sqlite
from surefoot.journal.store import SqliteStore

LATER = START + timedelta(minutes=1)


async def lived(path: Path, *bots: str) -> SqliteJournal:
    """Open a journal and write a position of each bot."""
    journal = open_sqlite(path, at=START)
    for bot in bots:
        await journal.commit(change(bot))
    return journal


def keep(path: Path, to: Path) -> None:
    """Copy the database and its log as somebody does who knows no better."""
    to.mkdir()
    for each in (path, path.with_name(f"{path.name}-wal")):
        shutil.copy(each, to)


def put_back(path: Path, kept: Path) -> None:
    """Put the copies back, in the same files."""
    path.with_name(f"{path.name}-shm").unlink(missing_ok=True)
    for each in (path, path.with_name(f"{path.name}-wal")):
        each.write_bytes((kept / each.name).read_bytes())


async def test_a_copy_put_back_within_one_life_is_noticed(tmp_path: Path) -> None:
    """The same epoch, the same generation: one client order id was sent twice."""
    path = tmp_path / "j.db"
    journal = await lived(path, "one", "two")
    epoch, generation = journal.epoch, journal.generation
    keep(path, tmp_path / "kept")
    await journal.commit(change("three"))
    await journal.close()
    put_back(path, tmp_path / "kept")
    journal = open_sqlite(path, at=LATER)
    assert await journal.records() == 2
    assert journal.epochs[1:] == (epoch,)
    assert journal.generation != generation
    setback = journal.setback
    assert setback is not None
    assert (setback.sequence, setback.at, setback.lost) == (2, LATER, True)
    assert "it had 3 records and has 2" in setback.why
    await journal.commit(change("four"))
    await journal.close()
    # It is noticed once, and stays known.
    again = open_sqlite(path, at=LATER)
    assert len(again.epochs) == 2
    assert again.setback == setback
    await again.close()


async def test_a_young_journal_whose_log_is_lost_is_not_new(tmp_path: Path) -> None:
    """Everything that it knew was in the log; it bought again."""
    path = tmp_path / "j.db"
    journal = await lived(path)
    keep(path, tmp_path / "kept")
    await journal.commit(change("one"))
    bound = read_bound(path)
    await journal.close()
    put_back(path, tmp_path / "kept")
    path.with_name("j.db-wal").unlink()
    assert bound is not None
    assert bound.sequence == 1
    journal = open_sqlite(path, at=LATER)
    assert journal.setback is not None
    assert len(journal.epochs) == 2
    await journal.close()


async def test_a_log_that_is_lost_twice_is_noticed_still(tmp_path: Path) -> None:
    """What the start found had gone into the next log, and the bound said by then that all is well.

    World 12, told log-lost=60: killed in that start, it bought again after the second loss.
    """
    path = tmp_path / "j.db"
    journal = await lived(path)
    keep(path, tmp_path / "kept")
    await journal.commit(change("one"))
    await journal.close()
    put_back(path, tmp_path / "kept")
    path.with_name("j.db-wal").unlink()
    journal = open_sqlite(path, at=LATER)
    setback = journal.setback
    database = path.read_bytes()  # as it is when nothing but the log is lost
    await journal.close()
    path.write_bytes(database)
    path.with_name("j.db-wal").unlink(missing_ok=True)
    again = open_sqlite(path, at=LATER)
    assert setback is not None
    assert again.setback == setback
    await again.close()


async def test_a_copy_that_went_its_own_way_is_noticed(tmp_path: Path) -> None:
    """It has as many rows, and another one in the last place."""
    path, other = tmp_path / "j.db", tmp_path / "other.db"
    journal = await lived(path, "one")
    await journal.close()
    shutil.copy(path, other)
    for each, bot in ((path, "two"), (other, "three")):
        journal = await lived(each, bot)
        await journal.close()
    path.write_bytes(other.read_bytes())
    journal = open_sqlite(path, at=LATER)
    assert journal.setback is not None
    assert "its record 2 is another" in journal.setback.why
    await journal.close()


async def test_every_life_draws_a_generation(tmp_path: Path) -> None:
    """So that no file that is put back can name an order twice, even if nothing noticed."""
    drawn = []
    for _ in range(3):
        journal = await lived(tmp_path / "j.db")
        drawn.append(journal.generation)
        await journal.close()
    assert len(set(drawn)) == 3
    assert journal.setback is None


@pytest.mark.parametrize("left", [".bound", "-wal", ".inbox", ".gauges"])
async def test_nothing_is_begun_where_a_journal_was(tmp_path: Path, left: str) -> None:
    """The next start made an empty journal, and bought again."""
    path = tmp_path / "j.db"
    journal = await lived(path, "one")
    await journal.close()
    path.unlink()
    bound_of(path).rename(path.with_name(f"j.db{left}"))
    with pytest.raises(JournalUnusable, match=rf"j\.db{left} beside it tell"):
        open_sqlite(path, at=LATER)
    assert not path.exists()
    path.with_name(f"j.db{left}").unlink()
    journal = open_sqlite(path, at=LATER)
    await journal.close()


@pytest.mark.parametrize("kept", [[], ["j.db.lock"], ["j.db.lock", "j.db-shm"]])
async def test_what_is_said_of_a_journal_that_is_gone_works(
    tmp_path: Path, kept: list[str]
) -> None:
    """Its owner removed what was named: the new one was called a copy, for the lock file's sake."""
    path = tmp_path / "j.db"
    journal = await lived(path, "one")
    journal.gauges.turn(START)
    await journal.close()
    path.unlink()
    with pytest.raises(JournalUnusable, match=r"or remove all of j\.db\* to begin a new one"):
        open_sqlite(path, at=LATER)
    for each in tmp_path.glob("j.db*"):
        if each.name not in kept:
            each.unlink()
    for _ in range(2):
        journal = await lived(path)
        assert journal.setback is None
        await journal.close()


@pytest.mark.parametrize("size", [0, 1, 16, 100, 511])
async def test_a_torn_file_is_not_new(tmp_path: Path, size: int) -> None:
    """A file of one byte counted as a new journal."""
    path = tmp_path / "j.db"
    journal = await lived(path, "one")
    await journal.close()
    torn = path.read_bytes()[:size]
    path.write_bytes(torn)
    for _ in range(2):
        for opening in (lambda: open_sqlite(path, at=LATER), lambda: open_sqlite_reader(path)):
            with pytest.raises(JournalUnusable):
                opening()
        assert path.read_bytes() == torn
        bound_of(path).unlink(missing_ok=True)


async def test_a_lease_is_on_the_file_whatever_its_name(tmp_path: Path) -> None:
    """Two servers on one journal through a link both ran, and the chain broke for good."""
    (tmp_path / "real").mkdir()
    path, link = tmp_path / "real" / "j.db", tmp_path / "link.db"
    journal = await lived(path, "one")
    link.symlink_to(path)
    store = SqliteStore("sqlite:///link.db", tmp_path)
    with pytest.raises(JournalLocked):
        store.open(at=LATER)
    assert store.holder() is not None
    (tmp_path / "hard.db").hardlink_to(path)
    with pytest.raises(JournalLocked):
        open_sqlite(tmp_path / "hard.db", at=LATER)
    await journal.close()


async def test_a_lease_survives_its_lock_file(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = await lived(path, "one")
    path.with_name("j.db.lock").unlink()
    with pytest.raises(JournalLocked):
        open_sqlite(path, at=LATER)
    await journal.close()


def replace(path: Path) -> None:
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:4096])


@pytest.mark.parametrize("harm", [Path.unlink, replace, cut])
@pytest.mark.parametrize("name", ["j.db", "j.db-wal"])
async def test_nothing_is_acknowledged_into_a_lost_file(
    tmp_path: Path, name: str, harm: Callable[[Path], object]
) -> None:
    """The server went on into nothing, and every commit was acknowledged."""
    journal = await lived(tmp_path / "j.db", "one", "two")
    harm(tmp_path / name)
    for bot in ("three", "four"):
        with pytest.raises(JournalPoisoned, match="moved away, replaced or cut"):
            await journal.commit(change(bot))
    await journal.close()


async def test_a_commit_into_a_file_that_is_replaced_meanwhile_is_not_acknowledged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = await lived(tmp_path / "j.db", "one")

    def harm(point: str) -> None:
        if point == "journal.before-commit":
            replace(tmp_path / "j.db-wal")

    monkeypatch.setattr("surefoot.journal.writer.crashpoint", harm)
    with pytest.raises(JournalPoisoned, match="moved away, replaced or cut"):
        await journal.commit(change("two"))
    await journal.close()


async def test_a_restored_journal_takes_no_command_again(tmp_path: Path) -> None:
    """It does not know what it has carried out since; the inbox beside it still has it."""
    path = tmp_path / "j.db"
    journal = await lived(path, "one")
    keep(path, tmp_path / "kept")
    await journal.post(command("close-1", posted_at=START))
    await journal.take_commands(at=START)
    assert [each.status for each in await journal.commands()] == ["posted"]
    await journal.commit(change("two"))
    await journal.close()
    put_back(path, tmp_path / "kept")
    journal = open_sqlite(path, at=LATER)
    await journal.post(command("close-2", posted_at=LATER + timedelta(seconds=1)))
    await journal.take_commands(at=LATER)
    found = {each.command_id: each.status for each in await journal.commands()}
    assert found == {"close-1": "refused", "close-2": "posted"}
    await journal.close()


async def test_the_bound_is_written_again_where_it_was_removed(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = await lived(path, "one")
    bound_of(path).unlink()
    life = Life(bot="two")
    await journal.commit(change("two"))
    assert life.position is not None
    bound = read_bound(path)
    assert bound is not None
    assert bound.sequence == 2
    await journal.close()


async def test_a_start_on_a_full_disk_forgets_no_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock file was emptied before it was written: any older journal was the right one then."""
    path = tmp_path / "j.db"
    await (await lived(path, "one")).close()
    keep(path, tmp_path / "kept")
    await (await lived(path, "two")).close()
    monkeypatch.setattr(os, "pwrite", Mock(side_effect=OSError(ENOSPC, "No space left on device")))
    with pytest.raises(JournalUnusable, match="No space left"):
        open_sqlite(path, at=LATER)
    monkeypatch.undo()
    bound_of(path).unlink()
    put_back(path, tmp_path / "kept")
    journal = open_sqlite(path, at=LATER)
    assert journal.setback is not None
    await journal.close()
