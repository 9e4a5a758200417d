"""How many orders an account may place: the unfilled order count, and what fills give back."""

from __future__ import annotations

import pytest
from tests.unit.simulator.trader import StillClock, Trader

from surefoot.simulator import Settings
from surefoot.simulator.counts import OrderCounts
from surefoot.simulator.security import RateLimited

SECONDS_A_DAY = 86_400


def counts(**settings: int) -> tuple[OrderCounts, StillClock]:
    clock = StillClock()  # some noon: every window begins with it, save the day
    return OrderCounts(clock, Settings(**settings)), clock  # type: ignore[arg-type]


def used(counted: OrderCounts) -> list[int]:
    return [window.used for window in counted.windows]


def test_a_hundred_orders_in_ten_seconds_and_no_more() -> None:
    counted, clock = counts()
    for _ in range(100):
        counted.check()
        counted.add()
    with pytest.raises(RateLimited) as limited:
        counted.check()
    assert (limited.value.status, limited.value.code) == (429, -1015)
    assert limited.value.retry_after == 10
    clock.advance(10)
    counted.check()


def test_windows_are_aligned_and_do_not_slide() -> None:
    """Twice the limit within two seconds is allowed, if a window ends in between."""
    counted, clock = counts(orders_per_10s=1)
    clock.advance(9)
    counted.add()
    with pytest.raises(RateLimited) as limited:
        counted.check()
    assert limited.value.retry_after == 1
    clock.advance(1)
    counted.check()


def test_a_full_day_is_not_helped_by_an_idle_short_window() -> None:
    counted, clock = counts(orders_per_day=2)
    for _ in range(2):
        counted.add()
    clock.advance(60)
    with pytest.raises(RateLimited, match="1 DAY") as limited:
        counted.check()
    assert limited.value.retry_after == SECONDS_A_DAY // 2 - 60
    assert used(counted) == [0, 2]
    clock.advance(SECONDS_A_DAY // 2)
    counted.check()


async def state(trader: Trader) -> dict[str, int]:
    found: dict[str, int] = (await trader.ledger())["order_counts"]
    return found


class TestOnTheWire:
    """An exchange whose clock stands still, so that no window ends by itself."""

    @pytest.fixture(autouse=True)
    def still(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("surefoot.simulator.server.Clock", StillClock)

    async def test_answers_to_orders_say_how_many_were_placed(self, trader: Trader) -> None:
        first, second = await trader.rest_buy(), await trader.rest_buy()
        assert first.headers["X-MBX-ORDER-COUNT-10S"] == "1"
        assert first.headers["X-MBX-ORDER-COUNT-1D"] == "1"
        assert second.headers["X-MBX-ORDER-COUNT-10S"] == "2"
        cancelled = await trader.ask(
            "DELETE", "order", symbol="BTCUSDT", orderId=first.body["orderId"]
        )
        assert cancelled.headers["X-MBX-ORDER-COUNT-10S"] == "2"  # nothing back
        assert "X-MBX-ORDER-COUNT-10S" not in (await trader.rest_buy(price="0")).headers
        assert "X-MBX-ORDER-COUNT-10S" not in (await trader.ask("GET", "account")).headers

    async def test_one_order_too_many_is_told_when_to_come_back(self, trader: Trader) -> None:
        await trader.do("limits", orders_per_10s=1)
        await trader.rest_buy()
        answer = await trader.rest_buy()
        assert (answer.status, answer.code) == (429, -1015)
        assert answer.headers["Retry-After"] == "10"
        await trader.do("clock", advance=10)
        assert (await trader.rest_buy()).status == 200
        assert len((await trader.ledger())["orders"]) == 2

    async def test_a_taker_gets_its_order_back_with_the_first_fill(self, trader: Trader) -> None:
        answer = await trader.order("BUY", "MARKET", "0.001")
        assert answer.headers["X-MBX-ORDER-COUNT-10S"] == "0"

    async def test_a_maker_gets_five_back_once(self, trader: Trader) -> None:
        for _ in range(7):
            await trader.rest_buy(price="50000")
        await trader.rest_buy(price="60000", name="mine")
        assert await state(trader) == {"10S": 8, "1D": 8}
        await trader.do("fill", client_order_id="mine", quantity="0.001")
        assert await state(trader) == {"10S": 3, "1D": 3}
        await trader.do("fill", client_order_id="mine")
        assert await state(trader) == {"10S": 3, "1D": 3}

    async def test_a_count_never_falls_below_nothing(self, trader: Trader) -> None:
        """The fill counts in the window in which it happens, not in that of its order."""
        await trader.rest_buy(name="mine")
        await trader.do("clock", advance=10)
        await trader.rest_buy(name="other")
        await trader.do("fill", client_order_id="mine")
        assert await state(trader) == {"10S": 0, "1D": 0}

    async def test_what_a_maker_gets_back_can_be_set(self, trader: Trader) -> None:
        await trader.do("limits", maker_gives_back=2)
        for name in ("a", "b", "c"):
            await trader.rest_buy(name=name)
        await trader.do("fill", client_order_id="a")
        assert await state(trader) == {"10S": 1, "1D": 1}

    async def test_a_refused_order_counts_unless_it_was_malformed(self, trader: Trader) -> None:
        await trader.rest_buy(price="60000.001")  # a filter's
        await trader.rest_buy(quantity="8")  # for lack of money
        await trader.rest_buy(price="much")
        assert await state(trader) == {"10S": 2, "1D": 2}

    async def test_what_grows_old_after_it_came_counts(self, trader: Trader) -> None:
        """On receipt a request that is too old costs nothing; later it does."""
        late = trader.simulator.clock.now_ms() - 6000
        assert (await trader.rest_buy(timestamp=late)).code == -1021
        assert await state(trader) == {"10S": 0, "1D": 0}
        trader.simulator.clock.sleep = lambda _: _pass(trader, 6)  # type: ignore[assignment, method-assign]
        await trader.arm("hold_request", on="order.send", seconds=6)
        assert (await trader.rest_buy()).code == -1021
        assert await state(trader) == {"10S": 1, "1D": 1}

    async def test_exchange_info_shows_the_limits(self, trader: Trader) -> None:
        await trader.do("limits", orders_per_10s=50, orders_per_day=160_000, weight=1200)
        answer = await trader.ask("GET", "exchangeInfo", signed=False)
        assert [
            (row["rateLimitType"], row["interval"], row["intervalNum"], row["limit"])
            for row in answer.body["rateLimits"]
        ] == [
            ("REQUEST_WEIGHT", "MINUTE", 1, 1200),
            ("ORDERS", "SECOND", 10, 50),
            ("ORDERS", "DAY", 1, 160_000),
        ]

    async def test_orders_cost_weight_only_if_they_fail(self, trader: Trader) -> None:
        sent = await trader.rest_buy()
        assert sent.headers["X-MBX-USED-WEIGHT-1M"] == "0"
        which = {"symbol": "BTCUSDT", "orderId": sent.body["orderId"]}
        assert (await trader.ask("DELETE", "order", **which)).headers["X-MBX-USED-WEIGHT-1M"] == "0"
        again = await trader.ask("DELETE", "order", **which)
        assert (again.code, again.headers["X-MBX-USED-WEIGHT-1M"]) == (-2011, "1")
        assert (await trader.rest_buy(price="0")).headers["X-MBX-USED-WEIGHT-1M"] == "2"


async def _pass(trader: Trader, seconds: float) -> None:
    trader.simulator.clock.advance(seconds)
