"""`surefoot init`: what it writes loads, it asks on a terminal only, and it never overwrites."""

from __future__ import annotations

import io
import tomllib
from collections.abc import Callable
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest

from surefoot.cli import run
from surefoot.cli.init import Idea
from surefoot.cli.sim import _explain
from surefoot.config import FIRST, IDEAS, Settings, load, strategies
from surefoot.simulator import Settings as Exchange

SIM = "http://127.0.0.1:8765"
KEYS = {"BINANCE_API_KEY": "k", "BINANCE_SECRET": "s"}


class Terminal(io.StringIO):
    """Somebody who types; both ends are a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return how somebody sits down at a narrow terminal and types."""

    def types(text: str) -> None:
        monkeypatch.setenv("COLUMNS", "40")
        monkeypatch.setattr("sys.stdin", Terminal(text))
        monkeypatch.setattr("sys.stdout.isatty", lambda: True)

    return types


def settings(directory: Path) -> Settings:
    loaded = load(directory / "surefoot.toml", KEYS)
    assert set(strategies(loaded)) == {"my-bot"}
    return loaded


def bot_of(loaded: Settings) -> tuple[str, str, object]:
    [bot] = loaded.bots.values()
    return bot.symbol, bot.strategy, bot.notional


def test_the_flag_knows_every_idea() -> None:
    assert tuple(IDEAS) == get_args(Idea)


@pytest.mark.parametrize("idea", IDEAS)
def test_every_strategy_that_it_writes_loads(idea: str, tmp_path: Path) -> None:
    """As a file of the user's own, with its parameters as it declares them, to be changed."""
    assert run(["init", str(tmp_path / "new"), "--strategy", idea]) == 0
    settings(tmp_path / "new")
    text = (tmp_path / "new" / "my_bots.py").read_text("utf-8")
    assert "mypy" not in text
    params = tomllib.loads((tmp_path / "new" / "surefoot.toml").read_text("utf-8"))["bots"][
        "my-bot"
    ]["params"]
    assert params


def test_without_a_word_it_is_on_paper_and_trades_at_once(tmp_path: Path) -> None:
    assert run(["init", str(tmp_path)]) == 0
    loaded = settings(tmp_path)
    assert loaded.accounts["main"].environment == "paper"  # type: ignore[index]
    assert bot_of(loaded)[:2] == ("BTC/USDT", f"my_bots.py:{IDEAS[FIRST].__name__}")


def test_real_money_is_one_word_and_no_strategy_that_only_shows_something(tmp_path: Path) -> None:
    assert run(["init", str(tmp_path), "--live"]) == 0
    loaded = settings(tmp_path)
    assert loaded.accounts["main"].environment == "live"  # type: ignore[index]
    assert bot_of(loaded)[1] == "my_bots.py:DipBuyer"
    lines = (tmp_path / "surefoot.toml").read_text("utf-8").split("\n")
    assert run(["init", str(tmp_path / "paper"), "--strategy", "dip"]) == 0
    others = (tmp_path / "paper" / "surefoot.toml").read_text("utf-8").split("\n")
    assert [each for each, other in zip(lines, others, strict=True) if each != other] == [
        "paper = false                          # live prices, simulated fills; false: real money"
    ]


@pytest.mark.parametrize(
    ("symbol", "balance", "notional"),
    [("ETH/BTC", {"BTC": 1}, Decimal("0.01")), ("eth/usdc", {"USDC": 10000}, Decimal(100))],
)
def test_what_there_is_on_paper_is_what_the_symbol_is_paid_with(
    symbol: str, balance: dict[str, int], notional: Decimal, tmp_path: Path
) -> None:
    """Catches ETH/BTC with 10000 USDT to pay with, and entries of 100 BTC."""
    assert run(["init", str(tmp_path), "--symbol", symbol]) == 0
    loaded = settings(tmp_path)
    paper = loaded.accounts["main"].paper  # type: ignore[index]
    assert paper is not None
    assert dict(paper.balances) == balance
    name, _, size = bot_of(loaded)
    assert name == symbol.upper()
    assert str(notional) in str(size)


def test_comments_stand_in_one_column(tmp_path: Path) -> None:
    for symbol in ("BTC/USDT", "ETH/BTC"):
        at = tmp_path / symbol.replace("/", "")
        assert run(["init", str(at), "--symbol", symbol]) == 0
        text = (at / "surefoot.toml").read_text("utf-8")
        assert {line.rindex("# ") for line in text.split("\n") if " # " in line[3:]} == {39}


@pytest.mark.parametrize("there", ["surefoot.toml", "my_bots.py"])
def test_what_exists_is_left_alone(
    there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also a link that leads nowhere: what it was meant for would be written."""
    (tmp_path / there).symlink_to(tmp_path / "elsewhere")
    assert run(["init", str(tmp_path)]) == 1
    assert f"{there} in {tmp_path} exists; nothing was written" in capsys.readouterr().err
    assert [each.name for each in tmp_path.iterdir()] == [there]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--live", "--sim", SIM], "different accounts; choose one"),
        (["--live", "--prices-from", SIM], "different accounts; choose one"),
        (["--paper", "--live"], "different accounts; choose one"),
        (["--symbol", "BTCUSDT"], "no symbol; write both of its assets, such as BTC/USDT"),
        (["--symbol", 'A/B"\nx = 1'], "no symbol"),
        (["--sim", "https://api.binance.com"], "the address that `surefoot sim` prints"),
        (["--strategy", "dips"], "Choose from"),
        (["--exchange", "kraken"], "Choose from"),
    ],
)
def test_what_makes_no_sense_is_said_and_nothing_written(
    arguments: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["init", str(tmp_path / "new"), *arguments]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_on_a_terminal_it_asks_again_until_it_understands(
    tmp_path: Path, types: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    answers = ["papers", "sim", "there", SIM, "BTCUSDT", "eth/usdt", "", "dip"]
    types("\n".join(answers) + "\n")
    assert run(["init", str(tmp_path)]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "'papers' is none of paper, sim, live" in said
    assert "'BTCUSDT' is no symbol" in said
    assert "dip: Enter long when the price is a fraction under the highest price seen." in said
    loaded = settings(tmp_path)
    assert loaded.accounts["main"].environment == "simulated"  # type: ignore[index]
    assert bot_of(loaded)[:2] == ("ETH/USDT", f"my_bots.py:{IDEAS[FIRST].__name__}")


def test_what_was_said_is_not_asked(tmp_path: Path, types: Callable[[str], None]) -> None:
    types("ETH/USDT\n")
    assert run(["init", str(tmp_path), "--paper", "--strategy", "dip"]) == 0
    assert bot_of(settings(tmp_path))[:2] == ("ETH/USDT", "my_bots.py:DipBuyer")
    assert run(["init", str(tmp_path / "more"), "--yes"]) == 0


def test_who_goes_away_leaves_nothing(
    tmp_path: Path, types: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    types("paper\n")
    assert run(["init", str(tmp_path / "new")]) == 1
    said = capsys.readouterr()
    assert "nothing was written" in said.err
    assert said.out.endswith("Which symbol? [BTC/USDT] \n")  # what is said stands on its own line
    assert not (tmp_path / "new").exists()


def test_it_says_what_to_type(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In the directory that it wrote, and in the order in which it works."""
    assert run(["init", str(tmp_path / "my bots"), "--live"]) == 0
    lines = capsys.readouterr().out.split("\n")
    words = [f"cd '{tmp_path}/my bots'", "export BINANCE", "surefoot check", "surefoot run"]
    places = [next(n for n, line in enumerate(lines) if word in line) for word in words]
    assert all(one < other for one, other in pairwise(places))


def test_what_sim_prints_can_be_pasted(
    tmp_path: Path, types: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches lines that came out as one, and lines broken to the width of the terminal."""
    types("")
    _explain(SIM, Exchange())
    printed = capsys.readouterr().out
    account = printed[printed.index("\n[accounts.main]\n") + 1 :].split("\n\n")[0]
    assert run(["init", str(tmp_path), "--sim", SIM, "--yes"]) == 0
    written = tomllib.loads((tmp_path / "surefoot.toml").read_text("utf-8"))
    assert tomllib.loads(account)["accounts"] == written["accounts"]
    assert any(line.startswith("Faults: ") and SIM in line for line in printed.split("\n"))
