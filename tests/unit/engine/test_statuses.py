"""A bot's status is a durable word, with who said it and why."""

from __future__ import annotations

import asyncio

import pytest
from tests.builders import START, started
from tests.memory_journal import MemoryJournal
from tests.unit.engine.clock import turns
from tests.unit.engine.desk import DIP, Desk, records_in
from typing_extensions import override

from surefoot.core.account_records import BotStatusChanged, Cause
from surefoot.core.values import BotName
from surefoot.engine.statuses import Status, Statuses
from surefoot.journal.errors import JournalPoisoned
from surefoot.journal.port import Change, Command, Receipt, Setback, Verdict


@pytest.fixture
def statuses(desk: Desk) -> Statuses:
    return Statuses(desk.journal, desk.exchange.now, desk.log)


def again(desk: Desk) -> Statuses:
    return Statuses(desk.journal, desk.exchange.now, desk.log)


async def test_a_bot_nobody_has_heard_of_may_not_enter(statuses: Statuses) -> None:
    assert statuses.of(DIP) is None
    assert statuses.refusal(DIP) == "the bot is None"


async def test_only_a_running_bot_may_enter(statuses: Statuses) -> None:
    await statuses.change(DIP, Status.RUNNING, by="surefoot")
    assert statuses.refusal(DIP) is None
    for status in set(Status) - {Status.RUNNING}:
        await statuses.change(DIP, status, by="ann", reason="lunch")
        assert statuses.refusal(DIP) == f"the bot is {status}: lunch"


async def test_a_change_is_durable_with_who_and_why(desk: Desk, statuses: Statuses) -> None:
    await statuses.change(DIP, Status.PAUSED, by="ann", reason="lunch")
    assert await records_in(desk.journal, "bot/dip-btc") == [
        BotStatusChanged(at=START, bot=DIP, status="PAUSED", by="ann", reason="lunch"),
    ]
    fresh = again(desk)
    await fresh.load()
    assert (fresh.of(DIP), fresh.refusal(DIP)) == (Status.PAUSED, "the bot is PAUSED: lunch")


async def test_bots_are_listed_by_their_names(desk: Desk, statuses: Statuses) -> None:
    """Catches an order that every process draws anew: one seed would tell several stories."""
    names = [BotName(f"bot{number}") for number in range(12, 0, -1)]
    for name in names:
        await statuses.change(name, Status.REVIEW, by="surefoot", reason="why")
    fresh = again(desk)
    await fresh.load()
    assert list(fresh.in_review()) == list(statuses.in_review()) == names[::-1]


async def test_the_same_again_writes_nothing(desk: Desk, statuses: Statuses) -> None:
    """Catches a status that grows the journal at every recovery."""
    await statuses.change(DIP, Status.RUNNING, by="surefoot")
    commits = desk.journal.commits
    await statuses.change(DIP, Status.RUNNING, by="surefoot")
    assert desk.journal.commits == commits
    await statuses.change(DIP, Status.RUNNING, by="ann", reason="another reason")
    assert desk.journal.commits == commits + 1


async def test_a_repeated_word_still_answers_its_command(desk: Desk, statuses: Statuses) -> None:
    await statuses.change(DIP, Status.PAUSED, by="ann")
    await desk.journal.post(
        Command(
            command_id="c1",
            kind="pause",
            target=DIP,
            actor="ann",
            posted_at=START,
            expires_at=START,
        ),
    )
    await desk.journal.take_commands(at=START)
    verdict = Verdict(command_id="c1", status="done", result="dip-btc is PAUSED")
    await statuses.change(DIP, Status.PAUSED, by="ann", verdict=verdict)
    assert len(await records_in(desk.journal, "bot/dip-btc")) == 1
    assert [command.status for command in await desk.journal.commands()] == ["done"]


async def test_what_is_not_durable_is_not_believed(desk: Desk, statuses: Statuses) -> None:
    """Catches a status that is changed in memory before the journal has it."""
    await statuses.change(DIP, Status.RUNNING, by="surefoot")
    desk.journal.poisoned = True
    with pytest.raises(JournalPoisoned):
        await statuses.change(DIP, Status.REVIEW, by="surefoot", reason="lost")
    assert statuses.of(DIP) is Status.RUNNING


async def test_a_first_position_comes_with_the_status_or_not_at_all(
    desk: Desk, statuses: Statuses
) -> None:
    await statuses.change(DIP, Status.RUNNING, by="surefoot", start=started())
    assert await desk.kinds() == ["position-started"]
    assert [row.bot for row in await desk.journal.bots()] == [DIP]


async def test_loading_does_not_overrule_what_is_known(desk: Desk, statuses: Statuses) -> None:
    await again(desk).change(DIP, Status.PAUSED, by="ann")
    await statuses.change(DIP, Status.STOPPED, by="ann")
    await statuses.load()
    assert statuses.of(DIP) is Status.STOPPED


async def test_the_review_list_says_why(desk: Desk, statuses: Statuses) -> None:
    await statuses.change(DIP, Status.REVIEW, by="surefoot", reason="its strategy failed")
    assert statuses.in_review() == {DIP: "its strategy failed"}
    assert [line["reason"] for line in desk.log.said("bot status")] == ["its strategy failed"]
    await statuses.change(DIP, Status.REVIEW, by="surefoot")
    assert statuses.in_review() == {DIP: "no reason was given"}


class Slow(MemoryJournal):
    """A disk that takes its time: a commit waits until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.going = asyncio.Event()

    async def commit(self, change: Change) -> Receipt:
        await self.going.wait()
        return await super().commit(change)


class PutBack(MemoryJournal):
    """A journal that had seven records once."""

    @property
    @override
    def setback(self) -> Setback:
        return Setback(at=START, sequence=7, why="it went back in time", lost=True)


async def test_recovery_does_not_release_a_bot_over_a_pause_that_is_being_written(
    desk: Desk,
) -> None:
    """Stop-all answered "done", and the recovery beside it let the bot enter again.

    Red when the status was looked at before the lock was taken.
    """
    journal = Slow()
    statuses = Statuses(journal, desk.exchange.now, desk.log)
    async with asyncio.TaskGroup() as tasks:
        paused = tasks.create_task(statuses.pause_all([DIP], by="ann", reason="stop-all"))
        released = tasks.create_task(statuses.release(DIP))
        reviewed = tasks.create_task(statuses.review(DIP, "no answer", Cause.UNREACHABLE))
        await turns()
        journal.going.set()
    assert (paused.result(), released.result(), reviewed.result()) == (True, False, None)
    assert statuses.of(DIP) is Status.PAUSED


async def test_a_pause_does_not_make_a_setback_good(desk: Desk) -> None:
    """Pressed before the bots are loaded, stop-all counted as the operator's word on it.

    `resume-all` then let the bot enter on a journal that had lost records.
    """
    statuses = Statuses(PutBack(), desk.exchange.now, desk.log)
    await statuses.load([DIP])
    assert not await statuses.pause_all([DIP], by="ann", reason="stop-all")
    assert statuses.of(DIP) is Status.REVIEW
    assert not await statuses.release(DIP)


async def test_a_review_keeps_who_paused_a_bot_and_why(desk: Desk, statuses: Statuses) -> None:
    """The reason became "no answer", so `resume-all` let none of them run again."""
    await statuses.pause_all([DIP], by="ann", reason="stop-all")
    await statuses.review(DIP, "no answer", Cause.UNREACHABLE)
    fresh = again(desk)
    await fresh.load()
    assert (fresh.of(DIP), fresh.reason(DIP)) == (Status.PAUSED, "stop-all")
    *_, record = await records_in(desk.journal, "bot/dip-btc")
    assert isinstance(record, BotStatusChanged)
    assert (record.by, record.reason, record.review) == ("ann", "stop-all", "no answer")
    assert await fresh.unpause(DIP, by="bob", reason="lunch") is None
    assert not await fresh.release(DIP), "it is answered again, and stays held"
    (*_, record) = await records_in(desk.journal, "bot/dip-btc")
    assert isinstance(record, BotStatusChanged)
    assert (record.by, record.reason, record.review) == ("ann", "stop-all", None)
    assert await fresh.unpause(DIP, by="bob", reason="stop-all") is Status.RUNNING
    assert fresh.refusal(DIP) is None


async def test_what_wants_an_answer_is_in_review_after_a_pause(statuses: Statuses) -> None:
    """And no weaker reason takes its place meanwhile."""
    await statuses.pause_all([DIP], by="ann", reason="stop-all")
    await statuses.review(DIP, "it went back in time", Cause.SETBACK)
    await statuses.review(DIP, "no answer", Cause.UNREACHABLE)
    assert await statuses.unpause(DIP, by="ann", reason="stop-all") is Status.REVIEW
    assert statuses.in_review() == {DIP: "it went back in time"}
    assert not await statuses.release(DIP)


@pytest.mark.parametrize("cause", list(Cause))
async def test_a_review_outlives_stop_all_and_resume_all(statuses: Statuses, cause: Cause) -> None:
    """The bot entered on a symbol that nobody had proven: its cause was dropped, not gone."""
    await statuses.review(DIP, "look at it", cause)
    held = bool(await statuses.pause_all([DIP], by="ann", reason="stop-all"))
    assert held is not statuses.needs_word(DIP)
    if held:
        assert await statuses.unpause(DIP, by="ann", reason="stop-all") is Status.REVIEW
    assert statuses.in_review() == {DIP: "look at it"}
    assert statuses.refusal(DIP) == "the bot is REVIEW: look at it"
    assert await statuses.release(DIP) is held


async def test_who_pauses_a_bot_in_review_has_not_answered_why(
    desk: Desk, statuses: Statuses
) -> None:
    """Catches a finding that is gone because somebody pressed pause to be safe."""
    await statuses.change(DIP, Status.RUNNING, by="surefoot")
    await statuses.review(DIP, "it raised", Cause.STRATEGY)
    for _ in range(2):
        await statuses.change(DIP, Status.PAUSED, by="ann", reason="lunch")
        (*_, word) = await records_in(desk.journal, "bot/dip-btc")
        assert isinstance(word, BotStatusChanged)
        assert (word.status, word.reason, word.review) == ("PAUSED", "lunch", "it raised")
        assert statuses.needs_word(DIP)
    await statuses.change(DIP, Status.RUNNING, by="ann")
    assert not statuses.needs_word(DIP)
