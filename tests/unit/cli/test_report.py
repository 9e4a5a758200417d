"""The bundle for whoever helps holds no secret, wherever one was planted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.builders import START, Life

from surefoot.cli import run
from surefoot.core.account_records import AccountBound, BotStatusChanged
from surefoot.core.reports import Refusal
from surefoot.core.values import AccountName, BotName
from surefoot.journal import open_journal
from surefoot.journal.port import Append, Change
from surefoot.web import Keys, Scope, token_file

PLANTED = {
    "a key in a variable": "k3y-in-the-environment",
    "a secret in a file": "s3cret-in-a-file",
    "a password of ccxt": 'p4ssword of ccxt "quoted"',
    "the bot of Telegram": "123456:telegram-t0ken",
    "an address that is a secret": "https://hooks.example/T0/very-s3cret-path",
    "what signs a webhook": "webhook-s1gning-key",
    "who is pinged": "https://hc.example/9f1c-ping-uuid",
    "a password in an address": "apprise-pa55word",
    "something else in the environment": "unrelated-but-s3cret",
    "whose account it is": "uid-48151623",
}

CONFIG = """
[journal]
url = "sqlite:///surefoot.db"
[accounts.main]
exchange = "binance"
api_key = "env:BINANCE_KEY"
secret = "file:secret.txt"
[accounts.main.ccxt]
password = "env:CCXT_PASSWORD"
[telegram]
token = "env:TELEGRAM_TOKEN"
allow = [7]
[[webhooks]]
url = "{an address that is a secret}"
secret = "env:WEBHOOK"
[[apprise]]
url = "mailto://ann:{a password in an address}@example.org"
[heartbeat]
url = "{who is pinged}"
"""


async def write(directory: Path) -> None:
    """Make a journal in which an exchange, a strategy and an operator repeat what they know."""
    journal = open_journal("sqlite:///surefoot.db", directory, at=START)
    life = Life()
    order = life.enter()
    everything = ", ".join(PLANTED.values())
    no = Refusal(client_order_id=order.client_order_id, code="-2015", message=everything)
    life.tell(no)
    word = BotStatusChanged(
        at=START, bot=BotName("dip-btc"), status="REVIEW", by="ann", reason=everything
    )
    bound = AccountBound(
        at=START, account=AccountName("main"), exchange="binance",
        uid=PLANTED["whose account it is"], environment="live", balances={},
    )  # fmt: skip
    await journal.commit(
        Change(
            at=START,
            appends=(
                Append(stream="account/main", expected=0, records=(bound,)),
                Append(stream="bot/dip-btc", expected=0, records=(word,)),
                Append(
                    stream="position/dip-btc-1", expected=0, records=tuple(life.records),
                    position=life.position,
                ),
            ),
        )
    )  # fmt: skip
    await journal.close()


@pytest.fixture
async def planted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "secret.txt").write_text(PLANTED["a secret in a file"])
    (tmp_path / "surefoot.toml").write_text(CONFIG.format_map(PLANTED))
    for name, what in (
        ("BINANCE_KEY", "a key in a variable"), ("CCXT_PASSWORD", "a password of ccxt"),
        ("TELEGRAM_TOKEN", "the bot of Telegram"), ("WEBHOOK", "what signs a webhook"),
        ("OTHER_API_KEY", "something else in the environment"),
    ):  # fmt: skip
        monkeypatch.setenv(name, PLANTED[what])
    monkeypatch.chdir(tmp_path)
    await write(tmp_path)
    return tmp_path


def test_no_secret_is_in_it_wherever_it_was_planted(planted: Path) -> None:
    keys = Keys(token_file(planted / "surefoot.db"))
    keys.ensure()
    assert run(["report"]) == 0
    text = (planted / "surefoot-report.txt").read_text()
    for what, secret in PLANTED.items():
        assert secret not in text, what
        assert secret.replace('"', '\\"') not in text, what
    for scope in Scope:
        assert keys.token(scope) not in text
    assert "env:BINANCE_KEY" in text  # named, never shown
    assert "dip-btc-1" in text
    assert "***" in text
    assert str(Path.home()) not in text


def test_it_is_for_its_owner_and_overwrites_nothing(
    planted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["report", "mine.txt"]) == 0
    assert (planted / "mine.txt").stat().st_mode & 0o077 == 0
    assert run(["report", "mine.txt"]) == 1
    assert "File exists" in capsys.readouterr().out


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no full disk at hand")
def test_a_full_disk_is_said_and_leaves_no_part(
    planted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It ended in a traceback, and the part that was left was in the way of the next report."""
    to, full = planted / "report.txt", Path("/dev/full")
    opened = os.open

    def on_a_full_disk(path: Path, flags: int, mode: int = 0o777) -> int:
        file = opened(path, flags, mode)
        if path != to:
            return file
        os.close(file)
        return opened(full, os.O_WRONLY)

    monkeypatch.setattr(os, "open", on_a_full_disk)
    assert run(["report", str(to)]) == 1
    assert "cannot be written: No space left on device" in capsys.readouterr().out
    assert not to.exists()
