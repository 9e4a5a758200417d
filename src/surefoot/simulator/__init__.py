"""An exchange on this machine: Binance spot's REST and WebSocket wire, with faults and a ledger.

Unmodified ccxt and ccxt.pro talk to it. It is stricter than the real one where that costs a bot
its money: client order ids are unique among open orders only, a request is refused after its
recvWindow however long it waited, and pages are as short as Binance's. It imports nothing of
Surefoot, so that it can judge it.

clock        the simulated exchange's time, which tests may move
model        settings, orders, trades, errors
parameters   what a request carries
filters      what an order request must look like
matching     how orders meet the market: when it touches them, or only when it must have
exchange     the truth: balances, orders, and what becomes of them
store        what outlives the process
candles      candles from trades
floor        the one door for prices
market       where prices come from: a recorded tape, a seeded walk, or you
source       a venue's public side
listing      what it lists, read
recorded     a market that has been
candle_files candles as they were recorded: CSV and Parquet
mirror       a market that is somebody else's
wire         the truth in Binance's shapes
faults       what is armed to go wrong, and when
security     signatures, recvWindow, request weight
counts       how many orders the account may place
desk         where orders are handed in
replace      cancel an order and send a new one
amend        make an order smaller where it stands
rest         the REST API
streams      the WebSocket streams
control_api  the other API: arm faults, move prices, read the ledger
control      a client of that API, without dependencies
server       all of it, listening on loopback
"""

from __future__ import annotations

from surefoot.simulator.control import Control
from surefoot.simulator.model import Origin, Rules, Settings, ccxt_settings
from surefoot.simulator.server import Simulator

__all__ = ["Control", "Origin", "Rules", "Settings", "Simulator", "ccxt_settings"]
