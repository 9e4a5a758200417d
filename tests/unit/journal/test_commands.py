"""The command row is the contract: validated there, whoever posts."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from tests.builders import START
from tests.memory_journal import MemoryJournal
from tests.unit.journal.tampering import tamper
from tests.unit.journal.test_inbox import command

from surefoot.core.errors import InvalidValue
from surefoot.journal.commands import read_row, row_of
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.inbox import inbox_of
from surefoot.journal.sqlite import open_sqlite

WRONG = {
    "another kind": {"kind": "dance"},
    "no name": {"target": ""},
    "a name that forges a line": {"target": "dip\nFROZEN"},
    "control characters": {"actor": "ann\x1b[2J"},
    "a whole book": {"actor": "a" * 201},
    "for ever": {"expires_at": START + timedelta(days=2)},
    "void before it was posted": {"expires_at": START - timedelta(seconds=1)},
    "another argument": {"arguments": {"amount": "1"}},
    "a signalling NaN": {"arguments": {"how": "filled", "quantity": "sNaN", "price": "1"}},
    "infinity": {"arguments": {"how": "filled", "quantity": "1", "price": "Infinity"}},
    "an exponent": {"arguments": {"how": "filled", "quantity": "1e9999", "price": "1"}},
    "less than nothing": {"arguments": {"how": "filled", "quantity": "-1", "price": "1"}},
    "other digits": {"arguments": {"how": "filled", "quantity": "\uff11", "price": "1"}},
    "another answer": {"arguments": {"how": "guess"}},
    "an order that is none": {"arguments": {"how": "filled", "order": "x y"}},
    "everybody, and only one": {"kind": "stop-all", "target": "dip-btc"},
    "a reason of two lines": {"arguments": {"reason": "one\ntwo"}},
}


@pytest.mark.parametrize("what", WRONG)
async def test_what_is_no_command_is_refused_at_every_door(tmp_path: Path, what: str) -> None:
    """A posted sNaN killed the process, and again at each start."""
    wrong = command(**WRONG[what])  # type: ignore[arg-type]
    journal = open_sqlite(tmp_path / "j.db", at=START)
    for door in (journal, MemoryJournal()):
        with pytest.raises(InvalidValue):
            await door.post(wrong)
        await door.take_commands(at=START)
        assert await door.commands() == ()
    # Whoever writes past the door is not heard, and keeps nobody else from being heard.
    await journal.post(command("sound"))
    with closing(sqlite3.connect(inbox_of(tmp_path / "j.db"))) as inbox, inbox:
        inbox.execute("INSERT INTO commands VALUES (?,?,?,?,?,?,?)", ("w", *row_of(wrong)[1:]))
    await journal.take_commands(at=START)
    assert [each.command_id for each in await journal.commands()] == ["sound"]
    await journal.close()


async def test_a_command_that_was_planted_in_the_journal_is_one_sentence(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = open_sqlite(path, at=START)
    await journal.post(command("sound"))
    await journal.take_commands(at=START)
    await journal.close()
    tamper(path, 'UPDATE commands SET arguments = \'{"quantity": "sNaN"}\'')
    journal = open_sqlite(path, at=START)
    with pytest.raises(JournalUnusable, match="'sNaN' can be no quantity"):
        await journal.commands()
    await journal.close()


def test_a_command_comes_back_as_it_was() -> None:
    arguments = {"how": "filled", "quantity": "0.002", "price": "61700", "order": "sf_1-a"}
    sound = command(kind="resolve", target="dip-btc-7", arguments=arguments)
    assert read_row(row_of(sound)) == sound
    settled = msgspec.structs.replace(sound, status="done", result="booked")
    assert read_row((*row_of(sound), "done", "booked")) == settled
