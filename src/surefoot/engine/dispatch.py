"""Sending what is durable, and turning every outcome into an input for the core.

`Dispatch.send` wants a `Receipt` that covers the order: nothing can be sent that was not written
down first (S1), and the type checker, the check below and the crash tests all say so. Each intent
is sent at most once by the process that committed it, and never again by anybody.
"""

from __future__ import annotations

from typing import TypeAlias, assert_never

from surefoot.core.errors import InvariantViolated
from surefoot.core.order import Order
from surefoot.core.records import AmendIntended
from surefoot.core.reports import Doubt, NothingOpen, OrderReport, Refusal, Unamended, Unsent
from surefoot.core.values import ClientOrderId, ExchangeOrderId, Symbol
from surefoot.crashpoint import crashpoint
from surefoot.exchange.errors import NotSent, Refused, Unknown
from surefoot.exchange.port import Halves, Orders
from surefoot.journal.port import Receipt

Outcome: TypeAlias = OrderReport | Refusal | Unsent | Doubt


def outcome_of(order: Order, answer: OrderReport | NotSent | Refused | Unknown) -> Outcome:
    """Say what an answer means for an order that was sent."""
    name = order.client_order_id
    match answer:
        case OrderReport():
            return answer
        case NotSent():
            return Unsent(client_order_id=name, reason=str(answer))
        case Refused():
            return Refusal(
                client_order_id=name,
                code=answer.code,
                message=answer.message,
                grounds=answer.grounds,
            )
        case Unknown():
            return Doubt(client_order_id=name, reason=str(answer))
        case _:
            assert_never(answer)


class Dispatch:
    """The only holder of the verbs that change something; `busy` counts sends that are out."""

    def __init__(self, orders: Orders) -> None:
        self._orders = orders
        self.busy = 0

    async def send(
        self, symbol: Symbol, order: Order, receipt: Receipt, *, old: Order | None = None
    ) -> tuple[Outcome, ...]:
        """Send a durable intent once; every outcome is a value, one for each half of a group.

        With `old` the group is the cancel of that order, and the order in its place.

        Raises:
            InvariantViolated: S1, the receipt does not cover this order.
        """
        name = order.client_order_id
        if name not in receipt.intents:
            raise InvariantViolated("S1", f"{name} is not durable; it must not be sent")
        crashpoint("order.before-send")
        self.busy += 1
        try:
            halves = await self._sent(symbol, order, old)
        except (NotSent, Refused, Unknown) as error:
            return (outcome_of(order, error),)
        finally:
            self.busy -= 1
        crashpoint("order.after-response")
        placed = outcome_of(order, halves.placed)
        return (placed,) if halves.cancelled is None else (halves.cancelled, placed)

    async def _sent(self, symbol: Symbol, order: Order, old: Order | None) -> Halves:
        if old is None:
            return Halves(cancelled=None, placed=await self._orders.send(symbol, order))
        known, cancel_name = old.exchange_order_id, old.cancel_name
        if known is None or cancel_name is None:
            raise NotSent(f"{old.client_order_id} is not known at the exchange")
        return await self._orders.replace(symbol, known, order, cancel_name=cancel_name)

    async def cancel(
        self,
        symbol: Symbol,
        exchange_order_id: ExchangeOrderId,
        name: ClientOrderId | None = None,
    ) -> str:
        """Ask for a cancel; the answer is only words for the log, evidence comes from a query."""
        crashpoint("cancel.before-send")
        try:
            await self._orders.cancel(symbol, exchange_order_id, name=name)
        except (NotSent, Refused, Unknown) as error:
            return f"{type(error).__name__}: {error}"
        crashpoint("cancel.after-send")
        return "asked"

    async def amend(
        self, symbol: Symbol, order: Order, asked: AmendIntended
    ) -> OrderReport | Unamended | None:
        """Make an order smaller where it stands; None: only the order itself can tell."""
        known, name = order.exchange_order_id, order.client_order_id
        if known is None:
            return Unamended(client_order_id=name, reason="it is not known at the exchange")
        crashpoint("amend.before-send")
        try:
            report = await self._orders.amend(
                symbol, known, order, quantity=asked.quantity, not_after=asked.not_after
            )
        except (NotSent, Refused) as error:
            return Unamended(client_order_id=name, reason=str(error))
        except Unknown:
            return None
        crashpoint("amend.after-send")
        return report

    async def hail(self, symbol: Symbol, order: Order) -> OrderReport | NothingOpen | None:
        """Cancel an order by its own name; return what the exchange says of it, None: nothing."""
        crashpoint("cancel.before-send")
        asked_at, name = self._orders.now(), order.client_order_id
        try:
            report = await self._orders.cancel_named(symbol, name, cancel_name=order.cancel_name)
        except (NotSent, Refused, Unknown):
            return None
        crashpoint("cancel.after-send")
        return report or NothingOpen(client_order_id=name, asked_at=asked_at)
