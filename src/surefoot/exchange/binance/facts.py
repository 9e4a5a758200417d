"""What Binance spot promises and charges, as data; the sources are named beside the numbers."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from surefoot.exchange.budget import Urgency, Window
from surefoot.exchange.port import Question, Venue

BINANCE: Final = Venue(
    name="binance",
    client_id_prefix="sf",
    client_id_pattern=r"[a-zA-Z0-9-_]{1,36}",
    # recvWindow, "timing security": checked on arrival and again before the matching engine.
    request_lifetime=timedelta(seconds=5),
    request_lifetime_max=timedelta(seconds=60),
    # 10 s engine time-out, and queries answered from "Memory => Database"; reports of more than
    # 10 s exist (ccxt issue 6615). Conservative until measured on the real venue.
    visibility=timedelta(seconds=60),
    native_stop=True,
    # As exchangeInfo's rateLimits have it mostly; an account's own are read when it connects.
    weight=Window(name="1M", length=timedelta(minutes=1), limit=6000),
    orders=(
        Window(name="10S", length=timedelta(seconds=10), limit=50),
        Window(name="1D", length=timedelta(days=1), limit=160_000),
    ),
    timeframes=frozenset(
        {
            "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d",
            "1w",
        },
    ),
    hosts=("binance.com", "binance.vision", "binance.us"),
    urls_together=(
        ("api", "public"),
        ("api", "private"),
        ("api", "ws", "spot"),
        ("api", "ws", "ws-api", "spot"),
    ),
)  # fmt: skip

# The codes with which Binance proves that it did not accept an order. Everything that is not in
# this list is Unknown. Source: Binance spot API documentation, "Error codes"; -1000, -1001, -1006,
# -1007 and -1008 are left out on purpose, they say nothing about the outcome; -1003 and -1015
# ("too many") say nothing about the order.
DEFINITIVE: Final = frozenset(
    {
        "-1002", "-1013", "-1014", "-1020", "-1021", "-1022", "-1100", "-1101",
        "-1102", "-1103", "-1104", "-1105", "-1106", "-1108", "-1111", "-1112", "-1114", "-1115",
        "-1116", "-1117", "-1118", "-1119", "-1120", "-1121", "-1128", "-1130", "-1131", "-2010",
        "-2014", "-2015", "-2038",
    },
)  # fmt: skip

# "IP limits", weights per request as of 2026-07. What is in FREE costs that only when it fails.
WEIGHTS: Final = {
    "exchangeInfo": 20,
    "time": 1,
    "account": 20,
    "restrictions": 1,
    "order.send": 1,
    "order.cancel": 1,
    "order.replace": 1,
    "order.amend": 4,
    "order.query": 4,
    "openOrders": 6,
    "openOrders.all": 80,
    "allOrders": 20,
    "myTrades": 20,
    "myTrades.order": 5,
    "klines": 2,
    "ticker.price": 4,
    "ticker.book": 4,
}
FREE: Final = frozenset({"order.send", "order.cancel", "order.replace"})

# How urgent a question is follows from what it is about: one order's fate, or everything.
URGENCIES: Final = {
    "exchangeInfo": Urgency.PROOF,
    "time": Urgency.PROOF,
    "account": Urgency.COMPARING,
    "restrictions": Urgency.COMPARING,
    "order.query": Urgency.PROOF,
    "openOrders": Urgency.COMPARING,
    "openOrders.all": Urgency.COMPARING,
    "allOrders": Urgency.COMPARING,
    "myTrades": Urgency.COMPARING,
    "myTrades.order": Urgency.PROOF,
    # What strategies look back on comes after everything that is owed.
    "klines": Urgency.ENTRY,
    "ticker.price": Urgency.PROOF,
    "ticker.book": Urgency.PROOF,
}
PRICES: Final = {
    Question.ORDER: WEIGHTS["order.query"],
    Question.ORDERS: WEIGHTS["allOrders"],
    Question.OPEN_ORDERS: WEIGHTS["openOrders"],
    Question.ALL_OPEN_ORDERS: WEIGHTS["openOrders.all"],
    Question.FILLS: WEIGHTS["myTrades"],
    Question.BALANCES: WEIGHTS["account"],
    Question.CANDLES: WEIGHTS["klines"],
}
# Headers of an answer that tell what is used, by the name of the window at their end.
USED_WEIGHT: Final = "x-mbx-used-weight-"
USED_ORDERS: Final = "x-mbx-order-count-"

# The most rows of one answer about trades or orders.
PAGE_SIZE: Final = 1000
# From this many symbols on, one list of all open orders is cheaper than a list a symbol.
LIST_ALL_FROM: Final = WEIGHTS["openOrders.all"] // WEIGHTS["openOrders"] + 1
