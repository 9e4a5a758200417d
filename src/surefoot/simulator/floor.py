"""The one door for prices: whatever moves a market passes here, to matching, candles and streams.

What is traded is remembered for a while, so that whoever was away can read what they missed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from itertools import count
from typing import Any, Final, TypeAlias

from surefoot.simulator.candles import Candles
from surefoot.simulator.clock import Clock
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.model import Level, Quote
from surefoot.simulator.wire import amount

# To whom: the symbol, the stream, and how the message is made if somebody listens.
Publish: TypeAlias = Callable[[str, str, Callable[[], dict[str, Any]]], None]
Levels: TypeAlias = tuple[Level, ...]

DEPTH: Final = "depth20@100ms"
DEPTH_LEVELS: Final = 20
TRADES_KEPT: Final = 200_000
_LITTLE: Final = Decimal("0.001")


@dataclass(frozen=True, slots=True)
class Print:
    """One trade between others."""

    number: int
    price: Decimal
    quantity: Decimal
    at_ms: int


class Floor:
    """Tells everyone of every price, in one order."""

    def __init__(
        self, exchange: Exchange, candles: Candles, publish: Publish, clock: Clock
    ) -> None:
        self._exchange = exchange
        self._candles = candles
        self.publish = publish
        self._clock = clock
        self._numbers = count(1_001)
        self._books = count(1_001)
        self._prints: dict[str, deque[Print]] = {}

    def trade(self, symbol: str, price: Decimal, quantity: Decimal = _LITTLE) -> None:
        """Report a trade between others."""
        now = self._clock.now_ms()
        quote = self._exchange.quotes[symbol]
        self._candles.trade(symbol, price, quantity, now)
        printed = Print(next(self._numbers), price, quantity, now)
        self._prints.setdefault(symbol, deque(maxlen=TRADES_KEPT)).append(printed)
        moved = Quote(last=price, bid=quote.bid, ask=quote.ask, bids=quote.bids, asks=quote.asks)
        self._exchange.price(symbol, moved)
        self.publish(
            symbol,
            "trade",
            lambda: {
                "e": "trade",
                "E": now,
                "s": symbol,
                "t": printed.number,
                "p": amount(price),
                "q": amount(quantity),
                "T": now,
                "m": False,
                "M": True,
            },
        )

    def book(
        self, symbol: str, bid: Decimal, ask: Decimal, bids: Levels = (), asks: Levels = ()
    ) -> None:
        """Set the best bid and ask, and the levels behind them if there are any."""
        last = self._exchange.quotes[symbol].last
        quote = Quote(last=last, bid=bid, ask=ask, bids=bids, asks=asks)
        self._exchange.price(symbol, quote, traded=False)
        number = next(self._books)
        self.publish(
            symbol,
            "bookTicker",
            lambda: {
                "u": number,
                "s": symbol,
                "b": amount(bid),
                "B": amount(_best(bids)),
                "a": amount(ask),
                "A": amount(_best(asks)),
            },
        )
        self.publish(
            symbol,
            DEPTH,
            lambda: {**self.depth(symbol, DEPTH_LEVELS), "lastUpdateId": number},
        )

    def move(self, symbol: str, price: Decimal, spread: Decimal) -> None:
        """Bring book and last trade to a price, in one step for matching."""
        self._exchange.quotes[symbol] = Quote(last=price, bid=price - spread, ask=price + spread)
        self.book(symbol, price - spread, price + spread)
        self.trade(symbol, price)

    def repeat(self, symbol: str) -> None:
        """Say the price of a quiet market once more."""
        quote = self._exchange.quotes[symbol]
        self.book(symbol, quote.bid, quote.ask, quote.bids, quote.asks)
        self.trade(symbol, quote.last)

    # What was ------------------------------------------------------------------------------------

    def depth(self, symbol: str, limit: int) -> dict[str, Any]:
        """Return the levels of the book, as the REST API shows them."""
        quote = self._exchange.quotes[symbol]
        one = Decimal(1)
        return {
            "lastUpdateId": 0,
            "bids": _shown(quote.bids or (Level(quote.bid, one),), limit),
            "asks": _shown(quote.asks or (Level(quote.ask, one),), limit),
        }

    def trades(
        self, symbol: str, first: int | None, since_ms: int | None, limit: int
    ) -> list[dict[str, Any]]:
        """Return trades between others, the oldest first: each is an aggregate of its own."""
        prints = [
            each
            for each in self._prints.get(symbol, ())
            if (first is None or each.number >= first)
            and (since_ms is None or each.at_ms >= since_ms)
        ]
        page = prints[-limit:] if first is None and since_ms is None else prints[:limit]
        return [
            {
                "a": each.number,
                "p": amount(each.price),
                "q": amount(each.quantity),
                "f": each.number,
                "l": each.number,
                "T": each.at_ms,
                "m": False,
                "M": True,
            }
            for each in page
        ]


def _best(levels: Levels) -> Decimal:
    return levels[0].quantity if levels else Decimal(1)


def _shown(levels: Levels, limit: int) -> list[list[str]]:
    return [[amount(each.price), amount(each.quantity)] for each in levels[:limit]]
