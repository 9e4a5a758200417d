"""What `surefoot init` writes: a configuration and a strategy to edit."""

from __future__ import annotations

from typing import Final

_BEFORE: Final = """\
# Surefoot's configuration. Check it with `surefoot check`, then start with `surefoot run`.
# Every value can be overridden from the environment: SUREFOOT__BOTS__MY_BOT__NOTIONAL=50

[journal]
url = "sqlite:///surefoot.db"          # beside this file; everything that happens is in it

"""

_PAPER: Final = """\
[accounts.main]
exchange = "binance"
paper = true                           # live prices, simulated fills; false: real money
api_key = "env:BINANCE_API_KEY"        # or "file:PATH"; never the key itself
secret = "env:BINANCE_SECRET"
ownership = "shared"                   # "exclusive": nothing else trades on this account

[accounts.main.paper_exchange]         # what paper = true trades on
balances = { USDT = 10000 }
"""

_LOOKED_FOR: Final = """\
rest = "{url}/api/v3"
streams = "{sockets}/stream"
"""

_AFTER: Final = """\

[recovery]
lookback = "24h"                       # how far back fills are read at a start
give_up_after = "10m"                  # then the server runs without the bots it cannot reach

[limits]                               # no strategy can pass these
# order_notional = 200                 # default: twice a bot's notional
# position_notional = 200
orders_per_minute = 20
price_band = "5%"                      # how far a limit may be from the last trade

[bots.my-bot]
account = "main"
symbol = "BTC/USDT"
strategy = "my_bots.py:MyStrategy"     # or one of ours: "surefoot.strategy.examples:DipBuyer"
notional = 100                         # quote currency per entry
stop_loss = "2%"
take_profit = "4%"
break_even = "1%"                      # at this gain the stop moves to the entry price
trailing_stop = "off"
stop_at = "exchange"                   # the stop waits there, also while Surefoot is down
params = { dip = 0.003 }               # whatever the strategy declares

[web]
enabled = true                         # the dashboard; `surefoot token --link` prints the way in
listen = "127.0.0.1:8770"              # this machine only

[log]
format = "console"                     # or "json"
level = "info"
"""

STRATEGY_TEMPLATE: Final = '''\
"""My strategies."""

from surefoot.strategy import Enter, Signal, Strategy, Tick, View


class MyStrategy(Strategy):
    """Buy when the price is a little under its high; the bot's stops do the selling."""

    dip: float = 0.003  # parameters are typed attributes, set from `params`

    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        # view.memory survives restarts; self does not.
        high = max(view.memory.get("high", 0.0), tick.price)
        view.memory["high"] = high
        if view.position is None and tick.price < high * (1 - self.dip):
            return Enter(reason=f"{tick.price} is {self.dip:.1%} under {high}")
        return None
'''


def paper(prices_from: str | None = None) -> str:
    """Return the tables of an account on paper; `prices_from`: a simulator."""
    if prices_from is None:
        return _PAPER
    sockets = prices_from.replace("http", "ws", 1)
    return _PAPER + _LOOKED_FOR.format(url=prices_from, sockets=sockets)


def template(account: str = _PAPER, symbol: str = "BTC/USDT") -> str:
    """Return a configuration to edit, with the tables of one account in it."""
    return f"{_BEFORE}{account}{_AFTER.replace('BTC/USDT', symbol)}"
