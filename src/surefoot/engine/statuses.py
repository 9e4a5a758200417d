"""Whether a bot runs: a journaled word per bot, changed on purpose and with a reason.

RUNNING   enters and leaves as its strategy wants
PAUSED    enters nothing; its position is kept, its exits and stops work
REVIEW    as PAUSED, and somebody should look: the reason says why; the operator's word lifts it, or
          evidence that its cause is gone (and nothing but that, where nothing could be read)
STOPPED   taken out of service
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import datetime
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

from surefoot.core.account_records import BotStatusChanged, Cause
from surefoot.core.records import PositionStarted
from surefoot.core.state import evolve
from surefoot.core.values import BotName, natural
from surefoot.engine.voice import Log
from surefoot.journal.errors import StaleAppend
from surefoot.journal.port import (
    Append,
    Change,
    Entry,
    Journal,
    Verdict,
    bot_stream,
    position_stream,
)


class Status(StrEnum):
    """Whether a bot runs."""

    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    REVIEW = "REVIEW"
    STOPPED = "STOPPED"


class _Word(Struct, frozen=True):
    """The last word on one bot; `review` is why to look at one that an operator holds."""

    status: Status
    reason: str | None = None
    cause: Cause | None = None
    review: str | None = None
    by: str = "surefoot"

    @property
    def reviewed(self) -> bool:
        """Tell whether somebody should look, held or not."""
        return self.status is Status.REVIEW or self.review is not None

    @property
    def needs_answer(self) -> bool:
        """Tell whether only an operator can take it out of review."""
        return self.reviewed and self.cause in {None, Cause.STRATEGY, Cause.SETBACK}

    def says_as(self, other: _Word | None) -> bool:
        """Tell whether it says the same as another one, whoever said it."""
        return other is not None and replace(other, by=self.by) == self


class Statuses:
    """The status of every bot of one account, as the journal has it."""

    def __init__(self, journal: Journal, now: Callable[[], datetime], log: Log) -> None:
        self._journal = journal
        self._now = now
        self._log = log
        self._lock = asyncio.Lock()
        self._known: dict[BotName, _Word] = {}

    async def load(self, bots: Iterable[BotName] = ()) -> None:
        """Read what the journal has; if it went back in time, none of these bots may enter on it.

        What it does not know any more may be held; an operator's word after the setback stands.
        """
        async with self._lock:
            words = await self._journal.words()
            self._take(words, [bot for bot in words if bot not in self._known])
            if (setback := self._journal.setback) is not None and setback.lost:
                for bot in bots:
                    if bot not in words or words[bot].sequence <= setback.sequence:
                        await self._review(bot, setback.why, Cause.SETBACK)

    async def hear(self, bots: Collection[BotName]) -> None:
        """Take in what was said of some bots through other accounts since they were loaded."""
        if bots:
            async with self._lock:
                self._take(await self._journal.words(), bots)

    def _take(self, words: Mapping[BotName, Entry], bots: Collection[BotName]) -> None:
        for bot in bots:
            word = words[bot].record if bot in words else None
            if isinstance(word, BotStatusChanged):
                self._known[bot] = _Word(
                    Status(word.status), word.reason, word.cause, word.review, word.by
                )

    def of(self, bot: BotName) -> Status | None:
        """Return a bot's status, or None if the journal has never heard of it."""
        known = self._known.get(bot)
        return None if known is None else known.status

    def reason(self, bot: BotName) -> str | None:
        """Return the reason of the last word on a bot."""
        known = self._known.get(bot)
        return None if known is None else known.reason

    def needs_word(self, bot: BotName) -> bool:
        """Tell whether only an operator can take a bot out of review: no read disproves why."""
        word = self._known.get(bot)
        return word is not None and word.needs_answer

    def cause(self, bot: BotName) -> Cause | None:
        """Return why somebody should look at a bot, or None."""
        word = self._known.get(bot)
        return None if word is None or not word.reviewed else word.cause

    def unread(self, bot: BotName) -> str | None:
        """Return why nothing of a bot's symbol is proven, or None: only a read can end that."""
        word = self._known.get(bot)
        if word is None or not word.reviewed or word.cause is not Cause.UNREACHABLE:
            return None
        return word.review or word.reason or "it was not read"

    def has_failed(self, bot: BotName) -> bool:
        """Tell whether a bot is in review because its strategy failed: it is not asked any more."""
        word = self._known.get(bot)
        if word is None or word.status is not Status.REVIEW:
            return False
        return word.cause in {None, Cause.STRATEGY}

    def in_review(self) -> dict[str, str]:
        """Return the bots that somebody should look at, in the order of names, and why."""
        return {
            bot: self._known[bot].reason or "no reason was given"
            for bot in sorted(self._known, key=natural)
            if self._known[bot].status is Status.REVIEW
        }

    def refusal(self, bot: BotName) -> str | None:
        """Return why a bot may not enter, or None if it may."""
        word = self._known.get(bot)
        if word is None:
            return "the bot is None"
        if word.status is Status.RUNNING:
            return None
        return f"the bot is {word.status}" + (f": {word.reason}" if word.reason else "")

    async def review(self, bot: BotName, reason: str, cause: Cause) -> None:
        """Take a bot out of entering, and say why.

        What an operator stopped stays stopped, and a review that only an operator can lift does
        not become one that lifts itself.
        """
        async with self._lock:
            await self._review(bot, reason, cause)

    async def _review(self, bot: BotName, reason: str, cause: Cause) -> None:
        if self.needs_word(bot) and cause is not Cause.STRATEGY:
            return
        word = _Word(Status.REVIEW, reason, cause)
        if self._is_held(bot):
            word = replace(self._known[bot], cause=cause, review=reason)
        await self._change(bot, word)

    def _is_held(self, bot: BotName) -> bool:
        return self.of(bot) in {Status.PAUSED, Status.STOPPED}

    async def release(self, bot: BotName) -> bool:
        """Let a bot run whose cause of review is proven gone, unless an operator's word holds it.

        Also one that came just now; the cause is gone from a bot that is held as well.
        """
        async with self._lock:
            if self.needs_word(bot):
                return False
            held = self._is_held(bot)
            word = replace(self._known[bot], cause=None, review=None) if held else None
            await self._change(bot, word or _Word(Status.RUNNING))
            return not held

    async def pause_all(self, bots: Collection[BotName], *, by: str, reason: str) -> int:
        """Pause bots in one go; return how many, without those that an operator's word holds."""
        async with self._lock:
            free = [bot for bot in bots if not (self._is_held(bot) or self.needs_word(bot))]
            words = {bot: self._held(bot, _Word(Status.PAUSED, reason, by=by)) for bot in free}
            await self._change_all(words)
            return len(free)

    def _held(self, bot: BotName, word: _Word) -> _Word:
        """Return an operator's hold on a bot: who holds it has not answered why to look at it."""
        known = self._known.get(bot)
        if known is None or not known.reviewed:
            return word
        return replace(word, cause=known.cause, review=known.review or known.reason)

    async def unpause(self, bot: BotName, *, by: str, reason: str | None = None) -> Status | None:
        """Take back a pause, perhaps only one for this reason; return what the bot is then.

        None: it is as before.

        Why somebody should look at it is neither answered nor gone by that: it is in review then.
        """
        async with self._lock:
            word = self._known.get(bot)
            if word is None or word.status is not Status.PAUSED:
                return None
            if reason is not None and word.reason != reason:
                return None
            after = _Word(Status.RUNNING, by=by)
            if word.reviewed:
                after = _Word(Status.REVIEW, word.review, word.cause)
            await self._change(bot, after)
            return after.status

    async def begin(self, bot: BotName, start: PositionStarted) -> None:
        """Give a bot a first position under the word that stands; a new bot runs."""
        async with self._lock:
            word = self._known.get(bot) or _Word(Status.RUNNING)
            await self._change(bot, word, start=start)

    async def change(  # noqa: PLR0913 (the words of one record)
        self,
        bot: BotName,
        status: Status,
        *,
        by: str,
        reason: str | None = None,
        cause: Cause | None = None,
        start: PositionStarted | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        """Make a status durable; a repeated one changes nothing (but a verdict is still given)."""
        async with self._lock:
            word = _Word(status, reason, cause, by=by)
            if status is Status.PAUSED:
                word = self._held(bot, word)
            await self._change(bot, word, start=start, verdict=verdict)

    async def _change(
        self,
        bot: BotName,
        word: _Word,
        *,
        start: PositionStarted | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        """Write a word down under the lock: what it was decided on, and its version, still hold."""
        await self._change_all({bot: word}, start=start, verdict=verdict)

    async def _change_all(
        self,
        words: Mapping[BotName, _Word],
        *,
        start: PositionStarted | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        """Write words down in one commit: what they were decided on, and their versions, hold."""
        new = {
            bot: word
            for bot, word in words.items()
            if start is not None or not word.says_as(self._known.get(bot))
        }
        if not new and verdict is None:
            return
        verdicts = () if verdict is None else (verdict,)
        try:
            await self._commit(await self._appends(new, start), verdicts)
        except StaleAppend:  # another account has just spoken of it: what is left there is watched
            await self._commit(await self._appends(new, start), verdicts)
        self._known |= words
        for bot, word in new.items():
            speak = self._log.warning if word.reviewed else self._log.info
            speak(
                "bot status",
                bot=bot,
                status=word.status.value,
                by=word.by,
                reason=word.reason,
                review=word.review,
            )

    async def _commit(self, appends: tuple[Append, ...], verdicts: tuple[Verdict, ...]) -> None:
        await self._journal.commit(Change(at=self._now(), appends=appends, verdicts=verdicts))

    async def _appends(
        self, words: Mapping[BotName, _Word], start: PositionStarted | None
    ) -> tuple[Append, ...]:
        appends = [await self._spoken(bot, word) for bot, word in words.items()]
        if start is not None:
            appends.append(
                Append(
                    stream=position_stream(start.position_id),
                    expected=0,
                    records=(start,),
                    position=evolve(None, start),
                ),
            )
        return tuple(appends)

    async def _spoken(self, bot: BotName, word: _Word) -> Append:
        stream = bot_stream(bot)
        record = BotStatusChanged(
            at=self._now(),
            bot=bot,
            status=word.status,
            by=word.by,
            reason=word.reason,
            cause=word.cause,
            review=word.review,
        )
        return Append(
            stream=stream, expected=await self._journal.version(stream), records=(record,)
        )
