"""What the engine is told to run: settings, and what strategies ask for, as its plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from surefoot.config.errors import ConfigError
from surefoot.config.settings import Account, Bot, Settings
from surefoot.core.values import AccountName, BotName, Symbol
from surefoot.engine.specs import AccountSpec, BotSpec, Pair
from surefoot.exchange.venues import venue


class Asking(Protocol):
    """What a strategy asks for, made or only tried."""

    @property
    def timeframe(self) -> str | None: ...  # noqa: D102 (as in Strategy)
    @property
    def history(self) -> int: ...  # noqa: D102
    @property
    def timeframes(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def symbols(self) -> Sequence[str]: ...  # noqa: D102


def account_spec(
    settings: Settings, name: AccountName, strategies: Mapping[BotName, Asking]
) -> AccountSpec:
    """Return what one account is to run; a bot without its strategy is only looked after.

    Raises:
        ConfigError: the venue cannot do what the settings say.
    """
    account = settings.accounts[name]
    return AccountSpec(
        account=name,
        exclusive=account.ownership == "exclusive",
        lookback=settings.recovery.lookback,
        give_up_after=settings.recovery.give_up_after,
        visibility=account.visibility,
        request_lifetime=_request_lifetime(account),
        environment=account.environment,
        caps=account.caps,
        bots=tuple(
            _bot_spec(bot, strategies.get(bot.name))
            for bot in settings.bots.values()
            if bot.account == name
        ),
    )


def _bot_spec(bot: Bot, strategy: Asking | None) -> BotSpec:
    return BotSpec(
        bot=bot.name,
        account=bot.account,
        symbol=bot.symbol,
        notional=bot.notional,
        plan=bot.plan,
        native_stop=bot.stop_at != "local",
        stop_may_wait_here=bot.stop_at == "either",
        stop_step=bot.stop_step,
        limits=bot.limits,
        max_slippage=bot.max_slippage,
        timeframe=None if strategy is None else strategy.timeframe,
        history=0 if strategy is None else strategy.history,
        others=() if strategy is None else _others(bot.symbol, strategy),
    )


def _others(symbol: Symbol, strategy: Asking) -> tuple[Pair, ...]:
    """Return which candles a strategy reads beside those that it is shown."""
    own = () if strategy.timeframe is None else (strategy.timeframe,)
    pairs = {
        (Symbol(each), frame)
        for each in (symbol, *strategy.symbols)
        for frame in (*own, *strategy.timeframes)
    }
    return tuple(sorted(pairs - {(symbol, frame) for frame in own}))


def _request_lifetime(account: Account) -> timedelta | None:
    """Return how long a request of this account may travel, if its settings say so."""
    window = account.ccxt.get("options", {}).get("recvWindow")
    if window is None:
        return None
    longest = venue(account.exchange).request_lifetime_max
    lifetime = timedelta(milliseconds=float(window))
    if not timedelta(0) < lifetime <= longest:
        key = f"accounts.{account.name}.ccxt.options.recvWindow"
        most = f"{longest / timedelta(milliseconds=1):.0f}"
        problem = f"{key}: expected milliseconds, more than 0 and at most {most}"
        raise ConfigError("the configuration", [problem])
    return lifetime
