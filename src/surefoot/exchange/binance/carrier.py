"""Carrying one request there and one answer back: priced, judged, and silent while banned.

Nothing here retries, and nothing raw comes out: a question ends in an answer, `ReadFailed`,
`Banned` or `Misconfigured`; an act in an answer, `NotSent`, `Refused` or `Unknown`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, TypeAlias, TypeVar

from surefoot.exchange.binance import verdicts
from surefoot.exchange.binance.facts import WEIGHTS
from surefoot.exchange.errors import Banned, NotSent
from surefoot.exchange.port import Spending, Time

T = TypeVar("T")
Request: TypeAlias = dict[str, Any]
Call: TypeAlias = Callable[[Request], Awaitable[Any]]


class Carrier:
    """What a login may still ask, what it has asked, and what time it is at the exchange."""

    def __init__(self, time: Time) -> None:
        self._time = time
        self._banned_until: datetime | None = None
        self._requests = 0
        self._weight = 0
        self.offset = timedelta(0)

    def now(self) -> datetime:
        """Return exchange time: the local clock corrected by the measured offset."""
        return self._time.now() - self.offset

    def spending(self) -> Spending:
        """Return what has been asked so far."""
        return Spending(requests=self._requests, weight=self._weight)

    def note_ban(self, until: datetime) -> None:
        """Keep away until then; of two bans the longer one counts."""
        if self._banned_until is None or until > self._banned_until:
            self._banned_until = until

    async def ask(self, price: str, call: Call, request: Request, read: Callable[[Any], T]) -> T:
        """Ask one question, and read the answer."""
        banned = self._ban()
        if banned is not None:
            raise Banned(banned, "the exchange asked us to stay away")
        try:
            self._spend(price)
            return read(await call(request))
        except Exception as error:
            self._heed(error)
            raise verdicts.of_read(error, now=self.now()) from error

    async def act(self, price: str, call: Call, request: Request, read: Callable[[Any], T]) -> T:
        """Do one thing once; whatever comes back that is not a believable answer is Unknown."""
        banned = self._ban()
        if banned is not None:
            raise NotSent(f"the exchange asked us to stay away until {banned}")
        try:
            self._spend(price)
            return read(await call(request))
        except Exception as error:
            self._heed(error)
            raise verdicts.of_send(error) from error

    def _ban(self) -> datetime | None:
        until = self._banned_until
        return until if until is not None and self.now() < until else None

    def _spend(self, what: str) -> None:
        self._requests += 1
        self._weight += WEIGHTS[what]

    def _heed(self, error: Exception) -> None:
        if isinstance(error, verdicts.Answered) and error.is_ban:
            self.note_ban(verdicts.ban_end(self.now(), error.retry_after))
