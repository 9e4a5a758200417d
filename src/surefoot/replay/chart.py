"""Charts as SVG: what is drawn has a scale that can be read, in amounts and in time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from html import escape
from typing import Final

from surefoot.core.values import plain
from surefoot.replay.result import Bar, Missing, Point, Traded

_WIDTH: Final = 960
_HEIGHT: Final = 260
# Room for amounts at the left, for times below, and for marks at the very edge.
_LEFT: Final = 84
_BELOW: Final = 24
_EDGE: Final = 8
_LINES: Final = 4
_MARKS_MAX: Final = 2_000
_DIGITS: Final = 6


class Scale:
    """Where a time and an amount are on a chart."""

    def __init__(self, begin: datetime, end: datetime, amounts: Sequence[Decimal]) -> None:
        self._begin = begin
        self._span = max((end - begin).total_seconds(), 1)
        self._low, high = min(amounts), max(amounts)
        self._rise = max(high - self._low, Decimal("1e-12"))

    def x(self, at: datetime) -> float:
        """Return how far right a time is."""
        share = (at - self._begin).total_seconds() / self._span
        return round(_LEFT + (_WIDTH - _LEFT - _EDGE) * share, 1)

    def y(self, amount: Decimal) -> float:
        """Return how far down an amount is."""
        share = 1 - float((amount - self._low) / self._rise)
        return round(_EDGE + (_HEIGHT - _BELOW - 2 * _EDGE) * share, 1)

    def grid(self) -> Iterator[str]:
        """Yield lines across with their amounts, and times below."""
        for number in range(_LINES):
            amount = self._low + self._rise * number / (_LINES - 1)
            y = self.y(amount)
            yield f'<line class="grid" x1="{_LEFT}" x2="{_WIDTH}" y1="{y}" y2="{y}"/>'
            yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{_read(amount)}</text>'
            at = self._begin + timedelta(seconds=self._span * number / (_LINES - 1))
            anchor = ("start", "middle", "middle", "end")[number]
            yield (
                f'<text x="{self.x(at)}" y="{_HEIGHT - 6}" text-anchor="{anchor}">'
                f"{at:%b %d %H:%M}</text>"
            )


def values(points: Sequence[Point]) -> str:
    """Draw what everything was worth."""
    amounts = [each.value for each in points]
    scale = Scale(points[0].at, points[-1].at, amounts)
    return _chart("What everything was worth", scale, [_line(scale, points, amounts)])


def depths(points: Sequence[Point]) -> str:
    """Draw how far it was below its highest value so far."""
    highest, falls = points[0].value, list[Decimal]()
    for point in points:
        highest = max(highest, point.value)
        falls.append(point.value - highest)
    scale = Scale(points[0].at, points[-1].at, [*falls, Decimal(0)])
    path = " ".join(f"{scale.x(p.at)},{scale.y(f)}" for p, f in zip(points, falls, strict=True))
    top = scale.y(Decimal(0))
    corners = f"{scale.x(points[0].at)},{top} {path} {scale.x(points[-1].at)},{top}"
    deep = f'<polygon class="deep" points="{corners}"/>'
    return _chart("How far below the highest value", scale, [deep])


def trades(
    symbol: str, bars: Sequence[Bar], fills: Sequence[Traded], holes: Sequence[Missing]
) -> str:
    """Draw a symbol's prices as candles, what was traded, and what was not recorded."""
    marked = fills[:_MARKS_MAX]
    amounts = [amount for bar in bars for amount in (bar.low, bar.high)]
    amounts += (each.price for each in marked)
    end = max([bars[-1].at, *(each.at for each in marked)])
    scale = Scale(bars[0].at, end, amounts)
    width = max((_WIDTH - _LEFT) / len(bars) * 0.6, 1.0)
    inside = [
        *(_hole(scale, each) for each in holes),
        *(_candle(scale, bar, round(width, 1)) for bar in bars),
        *(_mark(scale, each) for each in marked),
    ]
    return _chart(f"Prices of {symbol}, and what was traded", scale, inside)


def _line(scale: Scale, points: Sequence[Point], amounts: Sequence[Decimal]) -> str:
    pairs = zip(points, amounts, strict=True)
    path = " ".join(f"{scale.x(point.at)},{scale.y(amount)}" for point, amount in pairs)
    return f'<polyline class="line" points="{path}"/>'


def _candle(scale: Scale, bar: Bar, width: float) -> str:
    x, top, bottom = scale.x(bar.at), scale.y(bar.high), scale.y(bar.low)
    first, last = sorted((scale.y(bar.open), scale.y(bar.close)))
    way = "rise" if bar.close >= bar.open else "fall"
    return (
        f'<path class="wick" d="M{x} {top}V{bottom}"/><rect class="{way}" x="{x - width / 2:.1f}" '
        f'width="{width}" y="{first}" height="{max(last - first, 1):.1f}"/>'
    )


def _hole(scale: Scale, hole: Missing) -> str:
    x = scale.x(hole.begin)
    width = max(scale.x(hole.end) - x, 1)
    said = f"{hole.said} from {hole.begin:%F %H:%M} UTC on"
    return (
        f'<rect class="hole" x="{x}" y="0" width="{width:.1f}" height="{_HEIGHT - _BELOW}">'
        f"<title>{escape(said)}</title></rect>"
    )


def _mark(scale: Scale, fill: Traded) -> str:
    """Draw a triangle: it points up for what was bought, and down for what was sold."""
    what = f"{fill.side} {plain(fill.quantity)} at {plain(fill.price)}, {fill.at:%F %T} UTC"
    x, y, way = scale.x(fill.at), scale.y(fill.price), 1 if fill.side == "BUY" else -1
    return (
        f'<path class="{fill.side.lower()}" d="M{x} {y}l-5 {8 * way}h10z">'
        f"<title>{escape(what)}</title></path>"
    )


def _chart(said: str, scale: Scale, inside: Iterable[str]) -> str:
    return (
        f'<svg viewBox="0 0 {_WIDTH} {_HEIGHT}" role="img" aria-label="{escape(said)}">'
        f"{''.join(scale.grid())}{''.join(inside)}</svg>"
    )


def _read(amount: Decimal) -> str:
    """Return an amount in as many digits as a person reads."""
    return f"{amount:,.2f}" if abs(amount) >= 1 or not amount else f"{amount:.{_DIGITS}f}"
