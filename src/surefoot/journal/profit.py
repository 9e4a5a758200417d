"""What finished trades brought, added up: by bot, symbol, account, day, week or month.

A trade is a position that is CLOSED, and counts on the day on which it closed. Amounts of different
quote assets are never added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from surefoot.core.position import Position
from surefoot.core.values import ZERO, AccountName, BotName, PositionId, Symbol, natural


class Outcome(Struct, frozen=True, kw_only=True):
    """What one closed position brought; `spent` is what was paid for all that it sold."""

    sequence: int
    at: datetime
    position_id: PositionId
    bot: BotName
    account: AccountName
    symbol: Symbol
    quote: str
    realized_pnl: Decimal
    spent: Decimal
    fees: Mapping[str, Decimal]
    opened_at: datetime | None


def outcome_of(position: Position, *, sequence: int, at: datetime) -> Outcome:
    """Return what a position brought that was closed by this record."""
    return Outcome(
        sequence=sequence,
        at=at,
        position_id=position.position_id,
        bot=position.bot,
        account=position.account,
        symbol=position.symbol,
        quote=position.quote,
        realized_pnl=position.realized_pnl,
        spent=position.paid,
        fees=position.fees,
        opened_at=position.opened_at,
    )


class Figures(Struct, frozen=True, kw_only=True):
    """What some trades in one quote asset come to.

    `expectancy` is what a trade brought on average, `drawdown` how far their sum fell below the
    highest that it had reached, `held_seconds` how long a position was held on average.
    """

    name: str
    quote: str
    trades: int
    won: int
    pnl: Decimal
    fees: Mapping[str, Decimal]
    win_rate: Decimal
    expectancy: Decimal
    best: Decimal
    worst: Decimal
    drawdown: Decimal
    held_seconds: int


KEYS: Final[Mapping[str, Callable[[Outcome], str]]] = {
    "bot": lambda each: each.bot,
    "symbol": lambda each: each.symbol,
    "account": lambda each: each.account,
    "day": lambda each: f"{each.at:%F}",
    "week": lambda each: f"{each.at:%G-W%V}",
    "month": lambda each: f"{each.at:%Y-%m}",
}
_DIGITS: Final = Decimal("1e-12")


def grouped(outcomes: Iterable[Outcome], key: Callable[[Outcome], str]) -> tuple[Figures, ...]:
    """Return the figures of each group, in the order of their names; numbers in theirs."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault((key(outcome), outcome.quote), []).append(outcome)
    keys = sorted(groups, key=lambda each: (natural(each[0]), each[1]))
    return tuple(_figures(name, quote, groups[name, quote]) for name, quote in keys)


def _figures(name: str, quote: str, outcomes: Sequence[Outcome]) -> Figures:
    results = [each.realized_pnl for each in sorted(outcomes, key=lambda each: each.sequence)]
    fees: dict[str, Decimal] = {}
    for asset, fee in (pair for each in outcomes for pair in each.fees.items()):
        fees[asset] = fees.get(asset, ZERO) + fee
    held = [(each.at - each.opened_at).total_seconds() for each in outcomes if each.opened_at]
    total, count, won = sum(results, ZERO), len(results), sum(each > 0 for each in results)
    return Figures(
        name=name,
        quote=quote,
        trades=count,
        won=won,
        pnl=total,
        fees=fees,
        win_rate=_cut(Decimal(won) / count),
        expectancy=_cut(total / count),
        best=max(results),
        worst=min(results),
        drawdown=_drawdown(results),
        held_seconds=round(sum(held) / len(held)) if held else 0,
    )


def _drawdown(results: Iterable[Decimal]) -> Decimal:
    height = highest = deepest = ZERO
    for result in results:
        height += result
        highest = max(highest, height)
        deepest = max(deepest, highest - height)
    return deepest


def _cut(quotient: Decimal) -> Decimal:
    return quotient.quantize(_DIGITS).normalize()
