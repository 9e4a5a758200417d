"""What a strategy is shown: the market, its fills and its position, at one moment.

Prices and amounts are floats here, because an opinion is made of averages and ratios. None of
them ever becomes an order: what a signal carries is made exact again in `signals`. A strategy
never sees keys, the exchange or another bot.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Protocol

from surefoot.core import reports
from surefoot.core.errors import InvalidValue
from surefoot.core.exits import Phase
from surefoot.core.lanes import Lane
from surefoot.core.position import Position, State
from surefoot.core.values import Direction, Side
from surefoot.strategy.candles import Candle, Candles

NOTE_MAX: Final = 200


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

    `entries` counts the orders that bought, additions among them; `adding` tells that one works.
    `unrealized_pnl` is what selling everything at the last price would gain, before fees.
    """

    state: State
    phase: Phase
    direction: Direction
    quantity: float
    entries: int = 1
    adding: bool = False
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
            entries=position.entries,
            adding=position.entries > 0 and position.lane(Lane.ENTRY) is not None,
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
    so it holds what JSON can hold, and what a call that fails did to it is undone. `candles` are
    the closed ones of the strategy's `timeframe`, as many as its `history`; `open_candle` is the
    one that is not closed yet, as far as it was told.
    """

    symbol: str
    now: datetime
    memory: dict[str, Any]
    position: PositionView | None = None
    candles: Candles = field(default_factory=Candles)
    open_candle: Candle | None = None
    windows: Mapping[tuple[str, str], Candles] = field(default_factory=dict)
    noted: list[str] = field(default_factory=list)

    def candles_of(self, timeframe: str, symbol: str | None = None) -> Candles:
        """Return the closed candles of another time frame or symbol that the strategy asked for.

        Raises:
            InvalidValue: it did not: name them in `timeframes` and `symbols`.
        """
        pair = (symbol or self.symbol, timeframe)
        if pair not in self.windows:
            known = ", ".join(" ".join(each) for each in sorted(self.windows)) or "none"
            raise InvalidValue(
                f"the strategy did not ask for candles of {' '.join(pair)}; it asked for {known}",
            )
        return self.windows[pair]

    def note(self, text: str) -> None:
        """Say in one line what the strategy waits for; `run` and `status` show the last one."""
        self.noted[:] = [" ".join(str(text).split())[:NOTE_MAX]]


def _float(amount: Decimal | None) -> float | None:
    return None if amount is None else float(amount)
