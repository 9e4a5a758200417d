"""What time it is at the exchange: an offset on a clock that nobody can step."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

from typing_extensions import override

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


def test_a_price_that_is_told_again_later_is_none_of_now() -> None:
    """Catches a trailing stop that follows prices of the past, and sells at one of them."""
    client: Any = SimpleNamespace(markets={"BTC/USDT": {"id": "BTCUSDT"}})
    market = _Market(client, lambda: BORN)
    books = [{"s": "BTCUSDT", "u": n, "b": str(100 + n), "a": str(101 + n)} for n in range(3)]
    trades = [{"s": "BTCUSDT", "t": n, "p": str(100 + n)} for n in range(3)]
    market.take("trade", trades[2])
    newest = market.take("book", books[2])
    assert market.take("book", books[2]) == newest
    old = [market.take("book", books[0]), *(market.take("trade", each) for each in trades[:2])]
    assert old == [None, None, None]


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


class Measured(Carrier):
    """Asks an exchange that is so far ahead, and whose answers take so long on their way back."""

    def __init__(self, machine: Stepped) -> None:
        super().__init__(machine, address=None)  # type: ignore[arg-type]
        self.machine = machine
        self.ahead = timedelta(0)
        self.there_s, self.back_s = 0.01, 0.01

    @override
    async def ask(self, *_: Any) -> Any:
        self.machine.passed += self.there_s
        told = self.machine.now() + self.ahead
        self.machine.passed += self.back_s
        return told


async def test_a_slow_answer_does_not_blur_what_was_measured_well() -> None:
    """On a slow line the offset was wrong by two seconds: stops were refused for their time.

    Three in a row froze a sound position.
    """
    carrier = Measured(Stepped())
    ask: Any = None
    await carrier.measure(ask)
    known = carrier.offset
    carrier.there_s, carrier.back_s = 0.2, 4.5
    await carrier.measure(ask)
    assert carrier.offset == known
    carrier.ahead = timedelta(seconds=9)
    await carrier.measure(ask)
    assert abs(carrier.offset + carrier.ahead) < timedelta(seconds=3), "it was stepped, over there"
    carrier.there_s, carrier.back_s = 0.1, 0.1
    await carrier.measure(ask)
    assert abs(carrier.offset + carrier.ahead) < timedelta(seconds=0.2)


async def test_a_clock_that_was_first_measured_badly_is_corrected_by_the_next_better_way() -> None:
    """What was measured over a slow line is no yardstick for what is measured over a better one."""
    carrier = Measured(Stepped())
    ask: Any = None
    carrier.there_s, carrier.back_s = 0.2, 4.5
    await carrier.measure(ask)
    assert abs(carrier.offset) > timedelta(seconds=2)
    carrier.there_s, carrier.back_s = 0.2, 0.8
    await carrier.measure(ask)
    assert abs(carrier.offset) < timedelta(seconds=0.5)
    carrier.there_s = carrier.back_s = 0.01
    await carrier.measure(ask)
    assert abs(carrier.offset) < timedelta(seconds=0.01)
