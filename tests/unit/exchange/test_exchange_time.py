"""What time it is at the exchange: an offset on a clock that nobody can step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from surefoot.exchange.binance.carrier import Carrier
from surefoot.exchange.binance.streams import _Market
from surefoot.exchange.port import Tick

BORN = datetime(2026, 3, 1, tzinfo=UTC)


def test_a_book_carries_the_time_that_is_known_now() -> None:
    """Catches the clock of the client's birth, which is wrong once the wall clock has stepped.

    Every book was then taken for old, or for the newest for a while, as long as the stream lived.
    """
    client: Any = SimpleNamespace(markets={"BTC/USDT": {"id": "BTCUSDT"}}, nonce=lambda: 1)
    times = iter([BORN, BORN + timedelta(minutes=11)])
    market = _Market(client, lambda: next(times))
    book = {"s": "BTCUSDT", "b": "100", "a": "101"}
    market.take("trade", {"s": "BTCUSDT", "p": "100", "E": 1_772_323_200_000})
    told = [market.take("book", book) for _ in range(2)]
    assert [tick.at for tick in told if isinstance(tick, Tick)] == [
        BORN,
        BORN + timedelta(minutes=11),
    ]


class Stepped:
    """A machine whose wall clock can be put forward or back."""

    def __init__(self) -> None:
        self.step = timedelta(0)
        self.passed = 0.0

    def now(self) -> datetime:
        return BORN + self.step + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return 1000.0 + self.passed


def test_a_step_of_the_wall_clock_is_no_time_that_passes() -> None:
    """Catches exchange time on the wall clock.

    Requests were then refused as too old or too early, and three of them in a row were taken for
    a position that cannot be protected.
    """
    machine: Any = Stepped()
    carrier = Carrier(machine, address=None)  # type: ignore[arg-type]
    carrier.offset = timedelta(seconds=2)
    machine.step, machine.passed = timedelta(hours=1), 5.0
    assert carrier.now() == BORN + timedelta(seconds=3)
