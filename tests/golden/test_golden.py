"""A journal of this format, checked in: every later version reads it, and reads the same."""

from __future__ import annotations

import gzip
import json
from datetime import timedelta
from pathlib import Path
from typing import get_args

import pytest
from tests.builders import START
from tests.golden.make import JOURNAL, WHAT_IT_SAYS, told

from surefoot.core.account_records import Record, kind_of
from surefoot.journal.codec import encode
from surefoot.journal.reader import open_sqlite_reader
from surefoot.journal.repair import repair_sqlite
from surefoot.journal.sqlite import open_sqlite
from surefoot.journal.status import read_status


@pytest.fixture
def golden(tmp_path: Path) -> Path:
    path = tmp_path / "journal.db"
    path.write_bytes(gzip.decompress(JOURNAL.read_bytes()))
    return path


async def test_the_golden_journal_says_what_it_always_said(golden: Path) -> None:
    """Catches a record that means something else than when it was written."""
    reader = open_sqlite_reader(golden)
    assert await told(reader) == json.loads(WHAT_IT_SAYS.read_text(encoding="utf-8"))
    assert await reader.verify() == await reader.records()
    await read_status(reader, now=START)
    await reader.close()


async def test_it_has_a_record_of_every_kind(golden: Path) -> None:
    reader = open_sqlite_reader(golden)
    records = [entry.record for entry in await reader.entries()]
    await reader.close()
    assert {kind_of(each) for each in records} == {
        each.__struct_config__.tag for each in get_args(Record)
    }


async def test_every_record_is_written_again_as_it_stands(golden: Path) -> None:
    """Catches a field that was added, left out or is written in another way."""
    reader = open_sqlite_reader(golden)
    stored = [str(data) for (data,) in reader._read.execute("SELECT data FROM records")]
    assert [encode(entry.record) for entry in await reader.entries()] == stored
    await reader.close()


async def test_a_server_opens_it_and_nothing_is_to_repair(golden: Path) -> None:
    assert repair_sqlite(golden, at=START).mended == ()
    journal = open_sqlite(golden, at=START)
    assert len(await journal.unsettled(START + timedelta(days=1))) == 3
    await journal.close()
