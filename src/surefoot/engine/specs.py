"""What the engine is told to run: plain values, made from the configuration by `app`."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from msgspec import Struct

from surefoot.core.exits import ExitPlan
from surefoot.core.rules import STOP_STEP
from surefoot.core.values import AccountName, BotName, Symbol
from surefoot.engine.limits import Limits


class BotSpec(Struct, frozen=True, kw_only=True):
    """One bot. `notional` is quote currency per entry; `native_stop` rests stops at the venue.

    Without a place for one there nothing is entered, unless `stop_may_wait_here`. `timeframe` is
    that of the candles its strategy asked for, or None.
    """

    bot: BotName
    account: AccountName
    symbol: Symbol
    notional: Decimal
    plan: ExitPlan
    native_stop: bool
    stop_may_wait_here: bool = False
    stop_step: Decimal = STOP_STEP
    limits: Limits
    timeframe: str | None = None


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
