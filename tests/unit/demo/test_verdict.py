"""What the demo's verdict calls an order too many."""

from __future__ import annotations

from typing import Any

from msgspec.structs import replace
from tests.builders import D, Life, fill, report

from surefoot.core.order import Order
from surefoot.core.signals import AddSignal
from surefoot.demo.verdict import _duplicates


def added() -> list[Order]:
    """Return the orders of a position that was entered once and added to once."""
    life = Life()
    life.opened()
    life.tell(AddSignal(quantity=D("0.0016")))
    life.tell(fill(life.order, "49000", trade="2"), report(life.order, "FILLED", "0.0016"))
    return list(life.orders.values())


def there(orders: list[Order]) -> list[dict[str, Any]]:
    return [{"clientOrderId": o.client_order_id, "executedQty": "0.0016"} for o in orders]


def test_an_addition_is_no_duplicate_and_an_entry_beside_an_open_one_is() -> None:
    orders = added()
    assert _duplicates([orders], there(orders)) == 0
    open_still = [replace(orders[0], finished_at=None), orders[1]]
    assert _duplicates([open_still], there(orders)) == 1
    assert _duplicates([orders], [*there(orders), there(orders)[0]]) == 1, "a name twice"
