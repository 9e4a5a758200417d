"""A journal that went back in time, and the lives that a journal has had."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import START
from tests.unit.engine.clock import HandClock, turns
from tests.unit.engine.desk import (
    DIP,
    ENTER,
    SWING,
    Floor,
    PoisonableJournal,
    account_spec,
    bot_spec,
    kinds_in,
    opened,
    records_in,
)
from tests.unit.engine.fake import ETH, FakeExchange
from typing_extensions import override

from surefoot.core.account_records import LifeBegan
from surefoot.core.errors import SignalRefused
from surefoot.core.position import State
from surefoot.core.reports import TimePassed
from surefoot.core.signals import Adopt, ExitSignal
from surefoot.engine.recovery import Outcome
from surefoot.engine.statuses import Status
from surefoot.journal.port import Setback

TWO_BOTS = account_spec(bot_spec(), bot_spec(SWING, ETH))


@pytest.fixture
def exchange() -> FakeExchange:
    made = FakeExchange(HandClock())
    made.clock.hurried = True
    return made


async def recovered(floor: Floor) -> bool:
    """Recover once, and let what it spawned come to rest."""
    outcome = await floor.account.recovery.patiently()
    await turns()
    return outcome is Outcome.RECOVERED


class Lives(PoisonableJournal):
    """A journal that several servers run on, one after the other."""

    life = "one"

    @property
    @override
    def generation(self) -> str:
        return self.life


async def test_every_life_writes_its_generation_down_before_it_names_an_order(
    exchange: FakeExchange,
) -> None:
    """Once for each life, however often that recovers; its ids are of that generation."""
    journal = Lives()
    for journal.life in ("one", "two"):
        async with opened(exchange=exchange, journal=journal) as floor:
            await recovered(floor)
            await recovered(floor)
    records = await records_in(journal, "account/main")
    begun = [each.generation for each in records if isinstance(each, LifeBegan)]
    assert begun == ["one", "two"]


class PutBack(PoisonableJournal):
    """A journal that lost rows after the one of this number."""

    at = 0
    lost = True

    @property
    def setback(self) -> Setback:
        return Setback(
            at=START, sequence=self.at, why="the journal went back in time", lost=self.lost
        )


async def test_after_a_setback_no_bot_enters_without_an_operators_word(
    exchange: FakeExchange,
) -> None:
    """Neither one that the journal knows, nor one that it has lost; and no recovery lifts it."""
    journal = PutBack()
    async with opened(exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        assert (
            floor.account.roster.refusal(DIP) == "the bot is REVIEW: the journal went back in time"
        )
        await floor.account.roster.statuses.change(DIP, Status.RUNNING, by="ann")
    async with opened(TWO_BOTS, exchange=exchange, journal=journal) as floor:
        for _ in range(2):
            await recovered(floor)
            assert floor.account.roster.refusal(DIP) is None
            assert set(floor.account.roster.statuses.in_review()) == {SWING}
    journal.at = await journal.records()
    async with opened(TWO_BOTS, exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        assert set(floor.account.roster.statuses.in_review()) == {DIP, SWING}


@pytest.mark.parametrize("lost", [True, False])
async def test_after_a_setback_nothing_is_sold_before_the_holding_is_explained(
    exchange: FakeExchange, *, lost: bool
) -> None:
    """Also if it may be a copy that knows everything; told once, so that a word of then stands.

    Red when a position of an older file was told of nothing: its exit was sent at once.
    """
    journal = PutBack()
    journal.lost, journal.at = lost, 10_000
    async with opened(exchange=exchange, journal=journal) as floor:
        await recovered(floor)
        keeper = floor.account.roster.keepers[DIP]
        await keeper.tell(Adopt(by="ann"))
        await keeper.tell(ENTER)
        await turns()
        await recovered(floor)
        assert keeper.position.state is State.OPEN
    journal.at = await journal.records()
    leave = ExitSignal(reason="enough")
    for _ in range(2):
        async with opened(exchange=exchange, journal=journal) as floor:
            await recovered(floor)
            keeper = floor.account.roster.keepers[DIP]
            assert keeper.position.frozen == "the journal went back in time"
            with pytest.raises(SignalRefused, match="not proven"):
                await keeper.tell(leave)
            await keeper.tell(TimePassed())
            await turns()
            assert len(exchange.sent) == 1
    kinds = await kinds_in(journal, "position/dip-btc-1")
    assert kinds.count("position-set-back") == 2
    async with opened(exchange=exchange, journal=journal) as floor:
        exchange.offset += timedelta(minutes=2)
        await recovered(floor)
        await turns()
        assert "position-proven" in await kinds_in(journal, "position/dip-btc-1")
        assert len(exchange.sent) == 1, "what was wished before is of a time that is over"
        await floor.account.roster.keepers[DIP].tell(leave)
        await turns()
        assert len(exchange.sent) == 2
