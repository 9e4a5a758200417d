"""Telegram: one chat for each allowed user, and the commands that they send.

The library is an extra, imported when it is used. Only its requests are: the loop is our own,
because a command has to be in the journal before Telegram is told that it was read.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Final

from surefoot.core.errors import InvalidValue
from surefoot.notify.digest import chunks
from surefoot.notify.errors import Later, NotDelivered, Parked
from surefoot.notify.event import Event, EventKind, Weight
from surefoot.notify.settings import TelegramSettings

# Telegram takes 4,096 characters.
TEXT_MAX: Final = 3_800
# How long Telegram may hold a question for updates, and how long we wait for an answer.
POLL_S: Final = 20
# Another program that polls asks again within this.
PROBE_S: Final = 3
_TIMEOUT_S: Final = 10.0
_UPDATES_MAX: Final = 100
_PAUSE_MAX_S: Final = 3_600.0


class Conflict(NotDelivered):
    """Somebody else asks for this bot's updates."""


class Wire:
    """Telegram's Bot API, with errors that say whether to try again."""

    def __init__(self, settings: TelegramSettings) -> None:
        self._bot, self._requests = _bot(settings)

    async def close(self) -> None:
        """Let go of every connection."""
        for each in self._requests:
            await each.shutdown()

    async def say(self, chat: int, text: str, buttons: Sequence[tuple[str, str]] = ()) -> None:
        """Send a text, perhaps with buttons (what they show, what they send).

        Raises:
            Later: not now. Parked: never.
        """
        from telegram import InlineKeyboardButton, InlineKeyboardMarkup  # noqa: PLC0415

        keys = [[InlineKeyboardButton(shown, callback_data=data)] for shown, data in buttons]
        markup = InlineKeyboardMarkup(keys) if keys else None
        await self._asked(
            self._bot.send_message(chat, text, reply_markup=markup, disable_web_page_preview=True)
        )

    async def heed(self, callback_id: str) -> None:
        """Let a pressed button stop spinning; nobody minds if that fails."""
        await self._asked(self._bot.answer_callback_query(callback_id))

    async def updates(self, after: int | None) -> Sequence[Any]:
        """Wait for updates; asking after one tells Telegram that it was dealt with.

        Raises:
            Later: not now. Conflict: somebody else polls too.
        """
        found: Sequence[Any] = await self._asked(
            self._bot.get_updates(
                offset=None if after is None else after + 1,
                limit=_UPDATES_MAX,
                timeout=POLL_S,
                allowed_updates=["message", "callback_query"],
            )
        )
        return found

    async def alone(self) -> None:
        """Ask for updates and take none: long enough for another program to ask as well.

        Raises:
            Later: not now. Conflict: somebody else polls too, or a webhook takes them.
        """
        await self._asked(self._bot.get_updates(limit=1, timeout=PROBE_S))

    async def _asked(self, asking: Any) -> Any:
        from telegram import error  # noqa: PLC0415

        try:
            return await asking
        except error.RetryAfter as wait:
            raise Later("Telegram wants a pause", after_s=_seconds(wait)) from None
        except error.Conflict:
            raise Conflict("another program asks for this bot's updates") from None
        except error.InvalidToken:
            raise Later("Telegram does not know this token") from None
        except (error.BadRequest, error.Forbidden) as refusal:
            raise Parked(refusal.message) from None
        except error.TelegramError as trouble:
            raise Later(trouble.message.partition("\n")[0][:200]) from None


class Chat:
    """One user's private chat, as a destination."""

    def __init__(self, user: int, wire: Wire, least: Weight) -> None:
        self.name = f"telegram-{user}"
        self.kinds = tuple(EventKind)
        self.least = least
        self._user = user
        self._wire = wire

    async def deliver(self, told: Sequence[Event]) -> None:
        """Send them in as few messages as they fit in."""
        for text in chunks(told, limit=TEXT_MAX):
            await self._wire.say(self._user, text)


def _bot(settings: TelegramSettings) -> tuple[Any, Sequence[Any]]:
    """Return the library's bot, and the connections that it uses.

    Raises:
        InvalidValue: the extra is not installed, or the token cannot be one.
    """
    try:
        from telegram import Bot  # noqa: PLC0415 (an extra, and slow to import)
        from telegram.error import InvalidToken  # noqa: PLC0415
        from telegram.request import HTTPXRequest  # noqa: PLC0415
        from telegram.warnings import PTBDeprecationWarning  # noqa: PLC0415
    except ImportError:
        raise InvalidValue(
            '[telegram] needs an extra; run: pip install "surefoot[telegram]"'
        ) from None
    # A pause will be told as a timedelta one day; both are understood.
    warnings.filterwarnings("ignore", message=".*retry_after", category=PTBDeprecationWarning)
    ask = HTTPXRequest(read_timeout=_TIMEOUT_S, connect_timeout=_TIMEOUT_S)
    poll = HTTPXRequest(read_timeout=POLL_S + _TIMEOUT_S, connect_timeout=_TIMEOUT_S)
    try:
        bot = Bot(
            settings.token.reveal(),
            base_url=f"{settings.api}/bot",
            request=ask,
            get_updates_request=poll,
        )
    except InvalidToken:
        raise InvalidValue("[telegram] token is empty") from None
    return bot, (ask, poll)


def _seconds(wait: Any) -> float:
    asked = wait.retry_after
    seconds = asked.total_seconds() if isinstance(asked, timedelta) else float(asked)
    return min(max(seconds, 1.0), _PAUSE_MAX_S)
