"""The result as one HTML page that needs nothing else: no script, no other file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from decimal import Decimal
from html import escape
from typing import Final

from surefoot.core.values import plain
from surefoot.replay.result import Point, Result, Traded, said_of

_WIDTH: Final = 960
_HEIGHT: Final = 240
_MARKS_MAX: Final = 2_000
_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #1d2530; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 }
td, th { padding: .25rem .75rem; text-align: right; border-bottom: 1px solid #dfe4ea;
  font-variant-numeric: tabular-nums }
td:first-child, th:first-child { text-align: left }
svg { width: 100%; height: auto; background: #f7f9fb }
.line { fill: none; stroke: #2563a8; stroke-width: 1.5 } .deep { fill: #b4432b; opacity: .25 }
.buy { fill: #1a7f4b } .sell { fill: #b4432b }
@media (prefers-color-scheme: dark) { body { color: #dfe4ea; background: #14181d }
  svg { background: #1b2026 } td, th { border-color: #333a43 } }
"""


def page(result: Result) -> str:
    """Return the page."""
    symbols = sorted({name for point in result.curve for name in point.prices})
    body = [
        "<h1>Replay</h1>",
        _summary(result),
        *(f"<p><b>Went wrong:</b> {escape(each)}</p>" for each in result.wrong),
        *(f"<p><b>Not recorded:</b> {escape(each)}</p>" for each in said_of(result.holes)),
        "<h2>Value</h2>",
        _chart(_line(result.curve, [each.value for each in result.curve])),
        "<h2>Below the highest value</h2>",
        _chart(_depth(result.curve)),
        *(part for symbol in symbols for part in _prices(symbol, result)),
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
    return (
        f"<p>{result.begin:%F %H:%M} to {result.end:%F %H:%M} UTC, {result.prices} prices. "
        f"Value at the bid: {_money(result.value_before)} before, {_money(result.value_after)} "
        f"after; deepest fall {_money(result.drawdown)}.</p>"
    )


class _Scale:
    """Where a time and an amount are on a chart."""

    def __init__(self, points: Sequence[Point], amounts: Sequence[Decimal]) -> None:
        self._begin = points[0].at
        self._span = max((points[-1].at - self._begin).total_seconds(), 1)
        self._low, high = min(amounts), max(amounts)
        self._rise = max(high - self._low, Decimal("1e-12"))

    def x(self, at: datetime) -> float:
        """Return how far right a time is."""
        return round(_WIDTH * (at - self._begin).total_seconds() / self._span, 1)

    def y(self, amount: Decimal) -> float:
        """Return how far down an amount is."""
        return round(_HEIGHT * (1 - float((amount - self._low) / self._rise)), 1)


def _line(points: Sequence[Point], amounts: Sequence[Decimal]) -> str:
    scale = _Scale(points, amounts)
    path = " ".join(
        f"{scale.x(point.at)},{scale.y(amount)}"
        for point, amount in zip(points, amounts, strict=True)
    )
    return f'<polyline class="line" points="{path}"/>'


def _depth(points: Sequence[Point]) -> str:
    highest, falls = points[0].value, list[Decimal]()
    for point in points:
        highest = max(highest, point.value)
        falls.append(point.value - highest)
    scale = _Scale(points, [*falls, Decimal(0)])
    path = " ".join(f"{scale.x(p.at)},{scale.y(f)}" for p, f in zip(points, falls, strict=True))
    return f'<polygon class="deep" points="0,0 {path} {_WIDTH},0"/>'


def _prices(symbol: str, result: Result) -> Iterable[str]:
    points = [each for each in result.curve if symbol in each.prices]
    fills = [each for each in result.fills if each.symbol == symbol][:_MARKS_MAX]
    amounts = [each.prices[symbol] for each in points]
    scale = _Scale(points, [*amounts, *(each.price for each in fills)])
    path = " ".join(f"{scale.x(p.at)},{scale.y(a)}" for p, a in zip(points, amounts, strict=True))
    marks = "".join(_mark(scale, each) for each in fills)
    yield f"<h2>{escape(symbol)}</h2>"
    yield _chart(f'<polyline class="line" points="{path}"/>{marks}')


def _mark(scale: _Scale, fill: Traded) -> str:
    what = f"{fill.side} {plain(fill.quantity)} at {plain(fill.price)}, {fill.at:%F %T} UTC"
    return (
        f'<circle class="{fill.side.lower()}" r="3" cx="{scale.x(fill.at)}" '
        f'cy="{scale.y(fill.price)}"><title>{escape(what)}</title></circle>'
    )


def _chart(inside: str) -> str:
    return f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img">{inside}</svg>'


def _bots(result: Result) -> str:
    heads = ("Bot", "Trades", "Won", "Profit", "A trade", "Best", "Worst", "Drawdown", "Held, h")
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


def _money(amount: Decimal) -> str:
    return f"{amount:,.2f}"
