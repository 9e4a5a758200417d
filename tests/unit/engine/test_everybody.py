"""The one button of a bad day, and the way back, are pressed once however often they are heard."""

from __future__ import annotations

import asyncio
from unittest.mock import AsyncMock

import pytest
from msgspec.structs import replace
from tests.builders import D
from tests.unit.engine.desk import ENTER, SWING, account_spec, bot_spec
from tests.unit.engine.fake import ETH
from tests.unit.engine.test_supervisor import DIP, House, kinds_in, serving

from surefoot.core.errors import InvalidValue, SignalRefused
from surefoot.core.position import State
from surefoot.core.values import BotName
from surefoot.engine.everybody import resume_all, stop_all
from surefoot.engine.statuses import Status
from surefoot.exchange.errors import ReadFailed
from surefoot.journal.port import Change, Receipt


@pytest.mark.parametrize("kind", ["stop-all", "resume-all"])
async def test_what_is_for_all_bots_changes_each_once_though_it_dies_before_its_answer(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What it did is durable and its answer is not: the next life does it again, in vain."""
    house = House()
    commit = house.journal.commit

    async def die(change: Change) -> Receipt:
        if change.verdicts and not change.appends:
            await asyncio.Event().wait()  # killed here
        return await commit(change)

    async with serving(house):
        if kind == "resume-all":
            await house.done("stop-all", "all")
        before = len(await kinds_in(house.journal, "bot/dip-btc"))
        monkeypatch.setattr(house.journal, "commit", die)
        assert await house.done(kind, "all") == ("posted", None)
    monkeypatch.undo()
    again = House(house.journal)
    again.clock.elapsed = house.clock.elapsed
    async with serving(again):
        await again.clock.advance(5)
        (command,) = [each for each in await again.journal.commands() if each.kind == kind]
        assert command.status == "done"
        status = Status.PAUSED if kind == "stop-all" else Status.RUNNING
        assert again.account.roster.statuses.of(DIP) is status
        assert len(await kinds_in(again.journal, "bot/dip-btc")) == before + 1


async def test_all_bots_of_an_account_stop_with_one_commit() -> None:
    """On a slow disk the last of fifty bots went on entering for fifty commits."""
    house = House()
    house.spec = account_spec(bot_spec(), bot_spec(SWING, ETH), bot_spec(BotName("third")))
    async with serving(house):
        before = house.journal.commits
        assert "3 bots paused" in await stop_all([house.account], "ann")
        assert house.journal.commits == before + 1
        for bot in house.account.roster.bots:
            assert house.account.roster.statuses.of(bot) is Status.PAUSED


async def test_what_rests_on_an_account_that_is_not_recovered_is_not_said_to_be_gone() -> None:
    """It said that nothing is entered any more, while an entry that rested there could fill."""
    house = House()
    house.exchange.fail("open_orders", ReadFailed("down"))
    async with serving(house):
        answer = await house.done("stop-all", "all")
    verdict, said = answer
    assert verdict == "done"
    assert said == (
        "nothing is entered any more (1 bot paused); stops are kept; "
        "what rests on main goes once it is recovered"
    )


async def test_a_bot_that_cannot_run_keeps_no_other_from_being_resumed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was said to be refused, while those before it in the list entered again."""
    one, other = House(), House()
    async with serving(one), serving(other):
        accounts = (one.account, other.account)
        for broken in accounts:
            await stop_all(accounts, "ann")
            revive = AsyncMock(side_effect=InvalidValue("dip-btc cannot run: no strategy"))
            with monkeypatch.context() as patched:
                patched.setattr(broken.roster, "revive", revive)
                said = await resume_all(accounts, "ann")
            assert said == ("1 bot may enter again; still paused: dip-btc cannot run: no strategy")
        await stop_all(accounts, "ann")
        for account in accounts:
            account.roster.admits = False
        with pytest.raises(SignalRefused, match="cannot run before its account is recovered"):
            await resume_all(accounts, "ann")
        one.account.roster.admit()
        said = await resume_all(accounts, "ann")
        assert said.startswith("1 bot may enter again; still paused: dip-btc cannot run before")


async def test_pressed_while_a_recovery_runs_it_holds_from_there_to_resume_all() -> None:
    """The recovery that went on beside it started the bots when it came to its end."""
    house = House()
    async with serving(house):
        await house.account.roster.keepers[DIP].tell(replace(ENTER, limit=D(49_000)))
        await house.clock.advance(2)
    again = House(house.journal)
    again.exchange, again.clock = house.exchange, house.clock
    again.supervisor._clock = house.clock
    answered = again.exchange.hold("open_orders")
    async with serving(again):
        roster = again.account.roster
        assert again.account.recovery.going_on
        stopped = await again.done("stop-all", "all")
        assert stopped[0] == "done"
        assert "what rests on main goes once it is recovered" in str(stopped[1])
        answered.set()
        await again.clock.advance(5)
        assert not again.account.recovery.going_on
        assert roster.refusal(DIP) == "the bot is PAUSED: stop-all"
        assert [each.status for each in again.exchange.orders] == ["CANCELED"]
        assert roster.keepers[DIP].position.state is State.FLAT
        await again.done("recover")
        await again.clock.advance(5)
        assert roster.statuses.of(DIP) is Status.PAUSED, "nor does the next one start it"
        assert await again.done("resume-all", "all") == ("done", "1 bot may enter again")
        assert roster.refusal(DIP) is None
