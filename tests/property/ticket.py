"""What became of one request at the unkind exchange, whatever anybody believes."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from tests.builders import BTC, START

from surefoot.core.order import Order, ReportedStatus
from surefoot.core.reports import Fill, OrderReport
from surefoot.core.values import ZERO, Asset, ExchangeOrderId, Side


@dataclass
class Ticket:
    """What became of one request, whatever anybody believes."""

    order: Order
    exchange_order_id: ExchangeOrderId
    fate: str = "unsent"  # "unsent", "flying", "dead", "accepted"
    status: ReportedStatus = ReportedStatus.OPEN
    visible_at: datetime = START
    fills: list[Fill] = field(default_factory=list)

    @property
    def filled(self) -> Decimal:
        return sum((fill.quantity for fill in self.fills), ZERO)

    @property
    def live(self) -> bool:
        return self.fate == "accepted" and self.status is ReportedStatus.OPEN

    def may_sell_or_buy(self, now: datetime) -> Decimal:
        """Return what it could still fill: live, or on its way and not too late."""
        coming = self.fate in {"unsent", "flying"} and now <= self.order.not_after
        return self.order.quantity - self.filled if self.live or coming else ZERO

    def report(self) -> OrderReport:
        return OrderReport(
            symbol=BTC,
            client_order_id=self.order.client_order_id,
            exchange_order_id=self.exchange_order_id,
            status=self.status,
            side=self.order.side,
            quantity=self.order.quantity,
            filled=self.filled,
        )


def fee_of(side: Side, quantity: Decimal, n: int) -> tuple[Decimal, Asset | None]:
    """Return what a fill costs, in one asset or another."""
    asset = (Asset("USDT"), Asset("BTC"), Asset("BNB"), None)[n % 4]
    match asset:
        case "BTC" if side is Side.BUY:
            return quantity * Decimal("0.001"), asset
        case "BNB":
            return Decimal("0.0000137"), asset
        case None:
            return ZERO, None
        case _:
            return quantity * Decimal("49.99"), Asset("USDT")
