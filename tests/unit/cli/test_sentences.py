"""What goes wrong for an operator is one sentence, and never a traceback."""

from __future__ import annotations

import asyncio
import os
from pathlib import Path

import apsw
import pytest
from tests.unit.cli.test_repair import CONFIG
from tests.unit.journal.test_integrity import written

from surefoot.cli import run


@pytest.fixture
def config(tmp_path: Path) -> list[str]:
    (tmp_path / "surefoot.toml").write_text(CONFIG)
    asyncio.run(written(tmp_path / "j.db"))
    return ["--config", str(tmp_path / "surefoot.toml")]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    errors = capsys.readouterr().err
    assert errors.startswith("surefoot: ")
    assert errors.count("\n") == 1
    return errors


def test_a_backup_into_a_missing_folder(
    config: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["backup", str(tmp_path / "none" / "copy.db"), *config]) == 2
    assert "does not exist; create it first" in said(capsys)


def test_a_backup_onto_a_device_that_is_full(
    config: list[str],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nothing is left of it that looks like a backup; what SQLite says of it is no reason."""

    class Full(apsw.Connection):
        def backup(self, *_: object) -> apsw.Backup:
            raise apsw.FullError("not an error")

    monkeypatch.setattr("surefoot.journal.opening.apsw.Connection", Full)
    assert run(["backup", str(tmp_path / "copy.db"), *config]) == 2
    assert "copy.db cannot be written: the disk is full" in said(capsys)
    assert not (tmp_path / "copy.db").exists()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_init_where_nothing_may_be_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tmp_path.chmod(0o500)
    assert run(["init", str(tmp_path / "new")]) == 1
    assert "cannot be written" in said(capsys)


def test_init_below_a_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    assert run(["init", str(tmp_path / "file" / "new")]) == 1
    assert "cannot be written: Not a directory" in said(capsys)


@pytest.mark.parametrize("command", ["explain", "close", "backup", "nonsense"])
def test_an_argument_that_is_no_text(
    config: list[str], command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([command, os.fsdecode(b"\xff\xfe"), *config]) == 2
    assert "is no text" in said(capsys)


def test_a_journal_that_cannot_be_opened(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "surefoot.toml").write_text(CONFIG)
    (tmp_path / "j.db").mkdir()
    assert run(["status", "--config", str(tmp_path / "surefoot.toml")]) == 2
    assert "cannot be opened" in said(capsys)


@pytest.mark.parametrize("command", ["status", "check", "recover", "repair", "report", "web"])
def test_a_journal_that_nobody_may_look_for(
    tmp_path: Path,
    command: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As in a folder of another user's, where every command ended with a traceback."""
    monkeypatch.setenv("KEY", "key")
    monkeypatch.setenv("SECRET", "secret")
    text = CONFIG.replace("j.db", f"{'j' * 300}.db")  # a name that no file can have
    (tmp_path / "surefoot.toml").write_text(text)
    assert run([command, "--config", str(tmp_path / "surefoot.toml")]) == 2
    assert "cannot be reached" in said(capsys)
