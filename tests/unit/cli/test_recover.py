"""What `recover` says at its end: all that wants somebody, also what was frozen before.

Broken on purpose, and red here: a list of what this recovery froze only; a 0 beside such a list.
"""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.builders import START, D, Life
from tests.unit.journal.test_review import MAIN

from surefoot.app import Look
from surefoot.cli import recover, run
from surefoot.core.account_records import BotStatusChanged, RecoveryFinished
from surefoot.core.reconcile import Reconciliation
from surefoot.core.signals import Freeze
from surefoot.journal import open_journal
from surefoot.journal.errors import JournalUnusable
from surefoot.journal.port import Append, Change, bot_stream, position_stream

WHY = "the account holds 0.0006 BTC less"
CONFIG = """
[journal]
url = "sqlite:///surefoot.db"
[accounts.main]
exchange = "binance"
api_key = "env:KEY"
secret = "env:SECRET"
[bots.dip]
account = "main"
symbol = "BTC/USDT"
strategy = "surefoot.strategy.examples:DipBuyer"
notional = 100
"""
DONE = RecoveryFinished(
    at=START,
    account=MAIN,
    outcome="complete",
    positions={"unchanged": 1},
    orders_cancelled=0,
    fills_booked=0,
    bots_restarted=1,
    bots_in_review={},
    requests=3,
    weight=30,
    seconds=D("0.1"),
)


async def written(folder: Path, *, frozen: bool) -> None:
    life = Life(bot="dip")
    life.opened()
    if frozen:
        life.tell(Freeze(reason=WHY))
    journal = open_journal("sqlite:///surefoot.db", folder, at=START)
    running = BotStatusChanged(
        at=START, bot=life.position.bot, status="RUNNING", by="surefoot", reason=None
    )
    kept = Append(
        stream=position_stream(life.position.position_id),
        expected=0,
        records=tuple(life.records),
        position=life.position,
    )
    word = Append(stream=bot_stream(life.position.bot), expected=0, records=(running,))
    await journal.commit(Change(at=START, appends=(kept, word)))
    await journal.close()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with a configuration, whose exchange answers, and nothing new is found."""

    async def recovered(*_: Any) -> tuple[RecoveryFinished, ...]:
        return (DONE,)

    async def looked(*_: Any) -> tuple[Look, ...]:
        return (Look(account=MAIN, outcome=Reconciliation(), failures=()),)

    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEY", "key")
    monkeypatch.setenv("SECRET", "secret")
    monkeypatch.setattr(recover, "_recovered", recovered)
    monkeypatch.setattr(recover, "_looks", looked)
    (tmp_path / "surefoot.toml").write_text(CONFIG)
    return tmp_path


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
def test_what_is_frozen_is_listed_with_why(
    folder: Path, capsys: pytest.CaptureFixture[str], how: tuple[str, ...]
) -> None:
    asyncio.run(written(folder, frozen=True))
    assert run(["recover", *how]) == 3
    shown = capsys.readouterr().out
    assert "LOOK HERE" in shown
    assert f"dip-1 is frozen: {WHY}" in shown
    assert "surefoot resolve dip-1 --adopt" in shown


@pytest.mark.parametrize("how", [(), ("--dry-run",)])
def test_for_scripts_too(
    folder: Path, capsys: pytest.CaptureFixture[str], how: tuple[str, ...]
) -> None:
    asyncio.run(written(folder, frozen=True))
    assert run(["recover", "--json", *how]) == 3
    (account,) = json.loads(capsys.readouterr().out)
    (frozen,) = account["review"]
    assert (frozen["position"], frozen["kind"], frozen["true"]) == ("dip-1", "frozen", WHY)


def test_where_nothing_wants_anybody_it_is_fine(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asyncio.run(written(folder, frozen=False))
    assert run(["recover"]) == 0
    assert "LOOK HERE" not in capsys.readouterr().out


def test_what_failed_is_no_success(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def failed(*_: Any) -> tuple[RecoveryFinished, ...]:
        return (replace(DONE, outcome="failed"),)

    asyncio.run(written(folder, frozen=False))
    monkeypatch.setattr(recover, "_recovered", failed)
    assert run(["recover"]) == 1


def test_a_position_that_never_was_is_no_name(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches whoever takes the bot of a name for the name: a typo recovered the whole account."""
    asyncio.run(written(folder, frozen=False))
    assert run(["recover", "dip-999", "--dry-run", "--config", str(folder / "surefoot.toml")]) == 2
    assert "there is no bot or position dip-999; did you mean dip-1?" in capsys.readouterr().err


@pytest.mark.parametrize("names", [(), ("dip",)])
def test_a_journal_is_not_asked_what_a_bot_is_called(
    folder: Path, monkeypatch: pytest.MonkeyPatch, names: tuple[str, ...]
) -> None:
    """A recovery brings an older format up to date, which nobody could have read before."""

    def unreadable(*_: Any) -> Any:
        raise JournalUnusable("it has an older schema")

    asyncio.run(written(folder, frozen=False))
    monkeypatch.setattr(recover, "open_reader", unreadable)
    assert run(["recover", *names]) == 0
