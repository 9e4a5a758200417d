"""More orders of others than one page has: whose they are is learned in several rounds."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders import BTC, START

from surefoot.engine.marks import Marks
from surefoot.exchange.errors import ReadFailed
from surefoot.exchange.port import OrdersRead


async def test_names_that_a_long_question_needs_outlast_a_page_that_does_not_reach_back() -> None:
    """Each page made the names of the round before be forgotten: it was asked for ever."""

    def order(number: int) -> Any:
        return SimpleNamespace(exchange_order_id=f"{number}", client_order_id=f"web_{number}")

    class Others:
        async def newest_orders(self, *_: object) -> OrdersRead:
            newest = tuple(order(number) for number in range(500, 1500))
            return OrdersRead(orders=newest, complete=False)

        async def order_by_exchange_id(self, _symbol: str, number: str) -> Any:
            return order(int(number))

    marks: Any = Marks(Others())  # type: ignore[arg-type]
    fills = [SimpleNamespace(exchange_order_id=f"{number}", at=START) for number in range(1500)]
    for _ in range(2):
        await marks.newest(BTC, START)
        with pytest.raises(ReadFailed, match="are not known yet"):
            await marks.ask(BTC, fills, since=START, every=False, most=200)
    await marks.newest(BTC, START)
    await marks.ask(BTC, fills, since=START, every=False, most=200)
