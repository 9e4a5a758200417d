"""Sending what is durable, and turning every outcome into an input for the core.

`Dispatch.send` wants a `Receipt` that covers the order: nothing can be sent that was not written
down first (S1), and the type checker, the check below and the crash tests all say so. Each intent
is sent at most once by the process that committed it, and never again by anybody.
"""

from __future__ import annotations

from surefoot.core.errors import InvariantViolated
from surefoot.core.order import Order
from surefoot.core.reports import Doubt, OrderReport, Refusal, Unsent
from surefoot.core.values import ExchangeOrderId, Symbol
from surefoot.crashpoint import crashpoint
from surefoot.exchange.errors import NotSent, Refused, Unknown
from surefoot.exchange.port import Orders
from surefoot.journal.port import Receipt


class Dispatch:
    """The only holder of the verbs that change something; `busy` counts sends that are out."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self.busy = 0

    async def send(
        self, symbol: Symbol, order: Order, receipt: Receipt
    ) -> OrderReport | Refusal | Unsent | Doubt:
        """Send a durable intent once; every outcome is a value.

        Raises:
            InvariantViolated: S1, the receipt does not cover this order.
        """
        name = order.client_order_id
        if name not in receipt.intents:
            raise InvariantViolated("S1", f"{name} is not durable; it must not be sent")
        crashpoint("order.before-send")
        self.busy += 1
        try:
            report = await self._orders.send(symbol, order)
        except NotSent as error:
            return Unsent(client_order_id=name, reason=str(error))
        except Refused as error:
            return Refusal(client_order_id=name, code=error.code, message=error.message)
        except Unknown as error:
            return Doubt(client_order_id=name, reason=str(error))
        finally:
            self.busy -= 1
        crashpoint("order.after-response")
        return report

    async def cancel(self, symbol: Symbol, exchange_order_id: ExchangeOrderId) -> str:
        """Ask for a cancel; the answer is only words for the log, evidence comes from a query."""
        crashpoint("cancel.before-send")
        try:
            await self._orders.cancel(symbol, exchange_order_id)
        except (NotSent, Refused, Unknown) as error:
            return f"{type(error).__name__}: {error}"
        crashpoint("cancel.after-send")
        return "asked"
