"""Binance spot over ccxt: the port's verbs and questions as single requests.

ccxt signs; `carrier` prices each request and judges what becomes of it, `payloads` reads the
answer. Nothing here retries: whether to ask again is the engine's decision.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, TypeVar

from surefoot.core.instrument import Instrument
from surefoot.core.order import Order
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import (
    ZERO,
    Asset,
    ClientOrderId,
    ExchangeOrderId,
    Symbol,
    TradeId,
)
from surefoot.exchange.binance import orders, payloads, replacing, verdicts
from surefoot.exchange.binance.carrier import Carrier, Request
from surefoot.exchange.binance.client import (
    FencedBinance,
    constructor_settings,
    session,
)
from surefoot.exchange.binance.facts import BINANCE, LIST_ALL_FROM, PAGE_SIZE, PRICES
from surefoot.exchange.binance.streams import account_events, market_events
from surefoot.exchange.binance.trades import Trades
from surefoot.exchange.binance.verdicts import Garbled, NoSuchOrder, NothingToCancel
from surefoot.exchange.budget import Urgency
from surefoot.exchange.errors import Misconfigured, NotSent, ReadFailed, Unknown
from surefoot.exchange.port import (
    AccountEvent,
    Candle,
    FillsRead,
    Halves,
    Holding,
    Identity,
    Login,
    MarketEvent,
    OrdersRead,
    Question,
    Spending,
    Tick,
)

T = TypeVar("T")
# What an account held when it was asked whose it is, and when that was.
NEVER_TOLD: Final[tuple[datetime, dict[Asset, Holding]]] = (datetime.min.replace(tzinfo=UTC), {})

# An address has room for so many names; all symbols cost the same weight.
_NAMED_MAX: Final = 100
_NEAR_SYMBOLS: Final = 3
# Nothing has happened later than this from now; two clocks may differ, and ours may be corrected.
_AHEAD_MAX: Final = timedelta(days=1)


class Binance:
    """One Binance spot account; implements `surefoot.exchange.port.Exchange`."""

    venue = BINANCE

    def __init__(self, login: Login) -> None:
        self._environment = login.environment
        self._keys = login.keys
        self._settings = constructor_settings(*login.keys(), login.settings, login.pulse_s)
        self._time = login.time
        self._carrier = Carrier(login.time, login.address)
        self._rest: FencedBinance | None = None
        self._session: Any = None
        self._told = NEVER_TOLD

    # Being there ---------------------------------------------------------------------------------

    async def connect(self) -> None:
        """Load the markets and measure the clock offset."""
        # Wrong keys may have been corrected since: an operator says `recover`, and is heard.
        key, secret = self._keys()
        self._settings |= {"apiKey": key, "secret": secret}
        if self._rest is None:
            self._session = session()
            self._rest = self._client(self._session)
        self._rest.apiKey, self._rest.secret = key, secret
        await self.measure_clock()
        client = self._ccxt
        await self._carrier.ask("exchangeInfo", client.load_markets_again, {}, _markets)
        limits = client.rate_limits
        weight, counts = (payloads.windows(limits, each) for each in ("REQUEST_WEIGHT", "ORDERS"))
        self._carrier.adopt(weight, counts)

    async def identify(self) -> Identity:
        """Ask which account the keys belong to."""
        at = self.now()
        uid, held = await self._read_account(
            lambda told: (payloads.uid(told), payloads.holdings(told))
        )
        self._told = (at, held)
        return Identity(exchange=self.venue.name, uid=uid, environment=self._environment)

    async def may_withdraw(self) -> bool | None:
        """Ask whether these keys may take money away; None where nobody tells (test networks)."""
        if "sapi" not in self._settings.get("urls", {}).get("api", {"sapi": "ccxt knows it"}):
            return None
        call = self._ccxt.sapiGetAccountApiRestrictions
        return await self._carrier.ask("restrictions", call, {}, payloads.may_withdraw)

    async def measure_clock(self) -> Decimal:
        """Measure the exchange's clock again; return local minus exchange, in seconds."""
        await self._carrier.measure(self._ccxt.publicGetTime)
        return Decimal(_to_ms(self._carrier.offset)) / 1000

    async def clock_denied(self) -> None:
        """Wait until an answer to whatever request denies our clock."""
        await self._carrier.denied()

    def now(self) -> datetime:
        """Return exchange time: the local clock corrected by the measured offset."""
        return self._carrier.now()

    def instrument(self, symbol: Symbol) -> Instrument:
        """Return the filters of one symbol."""
        markets: dict[str, Any] = self._ccxt.markets or {}
        market = markets.get(symbol)
        if market is None:
            base = f"{symbol.partition('/')[0]}/"
            near = ", ".join([each for each in markets if each.startswith(base)][:_NEAR_SYMBOLS])
            hint = near and f"; it lists {near}"
            raise Misconfigured(f"{self.venue.name} does not list {symbol}{hint}")
        try:
            return payloads.instrument(market["info"], symbol)
        except Garbled as error:
            raise Misconfigured(f"the filters of {symbol} cannot be read: {error}") from error

    def is_trading(self, symbol: Symbol) -> bool:
        """Tell whether a listed symbol is trading now."""
        market = (self._ccxt.markets or {}).get(symbol)
        return market is not None and bool(market.get("active", True))

    def price(self, question: Question) -> int:
        """Return what asking this once costs, in weight."""
        return PRICES[question]

    def oldest(self, trade_ids: Iterable[TradeId]) -> TradeId | None:
        """Return the oldest of these trades, which Binance numbers upwards."""
        numbered = [trade for trade in trade_ids if payloads.is_number(trade)]
        return min(numbered, key=lambda trade: (len(trade), trade), default=None)

    def spending(self) -> Spending:
        """Return what has been asked so far."""
        return self._carrier.spending()

    def note_ban(self, until: datetime) -> None:
        """Keep away until then: a ban that was noted before a restart still holds."""
        self._carrier.note_ban(until)

    def banned_until(self) -> datetime | None:
        """Return until when the exchange asked us to stay away."""
        return self._carrier.banned_until()

    async def close(self) -> None:
        """Let go of every connection."""
        if self._rest is not None:
            await self._rest.close()
            await self._session.close()
            self._rest = None

    # Verbs ---------------------------------------------------------------------------------------

    def later(self, urgency: Urgency, orders: int) -> datetime | None:
        """Return when so many orders may be sent without being too many; None: now."""
        return self._carrier.later(urgency, orders)

    def reserve(self, order: Order) -> None:
        """Keep the place of an order that is about to be written down."""
        self._carrier.reserve(order)

    async def send(self, symbol: Symbol, order: Order) -> OrderReport:
        """Send an order once, so that the exchange refuses it after `order.not_after`."""
        request = self._built(self._placing, symbol, order)
        report = await self._carrier.send(
            order.client_order_id,
            self._ccxt.privatePostOrder,
            request,
            self._orders(symbol, request["symbol"]),
        )
        if report.client_order_id != order.client_order_id or report.side is not order.side:
            raise Unknown("the acknowledgement is of another order; asking")
        return report

    @staticmethod
    def _built(build: Callable[..., Any], *facts: Any) -> Any:
        """Build a request; what cannot be built has not left."""
        try:
            return build(*facts)
        except Exception as error:
            raise NotSent(f"it could not be built: {verdicts.describe(error)}") from error

    def _placing(self, symbol: Symbol, order: Order) -> dict[str, Any]:
        return orders.placing(self._id(symbol), order)

    async def replace(
        self,
        symbol: Symbol,
        exchange_order_id: ExchangeOrderId,
        order: Order,
        *,
        cancel_name: ClientOrderId,
    ) -> Halves:
        """Cancel an order of which nothing is filled, and only then send another."""
        placing = self._built(self._placing, symbol, order)
        read = self._orders(symbol, placing["symbol"])
        return await self._carrier.send(
            order.client_order_id,
            replacing.answered(self._ccxt.privatePostOrderCancelReplace),
            replacing.group(placing, exchange_order_id, cancel_name),
            lambda answer: replacing.halves(answer, exchange_order_id, order, read),
            "order.replace",
        )

    async def amend(
        self,
        symbol: Symbol,
        exchange_order_id: ExchangeOrderId,
        order: Order,
        *,
        quantity: Decimal,
        not_after: datetime,
    ) -> OrderReport:
        """Make an order smaller where it stands; its name is sent along, or it would be lost."""
        market = self._built(self._id, symbol)
        request = orders.amending(market, exchange_order_id, order, quantity, not_after)
        report = await self._carrier.act(
            "order.amend",
            self._ccxt.amend_order,
            request,
            lambda answer: payloads.amended(answer, symbol, market),
        )
        if (report.exchange_order_id, report.quantity) != (exchange_order_id, quantity):
            raise Unknown("the answer is about another order; asking")
        return report

    async def cancel(
        self,
        symbol: Symbol,
        exchange_order_id: ExchangeOrderId,
        *,
        name: ClientOrderId | None = None,
    ) -> None:
        """Ask for an order to be cancelled; returning proves nothing."""
        market = self._built(self._id, symbol)
        request = {"symbol": market, "orderId": exchange_order_id}
        if name is not None:
            request["newClientOrderId"] = name
        try:
            report = await self._cancelled(symbol, request)
        except NothingToCancel:
            return
        if report.exchange_order_id != exchange_order_id:
            raise Unknown("the answer is about another order; asking")

    async def cancel_named(
        self, symbol: Symbol, client_order_id: ClientOrderId, *, cancel_name: ClientOrderId | None
    ) -> OrderReport | None:
        """Cancel an order by its own name; None: the matching engine has none of it at work."""
        request = {
            "symbol": self._built(self._id, symbol),
            "origClientOrderId": client_order_id,
            "newClientOrderId": cancel_name or client_order_id,
        }
        try:
            report = await self._cancelled(symbol, request)
        except NothingToCancel as answer:
            if not answer.none_open:
                raise
            return None
        if report.client_order_id not in {client_order_id, cancel_name}:
            raise Unknown("the answer is about another order; asking")
        return report

    async def _cancelled(self, symbol: Symbol, request: dict[str, Any]) -> OrderReport:
        read, call = self._orders(symbol, request["symbol"]), self._ccxt.privateDeleteOrder
        return await self._carrier.act("order.cancel", call, request, read)

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
        report = await self._look_up(symbol, {"orderId": exchange_order_id})
        if report is not None and report.exchange_order_id != exchange_order_id:
            raise ReadFailed(f"asked for {exchange_order_id}, got {report.exchange_order_id}")
        return report

    async def _look_up(self, symbol: Symbol, which: dict[str, Any]) -> OrderReport | None:
        name = self._id(symbol)
        read = self._orders(symbol, name)
        try:
            return await self._carrier.ask(
                "order.query", self._ccxt.privateGetOrder, {"symbol": name, **which}, read
            )
        except NoSuchOrder:
            return None

    async def open_orders(self, symbols: Sequence[Symbol]) -> tuple[OrderReport, ...]:
        """List the open orders on these symbols, in whichever way costs less weight."""
        call = self._ccxt.privateGetOpenOrders
        names = {self._id(symbol): symbol for symbol in symbols}

        def read(answer: Any) -> list[OrderReport]:
            return [
                self._orders(names[name], name)(row)
                for row in payloads.listed(answer)
                if (name := payloads.text(row, "symbol")) in names
            ]

        if len(names) >= LIST_ALL_FROM:
            return tuple(await self._carrier.ask("openOrders.all", call, {}, read))
        found: list[OrderReport] = []
        for name in names:
            found += await self._carrier.ask("openOrders", call, {"symbol": name}, read)
        return tuple(found)

    async def fills(self, symbol: Symbol, after: TradeId | None) -> FillsRead:
        """Read every fill after a trade, page by page until a short page."""
        return await self._trades(symbol).after(after)

    async def fills_since(self, symbol: Symbol, at: datetime) -> FillsRead:
        """Read every fill of a time and later."""
        return await self._trades(symbol).since(at)

    async def fills_of(
        self, symbol: Symbol, exchange_order_id: ExchangeOrderId
    ) -> tuple[Fill, ...]:
        """Read the fills of one order."""
        return await self._trades(symbol).of(exchange_order_id)

    async def newest_fills(self, symbol: Symbol) -> tuple[Fill, ...]:
        """Read the account's newest fills of a symbol, as many as one answer has, oldest first."""
        return await self._trades(symbol).newest()

    def _trades(self, symbol: Symbol) -> Trades:
        name = self._id(symbol)

        def read(answer: Any) -> list[Fill]:
            fills = [payloads.fill(row, symbol, name) for row in payloads.listed(answer)]
            for fill in fills:
                self._in_time(fill.at)
            return fills

        async def ask(price: str, which: dict[str, Any]) -> list[Fill]:
            request = {"symbol": name, **which}
            return await self._carrier.ask(price, self._ccxt.privateGetMyTrades, request, read)

        return Trades(ask, symbol)

    async def newest_orders(self, symbol: Symbol, since: datetime) -> OrdersRead:
        """Read those of the account's newest orders of a symbol that are over, or partly filled."""
        name = self._id(symbol)

        def read(answer: Any) -> OrdersRead:
            rows = payloads.listed(answer)
            oldest = min((payloads.moment(row, "time") for row in rows), default=since)
            telling = [self._orders(symbol, name)(row) for row in rows if payloads.is_telling(row)]
            complete = len(rows) < PAGE_SIZE or oldest < since
            return OrdersRead(orders=tuple(telling), complete=complete)

        request = {"symbol": name, "limit": PAGE_SIZE}
        return await self._carrier.ask("allOrders", self._ccxt.privateGetAllOrders, request, read)

    async def balances(self, *, since: datetime | None = None) -> dict[Asset, Decimal]:
        """Return total holdings, as the answer that tells whose the keys are lists them too."""
        held = await self._held(since)
        totals = {asset: each.free + each.locked for asset, each in held.items()}
        return {asset: total for asset, total in totals.items() if total != ZERO}

    async def holding(self, asset: Asset, *, since: datetime | None = None) -> Holding:
        """Return what the account has of one asset, and how much is not bound by orders."""
        return (await self._held(since)).get(asset, Holding(free=ZERO, locked=ZERO))

    async def _held(self, since: datetime | None) -> Mapping[Asset, Holding]:
        """Return what was told at or after a time, if anything was, or ask."""
        at, held = self._told
        if since is None or at < since:
            at = self.now()
            held = await self._read_account(payloads.holdings)
            self._told = (at, held)
        return held

    async def _read_account(self, read: Callable[[Any], T]) -> T:
        return await self._carrier.ask("account", self._ccxt.privateGetAccount, {}, read)

    async def ticks(self, symbols: Sequence[Symbol]) -> tuple[Tick, ...]:
        """Read the last price and the book of these symbols; one without either is left out."""
        names = {self._id(symbol): symbol for symbol in symbols}
        few = len(names) <= _NAMED_MAX
        request = {"symbols": json.dumps(list(names), separators=(",", ":"))} if few else {}
        client, ask = self._ccxt, self._carrier.ask
        prices = await ask("ticker.price", client.publicGetTickerPrice, request, payloads.prices)
        books = await ask("ticker.book", client.publicGetTickerBookTicker, request, payloads.books)
        return payloads.ticks(names, prices, books, self.now())

    async def candles(
        self, symbol: Symbol, timeframe: str, since: datetime | None, limit: int
    ) -> tuple[Candle, ...]:
        """Read closed candles that opened at or after `since` (None: the newest)."""
        request: Request = {"symbol": self._id(symbol), "interval": timeframe, "limit": limit + 1}
        if since is not None:
            request["startTime"] = orders.milliseconds(since)
        now = self.now()

        def read(answer: Any) -> list[Candle]:
            if not isinstance(answer, list):
                raise Garbled("expected a list of klines")
            closed = [row for row in answer if payloads.close_time(row) < now]
            return [payloads.candle(row, symbol, timeframe) for row in closed]

        candles = await self._carrier.ask("klines", self._ccxt.publicGetKlines, request, read)
        return tuple(candles[:limit] if since is not None else candles[-limit:])

    # Streams -------------------------------------------------------------------------------------

    def account(self) -> AsyncIterator[AccountEvent]:
        """Yield order reports and fills of the account, with a `Gap` for every break."""
        return account_events(self._stream_client, self._time, self._carrier.learn)

    def market(
        self, symbols: Sequence[Symbol], timeframes: Sequence[tuple[Symbol, str]]
    ) -> AsyncIterator[MarketEvent]:
        """Yield ticks of these symbols and closed candles of these pairs, with gaps marked."""
        return market_events(self._stream_client, self._time, self.now, symbols, timeframes)

    def _stream_client(self) -> FencedBinance:
        """Return a fresh client for one life of one stream, knowing the markets already."""
        client = self._client(None)
        client.set_markets(list((self._ccxt.markets or {}).values()))
        return client

    # Carrying ------------------------------------------------------------------------------------

    def _client(self, session_: Any) -> FencedBinance:
        own = {} if session_ is None else {"session": session_}
        client = FencedBinance(self._settings | own)
        client.lifetime_max_ms = _to_ms(self.venue.request_lifetime_max)
        client.now = self._carrier.now
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

    def _orders(self, symbol: Symbol, name: str) -> Callable[[Any], OrderReport]:
        """Return how an order of a symbol is read, which Binance calls `name`."""

        def read(row: Any) -> OrderReport:
            report = payloads.order_report(row, symbol, name)
            self._in_time(report.at)
            return report

        return read

    def _in_time(self, at: datetime | None) -> None:
        if at is not None and at > self.now() + _AHEAD_MAX:
            raise Garbled(f"it happened at {at}, and it is {self.now()}")


def _markets(answer: Any) -> None:
    if not answer:  # ccxt takes an empty page for an exchange without symbols
        raise Garbled("the exchange lists no symbols at all; that cannot be believed")


def _to_ms(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
