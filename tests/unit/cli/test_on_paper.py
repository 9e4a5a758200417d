"""Accounts on paper: a newcomer's `check` asks an exchange that can answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from surefoot.app import check
from surefoot.cli.on_paper import differences, reached
from surefoot.config import ConfigError, load, paper, strategies, strategy_file, template
from surefoot.core.values import AccountName
from surefoot.engine.clock import SystemClock
from surefoot.simulator import Settings as Market
from surefoot.simulator import Simulator

MAIN = AccountName("main")


@pytest.mark.parametrize(
    ("symbol", "notional", "problem"),
    [
        ("BTC/USDT", "100", None),
        ("FOO/BAR", "100", "bots.my-bot.symbol: binance does not list FOO/BAR"),
        ("BTC/USDT", "1", "bots.my-bot.notional: "),
    ],
)
async def test_what_cannot_work_is_said_before_the_first_run(
    symbol: str, notional: str, problem: str | None, tmp_path: Path
) -> None:
    """The exchange on paper had just begun, so nobody asked it what it lists."""
    file = tmp_path / "surefoot.toml"
    (tmp_path / "my_bots.py").write_text(strategy_file(), "utf-8")
    async with Simulator(Market(market="manual")) as source:
        source.market.move("BTCUSDT", source.exchange.quotes["BTCUSDT"].last, 1)  # type: ignore[arg-type]
        written = template(paper(symbol, prices_from=source.url), symbol)
        file.write_text(written.replace("notional = 100", f"notional = {notional}"), "utf-8")
        settings = load(file, {})
        async with reached(settings, SystemClock(), changing=False) as placed:
            if problem is None:
                (checkup,) = await check(placed, strategies(settings))
                assert checkup.failure is None
            else:
                with pytest.raises(ConfigError, match=problem):
                    await check(placed, strategies(settings))


def test_what_is_otherwise_with_real_money_is_listed(tmp_path: Path) -> None:
    """Keys, orders, balances, fees, fills and the journal; nothing once it is real money."""
    file = tmp_path / "surefoot.toml"
    (tmp_path / "my_bots.py").write_text(strategy_file(), "utf-8")
    written = template(paper("BTC/USDT"), "BTC/USDT")
    file.write_text(written, "utf-8")
    keys, orders, balances, fees, fills, journal = differences(load(file, {}), MAIN)
    assert "the keys in api_key and secret are looked for" in keys
    assert orders.startswith("orders go to binance itself, for real money")
    assert "now they began as 10000 USDT" in balances
    assert "now 0.1% of what is received" in fees
    assert "may be late or lost" in fills
    assert f"the journal is {tmp_path / 'surefoot.db'}; nothing of" in journal
    real = written.replace("paper = true ", "paper = false ")
    assert real != written
    file.write_text(real, "utf-8")
    names = {"BINANCE_API_KEY": "k", "BINANCE_SECRET": "s"}
    assert differences(load(file, names), MAIN) == []
