"""What is wrong on this machine is found, each thing by its name; what is well is said too."""

from __future__ import annotations

import shutil
from pathlib import Path
from types import SimpleNamespace

import pytest
from aiohttp import web
from tests.builders import START
from tests.unit.notify.scene import BotApi, refusal, served

from surefoot.cli import doctor, open_files
from surefoot.cli.doctor import FREE_MIN, examine
from surefoot.cli.polling import polled
from surefoot.config import Settings, load
from surefoot.engine.clock import SystemClock
from surefoot.journal import open_journal
from surefoot.journal.tenancy import Tenancy
from surefoot.web.answers import Symptom

CONFIG = """
[journal]
url = "sqlite:///surefoot.db"
[telegram]
token = "file:token"
allow = [7]
api = "{api}"
"""


def settings(directory: Path, api: str = "http://127.0.0.1:9") -> Settings:
    (directory / "token").write_text("123456:canary")
    (directory / "token").chmod(0o600)
    file = directory / "surefoot.toml"
    file.write_text(CONFIG.format(api=api))
    return load(file, {}, messengers=True)


def told(symptoms: list[Symptom], what: str) -> tuple[bool, str]:
    (found,) = [each for each in symptoms if each.what == what]
    return found.well, found.said


async def test_a_machine_that_is_well_says_so(tmp_path: Path) -> None:
    journal = open_journal("sqlite:///surefoot.db", tmp_path, at=START)
    found = examine(settings(tmp_path))
    await journal.close()
    assert [each.said for each in found if not each.well] == []
    assert "runs on this journal since" in told(found, "server")[1]
    assert {each.what for each in found} == {"server", "files", "disk", "open files", "dashboard"}
    assert set(doctor.versions()) >= {"surefoot", "python", "ccxt"}


async def test_each_thing_that_is_not_well_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = open_journal("sqlite:///surefoot.db", tmp_path, at=START)
    await journal.close()
    (tmp_path / "surefoot.db").chmod(0o644)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=FREE_MIN - 1))
    monkeypatch.setattr(open_files, "too_few", lambda _: "64 are allowed")
    monkeypatch.setattr(doctor, "find_spec", lambda _: None)
    found = examine(settings(tmp_path))
    assert told(found, "server") == (True, "no server runs on this journal")
    assert told(found, "files") == (
        False, f"others may read surefoot.db; run: chmod 600 {tmp_path / 'surefoot.db'}",
    )  # fmt: skip
    assert "when it is full, the server stops" in told(found, "disk")[1]
    assert told(found, "open files") == (False, "64 are allowed")
    assert 'pip install "surefoot[telegram]"' in told(found, "messengers")[1]


@pytest.mark.filterwarnings("ignore:.*retry_after")
async def test_a_telegram_token_that_is_used_twice_is_found(tmp_path: Path) -> None:
    api = BotApi()
    async with served(api.handle) as url:
        asked = settings(tmp_path, url)
        assert told(await polled(asked), "Telegram")[0]
        for answer, why in (
            (refusal(409, "Conflict: terminated by other getUpdates request"), "another program"),
            (refusal(409, "Conflict: can't use getUpdates while webhook is active"), "another"),
            (refusal(401, "Unauthorized"), "does not know this token"),
        ):
            api.answers = [answer]
            well, said = told(await polled(asked), "Telegram")
            assert (well, why in said) == (False, True), said
            assert "canary" not in said
        # Our own messenger asks already: a second question would be the conflict.
        api.answers = [web.Response(status=500)]
        tenancy = Tenancy(tmp_path / "surefoot.db", "notify")
        await tenancy.take("", SystemClock(), over=False)
        assert told(await polled(asked), "Telegram")[0]
        tenancy.leave()
