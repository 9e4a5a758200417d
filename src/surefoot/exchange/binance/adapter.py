"""Binance spot over ccxt: the port's verbs and questions as single requests.

ccxt signs, throttles and carries; the payloads are read by `payloads`, raw, and the errors are
sorted by `verdicts`. Every request is priced. A ban is remembered and kept without touching the
network. Nothing here retries: whether to ask again is the engine's decision.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from surefoot.core.errors import InvalidValue
from surefoot.core.instrument import Instrument
from surefoot.core.order import Order, Role
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import (
    ZERO,
    Asset,
    ClientOrderId,
    ExchangeOrderId,
    Symbol,
    TradeId,
    plain,
)
from surefoot.exchange.binance import payloads, verdicts
from surefoot.exchange.binance.client import (
    NOT_AFTER,
    FencedBinance,
    constructor_settings,
    session,
)
from surefoot.exchange.binance.facts import BINANCE, LIST_ALL_FROM, PAGE_SIZE, WEIGHTS
from surefoot.exchange.binance.streams import account_events, market_events
from surefoot.exchange.binance.verdicts import Garbled
from surefoot.exchange.errors import (
    Banned,
    ExchangeError,
    Misconfigured,
    NotSent,
    ReadFailed,
    Unknown,
)
from surefoot.exchange.port import (
    AccountEvent,
    Candle,
    FillsRead,
    Identity,
    Login,
    MarketEvent,
    Spending,
)

# A read of fills that needs more pages than this goes on in the next round.
_PAGES_MAX: Final = 50
_CLOCK_SAMPLES: Final = 3
_UNKNOWN_ORDER: Final = frozenset({"-2011", "-2013"})
_NEAR_SYMBOLS: Final = 3
_CLOSE: Final = 6  # where a kline has its closing time


class Binance:
    """One Binance spot account; implements `surefoot.exchange.port.Exchange`."""

    venue = BINANCE

    def __init__(self, login: Login) -> None:
        self._environment = login.environment
        self._settings = constructor_settings(login.key, login.secret, login.settings)
        self._time = login.time
        self._offset = timedelta(0)
        self._banned_until: datetime | None = None
        self._requests = 0
        self._weight = 0
        self._rest: FencedBinance | None = None
        self._session: Any = None

    # Being there ---------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Load the markets and measure the clock offset."""
        if self._rest is None:
            self._session = session()
            self._rest = self._client(self._session)
        await self.measure_clock()
        self._spend("exchangeInfo")
        await self._read(self._ccxt.load_markets(reload=True))
        if not self._ccxt.markets:  # ccxt takes an empty page for an exchange without symbols
            raise ReadFailed("the exchange lists no symbols at all; that cannot be believed")

    async def identify(self) -> Identity:
        """Ask which account the keys belong to."""
        raw = self._object(await self._ask("account", self._ccxt.privateGetAccount, {}))
        uid = raw.get("uid")
        if not isinstance(uid, int | str) or not uid:
            raise ReadFailed("the account answer carries no uid")
        return Identity(exchange=self.venue.name, uid=str(uid), environment=self._environment)

    async def measure_clock(self) -> Decimal:
        """Measure the exchange's clock: the sample with the shortest round trip counts."""
        best: tuple[float, timedelta] | None = None
        for _ in range(_CLOCK_SAMPLES):
            before, started = self._time.now(), self._time.monotonic()
            answer = await self._ask("time", self._ccxt.publicGetTime, {})
            trip = self._time.monotonic() - started
            middle = before + timedelta(seconds=trip / 2)
            offset = middle - self._believed(_server_time, answer, Symbol(""))
            if best is None or trip < best[0]:
                best = (trip, offset)
        if best is not None:
            self._set_offset(best[1])
        return Decimal(round(self._offset.total_seconds() * 1000)) / 1000

    def _set_offset(self, offset: timedelta) -> None:
        self._offset = offset
        self._ccxt.options["timeDifference"] = round(offset.total_seconds() * 1000)

    def now(self) -> datetime:
        """Return exchange time: the local clock corrected by the measured offset."""
        return self._time.now() - self._offset

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return the filters of one symbol."""
        markets: dict[str, Any] = self._ccxt.markets or {}
        market = markets.get(symbol)
        if market is None:
            base = symbol.split("/", maxsplit=1)[0]
            near = [name for name in markets if name.startswith(f"{base}/")][:_NEAR_SYMBOLS]
            hint = f"; it lists {', '.join(near)}" if near else ""
            raise Misconfigured(f"{self.venue.name} does not list {symbol}{hint}")
        try:
            return payloads.instrument(market["info"], symbol)
        except Garbled as error:
            raise Misconfigured(f"the filters of {symbol} cannot be read: {error}") from error

    def is_trading(self, symbol: Symbol) -> bool:
        """Tell whether a listed symbol is trading now."""
        market = (self._ccxt.markets or {}).get(symbol)
        return market is not None and bool(market.get("active", True))

    def cost(self, symbols: Sequence[Symbol]) -> int:
        """Return what one full round of questions about these symbols costs, in weight."""
        lists = min(len(symbols) * WEIGHTS["openOrders"], WEIGHTS["openOrders.all"])
        return lists + len(symbols) * WEIGHTS["myTrades"] + WEIGHTS["account"]

    def oldest(self, trade_ids: Iterable[TradeId]) -> TradeId | None:
        """Return the oldest of these trades, which Binance numbers upwards."""
        numbered = [trade for trade in trade_ids if payloads.is_number(trade)]
        return min(numbered, key=lambda trade: (len(trade), trade), default=None)

    def spending(self) -> Spending:
        """Return what has been asked so far."""
        return Spending(requests=self._requests, weight=self._weight)

    def note_ban(self, until: datetime) -> None:
        """Keep away until then: a ban that was noted before a restart still holds."""
        self._banned_until = until

    async def close(self) -> None:
        """Let go of every connection."""
        if self._rest is not None:
            await self._rest.close()
            await self._session.close()
            self._rest = None

    # Verbs ---------------------------------------------------------------------------------------

    async def send(self, symbol: Symbol, order: Order) -> OrderReport:
        """Send an order once, so that the exchange refuses it after `order.not_after`."""
        request = self._built(self._order_request, symbol, order)
        report = await self._act("order.send", self._ccxt.privatePostOrder, request, symbol)
        if report.client_order_id != order.client_order_id or report.side is not order.side:
            raise Unknown("the acknowledgement is of another order; asking")
        return report

    @staticmethod
    def _built(build: Callable[..., Any], *facts: Any) -> Any:
        """Build a request; what cannot be built has not left."""
        try:
            return build(*facts)
        except (Misconfigured, ReadFailed) as error:
            raise NotSent(str(error)) from error

    def _order_request(self, symbol: Symbol, order: Order) -> dict[str, Any]:
        request = {
            "symbol": self._id(symbol),
            "side": order.side.upper(),
            "type": "MARKET",
            "quantity": plain(order.quantity),
            "newClientOrderId": order.client_order_id,
            "newOrderRespType": "RESULT",
            NOT_AFTER: _milliseconds(order.not_after),
        }
        if order.role is Role.STOP and order.trigger is not None:
            request |= {"type": "STOP_LOSS", "stopPrice": plain(order.trigger)}
        elif order.limit is not None:
            request |= {"type": "LIMIT", "timeInForce": "GTC", "price": plain(order.limit)}
        return request

    async def cancel(self, symbol: Symbol, exchange_order_id: ExchangeOrderId) -> None:
        """Ask for an order to be cancelled; returning proves nothing."""
        request = {"symbol": self._built(self._id, symbol), "orderId": exchange_order_id}
        try:
            await self._act("order.cancel", self._ccxt.privateDeleteOrder, request, None)
        except Unknown as error:
            if not any(code in str(error) for code in _UNKNOWN_ORDER):
                raise

    async def _act(
        self,
        price: str,
        call: Callable[[dict[str, Any]], Awaitable[Any]],
        request: dict[str, Any],
        symbol: Symbol | None,
    ) -> OrderReport:
        """Do one thing once; whatever comes back that is not a believable answer is Unknown."""
        if self._banned_until is not None and self.now() < self._banned_until:
            raise NotSent(f"the exchange asked us to stay away until {self._banned_until}")
        self._spend(price)
        try:
            answer = await call(request)
            return payloads.order_report(answer, symbol or Symbol(""))
        except Exception as error:
            self._heed(error)
            raise verdicts.of_send(error) from error

    # Questions -----------------------------------------------------------------------------------

    async def order(self, symbol: Symbol, client_order_id: ClientOrderId) -> OrderReport | None:
        """Look one order up by client order id; None if the exchange says that it knows none."""
        report = await self._look_up(symbol, {"origClientOrderId": client_order_id})
        if report is not None and report.client_order_id != client_order_id:
            raise ReadFailed(f"asked for {client_order_id}, got {report.client_order_id}")
        return report

    async def order_by_exchange_id(
        self, symbol: Symbol, exchange_order_id: ExchangeOrderId
    ) -> OrderReport | None:
        """Look one order up by the exchange's id."""
        return await self._look_up(symbol, {"orderId": exchange_order_id})

    async def _look_up(self, symbol: Symbol, which: dict[str, Any]) -> OrderReport | None:
        request = {"symbol": self._id(symbol), **which}
        try:
            answer = await self._ask("order.query", self._ccxt.privateGetOrder, request)
        except _NoSuchOrder:
            return None
        report: OrderReport = self._believed(payloads.order_report, answer, symbol)
        return report

    async def open_orders(self, symbols: Sequence[Symbol]) -> tuple[OrderReport, ...]:
        """List the open orders on these symbols, in whichever way costs less weight."""
        call = self._ccxt.privateGetOpenOrders
        names = {self._id(symbol): symbol for symbol in symbols}
        if len(names) >= LIST_ALL_FROM:
            rows = await self._ask("openOrders.all", call, {})
        else:
            rows = []
            for name in names:
                rows += self._rows(await self._ask("openOrders", call, {"symbol": name}))
        return tuple(
            self._believed(payloads.order_report, row, names[row["symbol"]])
            for row in self._rows(rows)
            if row.get("symbol") in names
        )

    async def fills(self, symbol: Symbol, after: TradeId | None) -> FillsRead:
        """Read every fill after a trade, page by page until a short page."""
        if after is not None and not payloads.is_number(after):
            raise ReadFailed(f"{after} is no trade of {self.venue.name}")
        start, fills = int(after or 0), list[Fill]()
        known = 0 if after is None else 1
        for _ in range(_PAGES_MAX):
            rows = await self._page(symbol, start)
            linked = bool(rows) and rows[0].trade_id == str(start)
            if not fills and after is not None and not linked:
                return await self._broken_chain(symbol, after, rows)
            if fills and not linked:  # every page begins with the last trade of the one before
                break
            fills += rows[1:] if fills else rows
            if len(rows) < PAGE_SIZE:
                return FillsRead(fills=tuple(fills[known:]), complete=True)
            start = int(fills[-1].trade_id)
        return FillsRead(fills=tuple(fills[known:]), complete=False)

    async def _page(self, symbol: Symbol, start: int) -> list[Fill]:
        request = {"symbol": self._id(symbol), "fromId": start, "limit": PAGE_SIZE}
        rows = await self._ask("myTrades", self._ccxt.privateGetMyTrades, request)
        page = [self._believed(payloads.fill, row, symbol) for row in self._rows(rows)]
        return sorted(page, key=lambda fill: int(fill.trade_id))

    async def _broken_chain(
        self, symbol: Symbol, after: TradeId, rows: Sequence[Fill]
    ) -> FillsRead:
        """Tell a reset exchange from an answer that is merely incomplete."""
        newest = await self.newest_trade(symbol)
        started_over = newest is not None and int(newest) < int(after)
        if rows and not started_over:
            again = await self._page(symbol, int(after))  # one answer may have lost a row
            started_over = bool(again) and again[0].trade_id != after
        if started_over:
            return FillsRead(fills=(), complete=False, reset=True)
        raise ReadFailed(f"trade {after} of {symbol} is missing from the answer; asking again")

    async def fills_of(
        self, symbol: Symbol, exchange_order_id: ExchangeOrderId
    ) -> tuple[Fill, ...]:
        """Read the fills of one order."""
        request = {"symbol": self._id(symbol), "orderId": exchange_order_id}
        rows = await self._ask("myTrades.order", self._ccxt.privateGetMyTrades, request)
        fills = (self._believed(payloads.fill, row, symbol) for row in self._rows(rows))
        return tuple(fill for fill in fills if fill.exchange_order_id == exchange_order_id)

    async def newest_trade(self, symbol: Symbol) -> TradeId | None:
        """Return the id of the account's newest fill of a symbol, or None if there is none."""
        request = {"symbol": self._id(symbol), "limit": 1}
        rows = await self._ask("myTrades", self._ccxt.privateGetMyTrades, request)
        fills = [self._believed(payloads.fill, row, symbol) for row in self._rows(rows)]
        return fills[-1].trade_id if fills else None

    async def balances(self) -> dict[Asset, Decimal]:
        """Return total holdings (free and locked) of every asset that is not zero."""
        answer = await self._ask("account", self._ccxt.privateGetAccount, {})
        try:
            rows = payloads.listed(payloads.payload(answer).get("balances"))
            totals = {
                Asset(payloads.text(row, "asset")): payloads.amount(row, "free")
                + payloads.amount(row, "locked")
                for row in rows
            }
        except Garbled as error:
            raise ReadFailed(f"the balances cannot be read: {error}") from error
        return {asset: total for asset, total in totals.items() if total != ZERO}

    async def candles(
        self, symbol: Symbol, timeframe: str, since: datetime | None, limit: int
    ) -> tuple[Candle, ...]:
        """Read closed candles that opened at or after `since` (None: the newest)."""
        request: dict[str, Any] = {
            "symbol": self._id(symbol),
            "interval": timeframe,
            "limit": limit + 1,
        }
        if since is not None:
            request["startTime"] = _milliseconds(since)
        rows = await self._ask("klines", self._ccxt.publicGetKlines, request)
        if not isinstance(rows, list):
            raise ReadFailed("expected a list of klines")
        now_ms = _milliseconds(self.now())
        closed = [row for row in rows if self._believed(_close_time, row, symbol) < now_ms]
        candles = [self._believed(_candle(timeframe), row, symbol) for row in closed]
        return tuple(candles[:limit] if since is not None else candles[-limit:])

    # Streams -------------------------------------------------------------------------------------

    def account(self) -> AsyncIterator[AccountEvent]:
        """Yield order reports and fills of the account, with a `Gap` for every break."""
        return account_events(self._stream_client, self._time)

    def market(
        self, symbols: Sequence[Symbol], timeframes: Sequence[tuple[Symbol, str]]
    ) -> AsyncIterator[MarketEvent]:
        """Yield ticks of these symbols and closed candles of these pairs, with gaps marked."""
        return market_events(self._stream_client, self._time, symbols, timeframes)

    def _stream_client(self) -> FencedBinance:
        """Return a fresh client for one life of one stream, knowing the markets already."""
        client = self._client(None)
        client.set_markets(list((self._ccxt.markets or {}).values()))
        client.options["timeDifference"] = self._ccxt.options.get("timeDifference", 0)
        return client

    # Carrying ------------------------------------------------------------------------------------

    def _client(self, session_: Any) -> FencedBinance:
        settings = dict(self._settings)
        if session_ is not None:
            settings["session"] = session_
        client = FencedBinance(settings)
        client.lifetime_max_ms = _to_ms(self.venue.request_lifetime_max)
        client.options.setdefault("timeDifference", 0)
        return client

    @property
    def _ccxt(self) -> FencedBinance:
        if self._rest is None:
            raise ReadFailed("not connected yet")
        return self._rest

    def _id(self, symbol: Symbol) -> str:
        markets: dict[str, Any] = self._ccxt.markets or {}
        if symbol not in markets:
            raise Misconfigured(f"{self.venue.name} does not list {symbol}")
        return str(markets[symbol]["id"])

    def _spend(self, what: str) -> None:
        self._requests += 1
        self._weight += WEIGHTS[what]

    async def _ask(
        self, price: str, call: Callable[[dict[str, Any]], Awaitable[Any]], request: dict[str, Any]
    ) -> Any:
        if self._banned_until is not None and self.now() < self._banned_until:
            raise Banned(self._banned_until, "the exchange asked us to stay away")
        self._spend(price)
        return await self._read(call(request))

    async def _read(self, answer: Awaitable[Any]) -> Any:
        try:
            return await answer
        except Exception as error:
            if verdicts.code_of(error) in _UNKNOWN_ORDER:
                raise _NoSuchOrder from error
            self._heed(error)
            raise verdicts.of_read(
                error, now=self.now(), retry_after=self._retry_after()
            ) from error

    def _heed(self, error: Exception) -> None:
        if verdicts.is_rate_limit(error):
            self._banned_until = verdicts.ban_end(self.now(), self._retry_after())

    def _retry_after(self) -> str | None:
        headers = self._ccxt.last_response_headers or {}
        found = next((headers[name] for name in headers if name.lower() == "retry-after"), None)
        return None if found is None else str(found)

    @staticmethod
    def _object(value: Any) -> payloads.Payload:
        try:
            return payloads.payload(value)
        except Garbled as error:
            raise ReadFailed(str(error)) from error

    @staticmethod
    def _rows(value: Any) -> list[payloads.Payload]:
        try:
            return payloads.listed(value)
        except Garbled as error:
            raise ReadFailed(str(error)) from error

    @staticmethod
    def _believed(parse: Callable[[Any, Symbol], Any], row: Any, symbol: Symbol) -> Any:
        try:
            return parse(row, symbol)
        except (Garbled, InvalidValue) as error:
            raise ReadFailed(f"the answer cannot be believed: {error}") from error


class _NoSuchOrder(ExchangeError):
    """The exchange says that it knows no such order."""


def _server_time(answer: Any, _symbol: Symbol) -> datetime:
    return payloads.moment(payloads.payload(answer), "serverTime")


def _close_time(row: Any, _symbol: Symbol) -> int:
    if not isinstance(row, list) or len(row) <= _CLOSE or not isinstance(row[_CLOSE], int):
        raise Garbled("a kline has its closing time in the seventh place")
    return row[_CLOSE]


def _candle(timeframe: str) -> Callable[[Any, Symbol], Candle]:
    return lambda row, symbol: payloads.candle(row, symbol, timeframe)


def _milliseconds(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _to_ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
