"""Damaged bytes anywhere: one sentence, and never a traceback."""

from __future__ import annotations

from hashlib import blake2b
from pathlib import Path

import pytest
from tests.builders import START
from tests.unit.journal.tampering import raw, tamper
from tests.unit.journal.test_integrity import check, start, written

from surefoot.core.account_records import BotStatusChanged
from surefoot.core.values import BotName
from surefoot.journal.codec import Tip
from surefoot.journal.errors import JournalError, JournalUnusable
from surefoot.journal.reader import open_sqlite_reader
from surefoot.journal.repair import repair_sqlite
from surefoot.journal.replay import Replay


async def said(path: Path) -> list[str]:
    """Return what starting, checking and repairing say; anything but a sentence raises."""
    sentences = []
    for ask in (check, start):
        try:
            await ask(path)
        except JournalError as error:
            sentences.append(str(error))
    try:
        repair_sqlite(path, at=START)
    except JournalError as error:
        sentences.append(str(error))
    return sentences


def place(*numbers: int) -> int:
    """Return a place that looks like chance, and is the same every time."""
    return int.from_bytes(blake2b(repr(numbers).encode(), digest_size=8).digest())


@pytest.mark.parametrize("seed", range(12))
async def test_a_damaged_byte_is_one_sentence(tmp_path: Path, seed: int) -> None:
    """Wherever it is; a byte that nothing uses may go unnoticed."""
    path = tmp_path / "j.db"
    await written(path)
    whole = path.read_bytes()
    heard = []
    for number in range(12):
        damaged = bytearray(whole)
        for again in range(1 + number // 4):
            damaged[place(seed, number, again) % len(whole)] ^= 1 << place(again, number, seed) % 8
        torn = tmp_path / f"{number}.db"
        torn.write_bytes(damaged)
        heard += await said(torn)
    assert [sentence for sentence in heard if not sentence or "\n" in sentence] == []


async def test_a_time_without_a_zone_is_one_sentence_for_whoever_reads(tmp_path: Path) -> None:
    """`status` ended in a traceback: it could not be compared with any other."""
    path = tmp_path / "j.db"
    await written(path)
    tamper(path, "UPDATE records SET at = '2020-01-01' WHERE sequence = 1")
    reader = open_sqlite_reader(path)
    try:
        with pytest.raises(JournalUnusable, match="row 1 has no time"):
            await reader.entries()
    finally:
        await reader.close()


async def test_a_damaged_record_is_named(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    await written(path)
    for column, sequence in (("data", 3), ("at", 4), ("stream", 5), ("kind", 6)):
        torn = tmp_path / f"{column}.db"
        torn.write_bytes(path.read_bytes())
        nonsense = f"{column} = CAST(x'fffe' AS TEXT) WHERE sequence = {sequence}"
        tamper(torn, f"UPDATE records SET {nonsense}")  # noqa: S608
        (sentence, *_) = await said(torn)
        assert sentence.startswith(f"journal row {sequence} ")


def test_a_record_in_a_stream_of_another_kind_is_named() -> None:
    """A torn index lists a bot's word among a position's records; that was no sentence."""
    word = BotStatusChanged(at=START, bot=BotName("dip"), status="PAUSED", by="ann")
    with pytest.raises(JournalUnusable, match="row 7 is no record of position/dip-1"):
        Replay("position/dip-1").add(word, Tip(7))


@pytest.mark.parametrize("text", ["nonsense", "[1]"])
async def test_a_damaged_memory_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "j.db"
    await written(path)
    with raw(path) as connection:
        connection.execute("INSERT INTO memories VALUES ('dip', ?)", (text,))
    reader = open_sqlite_reader(path)
    with pytest.raises(JournalUnusable, match="what dip remembers cannot be read"):
        await reader.memory(BotName("dip"))
    await reader.close()


@pytest.mark.parametrize("text", ["nonsense", "[]", "{}"])
async def test_damaged_epochs_are_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "j.db"
    await written(path)
    with raw(path) as connection:
        connection.execute("UPDATE meta SET value = ? WHERE key = 'epochs'", (text,))
    for ask in (check, start):
        with pytest.raises(JournalUnusable, match="epochs"):
            await ask(path)
