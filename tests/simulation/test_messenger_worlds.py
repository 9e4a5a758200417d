"""Somebody writes to the program's messenger, while the program behind it holds something.

Telegram itself is a line in this process; `docket` names the mistake that each world catches.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from tests.simulation.test_operator_worlds import rows
from tests.simulation.test_situations import bot, lived
from tests.simulation.world import Voice, World
from tests.unit.notify.scene import BotApi

from surefoot.journal import open_browser
from surefoot.notify.conversation import Conversation
from surefoot.virtual import Life

telegram = pytest.importorskip("telegram", reason="python-telegram-bot is an extra")
OWNER, STRANGER = 7, 8


class Line:
    """What the messenger is told by Telegram, and what it says there."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.api = BotApi()
        self.said: list[str] = []
        browser = open_browser("sqlite:///surefoot.db", world.directory)
        voice = Voice(world.story, Life("messenger"))
        self.talk = Conversation(
            self,  # type: ignore[arg-type]  # as much of a wire as a conversation needs
            (OWNER,),
            reader=browser,
            clock=world.clock,
            log=voice,  # type: ignore[arg-type]  # as much of a log as it needs
        )

    async def updates(self, after: int | None) -> Sequence[Any]:
        waiting = [each for each in self.api.waiting if each["update_id"] > (after or 0)]
        return [telegram.Update.de_json(each, None) for each in waiting]

    async def say(self, _chat: int, text: str, _buttons: Sequence[tuple[str, str]] = ()) -> None:
        self.said.append(text)

    async def heed(self, _button: str) -> None:
        """Take a press for seen."""

    async def hears(self, text: str, **how: Any) -> None:
        ago_s = how.pop("ago_s", 1)
        self.api.hear(text, at=self.world.clock.now() - timedelta(seconds=ago_s), **how)
        await self.talk.step()


def written_to(play: Callable[[Line], Awaitable[None]], *, kinds: Sequence[str] = ()) -> World:
    """Let somebody write to a program that holds something; return what was commanded by it."""

    async def whole(world: World) -> None:
        world.start()
        await world.sleep(20)
        await play(Line(world))
        await world.sleep(30)
        assert [kind for (kind,) in rows(world, "SELECT kind FROM commands")] == [*kinds]
        if not kinds:
            assert rows(world, "SELECT state FROM positions") == [("OPEN",)]

    return lived(bot("bot"), whole)


def test_who_is_allowed_is_obeyed() -> None:
    """The other worlds of this file prove nothing without it."""

    async def play(line: Line) -> None:
        await line.hears("/pause bot")
        assert line.said == ["Done: bot is PAUSED."]

    written_to(play, kinds=["pause"])


def test_a_stranger_is_neither_obeyed_nor_answered() -> None:
    async def play(line: Line) -> None:
        await line.hears("/pause bot", user=STRANGER)
        line.api.press("close bot", user=STRANGER, at=line.world.clock.now())
        await line.talk.step()
        assert line.said == []

    written_to(play)


def test_nobody_is_heard_in_a_group() -> None:
    async def play(line: Line) -> None:
        for kind in ("group", "supergroup", "channel"):
            await line.hears("/pause bot", kind=kind)
        assert line.said == []

    written_to(play)


def test_what_was_written_an_hour_ago_is_void() -> None:
    async def play(line: Line) -> None:
        await line.hears("/pause bot", ago_s=3600)
        assert line.said[0].startswith("Void")

    written_to(play)


def test_a_button_that_is_pressed_twice_closes_once() -> None:
    async def play(line: Line) -> None:
        for _ in range(2):
            line.api.press("close bot", at=line.world.clock.now())
        await line.talk.step()

    written_to(play, kinds=["close"])
