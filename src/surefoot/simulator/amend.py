"""Make an open order smaller where it stands. Source: Binance spot API, "Order Amend".

It keeps its number and its place in the queue; its client order id is a new one unless the current
one is sent along. Nothing is added to the order count.
"""

from __future__ import annotations

from itertools import count
from typing import Any, Final

from surefoot.simulator import filters, wire
from surefoot.simulator.clock import Clock
from surefoot.simulator.desk import Desk, find_order
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.faults import Hits
from surefoot.simulator.model import Amendment, ApiError
from surefoot.simulator.parameters import Params, amount, client_id, integer, needed

_REFUSED: Final = -2038


class Amendments:
    """Amends orders, and remembers how."""

    def __init__(self, exchange: Exchange, desk: Desk, clock: Clock) -> None:
        self._exchange = exchange
        self._desk = desk
        self._clock = clock
        self._ids = count(1)

    def amend(self, params: Params, _hits: Hits) -> Any:
        """Reduce the quantity of an open order.

        Raises:
            ApiError: the order stays as it was.
        """
        quantity = amount(params, "newQty")
        name = client_id(params, "newClientOrderId", self._desk.name())
        order = find_order(self._exchange, params)
        if order is None or not order.open:
            raise ApiError(_REFUSED, "Unknown order sent.")
        if quantity == order.quantity:
            raise ApiError(_REFUSED, "The requested action would change no state; rejecting.")
        if quantity > order.quantity:
            raise ApiError(_REFUSED, "Order amend (quantity increase) is not supported.")
        if any(other.name == name for other in self._exchange.standing if other is not order):
            raise ApiError(_REFUSED, "Duplicate order sent.")
        rules = self._exchange.rules[order.symbol]
        if len(order.amendments) >= rules.max_amends:
            raise ApiError(_REFUSED, "Filter failure: MAX_NUM_ORDER_AMENDS")
        filters.check_size(order, quantity, rules, self._exchange.quotes[order.symbol])
        amendment = Amendment(
            execution_id=next(self._ids),
            was=order.name,
            name=name,
            old_quantity=order.quantity,
            new_quantity=quantity,
            at_ms=self._clock.now_ms(),
        )
        self._exchange.amend(order, amendment)
        return wire.amended(order, amendment)

    def history(self, params: Params, _hits: Hits) -> Any:
        """List the amendments of one order, oldest first."""
        order = find_order(
            self._exchange,
            {"symbol": needed(params, "symbol"), "orderId": needed(params, "orderId")},
            shown=True,
        )
        first = integer(params.get("fromExecutionId", "0"))
        rows = (
            [] if order is None else [wire.amendment_row(order, each) for each in order.amendments]
        )
        return [row for row in rows if row["executionId"] >= first]
