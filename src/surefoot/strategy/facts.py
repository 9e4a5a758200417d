"""What a strategy is shown: the market, its fills and its position, at one moment.

Prices and amounts are floats here, because an opinion is made of averages and ratios. None of
them ever becomes an order: what a signal carries is made exact again in `signals`. A strategy
never sees keys, the exchange or another bot.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Protocol

from surefoot.core import reports
from surefoot.core.exits import Phase
from surefoot.core.position import Position, State
from surefoot.core.values import Direction, Side


class ExactTick(Protocol):
    """A tick as the exchange gave it."""

    @property
    def symbol(self) -> str: ...  # noqa: D102 (as in Tick)
    @property
    def price(self) -> Decimal: ...  # noqa: D102
    @property
    def bid(self) -> Decimal: ...  # noqa: D102
    @property
    def ask(self) -> Decimal: ...  # noqa: D102
    @property
    def at(self) -> datetime: ...  # noqa: D102


class ExactCandle(Protocol):
    """A candle as the exchange gave it."""

    @property
    def symbol(self) -> str: ...  # noqa: D102 (as in Candle)
    @property
    def timeframe(self) -> str: ...  # noqa: D102
    @property
    def at(self) -> datetime: ...  # noqa: D102
    @property
    def open(self) -> Decimal: ...  # noqa: D102
    @property
    def high(self) -> Decimal: ...  # noqa: D102
    @property
    def low(self) -> Decimal: ...  # noqa: D102
    @property
    def close(self) -> Decimal: ...  # noqa: D102
    @property
    def volume(self) -> Decimal: ...  # noqa: D102


@dataclass(frozen=True, slots=True, kw_only=True)
class Tick:
    """The market at one moment; `price` is the last trade, `at` exchange time (UTC)."""

    symbol: str
    price: float
    bid: float
    ask: float
    at: datetime

    @classmethod
    def of(cls, tick: ExactTick) -> Tick:
        """Show an exchange's tick."""
        return cls(
            symbol=tick.symbol,
            price=float(tick.price),
            bid=float(tick.bid),
            ask=float(tick.ask),
            at=tick.at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Candle:
    """One closed candle; `at` is its opening time (UTC), `volume` in base units."""

    symbol: str
    timeframe: str
    at: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float

    @classmethod
    def of(cls, candle: ExactCandle) -> Candle:
        """Show an exchange's candle."""
        return cls(
            symbol=candle.symbol,
            timeframe=candle.timeframe,
            at=candle.at,
            open=float(candle.open),
            high=float(candle.high),
            low=float(candle.low),
            close=float(candle.close),
            volume=float(candle.volume),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    """One trade of one of this bot's orders; a negative fee is a rebate."""

    symbol: str
    trade_id: str
    side: Side
    price: float
    quantity: float
    fee: float
    fee_asset: str | None
    at: datetime

    @classmethod
    def of(cls, fill: reports.Fill) -> Fill:
        """Show a booked fill."""
        return cls(
            symbol=fill.symbol,
            trade_id=fill.trade_id,
            side=fill.side,
            price=float(fill.price),
            quantity=float(fill.quantity),
            fee=float(fill.fee),
            fee_asset=fill.fee_asset,
            at=fill.at,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """The bot's own position. `state` is OPENING, OPEN or CLOSING; money is in the quote asset.

    `unrealized_pnl` is what selling everything at the last price would gain, before fees.
    """

    state: State
    phase: Phase
    direction: Direction
    quantity: float
    entry_price: float | None
    stop_loss: float | None
    take_profit: float | None
    realized_pnl: float
    unrealized_pnl: float | None
    opened_at: datetime | None
    frozen: str | None

    @classmethod
    def of(cls, position: Position, price: Decimal | None) -> PositionView | None:
        """Show a position at the last price, or None while nothing is on (FLAT, CLOSED)."""
        if position.state in {State.FLAT, State.CLOSED}:
            return None
        return cls(
            state=position.state,
            phase=position.levels.phase,
            direction=position.direction,
            quantity=float(position.quantity),
            entry_price=_float(position.entry_price),
            stop_loss=_float(position.levels.stop),
            take_profit=_float(position.levels.take_profit),
            realized_pnl=float(position.realized_pnl),
            unrealized_pnl=None if price is None else float(position.unrealized_pnl(price)),
            opened_at=position.opened_at,
            frozen=position.frozen,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a hook may know besides its event.

    `position` is None while FLAT. `memory` survives restarts: it is journaled with the decision,
    so it holds what JSON can hold, and what a call that fails did to it is undone.
    """

    symbol: str
    now: datetime
    memory: dict[str, Any]
    position: PositionView | None = None


def _float(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
