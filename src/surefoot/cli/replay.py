"""`surefoot replay`: the bots over recorded prices, through the same engine, in virtual time."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter, validators

from surefoot.cli.options import Options
from surefoot.cli.outcome import FAILED, FINE, Failed
from surefoot.cli.output import say, show_json, show_table
from surefoot.cli.recordings import Recordings
from surefoot.config import ConfigError, Settings
from surefoot.core.values import counted
from surefoot.replay.inputs import wire_name
from surefoot.replay.page import page as page_of
from surefoot.replay.result import Result, said_of
from surefoot.replay.world import Replay, Told
from surefoot.simulator import Rules
from surefoot.simulator.model import Recording, default_rules


def replay(
    *files: str,
    recordings: Recordings | None = None,
    bots: str | None = None,
    balance: Annotated[Decimal, Parameter(validator=validators.Number(gt=0))] = Decimal(10_000),
    fee: Annotated[Decimal, Parameter(validator=validators.Number(gte=0, lt=1))] = Decimal("0.001"),
    seed: int = 1,
    page: Path | None = None,
    options: Options | None = None,
) -> int:
    """Run the bots over recorded candles: the same engine and the fills of paper trading.

    What it says follows from the recording, the configuration and the seed: the same again is the
    same. Nothing is sent anywhere, and the journal of `surefoot run` is not touched.

    Parameters
    ----------
    files
        Candles as SYMBOL=FILE, such as BTC/USDT=btc.csv: time, open, high, low, close, volume;
        .gz and .parquet are read.
    recordings
        What else is replayed, and which part.
    bots
        Only these, such as one,two.
    balance
        What there is at the beginning, of the first symbol's quote asset.
    fee
        What a trade costs, as a part of what is received.
    seed
        Of what is drawn: delays.
    page
        Where to write the result as an HTML page.
    options
        Where the configuration is, and how to answer.
    """
    options = options or Options()
    settings = _chosen(options.settings(keys=False), bots, options)
    played = (recordings or Recordings()).read(files, settings)
    rules = _rules(settings, played, [each.partition("=")[0] for each in files])
    result = Replay(
        settings,
        played,
        rules=rules,
        balances={rules[0].quote: balance},
        fee=fee,
        seed=seed,
        tell=_progress(played) if sys.stderr.isatty() else None,
    ).run()
    if options.json:
        show_json(result)
    else:
        _show(result)
    if page is not None:
        _write(page, page_of(result))
        if not options.json:
            say(f"The page is {page}.")
    return FAILED if result.wrong else FINE


def _chosen(settings: Settings, bots: str | None, options: Options) -> Settings:
    wanted = None if bots is None else bots.split(",")
    unknown = [name for name in wanted or () if name not in settings.bots]
    if unknown:
        raise ConfigError(str(options.config), [f"there is no bot {each}" for each in unknown])
    kept = {n: bot for n, bot in settings.bots.items() if wanted is None or n in wanted}
    return replace(settings, bots=kept)


def _rules(settings: Settings, played: Recording, recorded: Iterable[str]) -> tuple[Rules, ...]:
    """Return the filters of every symbol: Binance's where they are known; the bots' come first.

    Raises:
        Failed: a bot's symbol was not recorded.
    """
    firsts = {each.symbol: each.price for each in reversed(played.ticks)}
    for bot in settings.bots.values():
        if wire_name(bot.symbol) not in firsts:
            raise Failed(f"{bot.name} trades {bot.symbol}, which was not recorded")
    if not settings.bots:
        raise Failed("there is no bot to replay")
    known = {each.symbol: each for each in default_rules()}
    rules: dict[str, Rules] = {}
    # What no bot trades is there for strategies to look at.
    for symbol in (*(bot.symbol for bot in settings.bots.values()), *recorded):
        name, (base, _, quote) = wire_name(symbol), symbol.partition("/")
        like = known.get(name) or Rules(symbol=name, base=base, quote=quote, price=firsts[name])
        rules[name] = replace(like, price=firsts[name])
    for name, price in firsts.items():
        if name not in rules and name in known:
            rules[name] = replace(known[name], price=price)
    return tuple(rules.values())


def _progress(played: Recording) -> Told:
    total = len(played.ticks)

    def tell(at: datetime, number: int) -> None:
        sys.stderr.write(f"\r{at:%F %H:%M} {number / total:4.0%} ")
        sys.stderr.flush()

    return tell


def _write(page: Path, text: str) -> None:
    try:
        page.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Failed(f"{page} cannot be written: {error.strerror}") from error


def _show(result: Result) -> None:
    say(
        f"{result.begin:%F %H:%M} to {result.end:%F %H:%M} UTC, {result.prices} prices: "
        f"{result.value_before:,.2f} became {result.value_after:,.2f}, with "
        f"{counted(len(result.fills), 'fill')}; what is held is counted at the bid. "
        f"Deepest fall {result.drawdown:,.2f}."
    )
    rows = [
        (
            each.name,
            str(each.trades),
            str(each.won),
            f"{each.pnl:,.2f} {each.quote}",
            f"{each.expectancy:,.2f}",
            f"{each.drawdown:,.2f}",
        )
        for each in result.bots
    ]
    show_table(("BOT", "TRADES", "WON", "PROFIT", "A TRADE", "DRAWDOWN"), rows)
    for name in result.idle:
        say(f"{name}: no finished trade.")
    for each in result.wrong:
        say(each, "red")
    for each in said_of(result.holes):
        say(f"Not recorded: {each}", "yellow")
    say("What this cannot know:")
    for each in result.cannot_know:
        say(f"- {each}", indent="  ")
