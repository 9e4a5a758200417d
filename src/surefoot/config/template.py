"""What `surefoot init` writes: a configuration, and a strategy to edit."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from string import Template
from typing import Final

from surefoot.core.values import plain
from surefoot.strategy import Strategy, examples
from surefoot.strategy.parameters import parameters

IDEAS: Final[Mapping[str, type[Strategy]]] = {
    "round-trip": examples.RoundTrip,
    "dip": examples.DipBuyer,
    "breakout": examples.Breakout,
    "moving-average": examples.MovingAverageCross,
}
# The first trades at once and soon rests, which is to be seen and not to be paid for.
FIRST: Final = "round-trip"
FIRST_LIVE: Final = "dip"

# What there is on paper at the beginning; a hundredth of it is an entry.
_MANY: Final = Decimal(10_000)
_FEW: Final = {"BTC": Decimal(1), "ETH": Decimal(10), "BNB": Decimal(100)}

_PAPER: Final = """\
[accounts.main]
exchange = "$exchange"
paper = true                           # live prices, simulated fills; false: real money
api_key = "env:BINANCE_API_KEY"        # or "file:PATH"; never the key itself
secret = "env:BINANCE_SECRET"
ownership = "shared"                   # "exclusive": nothing else trades on this account

[accounts.main.paper_exchange]         # what paper = true trades on
balances = { $quote = $balance }
"""

_LOOKED_FOR: Final = """\
rest = "$url/api/v3"
streams = "$sockets/stream"
"""

_WHOLE: Final = """\
# Surefoot's configuration. Check it with `surefoot check`, then start with `surefoot run`.
# Every value can be overridden from the environment: SUREFOOT__BOTS__MY_BOT__NOTIONAL=50

[journal]
url = "sqlite:///surefoot.db"          # beside this file; everything that happens is in it

$account
[recovery]
lookback = "24h"                       # how far back fills are read at a start
give_up_after = "10m"                  # then the server runs without the bots it cannot reach

[limits]                               # no strategy can pass these
# order_notional = $order_notional# these two are otherwise twice a bot's notional
# position_notional = $position_notional
orders_per_minute = 20
price_band = "5%"                      # how far a limit may be from the last trade

[bots.my-bot]
account = "main"
symbol = "$symbol"
strategy = "my_bots.py:$name"
notional = $notional# $quote for each entry
stop_loss = "2%"
take_profit = "4%"
break_even = "1%"                      # at this gain the stop moves to the entry price
trailing_stop = "off"
stop_at = "exchange"                   # the stop waits there, also while Surefoot is down
params = { $params }

[web]
enabled = true                         # the dashboard; `surefoot token --link` prints the way in
listen = "127.0.0.1:8770"              # this machine only

[log]
format = "console"                     # or "json"
level = "info"
"""


def paper(
    symbol: str = "BTC/USDT",
    *,
    exchange: str = "binance",
    prices_from: str | None = None,
    live: bool = False,
) -> str:
    """Return the tables of an account on paper; `live`: with real money, which is one word."""
    quote = _quote(symbol)
    text = Template(_PAPER).substitute(
        exchange=exchange, quote=quote, balance=plain(_balance(quote))
    )
    if live:
        return text.replace("paper = true ", "paper = false", 1)
    if prices_from is None:
        return text
    sockets = prices_from.replace("http", "ws", 1)
    return text + Template(_LOOKED_FOR).substitute(url=prices_from, sockets=sockets)


def template(account: str | None = None, symbol: str = "BTC/USDT", idea: str = FIRST) -> str:
    """Return a configuration to edit, with the tables of one account in it."""
    quote = _quote(symbol)
    notional = _balance(quote) / 100
    return Template(_WHOLE).substitute(
        account=account or paper(symbol),
        symbol=symbol,
        name=IDEAS[idea].__name__,
        quote=quote,
        # As wide as it takes for the comments to stand in one column.
        notional=f"{plain(notional):<28}",
        order_notional=f"{plain(2 * notional):<20}",
        position_notional=plain(2 * notional),
        params=_params(IDEAS[idea]),
    )


def strategy_file(idea: str = FIRST) -> str:
    """Return one of the bundled strategies as a file of the user's own."""
    lines = inspect.getsource(sys.modules[IDEAS[idea].__module__]).split("\n")
    # What only concerns our own checks.
    rest = [each for each in lines if not each.startswith(("# mypy:", "# Written as a bot"))]
    return "\n".join(rest).replace("\n\n\nfrom __future__", "\n\nfrom __future__")


def _quote(symbol: str) -> str:
    return symbol.partition("/")[2]


def _balance(quote: str) -> Decimal:
    return _FEW.get(quote, _MANY)


def _params(strategy: type[Strategy]) -> str:
    own = [each for each in parameters(strategy) if each in vars(strategy)]
    return ", ".join(f"{name} = {_written(getattr(strategy, name))}" for name in own)


def _written(value: object) -> str:
    if isinstance(value, timedelta):
        return f'"{value.total_seconds():g}s"'
    return json.dumps(value)
