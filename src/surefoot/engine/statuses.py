"""Whether a bot runs: a journaled word per bot, changed on purpose and with a reason.

RUNNING   enters and leaves as its strategy wants
PAUSED    enters nothing; its position is kept, its exits and stops work
REVIEW    as PAUSED, and somebody should look: the reason says why
STOPPED   taken out of service
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from enum import StrEnum

from surefoot.core.records import BotStatusChanged, PositionStarted
from surefoot.core.state import evolve
from surefoot.core.values import BotName
from surefoot.engine.voice import Log
from surefoot.journal.port import (
    Append,
    Change,
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


class Statuses:
    """The status of every bot of one account, as the journal has it."""

    def __init__(self, journal: Journal, now: Callable[[], datetime], log: Log) -> None:
        self._journal = journal
        self._now = now
        self._log = log
        self._lock = asyncio.Lock()
        self._known: dict[BotName, tuple[Status, str | None]] = {}

    async def load(self) -> None:
        """Read what the journal has, once."""
        for row in await self._journal.bots():
            self._known.setdefault(row.bot, (Status(row.status), row.reason))

    def of(self, bot: BotName) -> Status | None:
        """Return a bot's status, or None if the journal has never heard of it."""
        known = self._known.get(bot)
        return None if known is None else known[0]

    def in_review(self) -> dict[str, str]:
        """Return the bots that somebody should look at, and why."""
        return {
            bot: reason or "no reason was given"
            for bot, (status, reason) in self._known.items()
            if status is Status.REVIEW
        }

    def refusal(self, bot: BotName) -> str | None:
        """Return why a bot may not enter, or None if it may."""
        status, reason = self._known.get(bot, (None, None))
        if status is Status.RUNNING:
            return None
        return f"the bot is {status}" + (f": {reason}" if reason else "")

    async def change(
        self,
        bot: BotName,
        status: Status,
        *,
        by: str,
        reason: str | None = None,
        start: PositionStarted | None = None,
        verdict: Verdict | None = None,
    ) -> None:
        """Make a status durable; a repeated one changes nothing (but a verdict is still given)."""
        async with self._lock:  # the version is read before it is written
            await self._change(bot, status, by, reason, start, verdict)

    async def _change(
        self,
        bot: BotName,
        status: Status,
        by: str,
        reason: str | None,
        start: PositionStarted | None,
        verdict: Verdict | None,
    ) -> None:
        same = self._known.get(bot) == (status, reason) and start is None
        if same and verdict is None:
            return
        appends = () if same else await self._appends(bot, status, by, reason, start)
        verdicts = () if verdict is None else (verdict,)
        await self._journal.commit(Change(at=self._now(), appends=appends, verdicts=verdicts))
        self._known[bot] = (status, reason)
        if not same:
            speak = self._log.warning if status is Status.REVIEW else self._log.info
            speak("bot status", bot=bot, status=status.value, by=by, reason=reason)

    async def _appends(
        self,
        bot: BotName,
        status: Status,
        by: str,
        reason: str | None,
        start: PositionStarted | None,
    ) -> tuple[Append, ...]:
        stream = bot_stream(bot)
        record = BotStatusChanged(at=self._now(), bot=bot, status=status, by=by, reason=reason)
        version = await self._journal.version(stream)
        appends = [Append(stream=stream, expected=version, records=(record,))]
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
