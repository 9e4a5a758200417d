"""Replaying a recording: the same again is the same, and the money adds up."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from decimal import Decimal as D
from pathlib import Path
from typing import Any

import pytest

from surefoot.cli import run

ROOT = Path(__file__).parents[2]
BOT = """
[accounts.main]
exchange = "binance"
paper = true
[bots.dip]
account = "main"
symbol = "BTC/USDT"
strategy = "surefoot.strategy.examples:DipBuyer"
notional = 100
stop_loss = "1%"
take_profit = "1%"
params = { dip = 0.003 }
"""


def candles(closes: list[int]) -> str:
    """Return a minute for each close."""
    rows = ["time,open,high,low,close,volume"]
    before = closes[0]
    for number, close in enumerate(closes):
        high, low = max(before, close), min(before, close)
        rows.append(f"{1_640_995_200 + 60 * number},{before},{high},{low},{close},1")
        before = close
    return "\n".join(rows) + "\n"


# In after the dip, out at the target; in again, and out by the stop.
CLOSES = [50_000, 50_000, 49_800, 49_900, 50_400, 50_500, 50_200, 49_900, 49_000, 49_000]


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "surefoot.toml").write_text(BOT)
    (tmp_path / "btc.csv").write_text(candles(CLOSES))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def replayed(directory: Path, hashes: str, *more: str) -> dict[str, Any]:
    """Replay in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "surefoot", "replay", "BTC/USDT=btc.csv", "--json", *more],
        cwd=directory,
        env={**os.environ, "PYTHONHASHSEED": hashes, "PYTHONPATH": str(ROOT / "src")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_same_recording_is_the_same_result_and_every_cent_is_explained(
    directory: Path,
) -> None:
    """Red with an order of a set in it, and with a fill that is not in the account."""
    first = replayed(directory, "1", "--page", "page.html")
    assert replayed(directory, "77") == first
    [figures] = first["bots"]
    assert (figures["trades"], figures["won"]) == (2, 1)
    assert first["wrong"] == []
    # It ends with the recording: it went on until the next whole hour, and called that stuck.
    assert first["end"] == "2022-01-01T00:10:04.999000Z"
    sides = [each["side"] for each in first["fills"]]
    assert sides == ["BUY", "SELL", "BUY", "SELL", "BUY"]
    # What is held at the end is worth its price.
    held = sum((D(each["quantity"]) - base_fee(each)) * sign(each) for each in first["fills"])
    cash = -sum(D(each["quantity"]) * D(each["price"]) * sign(each) for each in first["fills"])
    cash -= sum(D(each["fee"]) for each in first["fills"] if each["fee_asset"] == "USDT")
    worth = held * (D(first["curve"][-1]["prices"]["BTCUSDT"]) - bid_below(first))
    assert D(first["value_after"]) - D(first["value_before"]) == cash + worth
    assert not (directory / "surefoot-paper.db").exists()
    page = (directory / "page.html").read_text()
    assert page.count('<path class="buy"') + page.count('<path class="sell"') == 5
    assert "What this cannot know" in page
    assert "<script" not in page


def sign(fill: dict[str, Any]) -> int:
    return 1 if fill["side"] == "BUY" else -1


def base_fee(fill: dict[str, Any]) -> D:
    return D(fill["fee"]) if fill["fee_asset"] == "BTC" else D(0)


def bid_below(result: dict[str, Any]) -> D:
    """Return how far the bid is below the last price: half of 0.02 %, and to the next tick."""
    last = D(result["curve"][-1]["prices"]["BTCUSDT"])
    return (last * D("0.0001") // D("0.01") + 1) * D("0.01")


def test_what_no_bot_trades_is_played_as_well(directory: Path) -> None:
    """It ended the market without a word, and the replay went on for ever."""
    (directory / "odd.csv").write_text(candles(CLOSES))
    first, more = replayed(directory, "1"), replayed(directory, "1", "ODD/USDT=odd.csv")
    assert more["fills"] == first["fills"]
    assert more["curve"][-1]["prices"].keys() == {"BTCUSDT", "ODDUSDT"}


@pytest.mark.usefixtures("directory")
def test_what_cannot_be_replayed_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments, why in (
        ([], "there is nothing to replay"),
        (["btc.csv"], "expected SYMBOL=FILE"),
        (["ETH/USDT=btc.csv"], "dip trades BTC/USDT, which was not recorded"),
        (["BTC/USDT=btc.csv", "--bots", "dipp"], "there is no bot dipp"),
    ):
        assert run(["replay", *arguments]) != 0
        assert why in capsys.readouterr().err
