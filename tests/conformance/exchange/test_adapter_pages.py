"""How far one answer reaches that lists as much as an answer may."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal as D

import pytest
from tests.conformance.exchange.conftest import Do
from tests.conformance.exchange.orders import BTC

from surefoot.exchange.port import Exchange
from surefoot.simulator import Settings, Simulator
from surefoot.simulator.model import NewOrder, Twist, default_rules


class TestManyOrders:
    """As many as one answer has."""

    @pytest.fixture
    def settings(self) -> Settings:
        return Settings(rules=default_rules()[:1], balances={"USDT": D(10**9)})

    async def test_a_full_page_of_orders_reaches_as_far_as_its_oldest(
        self, exchange: Exchange, do: Do, simulator: Simulator
    ) -> None:
        """Catches an order of ours behind a thousand newer ones, which nobody would look for."""
        began = exchange.now()
        await do("clock", advance=60)
        for number in range(1_000):
            new = NewOrder(
                symbol="BTCUSDT",
                side="BUY",
                type="MARKET",
                quantity=D("0.001"),
                price=D(0),
                stop_price=D(0),
                client_order_id=f"theirs-{number}",
            )
            simulator.exchange.place(new, Twist(), origin="outside")
        await exchange.measure_clock()
        read = await exchange.newest_orders(BTC, began)
        assert (len(read.orders), read.complete) == (1_000, False)
        assert (await exchange.newest_orders(BTC, exchange.now() + timedelta(seconds=1))).complete
