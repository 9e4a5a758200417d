"""Where orders are handed in: read, filtered, counted, and only then done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from itertools import count
from typing import Any, Final, TypeAlias

from surefoot.simulator import filters, wire
from surefoot.simulator.clock import Clock
from surefoot.simulator.counts import OrderCounts
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.faults import Hits
from surefoot.simulator.model import ApiError, Order, Twist
from surefoot.simulator.parameters import Params, client_id, integer, needed, one_of

# Places an order that has passed every filter, and answers it.
Placing: TypeAlias = Callable[[], dict[str, Any]]
_RESPONSES: Final = ("ACK", "RESULT", "FULL")


class Desk:
    """Takes requests about orders to the truth."""

    def __init__(self, exchange: Exchange, counts: OrderCounts, clock: Clock) -> None:
        self._exchange = exchange
        self._counts = counts
        # Names for what comes without one; two in one millisecond must not be the same.
        self._names = count(clock.now_ms())

    def send(self, params: Params, hits: Hits) -> Any:
        """Place an order."""
        self._counts.check()
        return self.prepared(params, twist_of(hits))()

    def name(self) -> str:
        """Make up a client order id."""
        return f"web_{next(self._names)}"

    def prepared(self, params: Params, twist: Twist) -> Placing:
        """Hold an order against every filter, and return what places and answers it."""
        exchange = self._exchange
        rules = exchange.rules_of(needed(params, "symbol"))
        new = filters.new_order(params, rules, self.name())
        usual = "FULL" if new.type in {"LIMIT", "MARKET"} else "ACK"
        response_type = one_of(params, "newOrderRespType", _RESPONSES, usual)
        with self._counted():
            filters.check(new, rules, exchange.quotes[rules.symbol], exchange.standing)

        def place() -> dict[str, Any]:
            with self._counted():
                order = exchange.place(new, twist)
            return wire.placed(order, exchange.trades_of(order), response_type)

        return place

    @contextmanager
    def _counted(self) -> Iterator[None]:
        """Count an order that is refused: Binance says that it may or may not, so here it does."""
        try:
            yield
        except ApiError:
            self._counts.add()
            raise

    def cancel(self, params: Params, _hits: Hits) -> Any:
        """Cancel an open order."""
        order = find_order(self._exchange, params)
        if order is None:
            raise ApiError(-2011, "Unknown order sent.")
        was = order.name
        self._exchange.cancel(
            order, client_id(params, "newClientOrderId", f"cancel_{order.order_id}")
        )
        order.gives_up_its_name = self._exchange.cancels_rename
        return wire.cancellation(order, was)


def find_order(
    exchange: Exchange,
    params: Params,
    by_name: str = "origClientOrderId",
    by_number: str = "orderId",
    *,
    shown: bool = False,
) -> Order | None:
    """Find the newest order that a request names; with both ids, both must be its own.

    The engine that cancels knows of every order; what only reads is answered what is `shown`.
    """
    symbol = exchange.rules_of(needed(params, "symbol")).symbol
    name, number = params.get(by_name), params.get(by_number)
    if not name and not number:
        raise ApiError(-1102, f"Param '{by_name}' or '{by_number}' must be sent.")
    wanted = integer(number) if number else None
    found = [
        order
        for order in (exchange.visible(symbol) if shown else exchange.orders.values())
        if order.symbol == symbol
        and wanted in {None, order.order_id}
        and (not name or name == order.name)
    ]
    return found[-1] if found else None


def twist_of(hits: Hits) -> Twist:
    """Say what the armed faults do to an order that is being accepted."""
    part = hits.get("partial_fill") or hits.get("partial_then_cancel")
    hide, hide_fills = hits.get("hide_order"), hits.get("hide_fills")
    return Twist(
        fraction=None if part is None else Decimal(str(part.parameters.get("fraction", "0.5"))),
        then_cancel="partial_then_cancel" in hits,
        hidden_ms=0 if hide is None else round(hide.number("seconds", 30) * 1000),
        fills_hidden_ms=0 if hide_fills is None else round(hide_fills.number("seconds", 30) * 1000),
    )
