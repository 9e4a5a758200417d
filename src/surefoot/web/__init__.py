"""The HTTP API and the dashboard's server: reads the journal, posts commands, and nothing else.

keys        the token file, what a token may do, and sessions made from it
throttle    how many wrong tokens may be tried
guard       what every request must pass: host, origin, size, token
figures     every bot as it was last read, and which have moved since
board       how everything stands, followed by sequence number and shared by all readers
candles     prices as candles, for the chart
profit      what closed positions brought, by bot, account and day
answers     what the API says, as types
routes      the API
live        the WebSocket
health      two words of health, and metrics for Prometheus
server      all of it on a socket, under a lease of its own

FastAPI is imported by whoever serves, not by this door: settings and tokens are needed without.
"""

from __future__ import annotations

from surefoot.web.keys import Keys, Scope
from surefoot.web.settings import DEFAULT_LISTEN, WebSettings, token_file

__all__ = ["DEFAULT_LISTEN", "Keys", "Scope", "WebSettings", "token_file"]
