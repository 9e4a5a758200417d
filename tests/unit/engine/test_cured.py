"""What kept a bot from running at a start, and ends by itself, needs nobody's word.

Broken on purpose, and red here: only an operator's word that tries again; a recovery every minute
for as long as the market is closed.
"""

from __future__ import annotations

import pytest
from tests.builders import BTC
from tests.unit.engine.desk import DIP, SWING, account_spec, bot_spec
from tests.unit.engine.fake import ETH
from tests.unit.engine.test_supervisor import House, kinds_in, serving

from surefoot.core.account_records import Cause
from surefoot.core.values import Side
from surefoot.engine.statuses import Status
from surefoot.exchange.errors import ReadFailed


async def recoveries(house: House) -> int:
    return (await kinds_in(house.journal, "account/main")).count("recovery-finished")


async def test_a_bot_runs_once_its_market_is_open_again() -> None:
    """Started in an upgrade of the exchange, every bot waited for an operator for good."""
    house = House()
    house.exchange.halted.add(BTC)
    async with serving(house):
        assert house.account.roster.statuses.of(DIP) is Status.REVIEW
        await house.clock.advance(300)
        assert house.account.roster.statuses.of(DIP) is Status.REVIEW
        assert await recoveries(house) == 1, "nobody wants to hear every minute that it is closed"
        house.exchange.halted.clear()
        await house.clock.advance(61)
        assert house.account.roster.refusal(DIP) is None
        assert await recoveries(house) == 2
        asked = house.exchange.count("connect")
        await house.clock.advance(300)
        assert house.exchange.count("connect") == asked
        await house.enter()


async def test_a_listing_that_cannot_be_read_says_nothing() -> None:
    house = House()
    house.exchange.halted.add(BTC)
    async with serving(house):
        house.exchange.halted.clear()
        house.exchange.fail("connect", ReadFailed("no route"))
        await house.clock.advance(300)
        assert house.account.roster.statuses.of(DIP) is Status.REVIEW
        house.exchange.mend()
        await house.clock.advance(61)
        assert house.account.roster.refusal(DIP) is None


async def test_a_bot_runs_once_its_symbol_has_been_read() -> None:
    """Its symbol alone could not be read at the start; later rounds read it, and it waited on."""
    house = House()
    house.spec = account_spec(bot_spec(), bot_spec(SWING, ETH))
    house.exchange.trade(Side.BUY, "1", symbol=ETH)
    house.exchange.fail("open_orders", ReadFailed("502"), about=ETH)
    async with serving(house):
        await house.clock.advance(5)
        statuses = house.account.roster.statuses
        assert (statuses.of(DIP), statuses.cause(SWING)) == (Status.RUNNING, Cause.UNREACHABLE)
        await house.clock.advance(300)
        assert statuses.of(SWING) is Status.REVIEW
        house.exchange.mend()
        house.account.rounds.want()
        await house.clock.advance(121)
        assert house.account.roster.refusal(SWING) is None


@pytest.mark.parametrize("cause", [Cause.STRATEGY, Cause.CONTRADICTION, Cause.CONFIGURATION])
async def test_what_does_not_end_by_itself_is_not_tried_again(cause: Cause) -> None:
    async with serving() as house:
        await house.account.roster.review(DIP, "look", cause)
        before = await recoveries(house)
        await house.clock.advance(200)
        assert house.account.roster.statuses.of(DIP) is Status.REVIEW
        assert await recoveries(house) == before
