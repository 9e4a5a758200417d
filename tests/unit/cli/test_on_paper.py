"""Accounts on paper: a newcomer's `check` asks an exchange that can answer."""

from __future__ import annotations

from pathlib import Path

import pytest

from surefoot.app import check
from surefoot.cli.on_paper import reached
from surefoot.config import ConfigError, load, paper, strategies, strategy_file, template
from surefoot.engine.clock import SystemClock
from surefoot.simulator import Settings as Market
from surefoot.simulator import Simulator


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
