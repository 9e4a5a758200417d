"""`surefoot init`: a commented configuration and a strategy to edit."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from surefoot.cli.outcome import FINE, Failed
from surefoot.cli.output import say
from surefoot.cli.simulated import account_at
from surefoot.config import STRATEGY_TEMPLATE, paper, template
from surefoot.core.errors import InvalidValue


def init(
    directory: Path = Path(),
    *,
    symbol: str = "BTC/USDT",
    live: Annotated[bool, Parameter(negative="")] = False,
    prices_from: str | None = None,
    sim: str | None = None,
) -> int:
    """Write surefoot.toml and my_bots.py; files that exist are left alone.

    It trades on paper: live prices, simulated fills, no keys.

    Parameters
    ----------
    directory
        Where to; it is created if needed.
    symbol
        What the first bot trades.
    live
        With real money, by the keys in BINANCE_API_KEY and BINANCE_SECRET.
    prices_from
        The address that `surefoot sim` prints: on paper, with its prices instead of Binance's.
    sim
        The address that `surefoot sim` prints: trade there, without keys.
    """
    text = template(_account(live=live, prices_from=prices_from, sim=sim), symbol)
    files = {"surefoot.toml": text, "my_bots.py": STRATEGY_TEMPLATE}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        there = [name for name in files if (directory / name).exists()]
        if there:
            where = directory.resolve()
            raise Failed(f"{' and '.join(there)} in {where} exist; nothing was written")
        for name, content in files.items():
            (directory / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise Failed(f"{directory.absolute()} cannot be written: {error.strerror}") from error
    say(f"Wrote {' and '.join(files)} to {directory.resolve()}. Next:")
    if live:
        say("  export BINANCE_API_KEY=… BINANCE_SECRET=…")
    say("  surefoot check")
    say("  surefoot run")
    return FINE


def _account(*, live: bool, prices_from: str | None, sim: str | None) -> str:
    """Return the tables of the account; one of these, or on paper with the venue's prices.

    Raises:
        InvalidValue: more than one was asked for, or an address is none.
    """
    if sum((live, prices_from is not None, sim is not None)) > 1:
        raise InvalidValue(
            "--live, --prices-from and --sim are three different accounts; choose one"
        )
    if sim is not None:
        return f"{account_at(sim.rstrip('/'))}\n"
    if prices_from is not None:
        account_at(prices_from.rstrip("/"))  # which refuses what is no simulator's address
        return paper(prices_from.rstrip("/"))
    return paper().replace("paper = true ", "paper = false") if live else paper()
