"""Two doors say contrary things, and the older word comes last.

Broken on purpose, and red here: whatever comes last done last; a word refused for one that was said
before it, or of another bot.
"""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from tests.unit.engine.desk import DIP
from tests.unit.engine.test_supervisor import LIFETIME, House, serving

from surefoot.engine.statuses import Status
from surefoot.journal.commands import EVERYBODY
from surefoot.journal.port import Command


async def say(house: House, kind: str, target: str, at: datetime) -> tuple[str, str | None]:
    """Post what was said at a time, and return what became of it."""
    name = f"{kind}-{target}-{at:%S.%f}"
    await house.journal.post(
        Command(
            command_id=name,
            kind=kind,
            target=target,
            actor="ann",
            posted_at=at,
            expires_at=at + LIFETIME,
            arguments={},
        )
    )
    await house.clock.advance(1)
    return await house.answer(name)


@pytest.mark.parametrize("hold", [("pause", DIP), ("stop-all", EVERYBODY)])
@pytest.mark.parametrize("let", [("resume", DIP), ("resume-all", EVERYBODY)])
async def test_what_was_said_before_a_pause_does_not_end_it(
    hold: tuple[str, str], let: tuple[str, str]
) -> None:
    """A message of half a minute ago let a bot enter that somebody had paused meanwhile."""
    async with serving() as house:
        long_ago = house.clock.now()
        await house.clock.advance(20)
        assert (await say(house, *hold, house.clock.now()))[0] == "done"
        status, why = await say(house, *let, long_ago)
        assert house.account.roster.statuses.of(DIP) is Status.PAUSED
        if (hold[0], let[0]) != ("pause", "resume-all"):
            assert (status, f"ann said {hold[0]} after it" in str(why)) == ("refused", True)


async def test_what_was_said_after_it_does() -> None:
    """Also in the same second: a messenger tells no parts of one."""
    async with serving() as house:
        now = house.clock.now()
        assert (await say(house, "pause", DIP, now))[0] == "done"
        assert (await say(house, "resume", DIP, now))[0] == "done"
        assert house.account.roster.refusal(DIP) is None


async def test_a_pause_of_another_bot_keeps_nobody() -> None:
    async with serving() as house:
        before = house.clock.now()
        await house.clock.advance(5)
        await say(house, "pause", DIP, house.clock.now())
        await say(house, "resume", DIP, house.clock.now())
        await say(house, "pause", "other", before + timedelta(seconds=9))
        assert (await say(house, "resume", DIP, before + timedelta(seconds=8)))[0] == "done"


@pytest.mark.parametrize(
    ("ahead", "outcome"),
    [(timedelta(hours=9), "done"), (timedelta(seconds=30), "refused")],
    ids=["a clock that was ahead", "a messenger's clock"],
)
async def test_a_pause_of_a_time_that_is_long_to_come_holds_until_somebody_speaks(
    ahead: timedelta, outcome: str
) -> None:
    """A host whose clock was put right had no way to let the bot run before that time came."""
    async with serving() as house:
        assert (await say(house, "pause", DIP, house.clock.now() + ahead))[0] == "done"
        assert house.account.roster.statuses.of(DIP) is Status.PAUSED
        await house.clock.advance(5)
        assert (await say(house, "resume", DIP, house.clock.now()))[0] == outcome
        assert (house.account.roster.refusal(DIP) is None) == (outcome == "done")
