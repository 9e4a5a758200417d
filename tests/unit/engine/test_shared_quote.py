"""What one bot trades no other bot of the account pays with: whose coins went could not be told."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace
from tests.builders import BTC, INSTRUMENT
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    SWING,
    PoisonableJournal,
    account_spec,
    bot_spec,
    opened,
)
from tests.unit.engine.fake import FakeExchange

from surefoot.app.preflight import _doubts
from surefoot.core.values import Asset, Symbol
from surefoot.engine.fitness import bases_of
from surefoot.engine.recovery import Outcome
from surefoot.engine.specs import BotSpec
from surefoot.engine.statuses import Status

CROSS = Symbol("ETH/BTC")


@pytest.fixture
def exchange() -> FakeExchange:
    clock = HandClock()
    clock.hurried = True
    made = FakeExchange(clock)
    bought_with_coins = replace(INSTRUMENT, symbol=CROSS, base=Asset("ETH"), quote=Asset("BTC"))
    made.instruments[CROSS] = bought_with_coins
    return made


def said_of(floor: Any) -> str:
    return str(floor.account.roster.unfit.get(SWING))


async def test_a_bot_does_not_pay_with_what_another_one_trades(exchange: FakeExchange) -> None:
    """Its entries spent the other's coins where no stop locked them, and froze it for the lack."""
    spec = account_spec(bot_spec(), bot_spec(SWING, CROSS))
    async with opened(spec, exchange=exchange) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        statuses = floor.account.roster.statuses
        assert (statuses.of(DIP), statuses.of(SWING)) == (Status.RUNNING, Status.REVIEW)
        assert "ETH/BTC is paid for with BTC, which dip-btc trades" in said_of(floor)


async def test_nor_with_what_one_that_left_the_configuration_still_holds(
    exchange: FakeExchange,
) -> None:
    journal = PoisonableJournal()
    async with opened(account_spec(bot_spec()), exchange=exchange, journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        await floor.account.roster.keepers[DIP].tell(ENTER)
        await turns()
    alone = account_spec(bot_spec(SWING, CROSS))
    async with opened(alone, exchange=exchange, journal=journal) as floor:
        assert await floor.account.recovery.patiently() is Outcome.RECOVERED
        assert "which dip-btc trades" in said_of(floor)


@pytest.mark.parametrize(
    ("specs", "problems"),
    [((bot_spec(), bot_spec(SWING, CROSS)), 1), ((bot_spec(SWING, CROSS),), 0)],
)
async def test_one_that_never_ran_is_a_mistake_of_the_configuration(
    exchange: FakeExchange, specs: tuple[BotSpec, ...], problems: int
) -> None:
    """A start with it ends; one that has run is in review, for what it holds is watched."""
    found = await _doubts(exchange, specs, known=frozenset())
    assert [each for each in found if each.startswith("bots.swing-eth.symbol")] == found
    assert len(found) == problems


def test_what_is_bought_with_the_same_coins_is_no_matter(exchange: FakeExchange) -> None:
    assert bases_of((bot_spec(), bot_spec(SWING, BTC)), exchange) == {Asset("BTC"): SWING}
