"""What each venue promises, as data: the facts that the protocol leans on.

A venue that is not in `VENUES` is refused: without these facts nobody can say when silence has
become proof. Sources are named beside the numbers.
"""

from __future__ import annotations

import difflib
import re
from datetime import timedelta

from msgspec import Struct

from surefoot.core.errors import InvalidValue
from surefoot.core.values import ClientOrderId


class Venue(Struct, frozen=True, kw_only=True):
    """The capabilities of one venue.

    `request_lifetime` is how long a signed request may travel before the venue refuses it;
    `visibility` (V) is how late an accepted order may still be missing from every read;
    `definitive_codes` are the answers that prove non-acceptance, and nothing else does;
    `weights` price each question in the venue's request weight.
    """

    name: str
    client_id_prefix: str
    client_id_pattern: str
    request_lifetime: timedelta
    request_lifetime_max: timedelta
    visibility: timedelta
    page_size: int
    native_stop: bool
    definitive_codes: frozenset[str]
    weights: dict[str, int]
    weight_per_minute: int
    timeframes: frozenset[str]

    def encode(self, identity: bytes) -> ClientOrderId:
        """Write a 128-bit identity in this venue's alphabet and length.

        Raises:
            InvalidValue: the venue's own rule refuses the result (a mistake in this table).
        """
        text = f"{self.client_id_prefix}{identity.hex()}"
        if not re.fullmatch(self.client_id_pattern, text):
            raise InvalidValue(f"{self.name} does not allow the client order id {text}")
        return ClientOrderId(text)

    def is_marked(self, client_order_id: str, mark: bytes) -> bool:
        """Tell whether a client order id carries this epoch mark, i.e. whether it is ours."""
        return client_order_id.startswith(f"{self.client_id_prefix}{mark.hex()}")


# The codes with which Binance proves that it did not accept an order. Everything that is not in
# this list is Unknown. Source: Binance spot API documentation, "Error codes"; -1000, -1001, -1006,
# -1007 and -1008 are left out on purpose, they say nothing about the outcome.
_BINANCE_DEFINITIVE = frozenset(
    {
        "-1002", "-1003", "-1013", "-1014", "-1015", "-1020", "-1021", "-1022", "-1100", "-1101",
        "-1102", "-1103", "-1104", "-1105", "-1106", "-1108", "-1111", "-1112", "-1114", "-1115",
        "-1116", "-1117", "-1118", "-1119", "-1120", "-1121", "-1128", "-1130", "-1131", "-2010",
        "-2014", "-2015",
    },
)  # fmt: skip

_BINANCE_TIMEFRAMES = frozenset(
    {
        "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w",
    },
)  # fmt: skip

BINANCE = Venue(
    name="binance",
    client_id_prefix="sf",
    client_id_pattern=r"[a-zA-Z0-9-_]{1,36}",
    # recvWindow, "timing security": checked on arrival and again before the matching engine.
    request_lifetime=timedelta(seconds=5),
    request_lifetime_max=timedelta(seconds=60),
    # 10 s engine time-out, and queries answered from "Memory => Database"; reports of more than
    # 10 s exist (ccxt issue 6615). Conservative until measured on the real venue.
    visibility=timedelta(seconds=60),
    page_size=1000,
    native_stop=True,
    definitive_codes=_BINANCE_DEFINITIVE,
    # "IP limits", weights per request as of 2026-07.
    weights={
        "exchangeInfo": 20,
        "time": 1,
        "account": 20,
        "order.send": 1,
        "order.cancel": 1,
        "order.query": 4,
        "openOrders": 6,
        "openOrders.all": 80,
        "myTrades": 20,
        "myTrades.order": 5,
        "klines": 2,
    },
    weight_per_minute=6000,
    timeframes=_BINANCE_TIMEFRAMES,
)

VENUES: dict[str, Venue] = {BINANCE.name: BINANCE}


def venue(name: str) -> Venue:
    """Return a venue's capabilities.

    Raises:
        InvalidValue: nobody has written down what this venue promises.
    """
    if name not in VENUES:
        known = ", ".join(sorted(VENUES))
        near = difflib.get_close_matches(name, VENUES, n=1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise InvalidValue(f"exchange {name!r} is not supported; known are: {known}{hint}")
    return VENUES[name]
