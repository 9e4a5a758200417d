"""Everybody is told everything, in order, at least once, whatever fails."""

from __future__ import annotations

from datetime import timedelta
from errno import ENOSPC
from pathlib import Path
from unittest.mock import Mock

import pytest
from tests.builders import PROTECTED, START, D, Life, fill, report
from tests.unit.engine.clock import HandClock
from tests.unit.notify.scene import Journal, Told, Voice

from surefoot.core.order import Role
from surefoot.core.signals import AddSignal, Freeze
from surefoot.journal.cursors import PARKED_MAX, Cursors
from surefoot.notify.courier import Courier
from surefoot.notify.errors import Later, Parked
from surefoot.notify.event import EventKind, Weight
from surefoot.notify.presence import absence


class Post:
    """A journal, a destination, and couriers between them that may die."""

    def __init__(self, folder: Path) -> None:
        self.journal = Journal()
        self.to = Told()
        self.voice = Voice()
        self.clock = HandClock()
        self.clock.hurried = True
        self.cursors = Cursors(folder / "outbox")

    def courier(self) -> Courier:
        return Courier(
            self.to, reader=self.journal, cursors=self.cursors, clock=self.clock, log=self.voice
        )

    async def begin(self) -> Courier:
        courier = self.courier()
        assert not await courier.step()
        return courier

    @property
    def parked(self) -> list[str]:
        cursor = self.cursors.read("told")
        return [] if cursor is None else [each.text for each in cursor.parked]


@pytest.fixture
def post(tmp_path: Path) -> Post:
    return Post(tmp_path)


async def test_a_new_destination_hears_what_happens_from_now_on(post: Post) -> None:
    await post.journal.word("RUNNING")
    courier = await post.begin()
    await post.journal.word("PAUSED", "lunch")
    assert await courier.step()
    assert post.to.texts == ["dip-btc is PAUSED, by operator: lunch"]
    assert not await courier.step()


async def test_what_is_on_paper_says_so_before_every_word(post: Post) -> None:
    """Nobody may take it for money."""
    clock, cursors = post.clock, post.cursors
    courier = Courier(
        post.to, reader=post.journal, cursors=cursors, clock=clock, log=post.voice, mark="PAPER: "
    )
    assert not await courier.step()
    await post.journal.word("PAUSED")
    assert await courier.step()
    assert post.to.texts == ["PAPER: dip-btc is PAUSED, by operator"]


async def test_what_was_not_taken_is_told_again_by_the_next_process(post: Post) -> None:
    courier = await post.begin()
    await post.journal.word("PAUSED")
    await post.journal.word("RUNNING")
    post.to.failing = [Later("it is down")]
    with pytest.raises(Later):
        await courier.step()
    assert post.to.texts == []
    await post.courier().step()
    assert post.to.texts == ["dip-btc is PAUSED, by operator", "dip-btc is RUNNING, by operator"]


async def test_a_kill_between_telling_and_noting_it_tells_the_same_number_again(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At least once, and a receiver can drop the repeat. Red with the cursor moved first."""
    courier = await post.begin()
    await post.journal.word("PAUSED")

    def killed(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(post.cursors, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            await courier.step()
    await post.courier().step()
    first, again = post.to.heard
    assert first == again


async def test_a_disk_that_takes_no_note_repeats_nothing(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk ended the server: that it is gone was told every five seconds, all night."""
    courier = await post.begin()
    write = post.cursors.write
    full = OSError(ENOSPC, "No space left on device")
    monkeypatch.setattr(post.cursors, "write", Mock(side_effect=full))
    await post.journal.word("PAUSED")
    for _ in range(3):
        with pytest.raises(OSError, match="No space left"):
            await courier.step()
    assert post.to.texts == ["dip-btc is PAUSED, by operator"]
    await post.journal.word("RUNNING")
    monkeypatch.setattr(post.cursors, "write", write)
    assert await courier.step()
    assert post.to.texts == ["dip-btc is PAUSED, by operator", "dip-btc is RUNNING, by operator"]


async def test_an_older_note_put_back_repeats_under_the_same_numbers_and_loses_nothing(
    post: Post,
) -> None:
    courier = await post.begin()
    older = post.cursors.read("told")
    assert older is not None
    for reason in ("one", "two"):
        await post.journal.word("PAUSED", reason)
        await courier.step()
    told = [each.id for each in post.to.heard]
    post.cursors.write("told", older)
    await post.courier().step()
    assert [each.id for each in post.to.heard] == told * 2


async def test_a_note_that_cannot_be_read_is_said_and_is_no_new_destination(
    post: Post, tmp_path: Path
) -> None:
    """What happened in between is not told, so it must not look as if nothing had happened."""
    await post.begin()
    await post.journal.word("PAUSED", "nobody was told")
    (file,) = tmp_path.rglob("told.json")
    file.write_text("{")
    await post.courier().step()
    (said,) = post.parked
    assert "may be missing" in said
    assert post.to.texts == []


async def test_one_refused_message_does_not_hold_up_the_rest(post: Post) -> None:
    courier = await post.begin()
    for reason in ("one", "two", "three"):
        await post.journal.word("PAUSED", reason)
    post.to.refuses = lambda event: Parked("no") if "two" in event.text else None
    await courier.step()
    assert [text.rpartition(" ")[2] for text in post.to.texts] == ["one", "three"]
    assert post.parked == ["dip-btc is PAUSED, by operator: two"]
    assert not await courier.step()


async def test_a_destination_that_refuses_everything_does_not_fill_the_disk(post: Post) -> None:
    courier = await post.begin()
    post.to.refuses = lambda _: Parked("no")
    for number in range(PARKED_MAX + 5):
        await post.journal.word("PAUSED", str(number))
    await courier.step()
    assert len(post.parked) == PARKED_MAX
    assert post.parked[-1].endswith(f": {PARKED_MAX + 4}")


async def test_only_what_is_wanted_is_told_and_the_rest_is_done_with(post: Post) -> None:
    post.to = Told(kinds=(EventKind.BOT,), least=Weight.ALARM)
    courier = await post.begin()
    await post.journal.word("PAUSED")
    await post.journal.word("REVIEW", "it raised")
    await courier.step()
    assert post.to.texts == ["dip-btc needs you: it raised"]
    assert not await courier.step()


async def test_that_the_server_died_and_came_back_is_told_once_each(post: Post) -> None:
    courier = await post.begin()
    post.journal.since = None
    assert await courier.step()
    assert not await courier.step()
    assert post.to.texts[0].startswith("The server is down.")
    assert not await post.courier().step(), "another process does not say it again"
    post.journal.since = START + timedelta(minutes=3)
    await post.courier().step()
    assert post.to.texts[1:] == [
        "The server runs since 2026-01-01 00:03:00 UTC; recovery reports next."
    ]


async def test_a_stop_that_covers_a_part_is_not_told_as_one_that_covers_all(post: Post) -> None:
    """Red while any stop that rests was enough for "every stop rests at the exchange"."""
    courier, life = await post.begin(), Life(PROTECTED)
    life.opened()
    life.tell(report(next(each for each in life.position.orders if each.role is Role.STOP), "OPEN"))
    await post.journal.word("RUNNING")
    await post.journal.keep(life)
    post.journal.since = None
    while await courier.step():
        pass
    assert "1 position held; every stop rests at the exchange." in post.to.texts[-1]
    life.tell(AddSignal(quantity=D("0.0016")))
    added = max(life.position.orders, key=lambda each: each.attempt)
    life.tell(report(added, "FILLED", added.quantity), fill(added, "50000", trade="2"))
    await post.journal.keep(life)
    cursor = post.cursors.read("told")
    assert cursor is not None
    event = await absence(cursor, post.journal, START)
    assert "The stop covers only a part of dip-btc-1." in event.text


async def test_an_older_position_that_turned_out_to_hold_is_told_of_too(post: Post) -> None:
    """Red while "Nothing is held" was said of the newest position of each bot alone."""
    courier = await post.begin()
    older, newer = Life(), Life(number=2)
    older.opened()
    older.tell(Freeze(reason="its exit is in doubt"))
    await post.journal.word("RUNNING")
    for life in (older, newer):
        await post.journal.keep(life)
    post.journal.since = None
    while await courier.step():
        pass
    assert "1 of 1 position WITHOUT a working stop: dip-btc-1." in post.to.texts[-1]


async def test_a_server_that_died_unseen_is_told_by_the_life_that_runs_now(post: Post) -> None:
    courier = await post.begin()
    post.journal.since = START + timedelta(seconds=1)
    await post.journal.word("RUNNING")
    await courier.step()
    assert [each.kind for each in post.to.heard] == [EventKind.SERVER, EventKind.BOT]


async def test_the_last_words_of_a_dead_server_come_before_its_death(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("surefoot.notify.courier.STEP", 2)
    courier = await post.begin()
    for reason in ("one", "two", "three"):
        await post.journal.word("PAUSED", reason)
    post.journal.since = None
    while await courier.step():
        pass
    kinds = [each.kind for each in post.to.heard]
    assert kinds == [EventKind.BOT, EventKind.BOT, EventKind.BOT, EventKind.SERVER]


async def test_a_journal_that_was_put_back_is_told_from_where_it_is(post: Post) -> None:
    """The cursor is beyond its end; what it writes from now on must not be skipped."""
    for _ in range(5):
        await post.journal.word("PAUSED")
    await post.begin()
    restored = Journal(epoch="another-epoch")
    await restored.word("PAUSED")
    post.journal = restored
    courier = post.courier()
    assert not await courier.step()
    await restored.word("REVIEW", "restored")
    await courier.step()
    assert post.to.texts == ["dip-btc needs you: restored"]
    assert post.to.heard[0].id == "another--2"


async def test_waiting_grows_honours_what_was_asked_and_is_said_once(post: Post) -> None:
    courier = await post.begin()
    await post.journal.word("PAUSED")
    post.to.failing = [Later("down"), Later("down"), Later("slow down", after_s=33), Later("down")]

    class Enough(Exception):
        pass

    def heard(_: object) -> None:
        raise Enough

    post.to.refuses = heard
    with pytest.raises(Enough):
        await courier.run()
    assert post.clock.slept == [1, 2, 33, 8]
    assert post.voice.said == ["messages wait"]
