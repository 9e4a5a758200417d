"""The journal has one writer, and nobody else can make it wait: commands have an inbox."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import apsw
import pytest
from tests.builders import START, Life

from surefoot.journal import inbox
from surefoot.journal.errors import InboxFull, InboxHeld, JournalUnusable
from surefoot.journal.port import Append, Change, Command, Verdict
from surefoot.journal.reader import open_sqlite_reader
from surefoot.journal.sqlite import open_sqlite


def command(name: str = "c1", **more: object) -> Command:
    facts: dict[str, object] = {
        "command_id": name,
        "kind": "pause",
        "target": "dip-btc",
        "actor": "ann",
        "posted_at": START,
        "expires_at": START + timedelta(minutes=10),
        **more,
    }
    return Command(**facts)  # type: ignore[arg-type]


def change(bot: str) -> Change:
    life = Life(bot=bot)
    stream = f"position/{life.position.position_id}"
    records = tuple(life.records)
    append = Append(stream=stream, expected=0, records=records, position=life.position)
    return Change(at=START, appends=(append,))


@pytest.mark.parametrize("lock", ["BEGIN IMMEDIATE", "BEGIN EXCLUSIVE", "BEGIN", "SELECT 1"])
async def test_no_lock_that_a_client_can_take_costs_a_commit(tmp_path: Path, lock: str) -> None:
    journal = open_sqlite(tmp_path / "j.db", at=START)
    client = open_sqlite_reader(tmp_path / "j.db")
    with suppress(apsw.Error):
        client._read.execute(lock)
    client._read.execute("SELECT count(*) FROM records").fetchall()
    for number in range(3):
        await journal.commit(change(f"bot-{number}"))
    assert len(await journal.entries()) == 3
    with pytest.raises(apsw.ReadOnlyError):
        client._read.execute("DELETE FROM commands")
    await journal.close()
    await client.close()


@pytest.mark.parametrize("lock", ["IMMEDIATE", "EXCLUSIVE"])
async def test_a_client_that_is_stopped_inside_its_write_costs_no_commit(
    tmp_path: Path, lock: str
) -> None:
    """Also none of the commands that came before it or come after it."""
    code = (
        "import apsw, sys\n"
        "c = apsw.Connection(sys.argv[1])\n"
        "c.execute('BEGIN ' + sys.argv[2])\n"
        "c.execute('DELETE FROM commands')\n"
        "print('held', flush=True); sys.stdin.read()\n"
    )
    path = tmp_path / "j.db"
    journal = open_sqlite(path, at=START)
    await journal.post(command())
    with subprocess.Popen(
        [sys.executable, "-c", code, str(inbox.inbox_of(path)), lock],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as client:
        assert client.stdout is not None
        assert client.stdout.readline() == "held\n"
        client.send_signal(signal.SIGSTOP)
        for number in range(3):
            await journal.take_commands(at=START)
            await journal.commit(change(f"bot-{number}"))
        client.kill()
    await journal.take_commands(at=START)
    assert await journal.commands() == (command(),)
    await journal.close()


async def test_what_a_killed_client_left_half_written_is_undone(tmp_path: Path) -> None:
    """A transaction that spilled into the file before its commit is rolled back by the server."""
    code = (
        "import apsw, os, sys\n"
        "c = apsw.Connection(sys.argv[1])\n"
        "c.execute('PRAGMA cache_size = 1; PRAGMA cache_spill = 1').fetchall()\n"
        "c.execute('BEGIN IMMEDIATE')\n"
        "c.execute('DELETE FROM commands')\n"
        "for n in range(500):\n"
        "    row = (str(n), 'x' * 500, 'x', 'x', 'x', 'x', 'x')\n"
        "    c.execute('INSERT INTO commands VALUES (?,?,?,?,?,?,?)', row)\n"
        "c.cache_flush()\n"
        "os._exit(9)\n"
    )
    path = tmp_path / "j.db"
    journal = open_sqlite(path, at=START)
    await journal.post(command())
    await journal.take_commands(at=START)
    await journal.post(command("c2"))
    file = inbox.inbox_of(path)
    killed = subprocess.run([sys.executable, "-c", code, str(file)], check=False)  # noqa: ASYNC221
    assert killed.returncode == 9
    assert file.with_name(f"{file.name}-journal").exists()
    await journal.take_commands(at=START)
    assert {each.command_id for each in await journal.commands()} == {"c1", "c2"}
    await journal.close()


async def test_posting_touches_the_inbox_only(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    await open_sqlite(path, at=START).close()
    before = path.read_bytes()
    client = open_sqlite_reader(path)
    assert await client.post(command()) is True
    assert await client.post(command()) is False
    assert await client.commands() == ()
    await client.close()
    assert path.read_bytes() == before
    assert stat.S_IMODE(inbox.inbox_of(path).stat().st_mode) == 0o600


async def test_a_taken_command_is_never_taken_again(tmp_path: Path) -> None:
    """At most once, over a restart and whatever the client repeats."""
    path = tmp_path / "j.db"
    for _ in range(2):
        journal = open_sqlite(path, at=START)
        await journal.post(command())
        await journal.take_commands(at=START)
        done = Verdict(command_id="c1", status="done", result="it is PAUSED")
        await journal.commit(Change(at=START, verdicts=(done,)))
        await journal.take_commands(at=START)
        await journal.commit(Change(at=START, commands=(command(),)))
        assert [each.status for each in await journal.commands()] == ["done"]
        await journal.close()


async def test_a_client_takes_away_what_was_taken(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = open_sqlite(path, at=START)
    for number in range(3):
        await journal.post(command(f"c{number}"))
        await journal.take_commands(at=START)
    connection = apsw.Connection(str(inbox.inbox_of(path)))
    assert connection.execute("SELECT command_id FROM commands").fetchall() == [("c2",)]
    connection.close()
    assert len(await journal.commands()) == 3
    await journal.close()


async def test_commands_are_taken_oldest_first_and_nonsense_is_left(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = open_sqlite(path, at=START)
    await journal.post(command("a", posted_at=START + timedelta(seconds=1)))
    await journal.post(command("b"))
    connection = apsw.Connection(str(inbox.inbox_of(path)))
    for name, at in (("x", "yesterday"), ("y", "2026-01-01T00:00:00")):
        row = (name, "close", "dip-btc", "ann", at, at, "{}")
        connection.execute("INSERT INTO commands VALUES (?,?,?,?,?,?,?)", row)
    connection.close()
    tray = inbox.Tray(inbox.inbox_of(path))
    assert [each.command_id for each in tray.unknown(lambda _: frozenset())] == ["b", "a"]
    tray.close()
    await journal.close()


async def test_an_inbox_has_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inbox, "WAITING_MAX", 2)
    journal = open_sqlite(tmp_path / "j.db", at=START)
    await journal.post(command("a"))
    await journal.post(command("b"))
    with pytest.raises(InboxFull, match="2 commands wait"):
        await journal.post(command("c"))
    await journal.take_commands(at=START)
    assert await journal.post(command("c")) is True
    await journal.close()


async def test_a_held_inbox_is_said_to_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inbox, "PATIENCE_MS", 0)
    journal = open_sqlite(tmp_path / "j.db", at=START)
    await journal.post(command())
    connection = apsw.Connection(str(inbox.inbox_of(tmp_path / "j.db")))
    connection.execute("BEGIN IMMEDIATE")
    with pytest.raises(InboxHeld, match="was not stored"):
        await journal.post(command("c2"))
    connection.close()
    await journal.close()


async def test_a_damaged_or_lost_inbox_costs_nothing_but_what_waited(tmp_path: Path) -> None:
    path = tmp_path / "j.db"
    journal = open_sqlite(path, at=START)
    await journal.post(command())
    await journal.take_commands(at=START)
    inbox.inbox_of(path).write_bytes(b"this is no database at all" * 200)
    await journal.take_commands(at=START)
    with pytest.raises(JournalUnusable, match="remove it, and post again"):
        await journal.post(command("c2"))
    inbox.inbox_of(path).unlink()
    await journal.take_commands(at=START)
    await journal.post(command("c2"))
    await journal.take_commands(at=START)
    assert len(await journal.commands()) == 2
    await journal.close()


async def test_a_full_disk_is_said_to_the_client(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was the database's own error: a traceback for who closes a bot, and a 500 on the page."""
    journal = open_sqlite(tmp_path / "j.db", at=START)
    connect = inbox._connect

    def full(at: Path, patience_ms: int) -> apsw.Connection:
        connection = connect(at, patience_ms)
        connection.execute("PRAGMA max_page_count = 1")
        return connection

    monkeypatch.setattr(inbox, "_connect", full)
    with pytest.raises(JournalUnusable, match="full; the command was not stored"):
        await journal.post(command())
    monkeypatch.undo()
    assert await journal.post(command())
    await journal.close()


async def test_what_may_be_stored_is_not_called_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The disk failed after the commit: told that it was not stored, somebody says it twice."""
    journal = open_sqlite(tmp_path / "j.db", at=START)
    connect = inbox._connect

    class Failing:
        """A database whose disk fails when all is written."""

        def __init__(self, at: Path, patience_ms: int) -> None:
            self._connection = connect(at, patience_ms)
            self.close = self._connection.close

        def execute(self, statement: str, *rest: object) -> object:
            done = self._connection.execute(statement, *rest)  # type: ignore[arg-type]
            if statement == "COMMIT":
                raise apsw.IOError("disk I/O error")
            return done

    monkeypatch.setattr(inbox, "_connect", Failing)
    with pytest.raises(JournalUnusable, match="nobody knows whether the command is stored"):
        await journal.post(command())
    monkeypatch.undo()
    assert not await journal.post(command()), "it was stored"
    await journal.close()


async def test_reading_works_while_the_server_runs_and_while_it_does_not(tmp_path: Path) -> None:
    """Before, during and after a life of the server, and after one that was killed."""
    path = tmp_path / "j.db"
    await open_sqlite(path, at=START).close()
    early = open_sqlite_reader(path)
    assert await early.records() == 0
    journal = open_sqlite(path, at=START)
    await journal.commit(change("one"))
    assert [await each.records() for each in (early, journal)] == [1, 1]
    await journal.close()
    assert path.with_name("j.db-wal").stat().st_size == 0  # a reader that stays leaves no debt
    assert await early.records() == 1
    await early.close()
    killed = tmp_path / "killed.db"
    journal = open_sqlite(path, at=START)
    await journal.commit(change("two"))
    for suffix in ("", "-wal"):
        Path(f"{killed}{suffix}").write_bytes(Path(f"{path}{suffix}").read_bytes())
    await journal.close()
    late = open_sqlite_reader(killed)
    assert await late.records() == 2
    assert await late.verify() == 2
    await late.close()


async def test_a_log_that_a_reader_left_does_not_hide_a_loss(tmp_path: Path) -> None:
    """An emptied journal is refused, not begun anew, also beside an empty write-ahead log."""
    path = tmp_path / "j.db"
    await open_sqlite(path, at=START).close()
    await open_sqlite_reader(path).close()
    path.write_bytes(b"")
    path.with_name("j.db-wal").write_bytes(b"")
    with pytest.raises(JournalUnusable, match="is no journal"):
        open_sqlite(path, at=START)
