"""A start that takes long says how far it is, and a short one does not."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from msgspec.structs import replace
from tests.builders import D
from tests.unit.engine.clock import HandClock
from tests.unit.engine.desk import Floor
from tests.unit.engine.fake import FakeExchange
from tests.unit.engine.test_plan import crowd
from typing_extensions import override

from surefoot.core.health import HealthState, diagnose
from surefoot.core.reports import Fill
from surefoot.core.values import Asset, Symbol


class Slow(FakeExchange):
    """An exchange that takes a second for each symbol, of which the account has coins already."""

    @override
    async def balances(self, *, since: datetime | None = None) -> dict[Asset, Decimal]:
        told = await super().balances(since=since)
        return {Asset(name[:-5]): D(1) for name in self.instruments} | told

    @override
    async def newest_fills(self, symbol: Symbol) -> tuple[Fill, ...]:
        self.clock.elapsed += 1
        return await super().newest_fills(symbol)


def said(floor: Floor) -> list[tuple[int, int]]:
    steps = floor.log.said("recovery step")
    return [(each["compared"], each["seconds_left"]) for each in steps if "compared" in each]


async def test_a_long_comparison_says_how_far_it_is_and_how_long_it_will_take() -> None:
    """Four hundred symbols took minutes, and nothing was said; not every symbol is, either."""
    async with crowd(Slow(HandClock()), 40) as floor:
        assert said(floor) == [(10, 30), (20, 20), (30, 10)]


async def test_a_short_one_says_nothing() -> None:
    async with crowd(FakeExchange(HandClock()), 40) as floor:
        assert said(floor) == []


async def test_how_far_it_is_stands_in_the_health_of_the_account() -> None:
    async with crowd(Slow(HandClock()), 40) as floor:
        seen = floor.account.login.senses.circumstances(None, ())
        assert seen.progress == "compared 30 of 40 symbols, about 10 s left"
        starting = diagnose(replace(seen, recovered=False), None, floor.clock.now())
        assert (starting.state, starting.why) == (HealthState.STARTING, seen.progress)
