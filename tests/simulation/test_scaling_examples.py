"""The examples that scale in and out, over a recording, in virtual time: every cent explained."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from tests.simulation.test_replay import candles

from surefoot.cli import run

EXAMPLES = Path(__file__).parents[2] / "examples"


def table_of(example: str) -> str:
    """Return the configuration that an example's own text shows."""
    text = (EXAMPLES / example).read_text().split('"""')[1]
    shown = [line.removeprefix("    ") for line in text.splitlines() if line.startswith("    ")]
    return "\n".join(shown)


def replayed(example: str, closes: list[int], capsys: pytest.CaptureFixture[str]) -> Any:
    account = '[accounts.main]\nexchange = "binance"\npaper = true\n'
    Path("surefoot.toml").write_text(account + table_of(example))
    Path("btc.csv").write_text(candles(closes))
    Path(example).write_text((EXAMPLES / example).read_text())
    assert run(["replay", "BTC/USDT=btc.csv", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["wrong"] == [], "every cent of the account is explained"
    return result


def sides(result: Any) -> str:
    return "".join("B" if each["side"] == "BUY" else "S" for each in result["fills"])


@pytest.fixture(autouse=True)
def _directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_dca_buys_the_fall_and_sells_all_of_it_over_the_average(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Catches a take-profit that stays with the first price: 51500 is never reached here."""
    down, up = [50_000, 50_000, 49_500, 48_900, 48_900], [47_900, 47_900, 49_000, 49_400, 49_400]
    result = replayed("dca.py", [*down, *up], capsys)
    assert sides(result).startswith("BBBBS")
    [figures] = result["bots"]
    assert (figures["trades"], figures["won"]) == (1, 1)
    first, *more, sold = [float(each["price"]) for each in result["fills"][:5]]
    assert all(price < first * 0.981 for price in more)
    assert max(more) < sold < first


def test_a_grid_sells_each_unit_a_step_above_where_it_was_bought(
    capsys: pytest.CaptureFixture[str],
) -> None:
    down, up = [50_000, 50_000, 49_400, 48_900, 48_900], [49_600, 50_000, 50_100, 50_600, 50_600]
    result = replayed("grid.py", [*down, *up], capsys)
    assert sides(result).startswith("BBBSSS")
    assert all(one["at"] <= two["at"] for one, two in pairwise(result["fills"]))
    [figures] = result["bots"]
    assert (figures["trades"], figures["won"]) == (1, 1)
    bought = [float(each["price"]) for each in result["fills"][:3]]
    sold = [float(each["price"]) for each in result["fills"][3:6]]
    for unit, got in zip(reversed(bought), sold, strict=True):
        assert got > unit * 1.005
