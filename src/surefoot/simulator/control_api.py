"""The other API: arm faults, move prices and clocks, trade by hand, read the ledger.

It is for whoever runs the exchange, on this machine. A page in a browser cannot use it.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, fields
from decimal import Decimal
from itertools import count
from typing import Any, Final

from aiohttp import web

from surefoot.simulator import wire
from surefoot.simulator.clock import Clock
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.faults import FAULTS, Armory, Fault
from surefoot.simulator.market import Market
from surefoot.simulator.model import (
    ZERO,
    ApiError,
    Level,
    NewOrder,
    Order,
    Rules,
    Twist,
    ccxt_settings,
)
from surefoot.simulator.rest import Rest
from surefoot.simulator.store import Store
from surefoot.simulator.streams import Streams

Command = Callable[[Mapping[str, Any]], Any]
# The rules that may be changed, by what they are.
_RULES: Final = {
    each.name: type(each.default)
    for each in fields(Rules)
    if isinstance(each.default, Decimal | int)
}
_MODES: Final = ("tape", "random", "manual")
_FEE_MODES: Final = ("received", "quote", "bnb", "mixed")


class ControlApi:
    """Commands by name, each a POST of one JSON object; and documents to read."""

    def __init__(  # noqa: PLR0913 (whoever runs the exchange reaches all of it)
        self,
        exchange: Exchange,
        *,
        market: Market,
        rest: Rest,
        streams: Streams,
        armory: Armory,
        clock: Clock,
        store: Store,
    ) -> None:
        self._exchange = exchange
        self._market = market
        self._rest = rest
        self._streams = streams
        self._armory = armory
        self._clock = clock
        self._store = store
        self._outside = count(1)
        self._commands: dict[str, Command] = {
            "arm": self._arm,
            "disarm": self._disarm,
            "price": self._price,
            "book": self._book,
            "market": self._set_market,
            "order": self._order,
            "cancel": self._cancel,
            "fill": self._fill,
            "self_trade": self._self_trade,
            "expire": self._expire,
            "revive": self._revive,
            "archive": self._archive,
            "clock": self._move_clock,
            "balance": self._balance,
            "account": self._account,
            "fees": self._fees,
            "rules": self._rules,
            "limits": self._limits,
            "streams": self._break_streams,
            "reset": self._reset,
        }

        self._of_faults = (self._arm, self._disarm)

    def routes(self) -> list[web.RouteDef]:
        """Return the documents and the commands."""
        return [
            web.get("/sim/ledger", _document(self._ledger)),
            web.get("/sim/state", _document(self._state)),
            web.get("/sim/faults", _document(self._list_faults)),
            web.get("/sim/ccxt", self._ccxt),
            web.post("/sim/{command}", self._run),
        ]

    async def _run(self, request: web.Request) -> web.Response:
        command = self._commands.get(request.match_info["command"])
        if command is None:
            known = ", ".join(self._commands)
            return web.json_response({"error": f"no such command; known: {known}"}, status=404)
        if "Origin" in request.headers:
            return web.json_response({"error": "not from a browser"}, status=403)
        try:
            given = dict(json.loads(await request.text() or "{}"))
            answer = command(given)
            if command not in self._of_faults:  # they are about what is kept, and not kept
                self._store.touch()
                self._store.commit()
            return web.json_response(answer)
        except ApiError as error:
            return web.json_response({"error": error.message}, status=400)
        except KeyError as error:
            return web.json_response({"error": f"{error} is unknown or missing"}, status=400)
        except (ValueError, TypeError, ArithmeticError) as error:
            return web.json_response({"error": str(error)}, status=400)

    # Documents -----------------------------------------------------------------------------------

    def _ledger(self) -> dict[str, Any]:
        return {
            "orders": [
                {
                    **wire.order_row(order),
                    "clientOrderId": order.client_order_id,
                    "knownAs": order.name,
                    "origin": order.origin,
                }
                for order in self._exchange.orders.values()
            ],
            "trades": [wire.trade_row(trade) for trade in self._exchange.trades],
            "balances": wire.balances(self._exchange),
            "requests": self._rest.requests,
            "weight": self._rest.meter.total,
            "order_counts": {each.name: each.used for each in self._rest.counts.windows},
            "now_ms": self._clock.now_ms(),
        }

    def _state(self) -> dict[str, Any]:
        quotes = {
            symbol: {"last": str(q.last), "bid": str(q.bid), "ask": str(q.ask)}
            for symbol, q in self._exchange.quotes.items()
        }
        return {
            "now_ms": self._clock.now_ms(),
            "market": self._market.mode,
            "stale": self._market.stale,
            "quotes": quotes,
            "sockets": self._streams.counts(),
            "uid": self._exchange.uid,
            "requests": len(self._rest.requests),
            "orders": len(self._exchange.orders),
        }

    def _list_faults(self) -> dict[str, Any]:
        return {
            "known": FAULTS,
            "armed": [_shown(fault) for fault in self._armory.faults.values()],
            "history": [_shown(fault) for fault in self._armory.history],
        }

    async def _ccxt(self, request: web.Request) -> web.Response:
        return web.json_response(ccxt_settings(f"http://{request.host}"))

    # Commands ------------------------------------------------------------------------------------

    def _arm(self, given: Mapping[str, Any]) -> dict[str, Any]:
        rest = {key: value for key, value in given.items() if key != "name"}
        fault = self._armory.arm(str(given["name"]), rest)
        if fault.name == "outage":
            self._streams.disconnect()
        return _shown(fault)

    def _disarm(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._armory.disarm(given.get("fault_id"))
        return {}

    def _price(self, given: Mapping[str, Any]) -> dict[str, Any]:
        symbol = self._exchange.rules_of(str(given["symbol"])).symbol
        spread = Decimal(str(given.get("spread", "0")))
        for price in given.get("path") or [given["price"]]:
            self._market.move(symbol, _positive(price, "price"), spread)
        return {}

    def _book(self, given: Mapping[str, Any]) -> dict[str, Any]:
        symbol = self._exchange.rules_of(str(given["symbol"])).symbol
        self._market.book(symbol, _levels(given["bids"]), _levels(given["asks"]))
        return {}

    def _set_market(self, given: Mapping[str, Any]) -> dict[str, Any]:
        if self._market.mode not in _MODES:
            raise ValueError("its prices are somebody else's")
        self._market.mode = _chosen(given["mode"], _MODES)
        return {}

    def _order(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Trade by hand, as the account's owner would in the exchange's app."""
        rules = self._exchange.rules_of(str(given["symbol"]))
        price = _positive(given["price"], "price") if given.get("price") else ZERO
        request = NewOrder(
            symbol=rules.symbol,
            side=_chosen(str(given["side"]).upper(), ("BUY", "SELL")),
            type="LIMIT" if price else "MARKET",
            quantity=_positive(given["quantity"], "quantity"),
            price=price,
            stop_price=ZERO,
            client_order_id=str(given.get("client_order_id", f"outside_{next(self._outside)}")),
        )
        return wire.order_row(self._exchange.place(request, Twist(), origin="outside"))

    def _cancel(self, given: Mapping[str, Any]) -> dict[str, Any]:
        order = self._found(given)
        self._exchange.cancel(order, "outside_cancel")
        return wire.order_row(order)

    def _fill(self, given: Mapping[str, Any]) -> dict[str, Any]:
        order = self._found(given)
        if not order.open:
            raise ApiError(-2011, f"order {order.order_id} is {order.status}")
        quantity = _positive(given.get("quantity", order.left), "quantity")
        last = self._exchange.quotes[order.symbol].last
        price = _positive(given.get("price", order.price or order.stop_price or last), "price")
        self._exchange.fill(order, min(quantity, order.left), price, maker=True)
        return wire.order_row(order)

    def _self_trade(self, given: Mapping[str, Any]) -> dict[str, Any]:
        maker, taker = (self._found({"client_order_id": given[k]}) for k in ("maker", "taker"))
        opposite = {maker.side, taker.side} == {"BUY", "SELL"} and maker.symbol == taker.symbol
        if not (opposite and maker.open and taker.open):
            raise ValueError("expected two open orders, opposite sides of one symbol")
        most = min(maker.left, taker.left)
        quantity = min(_positive(given.get("quantity", most), "quantity"), most)
        price = _positive(given.get("price", maker.price), "price")
        self._exchange.self_trade(maker, taker, quantity, price)
        return {}

    def _expire(self, given: Mapping[str, Any]) -> dict[str, Any]:
        order = self._found(given)
        self._exchange.expire(order)
        return wire.order_row(order)

    def _revive(self, given: Mapping[str, Any]) -> dict[str, Any]:
        order = self._found(given)
        self._exchange.revive(order)
        return wire.order_row(order)

    def _archive(self, _given: Mapping[str, Any]) -> dict[str, Any]:
        over = [o.key for o in self._exchange.orders.values() if not o.open and not o.executed]
        self._exchange.archived.update(over)
        return {"archived": len(over)}

    def _move_clock(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._clock.advance(float(given["advance"]))
        return {"now_ms": self._clock.now_ms()}

    def _balance(self, given: Mapping[str, Any]) -> dict[str, Any]:
        asset = str(given["asset"])
        self._exchange.free[asset] = Decimal(str(given["free"]))
        if "locked" in given:
            self._exchange.locked[asset] = Decimal(str(given["locked"]))
        return {}

    def _account(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._exchange.uid = int(given.get("uid", self._exchange.uid))
        self._exchange.withdraws = bool(given.get("withdraws", self._exchange.withdraws))
        renames = given.get("cancels_rename", self._exchange.cancels_rename)
        self._exchange.cancels_rename = bool(renames)
        return {}

    def _fees(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._exchange.fee_mode = _chosen(given["mode"], _FEE_MODES)
        return {}

    def _rules(self, given: Mapping[str, Any]) -> dict[str, Any]:
        rules = self._exchange.rules_of(str(given["symbol"]))
        unknown = set(given) - {"symbol", *_RULES}
        if unknown:
            raise ValueError(f"there is no rule {', '.join(sorted(unknown))}")
        for name, kind in _RULES.items():
            if name in given:
                setattr(rules, name, kind(str(given[name])) if kind is not bool else given[name])
        return {}

    def _limits(self, given: Mapping[str, Any]) -> dict[str, Any]:
        counts, meter = self._rest.counts, self._rest.meter
        short, day = counts.windows
        counts.limit(
            int(given.get("orders_per_10s", short.limit)),
            int(given.get("orders_per_day", day.limit)),
        )
        counts.maker_gives_back = int(given.get("maker_gives_back", counts.maker_gives_back))
        meter.limit = int(given.get("weight", meter.limit))
        return {}

    def _break_streams(self, given: Mapping[str, Any]) -> dict[str, Any]:
        self._streams.disconnect(str(given.get("kind", "*")))
        return {}

    def _reset(self, _given: Mapping[str, Any]) -> dict[str, Any]:
        self._exchange.reset()
        return {}

    def _found(self, given: Mapping[str, Any]) -> Order:
        if "order_id" in given:
            return self._exchange.orders[str(given["symbol"]), int(given["order_id"])]
        name = str(given["client_order_id"])
        found = [o for o in self._exchange.orders.values() if o.client_order_id == name]
        if not found:
            raise ValueError(f"there is no order {name!r}")
        return found[-1]


def _shown(fault: Fault) -> dict[str, Any]:
    return asdict(fault)


def _chosen(value: Any, known: tuple[str, ...]) -> Any:
    if value not in known:
        raise ValueError(f"expected one of {', '.join(known)}, got {value!r}")
    return value


def _levels(rows: Any) -> tuple[Level, ...]:
    return tuple(
        Level(_positive(price, "price"), _positive(quantity, "quantity"))
        for price, quantity in rows
    )


def _positive(value: Any, name: str) -> Decimal:
    amount = Decimal(str(value))
    if not amount.is_finite() or amount <= ZERO:
        raise ValueError(f"{name} is {value}, expected more than zero")
    return amount


def _document(
    read: Callable[[], dict[str, Any]],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def serve(_request: web.Request) -> web.Response:
        return web.json_response(read())

    return serve
