"""The result as one HTML page that needs nothing else: no script, no other file."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from html import escape
from typing import Final

from surefoot.core.values import plain
from surefoot.replay.chart import depths, trades, values
from surefoot.replay.result import Result, said_of

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1d2530; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #dfe4ea;
  font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left }
svg { width: 100%; height: auto; background: #f7f9fb }
.line { fill: none; stroke: #2563a8; stroke-width: 1.5 } .deep { fill: #b4432b; opacity: .25 }
.buy { fill: #1a7f4b; color: #1a7f4b } .sell { fill: #b4432b; color: #b4432b }
.wick { stroke: #8a96a5 } .rise { fill: #b9c6d4 } .fall { fill: #67768a } .hole { fill: #8884 }
.grid { stroke: #8883 } text { font-size: 12px; fill: #67768a }
.legend { margin: 0; color: #67768a }
@media (prefers-color-scheme: dark) { body { color: #dfe4ea; background: #14181d }
  svg { background: #1b2026 } td, th { border-color: #333a43 } }
"""


def page(result: Result) -> str:
    """Return the page."""
    body = [
        "<h1>Replay</h1>",
        _summary(result),
        *(f"<p><b>Went wrong:</b> {escape(each)}</p>" for each in result.wrong),
        *(f"<p><b>Not recorded:</b> {escape(each)}</p>" for each in said_of(result.holes)),
        "<h2>Value</h2>",
        values(result.curve),
        "<h2>Below the highest value</h2>",
        depths(result.curve),
        *(part for symbol in result.bars for part in _trades(symbol, result)),
        "<h2>Bots</h2>",
        _bots(result),
        *(f"<p>{escape(name)}: no finished trade.</p>" for name in result.idle),
        "<h2>What this cannot know</h2>",
        f"<ul>{''.join(f'<li>{escape(each)}</li>' for each in result.cannot_know)}</ul>",
    ]
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>Replay</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head><body>\n" + "\n".join(body) + "\n</body></html>\n"
    )


def _summary(result: Result) -> str:
    change = result.value_after - result.value_before
    share = change / result.value_before if result.value_before else Decimal(0)
    moved = ", ".join(
        f"{escape(symbol)} {_share(bars[-1].close / bars[0].open - 1)}"
        for symbol, bars in result.bars.items()
    )
    fees: dict[str, Decimal] = {}
    for each in result.fills:
        fees[each.fee_asset] = fees.get(each.fee_asset, Decimal(0)) + each.fee
    paid = ", ".join(f"{plain(fee)} {escape(asset)}" for asset, fee in sorted(fees.items()))
    return (
        f"<p>{result.begin:%F %H:%M} to {result.end:%F %H:%M} UTC, {result.prices} prices.</p>"
        f"<p><b>{_money(result.value_before)} became {_money(result.value_after)}: {_share(share)}"
        f"</b>, with {len(result.fills)} fills; what is held is counted at the bid. Fees: "
        f"{paid or 'none'}. Deepest fall: {_money(result.drawdown)}. "
        f"Meanwhile the market itself: {moved}.</p>"
    )


def _legend() -> str:
    return (
        '<p class="legend"><span class="buy">▲</span> bought '
        '<span class="sell">▼</span> sold; grey: not recorded</p>'
    )


def _trades(symbol: str, result: Result) -> Iterable[str]:
    yield f"<h2>{escape(symbol)}</h2>"
    fills = [each for each in result.fills if each.symbol == symbol]
    holes = [each for each in result.holes if each.symbol == symbol]
    yield trades(symbol, result.bars[symbol], fills, holes)
    yield _legend()


def _bots(result: Result) -> str:
    heads = (
        "Bot",
        "Trades",
        "Won",
        "Profit",
        "Per trade",
        "Best",
        "Worst",
        "Drawdown",
        "Hours per trade",
    )
    rows = [
        (
            escape(each.name),
            str(each.trades),
            str(each.won),
            f"{_money(each.pnl)} {escape(each.quote)}",
            _money(each.expectancy),
            _money(each.best),
            _money(each.worst),
            _money(each.drawdown),
            f"{each.held_seconds / 3600:.1f}",
        )
        for each in result.bots
    ]
    head = "".join(f"<th>{each}</th>" for each in heads)
    body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"


def _share(share: Decimal) -> str:
    return f"{share:+.2%}"


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"
