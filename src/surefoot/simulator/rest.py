"""The REST API: Binance spot's paths, through the armed faults, to the truth."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from inspect import isawaitable
from typing import Any, Final
from urllib.parse import parse_qsl

from aiohttp import web

from surefoot.simulator import security, wire
from surefoot.simulator.amend import Amendments
from surefoot.simulator.clock import Clock
from surefoot.simulator.counts import OrderCounts
from surefoot.simulator.desk import Desk, find_order
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.faults import REPLACE_FAULTS, REQUEST_FAULTS, Armory, Fault, Hits
from surefoot.simulator.market import History, Market
from surefoot.simulator.model import ApiError, Settings, Trade
from surefoot.simulator.parameters import Params, integer, needed, rows
from surefoot.simulator.replace import Replacements
from surefoot.simulator.store import Store

_DAY_MS: Final = 86_400_000
_REQUESTS_KEPT: Final = 100_000
_FAULTS: Final = {**REQUEST_FAULTS, **REPLACE_FAULTS}
_PLACES: Final = frozenset({"order.send", "order.replace"})
_ORDERS: Final = _PLACES | {"order.cancel"}
_TOO_LATE: Final = -1021
_LISTS: Final = frozenset({"openOrders", "allOrders", "myTrades"})


@dataclass(frozen=True, slots=True)
class _Route:
    operation: str
    act: Callable[[Params, Hits], Any]
    signed: bool = True


class Rest:
    """Answers requests, and remembers every one of them."""

    def __init__(  # noqa: PLR0913 (wired once, in Simulator)
        self,
        exchange: Exchange,
        *,
        market: Market,
        store: Store,
        armory: Armory,
        clock: Clock,
        settings: Settings,
        meter: security.Meter,
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._store = store
        self._armory = armory
        self._clock = clock
        self._settings = settings
        self.meter = meter
        self.counts = OrderCounts(clock, settings)
        exchange.listen(self.counts.on_execution)
        self._desk = Desk(exchange, self.counts, clock)
        self._replacements = Replacements(exchange, self.counts, self._desk)
        self._amendments = Amendments(exchange, self._desk, clock)
        self.requests: list[dict[str, Any]] = []
        self._table = {
            ("POST", "order"): _Route("order.send", self._desk.send),
            ("DELETE", "order"): _Route("order.cancel", self._desk.cancel),
            ("POST", "order/cancelReplace"): _Route("order.replace", self._replacements.replace),
            ("PUT", "order/amend/keepPriority"): _Route("order.amend", self._amendments.amend),
            ("GET", "order/amendments"): _Route("order.amendments", self._amendments.history),
            ("GET", "order"): _Route("order.query", self._query),
            ("GET", "openOrders"): _Route("openOrders", self._open_orders),
            ("GET", "allOrders"): _Route("allOrders", self._all_orders),
            ("GET", "myTrades"): _Route("myTrades", self._my_trades),
            ("GET", "account"): _Route("account", self._account),
            ("GET", "account/apiRestrictions"): _Route("restrictions", self._restrictions),
            ("GET", "time"): _Route("time", self._time, signed=False),
            ("GET", "ping"): _Route("ping", lambda _params, _hits: {}, signed=False),
            ("GET", "exchangeInfo"): _Route("exchangeInfo", self._info, signed=False),
            ("GET", "klines"): self._history("klines"),
            ("GET", "aggTrades"): self._history("aggTrades"),
            ("GET", "depth"): self._history("depth"),
            ("GET", "ticker/price"): _Route("ticker.price", self._last_prices, signed=False),
            ("GET", "ticker/bookTicker"): _Route("ticker.book", self._books, signed=False),
        }

    def routes(self) -> list[web.RouteDef]:
        """Return the doors of the REST API."""
        return [
            web.route("*", "/api/v3/{path:.*}", self._serve),
            web.route("GET", "/sapi/v1/{path:account/apiRestrictions}", self._serve),
        ]

    # Through the faults --------------------------------------------------------------------------

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        params, payload = await _params(request)
        route = self._table.get((request.method, request.match_info["path"]))
        if route is None:
            return web.json_response({"code": -1000, "msg": "no such path"}, status=404)
        entry = self._remember(route.operation, params)
        if self._armory.outage:
            return _cut(request)
        hits = self._armory.take(route.operation, params, _FAULTS)
        if hits:
            entry["faults"] = sorted(hits)
        fresh = security.is_fresh(params, self._clock)
        early = await self._before(request, route, hits)
        if early is not None:
            return early
        answer: Any
        try:
            self._admit(request, route, params, payload)
            answer = await self._act(route, params, hits)
            entry |= {"done": True, "order_id": _order_id(answer)}
            if "duplicate_request" in hits:
                self._again(route, params, hits, entry)
        except ApiError as error:
            entry |= {"code": error.code, **_results(error.data)}
            answer = error  # a refusal can get lost on its way back, too
            self._pay(route.operation, params, error, fresh=fresh)
        self._store.commit()  # before anybody hears of it
        return await self._after(request, route.operation, answer, hits)

    def _remember(self, operation: str, params: Params) -> dict[str, Any]:
        entry: dict[str, Any] = {
            "at_ms": self._clock.now_ms(),
            "operation": operation,
            "symbol": params.get("symbol"),
            "client_order_id": params.get("newClientOrderId") or params.get("origClientOrderId"),
            "side": params.get("side"),
            "type": params.get("type"),
            "done": False,
        }
        self.requests.append(entry)
        del self.requests[:-_REQUESTS_KEPT]
        return entry

    def _admit(self, request: web.Request, route: _Route, params: Params, payload: str) -> None:
        free = route.operation in security.FREE
        self.meter.charge(0 if free else security.weight_of(route.operation, params))
        if route.signed:
            security.check_key(request.headers.get("X-MBX-APIKEY"), self._settings.key)
            security.check_signature(payload, params.get("signature"), self._settings.secret)
            security.check_window(params, self._clock)

    def _pay(self, operation: str, params: Params, error: ApiError, *, fresh: bool) -> None:
        """Charge for what has failed: its weight, and an order if it came in time and waited."""
        if operation in security.FREE:
            self.meter.add(security.weight_of(operation, params))
        if operation in _PLACES and error.code == _TOO_LATE and fresh:
            self.counts.add()

    async def _act(self, route: _Route, params: Params, hits: Hits) -> Any:
        answer = route.act(params, hits)
        return await answer if isawaitable(answer) else answer

    async def _before(
        self, request: web.Request, route: _Route, hits: Hits
    ) -> web.StreamResponse | None:
        if self._settings.latency_s and route.operation in _ORDERS:
            await self._clock.sleep(self._settings.latency_s)
        if (hold := hits.get("hold_request")) is not None:
            await self._clock.sleep(hold.number("seconds", 1))
        if "lose_request" in hits:
            return _cut(request)
        if (fault := hits.get("redirect")) is not None:
            raise web.HTTPFound(str(fault.parameters.get("location", "http://127.0.0.1:9/")))
        if (fault := hits.get("rate_limit")) is not None:
            status = int(fault.number("status", 429))
            after = int(fault.number("seconds", 5))
            return self._refuse(security.RateLimited(-1003, "Too many requests.", status, after))
        for name, status in (("error_before", 503), ("reject", 400)):
            if (fault := hits.get(name)) is not None:
                return self._refuse(_error_of(fault, status))
        return None

    def _again(self, route: _Route, params: Params, hits: Hits, entry: dict[str, Any]) -> None:
        try:
            answer = route.act(params, {k: v for k, v in hits.items() if k != "duplicate_request"})
            entry["twice"] = {"done": True, "order_id": _order_id(answer)}
        except ApiError as error:
            entry["twice"] = {"done": False, "code": error.code}

    async def _after(
        self, request: web.Request, operation: str, answer: Any, hits: Hits
    ) -> web.StreamResponse:
        if (slow := hits.get("slow_response")) is not None:
            await self._clock.sleep(slow.number("seconds", 1))
        if "lose_response" in hits:
            return _cut(request)
        if (fault := hits.get("error_after")) is not None:
            return self._refuse(_error_of(fault, 504))
        if (fault := hits.get("html_body")) is not None:
            page = "<html><body><h1>Bad Gateway</h1></body></html>"
            status = int(fault.number("status", 502))
            return web.Response(text=page, content_type="text/html", status=status)
        if "empty_body" in hits:
            return web.Response(text="")
        if isinstance(answer, ApiError):
            response = self._refuse(answer)
        else:
            headers = self._headers()
            if operation in _ORDERS:  # refusals need not carry it, so here they do not
                headers |= self.counts.headers()
            response = web.json_response(_spoiled(answer, operation, hits), headers=headers)
        return await _truncated(request, response) if "truncated_body" in hits else response

    def _headers(self) -> dict[str, str]:
        return {"X-MBX-USED-WEIGHT-1M": str(self.meter.used)}

    def _refuse(self, error: ApiError) -> web.Response:
        headers = self._headers()
        if isinstance(error, security.RateLimited):
            headers["Retry-After"] = str(error.retry_after)
        body: dict[str, Any] = {"code": error.code, "msg": error.message}
        if error.data is not None:
            body["data"] = error.data
        return web.json_response(body, status=error.status, headers=headers)

    # To the truth --------------------------------------------------------------------------------

    def _query(self, params: Params, _hits: Hits) -> Any:
        order = find_order(self._exchange, params, shown=True)
        if order is None:
            raise ApiError(-2013, "Order does not exist.")
        if order.key in self._exchange.archived:
            raise ApiError(
                -2026,
                "Order was canceled or expired with no executed qty and has been archived.",
            )
        return wire.order_row(order)

    def _open_orders(self, params: Params, _hits: Hits) -> Any:
        symbol = params.get("symbol")
        if symbol is not None:
            self._exchange.rules_of(symbol)
        return [wire.order_row(order) for order in self._exchange.visible(symbol) if order.open]

    def _all_orders(self, params: Params, _hits: Hits) -> Any:
        symbol = self._exchange.rules_of(needed(params, "symbol")).symbol
        start = _window(params)[0]
        since = [
            order
            for order in self._exchange.visible(symbol)
            if order.created_ms >= start and order.key not in self._exchange.archived
        ]
        return [wire.order_row(order) for order in since[-rows(params) :]]

    def _my_trades(self, params: Params, _hits: Hits) -> Any:
        symbol = self._exchange.rules_of(needed(params, "symbol")).symbol
        now = self._clock.now_ms()
        hidden = {o.key for o in self._exchange.orders.values() if o.hidden_until_ms > now}
        trades = [
            trade
            for trade in self._exchange.trades
            if trade.symbol == symbol
            and trade.hidden_until_ms <= now
            and (trade.symbol, trade.order_id) not in hidden
        ]
        return [wire.trade_row(trade) for trade in _page(trades, params)]

    def _account(self, _params: Params, hits: Hits) -> Any:
        answer = wire.account(self._exchange, self._clock.now_ms())
        if (fault := hits.get("wrong_uid")) is not None:
            answer["uid"] = int(fault.number("uid", 1))
        if "zero_balance" in hits:
            for row in answer["balances"]:
                row["free"] = row["locked"] = wire.amount(Decimal(0))
        return answer

    def _restrictions(self, _params: Params, _hits: Hits) -> Any:
        return wire.restrictions(self._exchange, self._clock.now_ms())

    def _time(self, _params: Params, _hits: Hits) -> Any:
        return {"serverTime": self._clock.now_ms()}

    def _info(self, params: Params, _hits: Hits) -> Any:
        limits = wire.rate_limits(self.meter.limit, self.counts.windows)
        if not self._exchange.rules:
            self._believed([])
        rules = [self._exchange.rules_of(symbol) for symbol in self._named(params)]
        return wire.exchange_info(rules, self._clock.now_ms(), limits)

    def _believed(self, symbols: list[str]) -> list[str]:
        """Return those of some symbols whose prices are believed; one that is not hides no other.

        Raises:
            ApiError: none is.
        """
        seen = [symbol for symbol in symbols if self._market.blind(symbol) is None]
        if not seen and self._market.stale is not None:
            raise ApiError(-1001, f"no price is known: {self._market.stale}", 503)
        return seen

    def _last_prices(self, params: Params, _hits: Hits) -> Any:
        quotes = self._exchange.quotes
        return [
            {"symbol": each, "price": wire.amount(quotes[each].last)}
            for each in self._believed(self._named(params))
        ]

    def _books(self, params: Params, _hits: Hits) -> Any:
        names = self._believed(self._named(params))
        quotes = {each: self._exchange.quotes[each] for each in names}
        return [
            {
                "symbol": each,
                "bidPrice": wire.amount(quote.bid),
                "bidQty": wire.amount(Decimal(1)),
                "askPrice": wire.amount(quote.ask),
                "askQty": wire.amount(Decimal(1)),
            }
            for each, quote in quotes.items()
        ]

    def _named(self, params: Params) -> list[str]:
        """Return the symbols of a request for many; without names it is for all of them."""
        if "symbols" not in params:
            return [*self._exchange.rules]
        try:
            names = json.loads(params["symbols"])
        except ValueError as error:
            raise ApiError(-1100, "Illegal characters found in parameter 'symbols'.") from error
        return [str(name) for name in names]

    def _history(self, what: History) -> _Route:
        """Return how a question about what was is answered: maybe by somebody else, so in time."""
        return _Route(what, lambda params, _hits: self._market.read(what, params), signed=False)


def _page(trades: list[Trade], params: Params) -> list[Trade]:
    """Cut one page. Source: Binance spot API, "Account trade list"."""
    limit = rows(params)
    timed = "startTime" in params or "endTime" in params
    if timed and ("orderId" in params or "fromId" in params):
        raise ApiError(-1128, "Combination of optional parameters invalid.")
    if "orderId" in params:
        trades = [trade for trade in trades if trade.order_id == integer(params["orderId"])]
    if "fromId" in params:
        first = integer(params["fromId"])
        return [trade for trade in trades if trade.trade_id >= first][:limit]
    if timed:
        start, end = _window(params)
        inside = [trade for trade in trades if start <= trade.at_ms <= end]
        return inside[:limit] if "startTime" in params else inside[-limit:]
    return trades[-limit:]


def _window(params: Params) -> tuple[int, int]:
    start = integer(params["startTime"]) if "startTime" in params else 0
    end = integer(params["endTime"]) if "endTime" in params else 2**62
    if "startTime" in params and "endTime" in params and end - start > _DAY_MS:
        raise ApiError(-1127, "More than 24 hours between startTime and endTime.")
    return start, end


def _spoiled(answer: Any, operation: str, hits: Hits) -> Any:
    if "ack_without_id" in hits and isinstance(answer, dict):
        return {key: value for key, value in answer.items() if key != "orderId"}
    if operation in _LISTS and "empty_list" in hits:
        return []
    if operation in _LISTS and "omit_row" in hits:
        return answer[1:]
    return answer


def _error_of(fault: Fault, status: int) -> ApiError:
    code = int(fault.number("code", -1000))
    message = str(fault.parameters.get("message", "Simulated error."))
    return ApiError(code, message, int(fault.number("status", status)))


def _order_id(answer: Any) -> int | None:
    if not isinstance(answer, dict):
        return None
    new: dict[str, Any] = answer.get("newOrderResponse") or answer.get("amendedOrder") or answer
    return new.get("orderId")


def _results(halves: dict[str, Any] | None) -> dict[str, Any]:
    """Say what became of the halves of a replacement."""
    return {key: value for key, value in (halves or {}).items() if key.endswith("Result")}


async def _params(request: web.Request) -> tuple[dict[str, str], str]:
    """Return the parameters, and the exact text that was signed."""
    query = request.raw_path.partition("?")[2]
    body = await request.text()
    params = dict(parse_qsl(query, keep_blank_values=True))
    params |= dict(parse_qsl(body, keep_blank_values=True))
    signed = "".join(part.partition("&signature=")[0] for part in (query, body))
    return params, signed


def _cut(request: web.Request) -> web.Response:
    """Break the connection without an answer."""
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=500)


async def _truncated(request: web.Request, whole: web.Response) -> web.StreamResponse:
    body = (whole.text or "").encode()
    response = web.StreamResponse(status=whole.status, headers={"Content-Type": "application/json"})
    response.content_length = len(body)
    await response.prepare(request)
    await response.write(body[: len(body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response
