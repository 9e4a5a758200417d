"""Accounts on paper: no keys, a journal of their own, and no way to the real exchange."""

from __future__ import annotations

from pathlib import Path

import pytest

from surefoot.config import ConfigError, load, template
from surefoot.engine.clock import SystemClock
from surefoot.exchange import open_exchange
from surefoot.exchange.errors import Misconfigured


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "surefoot.toml"


def test_one_line_of_the_template_is_the_way_to_real_money(file: Path) -> None:
    """The journal is another one then: no position on paper is taken for a real one."""
    file.write_text(template().replace("paper = true ", "paper = false"))
    settings = load(file, {"BINANCE_API_KEY": "k", "BINANCE_SECRET": "s"})
    [account] = settings.accounts.values()
    assert (account.environment, account.paper) == ("live", None)
    assert (account.api_key.reveal(), account.secret.reveal()) == ("k", "s")
    assert settings.journal_url == "sqlite:///surefoot.db"
    with pytest.raises(ConfigError, match=r"BINANCE_API_KEY"):
        load(file, {})


PAPER = """
[accounts.main]
exchange = "binance"
paper = true
"""


def test_an_account_on_paper_looks_for_no_key_and_leads_nowhere(file: Path) -> None:
    """Not even if one is there: it must not be able to reach the real exchange with it."""
    file.write_text(f'{PAPER}api_key = "env:KEY"\nccxt.password = "env:KEY"\nccxt.timeout = 5000\n')
    [account] = load(file, {"KEY": "real"}).accounts.values()
    assert "real" not in account.api_key.reveal()
    assert account.ccxt == {"timeout": 5000}


def test_paper_and_real_money_never_share_a_journal(file: Path) -> None:
    other = '[accounts.other]\nexchange = "binance"\napi_key = "env:K"\nsecret = "env:K"\n'
    file.write_text(PAPER + other)
    with pytest.raises(ConfigError, match=r"main on paper and other not"):
        load(file, {"K": "k"})


@pytest.mark.parametrize(
    ("more", "problem"),
    [
        ('[accounts.main.ccxt]\nurls.api.public = "https://api.binance.com"', "prices come from"),
        ('[accounts.main.paper_exchange]\nrest = "https://there"', "both rest and streams"),
        ('[accounts.main.paper_exchange]\nstreams = "https://there"', "wss://HOST/stream"),
        ("[accounts.main.paper_exchange]\nbalances = {}", "balances"),
    ],
)
def test_what_makes_no_sense_on_paper_is_refused(file: Path, more: str, problem: str) -> None:
    file.write_text(PAPER + more)
    with pytest.raises(ConfigError, match=problem):
        load(file, {})


def test_what_is_on_paper_is_never_opened_at_the_real_exchange() -> None:
    """Whatever the command forgot: an account that was not placed leads nowhere."""
    with pytest.raises(Misconfigured, match=r"on paper"):
        open_exchange(
            "binance",
            keys=lambda: ("k", "s"),
            settings={},
            allow_custom_host=False,
            time=SystemClock(),
            paper=True,
        )
