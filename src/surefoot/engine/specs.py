"""What the engine is told to run: plain values, made from the configuration by `app`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import TypeAlias

from msgspec import Struct

from surefoot.core.exits import ExitPlan
from surefoot.core.sizing import Size
from surefoot.core.terms import STOP_STEP
from surefoot.core.values import AccountName, BotName, Symbol
from surefoot.engine.limits import Caps, Limits

# What candles are of: a symbol, and how long each lasts.
Pair: TypeAlias = tuple[Symbol, str]


def length_of(timeframe: str) -> timedelta:
    """Return how long a candle lasts: "1m", "4h", "1d", "1w"."""
    unit = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}[timeframe[-1]]
    return timedelta(seconds=int(timeframe[:-1]) * unit)


class BotSpec(Struct, frozen=True, kw_only=True):
    """One bot. `notional` is how large an entry is; `native_stop` rests stops at the venue.

    Without a place for one there nothing is entered, unless `stop_may_wait_here`. `timeframe` is
    that of the candles its strategy is shown, or None, and `history` how many of them it may look
    back on; `others` are candles that it only reads.
    """

    bot: BotName
    account: AccountName
    symbol: Symbol
    notional: Size
    plan: ExitPlan
    native_stop: bool
    stop_may_wait_here: bool = False
    stop_step: Decimal = STOP_STEP
    limits: Limits
    max_slippage: Decimal | None = None
    timeframe: str | None = None
    history: int = 0
    others: tuple[Pair, ...] = ()

    @property
    def pairs(self) -> tuple[Pair, ...]:
        """Return every symbol and time frame of which it wants candles."""
        own = () if self.timeframe is None else ((self.symbol, self.timeframe),)
        return (*own, *self.others)


class AccountSpec(Struct, frozen=True, kw_only=True):
    """One exchange login and its bots.

    `visibility` overrides the venue's V; `give_up_after` is how long an unreachable exchange is
    tried at start before its bots are put into review; `lookback` is how far back a start reads
    fills again.
    """

    account: AccountName
    exclusive: bool
    give_up_after: timedelta
    lookback: timedelta
    bots: tuple[BotSpec, ...]
    visibility: timedelta | None = None
    request_lifetime: timedelta | None = None
    environment: str = "live"
    caps: Caps | None = None
