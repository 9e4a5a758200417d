"""Streams that admit their gaps.

ccxt's watch calls are not queues: what arrives while nobody waits is merged or lost. So the raw
events are taken where they arrive (see `client`) into a bounded queue of ours, and a watch call
only opens a socket and ends when that dies. Every break, overflow or silence is a `Gap`; after one,
a fresh client is made, and whatever was missed has to be read by other means.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeVar

from surefoot.core.errors import InvalidValue
from surefoot.core.values import Symbol
from surefoot.exchange.binance import payloads, verdicts
from surefoot.exchange.binance.client import FencedBinance
from surefoot.exchange.binance.verdicts import Answered, Garbled
from surefoot.exchange.port import (
    AccountEvent,
    Connected,
    Gap,
    MarketEvent,
    Tick,
    Time,
)

QUEUE_MAX: Final = 10_000
# More than these ccxt refuses to watch over one socket.
WATCHED_MAX: Final = 200
# A market stream that says nothing for this long is taken for dead, whatever its socket says.
SILENCE_MAX_S: Final = 30.0
BACK_OFF_MAX_S: Final = 60.0
T = TypeVar("T")
_RawQueue = asyncio.Queue[tuple[str, dict[str, Any]]]


async def account_events(
    new_client: Callable[[], FencedBinance], time: Time, learn: Callable[[Exception], None]
) -> AsyncIterator[AccountEvent]:
    """Yield execution reports for ever; one fresh client for each life of the stream.

    What the exchange answers to a subscription is there to `learn` from, as any answer is.
    """
    attempt = 0
    while True:
        client = new_client()
        life = _Life(client)
        try:
            await client.ensure_user_data_stream_ws_subscribe_signature("spot")
            yield Connected()
            attempt = 0
            async for _, message in life.events([client.watch_orders], None):
                for event in _account_event(client, message):
                    yield event
            yield Gap(reason=life.ending)
        except Exception as error:  # noqa: BLE001 (ccxt raises what it likes; all are a broken stream)
            told = _told(error)
            learn(told)
            yield Gap(reason=verdicts.describe(told))
        finally:
            await life.close()
        attempt += 1
        await time.sleep(_back_off(attempt))


async def market_events(
    new_client: Callable[[], FencedBinance],
    time: Time,
    now: Callable[[], datetime],
    symbols: Sequence[Symbol],
    timeframes: Sequence[tuple[Symbol, str]],
) -> AsyncIterator[MarketEvent]:
    """Yield ticks and closed candles for ever."""
    attempt = 0
    while True:
        client = new_client()
        life = _Life(client)
        market = _Market(client, now)
        watches = _watches(client, symbols, timeframes)
        try:
            async for kind, message in life.events(watches, SILENCE_MAX_S):
                if attempt >= 0:
                    yield Connected()
                    attempt = -1
                event = market.take(kind, message)
                if event is not None:
                    yield event
            yield Gap(reason=life.ending)
        except Exception as error:  # noqa: BLE001 (see above)
            yield Gap(reason=verdicts.describe(error))
        finally:
            await life.close()
        attempt = max(attempt, 0) + 1
        await time.sleep(_back_off(attempt))


def _watches(
    client: FencedBinance,
    symbols: Sequence[Symbol],
    timeframes: Sequence[tuple[Symbol, str]],
) -> list[Callable[[], Any]]:
    names = list(_parts(list(symbols)))
    pairs = _parts([[symbol, timeframe] for symbol, timeframe in timeframes])
    return [
        *(partial(client.watch_trades_for_symbols, each) for each in names),
        *(partial(client.watch_bids_asks, each) for each in names),
        *(partial(client.watch_ohlcv_for_symbols, each) for each in pairs),
    ]


def _parts(whole: list[T]) -> Iterator[list[T]]:
    """Yield what one socket takes at a time."""
    for start in range(0, len(whole), WATCHED_MAX):
        yield whole[start : start + WATCHED_MAX]


class _Life:
    """One life of one stream: a client, its raw events, and why it ended."""

    def __init__(self, client: FencedBinance) -> None:
        self._client = client
        self._queue: _RawQueue = asyncio.Queue(QUEUE_MAX)
        self._overflow = False
        self._watching: list[asyncio.Future[Any]] = []
        self.ending = "the stream ended"
        client.on_raw = self._take

    def _take(self, kind: str, message: dict[str, Any]) -> None:
        try:
            self._queue.put_nowait((kind, message))
        except asyncio.QueueFull:
            self._overflow = True

    async def events(
        self, watches: Sequence[Callable[[], Any]], silence_s: float | None
    ) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield raw events until a watch fails, the queue overflows or silence falls."""
        loop = asyncio.get_running_loop()
        self._watching = [loop.create_task(watch()) for watch in watches]
        while not self._overflow:
            getting = loop.create_task(self._queue.get())
            try:
                done, _ = await asyncio.wait(
                    {getting, *self._watching},
                    timeout=silence_s,
                    return_when=asyncio.FIRST_COMPLETED,
                )
            finally:
                if not getting.done():  # also when nobody listens any more
                    getting.cancel()
            if getting in done:
                yield getting.result()
                # All that waits is told in one turn: at one a turn the queue outgrows a busy loop.
                for _ in range(self._queue.qsize()):
                    yield self._queue.get_nowait()
                continue
            broken = next((task for task in self._watching if task in done), None)
            if broken is None:
                self.ending = f"nothing was heard for {silence_s:.0f} s"
            else:
                self.ending = verdicts.describe(_error_of(broken))
            return
        self.ending = f"more than {QUEUE_MAX} events waited; the rest were not kept"

    async def close(self) -> None:
        for task in self._watching:
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        self._client.on_raw = None
        with suppress(Exception):
            await self._client.close()


class _Market:
    """The last price and book of each symbol; a tick when either is new."""

    def __init__(self, client: FencedBinance, now: Callable[[], datetime]) -> None:
        self._now = now
        self._names = {market["id"]: Symbol(name) for name, market in client.markets.items()}
        self._last: dict[Symbol, Decimal] = {}
        self._book: dict[Symbol, tuple[Decimal, Decimal]] = {}
        # The number of the newest event of each kind: they count up.
        self._newest: dict[tuple[str, Symbol], int] = {}

    def take(self, kind: str, message: dict[str, Any]) -> MarketEvent | None:
        """Return the event of a raw message, or None while it does not make one."""
        symbol = self._names.get(_name(message))
        if symbol is None:
            return None
        try:
            return self._event(kind, message, symbol)
        except (Garbled, InvalidValue) as error:
            return Gap(reason=f"{symbol}: {error}")

    def _event(self, kind: str, message: dict[str, Any], symbol: Symbol) -> MarketEvent | None:
        if kind == "kline":
            return payloads.stream_candle(payloads.payload(message.get("k")), symbol)
        if self._is_old(kind, message, symbol):
            return None
        if kind == "trade":
            self._last[symbol] = payloads.positive(message, "p")
        else:
            bid, ask = payloads.positive(message, "b"), payloads.positive(message, "a")
            self._book[symbol] = (bid, ask)
        if symbol not in self._last or symbol not in self._book:
            return None
        bid, ask = self._book[symbol]
        # The book says no time. A client's own clock would be the one of its birth: corrected once.
        at = payloads.moment(message, "E") if message.get("E") else self._now()
        return Tick(symbol=symbol, price=self._last[symbol], bid=bid, ask=ask, at=at)

    def _is_old(self, kind: str, message: dict[str, Any], symbol: Symbol) -> bool:
        """Tell whether a later one has been told before: a price of the past is none to act at."""
        number, key = message.get("t" if kind == "trade" else "u"), (kind, symbol)
        if not isinstance(number, int):
            return False
        if number < self._newest.get(key, number):
            return True
        self._newest[key] = number
        return False


def _account_event(client: FencedBinance, message: dict[str, Any]) -> list[AccountEvent]:
    market = client.markets_by_id.get(_name(message))
    if not market:
        return []
    symbol = Symbol(market[0]["symbol"])
    try:
        report, fill = payloads.execution(message, symbol)
    except (Garbled, InvalidValue) as error:
        return [Gap(reason=f"an execution report cannot be believed: {error}")]
    return [report] if fill is None else [fill, report]


def _name(message: dict[str, Any]) -> str:
    name = message.get("s")
    return name if isinstance(name, str) else ""


def _told(error: Exception) -> Exception:
    """Return what the exchange answered: ccxt stumbles over a subscription that is refused."""
    context = error.__context__
    return context if isinstance(context, Answered) else error


def _error_of(task: asyncio.Future[Any]) -> Exception:
    error = None if task.cancelled() else task.exception()
    return error if isinstance(error, Exception) else ConnectionError("the stream ended")


def _back_off(attempt: int) -> float:
    return float(min(2 ** min(attempt - 1, 6), BACK_OFF_MAX_S)) if attempt else 0.0
