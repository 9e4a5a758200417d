"""A market that is somebody else's: a venue's public prices and filters, as they come.

While they come, orders meet them. When the connection is lost, the book is empty: nothing is
filled, whoever listens here is cut off as well, and `stale` says why. A connection that lives and
says nothing is lost too, once the venue itself, asked, tells of a trade or a book that was not
heard of. Once it is back, the trades that were missed are played through the orders that rested
all the while, at the times at which they happened; only then is the symbol's book believed again.
One symbol's trouble is its own: while others are heard it alone is not believed, asked for again,
and joined by what is read.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from functools import partial
from typing import Any, Final

from typing_extensions import override

from surefoot.simulator.clock import Clock
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.floor import DEPTH, DEPTH_LEVELS, Levels
from surefoot.simulator.listing import rules_of
from surefoot.simulator.market import History, Market
from surefoot.simulator.model import ApiError, Level, MarketMode, Origin, Quote, Settings
from surefoot.simulator.parameters import Params
from surefoot.simulator.security import RateLimited
from surefoot.simulator.source import Socket, Source, Unanswered
from surefoot.simulator.store import Mark, Store
from surefoot.simulator.streams import Streams

_PAGE: Final = 1_000
_PAGE_PAUSE_S: Final = 0.1  # a page weighs 4 of 6000 a minute
_DOUBT_PAUSE_S: Final = 0.3  # a doubt weighs 9: at most 1800 a minute, however many are quiet
_BACK_OFF_MAX_S: Final = 30.0
_WAITING_MAX: Final = 200_000
_KEEP_EVERY_S: Final = 10.0
_ON_ITS_WAY_S: Final = 2.0  # what the venue tells may be told by its stream a moment later
_STEP_MS: Final = 250  # less is the way of a request, no difference of clocks
_PLENTY: Final = Decimal(10**12)
_UNREADABLE: Final = (LookupError, ValueError, TypeError, ArithmeticError)
_NO_ANSWER: Final = (ApiError, *_UNREADABLE)
_NO_SYMBOL: Final = -1121
_BLIND_AFTER: Final = 3  # so many times its silence a symbol is believed that nobody answers for


@dataclass(slots=True)
class _Mirrored:
    """One symbol: how far its trades were seen, and what waits until the missed ones are played."""

    mark: Mark | None = None
    fresh: bool = False
    heard_at: float = 0.0
    traded_at: float = 0.0  # its book may live while its trades are not told
    bid: Decimal = Decimal(0)
    ask: Decimal = Decimal(0)
    bids: Levels = ()
    asks: Levels = ()
    waiting: list[dict[str, Any]] = field(default_factory=list)

    def quote(self, last: Decimal) -> Quote:
        return Quote(last=last, bid=self.bid, ask=self.ask, bids=self.bids, asks=self.asks)


class MirroredMarket(Market):
    """Follows one venue."""

    def __init__(
        self,
        exchange: Exchange,
        streams: Streams,
        store: Store,
        clock: Clock,
        settings: Settings,
    ) -> None:
        if settings.origin is None:
            raise ValueError("a mirror needs to know of whom")
        self.mode: MarketMode = "mirror"
        self._origin: Origin = settings.origin
        self._exchange = exchange
        self._streams = streams
        self._store = store
        self._clock = clock
        self._beat_s = settings.beat_s
        self._silence_s = settings.silence_s
        self._source = Source(self._origin, clock)
        self._why: str | None = "not connected yet"
        self._attempt = 0
        self._heard_at = 0.0
        self._mirrored = {
            symbol: _Mirrored(store.facts.marks.get(symbol)) for symbol in self._origin.symbols
        }
        for row in store.facts.listed:
            self._enlist(row)

    @property
    @override
    def stale(self) -> str | None:
        behind = [name for name, each in self._mirrored.items() if not each.fresh]
        if self._why is None and behind:
            return f"the trades missed on {', '.join(behind)} are being read"
        return self._why

    @override
    def blind(self, symbol: str) -> str | None:
        each = self._mirrored.get(symbol)
        unseen = each is not None and not each.fresh
        return self._why or (f"the trades missed on {symbol} are being read" if unseen else None)

    @override
    async def prepare(self) -> None:
        async with self._source:
            with suppress(ApiError):  # it is asked again before anything is believed
                await self._introduce()

    @override
    async def read(self, what: History, params: Params) -> Any:
        return await self._source.ask(what, params)

    @override
    def move(self, symbol: str, price: Decimal, spread: Decimal) -> None:
        raise ValueError(f"the price of {symbol} is the mirrored exchange's")

    @override
    def book(self, symbol: str, bids: Levels, asks: Levels) -> None:
        raise ValueError(f"the book of {symbol} is the mirrored exchange's")

    # One life after the other --------------------------------------------------------------------

    @override
    async def run(self) -> None:
        async with self._source:
            while True:
                try:
                    await self._live()
                except* (ApiError, OSError, *_UNREADABLE) as broken:
                    self._lost(broken)
                self._attempt += 1
                await self._clock.sleep(min(2.0 ** (self._attempt - 1), _BACK_OFF_MAX_S))

    def _lost(self, broken: BaseExceptionGroup[Exception]) -> None:
        first: BaseException = broken
        while isinstance(first, BaseExceptionGroup):
            first = first.exceptions[0]
        self._why = str(first) or type(first).__name__
        for symbol, each in self._mirrored.items():
            self._lose(symbol, each)
        self._streams.disconnect("market")  # who listens must know that there is a gap

    def _lose(self, symbol: str, each: _Mirrored) -> None:
        """Believe nothing of one symbol: with an empty book nothing is filled."""
        each.fresh = False
        each.waiting.clear()
        if symbol in self._exchange.quotes:
            quote = self._exchange.quotes[symbol]
            self._exchange.quotes[symbol] = replace(quote, bids=(), asks=())

    async def _live(self) -> None:
        await self._introduce()
        async with self._source.listen() as socket:
            await socket.subscribe([name for each in self._mirrored for name in _names(each)])
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(self._hear(socket))
                tasks.create_task(self._catch_up())
                tasks.create_task(self._follow(socket))
                tasks.create_task(self._ask_after(socket))

    async def _introduce(self) -> None:
        """Ask what time it is there, and what is listed."""
        server = await self._source.ask("time", {})
        ahead_ms = int(server["serverTime"]) - self._clock.now_ms()
        if abs(ahead_ms) > _STEP_MS:
            self._clock.advance(ahead_ms / 1000)
        wanted = json.dumps(self._origin.symbols, separators=(",", ":"))
        rows = await self._listed({"symbols": wanted})
        for row in rows:
            self._enlist(row)
        self._store.facts.listed = rows
        self._store.touch()
        self._store.commit()

    async def _listed(self, params: Mapping[str, str]) -> list[dict[str, Any]]:
        try:
            rows = await self._rows(params)
        except ApiError as error:
            if error.code != _NO_SYMBOL:
                raise
            rows = []  # there is one that it does not list
        listed = rows or await self._rows({})
        # With none of ours one of the others: who lists nothing at all is not believed.
        return [row for row in listed if row["symbol"] in self._mirrored] or listed[:1]

    async def _rows(self, params: Mapping[str, str]) -> list[dict[str, Any]]:
        answer = await self._source.ask("exchangeInfo", params)
        rows: list[dict[str, Any]] = answer["symbols"]
        return rows

    def _enlist(self, row: dict[str, Any]) -> None:
        rules = rules_of(row)
        last = self._store.facts.last.get(rules.symbol, rules.price)
        self._exchange.enlist(replace(rules, price=last))

    # What is heard -------------------------------------------------------------------------------

    async def _hear(self, socket: Socket) -> None:
        async for name, message in socket.events():
            symbol, _, what = name.partition("@")
            self._take(symbol.upper(), what, message)
        raise Unanswered("the stream ended")

    def _take(self, symbol: str, what: str, message: dict[str, Any]) -> None:
        each = self._mirrored[symbol]
        each.heard_at = self._heard_at = self._clock.monotonic()
        each.traded_at = self._heard_at if what == "trade" else each.traded_at
        match what:
            case "trade" if each.fresh:
                self._trade(symbol, each, message)
                return
            case "trade":
                each.waiting.append(message)
                if len(each.waiting) > _WAITING_MAX:
                    raise Unanswered(f"too many trades of {symbol} waited")
                return
            case "bookTicker":
                each.bid, each.ask = Decimal(message["b"]), Decimal(message["a"])
            case _ if what == DEPTH:
                each.bids, each.asks = _levels(message["bids"]), _levels(message["asks"])
        if each.fresh:
            self._show(symbol, each)
            self._streams.publish(symbol, what, lambda: message)

    def _trade(self, symbol: str, each: _Mirrored, message: dict[str, Any]) -> None:
        mark = Mark(int(message["t"]), int(message["T"]))
        if each.mark is not None and not mark.is_after(each.mark):
            return
        quote = replace(self._exchange.quotes[symbol], last=Decimal(message["p"]))
        self._see(symbol, each, mark, quote)
        self._streams.publish(symbol, "trade", lambda: message)

    def _see(self, symbol: str, each: _Mirrored, mark: Mark, quote: Quote) -> None:
        """Let orders meet a trade, and keep what came of it together with how far was seen."""
        each.mark = self._store.facts.marks[symbol] = mark
        self._exchange.price(symbol, quote)
        self._store.commit()

    def _show(self, symbol: str, each: _Mirrored) -> None:
        last = self._exchange.quotes[symbol].last
        self._exchange.price(symbol, each.quote(last), traded=False)
        self._store.commit()

    async def _follow(self, socket: Socket) -> None:
        """Ask for the candles that somebody here listens to, and keep how far was seen."""
        asked, kept = set[str](), self._clock.monotonic()
        while True:
            wanted = {each for each in self._streams.wanted() if "@kline_" in each} - asked
            if wanted:
                await socket.subscribe(sorted(wanted))
                asked |= wanted
            if self._clock.monotonic() - kept > _KEEP_EVERY_S:
                kept = self._clock.monotonic()
                self._store.touch()
                self._store.commit()
            await self._clock.sleep(self._beat_s)

    async def _ask_after(self, socket: Socket) -> None:
        """Ask the venue about whom its streams say nothing, and join again who was lost alone.

        Raises:
            Unanswered: it has moved on, and nothing was heard of anybody.
        """
        while True:
            await self._clock.sleep(self._silence_s / 2)
            for symbol, each in self._mirrored.items():
                lost = self._why is None and not each.fresh
                silent = each.fresh and self._since(each.heard_at, each.traded_at)
                if symbol in self._exchange.rules and (lost or silent >= self._silence_s):
                    await (self._join_alone if lost else self._doubt)(socket, symbol, each)
                    await self._clock.sleep(_DOUBT_PAUSE_S)

    def _since(self, *moments: float) -> float:
        return self._clock.monotonic() - min(moments)

    async def _doubt(self, socket: Socket, symbol: str, each: _Mirrored) -> None:
        silent = self._since(each.heard_at) >= self._silence_s
        try:
            book = await self._book(symbol) if silent else None  # else it is told as it comes
            newest = await self._newest(symbol)
        except RateLimited:
            return  # it is asked when its patience is back
        except _NO_ANSWER:
            if self._since(each.heard_at) >= self._silence_s * _BLIND_AFTER:
                self._lose(symbol, each)
            return
        there, at = Mark(int(newest["l"]), int(newest["T"])), self._clock.monotonic()
        moved = book and (book[0][0].price, book[1][0].price) != (each.bid, each.ask)
        if not moved and not there.is_after(each.mark or there):
            each.traded_at = at  # there was nothing to be heard
            each.heard_at = at if silent else each.heard_at
            return
        before = each.heard_at
        await self._clock.sleep(_ON_ITS_WAY_S)
        if not there.is_after(each.mark or there) and not (moved and each.heard_at == before):
            return
        if self._since(self._heard_at) >= _ON_ITS_WAY_S:
            raise Unanswered(f"its stream is silent, and the price of {symbol} has moved")
        await self._join_alone(socket, symbol, each)

    async def _join_alone(self, socket: Socket, symbol: str, each: _Mirrored) -> None:
        """Ask for one symbol's streams anew, and bring it to now; who listens is told all of it."""
        self._lose(symbol, each)
        with suppress(*_NO_ANSWER):  # it is asked again
            await socket.subscribe(_names(symbol))
            await self._rejoin(symbol, each, told=True)

    async def _book(self, symbol: str) -> tuple[Levels, Levels]:
        book = await self._source.ask("depth", {"symbol": symbol, "limit": str(DEPTH_LEVELS)})
        return _levels(book["bids"]), _levels(book["asks"])

    async def _newest(self, symbol: str) -> Any:
        return (await self._source.ask("aggTrades", {"symbol": symbol, "limit": "1"}))[-1]

    # What was missed -----------------------------------------------------------------------------

    async def _catch_up(self) -> None:
        failed: list[Exception] = []
        for symbol, each in self._mirrored.items():
            try:
                if symbol in self._exchange.rules:
                    await self._rejoin(symbol, each)
                each.fresh = True  # or not listed: there is nothing to wait for
            except _NO_ANSWER as error:
                failed.append(error)  # it is joined alone, later
        if failed and len(failed) >= len(self._exchange.rules.keys() & self._mirrored.keys()):
            raise failed[-1]
        self._why, self._attempt = None, 0

    async def _rejoin(self, symbol: str, each: _Mirrored, *, told: bool = False) -> None:
        """Bring one symbol to now: the book, the missed trades, then those that came meanwhile."""
        each.bids, each.asks = await self._book(symbol)
        each.bid, each.ask = each.bids[0].price, each.asks[0].price
        newest = await self._newest(symbol)
        mark, last = Mark(int(newest["l"]), int(newest["T"])), Decimal(newest["p"])
        rests = any(order.symbol == symbol for order in self._exchange.standing)
        if each.mark is not None and (rests or told):
            last = await self._play_missed(symbol, each, each.mark, told=told) or last
        else:
            each.mark = self._store.facts.marks[symbol] = mark
        self._exchange.quotes[symbol] = each.quote(last)
        each.fresh, each.heard_at = True, self._clock.monotonic()
        each.traded_at = each.heard_at
        waiting, each.waiting = each.waiting, []
        for message in waiting:
            self._trade(symbol, each, message)
        self._show(symbol, each)

    async def _play_missed(
        self, symbol: str, each: _Mirrored, since: Mark, *, told: bool
    ) -> Decimal | None:
        """Play what was traded since through the orders that rested; return the last price."""
        last, where = None, {"startTime": str(since.at_ms)}
        while True:
            asked = {"symbol": symbol, "limit": str(_PAGE), **where}
            rows = await self._source.ask("aggTrades", asked)
            for row in rows:
                mark, last = Mark(int(row["l"]), int(row["T"])), Decimal(row["p"])
                if mark.is_after(since):
                    with self._exchange.at(mark.at_ms):
                        self._see(symbol, each, mark, _past(last, each.ask - each.bid))
                    if told:
                        self._streams.publish(symbol, "trade", partial(_trade, symbol, row))
            if len(rows) < _PAGE:
                self._exchange.quotes[symbol] = replace(
                    self._exchange.quotes[symbol], bids=(), asks=()
                )
                return last
            where = {"fromId": str(int(rows[-1]["a"]) + 1)}
            await self._clock.sleep(_PAGE_PAUSE_S)


_EVENTS: Final = ("trade", "bookTicker", DEPTH)


def _names(symbol: str) -> list[str]:
    return [f"{symbol.lower()}@{what}" for what in _EVENTS]


def _trade(symbol: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return an aggregate of trades as the stream would have told it."""
    told = {"e": "trade", "E": row["T"], "s": symbol, "t": row["l"]}
    return told | {key: row[key] for key in ("p", "q", "T", "m", "M")}


def _past(price: Decimal, spread: Decimal) -> Quote:
    """Return the book of a moment of which only the trade is known: as far away as it is now."""
    bid, ask = price - spread, price + spread
    return Quote(
        last=price, bid=bid, ask=ask, bids=(Level(bid, _PLENTY),), asks=(Level(ask, _PLENTY),)
    )


def _levels(rows: Any) -> Levels:
    return tuple(Level(Decimal(price), Decimal(quantity)) for price, quantity in rows)
