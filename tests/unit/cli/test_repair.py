"""`surefoot repair`, as an operator types it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from tests.unit.journal.tampering import tamper
from tests.unit.journal.test_integrity import written

from surefoot.cli import run

CONFIG = """
[journal]
url = "sqlite:///j.db"
[accounts.main]
exchange = "binance"
api_key = "env:KEY"
secret = "env:SECRET"
"""


def test_a_repair_tells_what_it_mended(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "surefoot.toml").write_text(CONFIG)
    command = ["repair", "--config", str(tmp_path / "surefoot.toml")]
    assert run(command) == 2
    assert "there is no journal" in capsys.readouterr().err
    asyncio.run(written(tmp_path / "j.db"))
    assert run(command) == 0
    assert "records, sound. Nothing was changed." in capsys.readouterr().out
    tamper(tmp_path / "j.db", "DELETE FROM positions WHERE position_id = 'dip-3'")
    assert run(command) == 0
    output = capsys.readouterr().out
    assert "mended: positions lacks dip-3" in output
    (kept,) = tmp_path.glob("j.db.before-repair-*")
    assert str(kept) in output
    assert run([*command, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["mended"] == []
