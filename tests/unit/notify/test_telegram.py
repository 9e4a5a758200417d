"""Telegram: each command once, whatever is repeated, late, pressed twice or by a stranger."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from aiohttp import web
from tests.builders import START, D, Life
from tests.unit.engine.clock import HandClock
from tests.unit.notify.scene import BotApi, Journal, Voice, refusal, served

from surefoot.config.secret import Secret
from surefoot.journal.port import Change, Verdict
from surefoot.notify.conversation import HELP, Conversation
from surefoot.notify.errors import Later, NotDelivered, Parked
from surefoot.notify.event import Event, EventKind, Weight
from surefoot.notify.settings import TelegramSettings
from surefoot.notify.telegram import TEXT_MAX, Chat, Conflict, Wire

pytest.importorskip("telegram", reason="python-telegram-bot is an extra")
# The library announces another type for a pause; both are understood.
pytestmark = pytest.mark.filterwarnings("ignore:.*retry_after")


class Phone:
    """Telegram, a user's phone, and the program that answers; the server obeys when asked."""

    def __init__(self, api: BotApi, wire: Wire) -> None:
        self.api = api
        self.wire = wire
        self.journal = Obedient()
        self.clock = HandClock()
        self.clock.hurried = True
        self.voice = Voice()
        self.talk = self.program()

    def program(self) -> Conversation:
        """Start the program anew: it remembers nothing."""
        return Conversation(self.wire, (7,), reader=self.journal, clock=self.clock, log=self.voice)

    async def say(self, text: str, *, ago_s: float = 1, user: int = 7) -> str:
        """Write something, and return the answer."""
        self.api.hear(text, user=user, at=self.clock.now() - timedelta(seconds=ago_s))
        before = len(self.api.said)
        await self.talk.step()
        return "\n".join(self.api.texts[before:])

    @property
    def obeyed(self) -> list[tuple[str, str]]:
        return [(each.kind, each.target) for each in self.journal.obeyed]


class Obedient(Journal):
    """A journal whose server carries commands out as soon as they are posted, each once."""

    async def post(self, command):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN201
        fresh = await super().post(command)
        if self.since is not None:
            await self.obey()
        return fresh

    async def obey(self) -> None:
        await self.take_commands(at=START)
        verdicts = tuple(
            Verdict(command_id=each.command_id, status="done", result=f"{each.target} obeyed")
            for each in await self.commands(status="posted")
        )
        await self.commit(Change(at=START, verdicts=verdicts))

    @property
    def obeyed(self):  # type: ignore[no-untyped-def] # noqa: ANN201
        return [each for each in self._commands.values() if each.status == "done"]


@pytest_asyncio.fixture
async def phone() -> AsyncIterator[Phone]:
    api = BotApi()
    async with served(api.handle) as url:
        settings = TelegramSettings(
            token=Secret("12:canary"), allow=(7,), least=Weight.INFO, api=url
        )
        wire = Wire(settings)
        yield Phone(api, wire)
        await wire.close()


async def held(phone: Phone) -> None:
    life = Life()
    life.opened()
    await phone.journal.keep(life)
    await phone.journal.word("RUNNING")


async def test_a_pause_is_done_and_said(phone: Phone) -> None:
    assert await phone.say("/pause dip-btc") == "Done: dip-btc obeyed."
    assert phone.obeyed == [("pause", "dip-btc")]
    (command,) = phone.journal.posted
    assert command.actor == "telegram:7"
    assert command.expires_at - command.posted_at == timedelta(seconds=60)


async def test_an_update_that_comes_again_is_not_done_again(phone: Phone) -> None:
    """Killed after the command was posted and before Telegram knew that it was read."""
    update = phone.api.hear("/pause dip-btc")
    await phone.talk.step()
    phone.api.waiting = [update]
    phone.talk = phone.program()
    await phone.talk.step()
    assert phone.obeyed == [("pause", "dip-btc")]
    assert phone.api.texts == ["Done: dip-btc obeyed."] * 2


async def test_an_update_that_comes_again_too_late_says_what_became_of_it(phone: Phone) -> None:
    """It was done: "void" would be a lie."""
    update = phone.api.hear("/pause dip-btc")
    await phone.talk.step()
    phone.api.waiting = [update]
    phone.talk = phone.program()
    phone.clock.elapsed += 3600
    await phone.talk.step()
    assert phone.api.texts[-1] == "Done: dip-btc obeyed."


async def test_an_old_command_is_void_and_says_so(phone: Phone) -> None:
    answer = await phone.say("/pause dip-btc", ago_s=61)
    assert answer.startswith("Void: this was sent at 23:58:59 UTC, more than a minute ago.")
    assert phone.journal.posted == []


async def test_what_moves_money_asks_first(phone: Phone) -> None:
    await held(phone)
    answer = await phone.say("/close dip-btc")
    assert answer.startswith("close dip-btc-1?\ndip-btc-1 is OPEN and holds 0.0016 BTC.")
    assert phone.journal.posted == []
    ((button,),) = phone.api.said[-1]["reply_markup"]["inline_keyboard"]
    # The position that was shown: the bot may have another one before the button is pressed.
    assert (button["text"], button["callback_data"]) == ("Yes, close dip-btc-1", "close dip-btc-1")
    phone.api.press(button["callback_data"])
    await phone.talk.step()
    assert phone.obeyed == [("close", "dip-btc-1")]
    assert "answerCallbackQuery" in phone.api.asked


async def test_a_button_that_is_pressed_twice_is_one_command(phone: Phone) -> None:
    phone.api.press("close dip-btc")
    phone.api.press("close dip-btc")
    await phone.talk.step()
    assert phone.obeyed == [("close", "dip-btc")]
    assert phone.api.texts == ["Begun: dip-btc obeyed."] * 2


async def test_an_old_button_is_void(phone: Phone) -> None:
    """The time of a press is not known; that of the question is, and it is the safe one."""
    phone.api.press("close dip-btc", at=START - timedelta(seconds=61))
    await phone.talk.step()
    assert phone.obeyed == []
    assert phone.api.texts[0].startswith("Void")


@pytest.mark.parametrize(
    ("text", "arguments"),
    [
        ("/resolve dip-btc-1 adopt", {"how": "adopt"}),
        (
            "/resolve dip-btc-1 filled 0.5@61000",
            {"how": "filled", "quantity": "0.5", "price": "61000"},
        ),
        ("/resolve dip-btc-1 filled 0", {"how": "filled", "quantity": "0", "price": "0"}),
    ],
)
async def test_resolving_says_the_same_through_its_button(
    phone: Phone, text: str, arguments: dict[str, str]
) -> None:
    await held(phone)
    await phone.say(text)
    ((button,),) = phone.api.said[-1]["reply_markup"]["inline_keyboard"]
    phone.api.press(button["callback_data"])
    await phone.talk.step()
    (command,) = phone.journal.posted
    assert (command.kind, command.target, command.arguments) == ("resolve", "dip-btc-1", arguments)


async def test_stopping_all_is_done_at_once_and_undoing_it_asks_first(phone: Phone) -> None:
    assert await phone.say("/stop_all") == "Done: all obeyed."
    assert "may enter again" in await phone.say("/resume_all")
    assert phone.obeyed == [("stop-all", "all")]
    ((button,),) = phone.api.said[-1]["reply_markup"]["inline_keyboard"]
    phone.api.press(button["callback_data"])
    await phone.talk.step()
    assert phone.obeyed == [("stop-all", "all"), ("resume-all", "all")]


async def test_a_stranger_is_not_answered(phone: Phone) -> None:
    assert await phone.say("/pause dip-btc", user=8) == ""
    phone.api.press("close dip-btc", user=8)
    await phone.talk.step()
    assert phone.journal.posted == []
    assert phone.voice.said == ["telegram user ignored"]


@pytest.mark.parametrize("kind", ["group", "supergroup", "channel"])
async def test_only_private_chats_are_heard(phone: Phone, kind: str) -> None:
    phone.api.hear("/pause dip-btc", kind=kind)
    await phone.talk.step()
    assert phone.journal.posted == []
    assert phone.api.said == []


async def test_without_a_server_a_command_waits_its_minute(phone: Phone) -> None:
    phone.journal.since = None
    answer = await phone.say("/pause dip-btc")
    assert answer.startswith("Stored, but the server is down")
    assert phone.obeyed == []


async def test_a_server_that_does_not_answer_is_said(phone: Phone) -> None:
    phone.journal.obey = _never  # type: ignore[method-assign]
    answer = await phone.say("/pause dip-btc")
    assert answer == "Stored; the server has not done it yet. /log will say when."


async def _never() -> None:
    return


@pytest.mark.parametrize(
    "text", ["/help", "hello", "/pause", "/close", "/resolve dip-btc-1", "/resolve x filled", "/"]
)
async def test_what_is_not_understood_gets_help(phone: Phone, text: str) -> None:
    assert await phone.say(text) == HELP
    assert phone.journal.posted == []


async def test_what_can_be_no_command_is_refused_in_words_and_holds_nothing_up(
    phone: Phone,
) -> None:
    """It failed for a minute, and whatever was said after it waited until it was void as well."""
    assert "'dip-btc,' can be no bot" in await phone.say("/pause dip-btc,")
    await phone.say("/stop_all")
    assert phone.obeyed == [("stop-all", "all")]


async def test_the_views_are_there(phone: Phone) -> None:
    await held(phone)
    phone.journal.gauges.price(Life().position.account, Life().position.symbol, D(51000), START)
    assert "Bots: 1 of 1 running. Open: 1." in await phone.say("/status@my_bot")
    assert await phone.say("/bots") == "dip-btc: RUNNING, OPEN +1.60 USDT"
    positions = await phone.say("/positions")
    assert "dip-btc-1: 0.0016 BTC, OPEN" in positions
    assert "stop 49,000.00, " in positions
    assert "0.0016 BTC, about 81.60 USDT" in await phone.say("/balance")
    assert "There was no recovery yet." in await phone.say("/recovery")
    assert "is RUNNING" in await phone.say("/log dip-btc")
    assert await phone.say("/review") == "Nothing needs you."


async def test_the_next_question_says_what_was_dealt_with(phone: Phone) -> None:
    phone.api.hear("/help")
    await phone.talk.step()
    await phone.talk.step()
    assert phone.api.waiting == []


async def test_a_command_is_in_the_inbox_before_telegram_knows(phone: Phone) -> None:
    """The inbox refuses, so the update must come again. Red with the offset moved first."""

    async def full(_: object) -> bool:
        raise OSError("disk full")

    phone.journal.post = full  # type: ignore[method-assign]
    phone.api.hear("/pause dip-btc")
    with pytest.raises(OSError, match="disk full"):
        await phone.talk.step()
    del phone.journal.post
    await phone.program().step()
    assert phone.obeyed == [("pause", "dip-btc")]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (lambda: refusal(429, "Too Many Requests", retry_after=17), Later),
        (lambda: refusal(409, "Conflict: terminated by other getUpdates request"), Conflict),
        (lambda: refusal(401, "Unauthorized"), Later),
        (lambda: refusal(502, "Bad Gateway"), Later),
        (lambda: web.Response(text="<html>portal</html>"), Later),
        (lambda: web.Response(status=500, text=""), Later),
    ],
)
async def test_every_no_of_telegram_is_understood(
    phone: Phone, answer: object, error: type[NotDelivered]
) -> None:
    phone.api.answers = [answer()]  # type: ignore[operator]
    phone.api.hear("/pause dip-btc")
    with pytest.raises(error) as caught:
        await phone.talk.step()
    assert "canary" not in str(caught.value)
    await phone.talk.step()
    assert phone.obeyed == [("pause", "dip-btc")]


async def test_a_pause_that_telegram_asks_for_is_kept(phone: Phone) -> None:
    phone.api.answers = [refusal(429, "Too Many Requests", retry_after=17)]
    with pytest.raises(Later) as caught:
        await phone.wire.say(7, "hello")
    assert caught.value.after_s == 17


async def test_a_blocked_chat_is_refused_for_good(phone: Phone) -> None:
    chat = Chat(7, phone.wire, Weight.INFO)
    phone.api.answers = [refusal(403, "Forbidden: bot was blocked by the user")]
    with pytest.raises(Parked):
        await chat.deliver([told(1, "hello")])


async def test_many_events_are_few_messages_in_order(phone: Phone) -> None:
    chat = Chat(7, phone.wire, Weight.INFO)
    await chat.deliver([told(number, f"number {number} " + "x" * 90) for number in range(100)])
    assert len(phone.api.texts) < 5
    assert all(len(text) <= TEXT_MAX for text in phone.api.texts)
    numbers = re.findall(r"number (\d+)", "".join(phone.api.texts))
    assert [int(each) for each in numbers] == list(range(100))


async def test_an_event_that_is_too_long_keeps_its_number(phone: Phone) -> None:
    chat = Chat(7, phone.wire, Weight.INFO)
    await chat.deliver([told(1, "y" * 9000)])
    (text,) = phone.api.texts
    assert len(text) <= TEXT_MAX
    assert text.endswith("01 Jan 00:00:00 UTC · abc-1")


def told(number: int, text: str) -> Event:
    return Event(id=f"abc-{number}", at=START, kind=EventKind.FILL, weight=Weight.INFO, text=text)
