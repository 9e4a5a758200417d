"""A venue's public side, as anybody may read it: without keys, within its patience.

Every answer that is no success is an `ApiError`, so that whoever asks the exchange here hears what
the venue said, or that it did not answer.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

import aiohttp

from surefoot.simulator.clock import Clock
from surefoot.simulator.model import ApiError, Origin
from surefoot.simulator.security import RateLimited

_ANSWER_S: Final = 10.0
# A socket over which not even a pong came for this long is dead, whatever its kernel says.
_PULSE_S: Final = 10.0
_MESSAGE_MAX: Final = 4_194_304
_TOO_MANY: Final = frozenset({418, 429})
_PATIENCE_S: Final = 30
_NO_SUCCESS: Final = 300


class Unanswered(ApiError):
    """The venue did not answer; nothing is known."""

    def __init__(self, why: str) -> None:
        super().__init__(-1001, f"the mirrored exchange does not answer: {why}", 503)


class Socket:
    """One connection to the venue's streams: every event comes with its stream's name."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = count(1)

    async def subscribe(self, names: Sequence[str]) -> None:
        """Ask for streams by their names."""
        wish = {"method": "SUBSCRIBE", "params": list(names), "id": next(self._ids)}
        await self._socket.send_json(wish)

    async def events(self) -> AsyncIterator[tuple[str, dict[str, Any]]]:
        """Yield events with their stream's name until the connection ends."""
        async for message in self._socket:
            if message.type is not aiohttp.WSMsgType.TEXT:
                continue
            said = json.loads(message.data)
            if isinstance(said, dict) and isinstance(said.get("data"), dict):
                yield str(said["stream"]), said["data"]


class Source:
    """Reads a venue over HTTP, and listens to its streams."""

    def __init__(self, origin: Origin, clock: Clock) -> None:
        self._origin = origin
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._not_before = 0.0  # the venue wants to hear nothing until then

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=_ANSWER_S))
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def ask(self, path: str, params: Mapping[str, str]) -> Any:
        """Return what the venue answers.

        Raises:
            ApiError: it refuses, wants to be left alone, or does not answer.
        """
        left = self._not_before - self._clock.monotonic()
        if left > 0:
            raise RateLimited(
                -1003, "The mirrored exchange was asked too much.", 429, int(left) + 1
            )
        try:
            async with self._opened.get(f"{self._origin.rest}/{path}", params=params) as response:
                body = await response.text()
                status, patience = response.status, response.headers.get("Retry-After", "")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unanswered(str(error) or type(error).__name__) from error
        if status in _TOO_MANY:
            wait_s = int(patience) if patience.isdigit() else _PATIENCE_S
            self._not_before = self._clock.monotonic() + wait_s
            raise RateLimited(-1003, "The mirrored exchange was asked too much.", status, wait_s)
        return _read(status, body)

    @asynccontextmanager
    async def listen(self) -> AsyncIterator[Socket]:
        """Connect to the streams.

        Raises:
            Unanswered: it cannot be connected to.
        """
        try:
            socket = await self._opened.ws_connect(
                self._origin.streams, heartbeat=_PULSE_S, max_msg_size=_MESSAGE_MAX
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise Unanswered(str(error) or type(error).__name__) from error
        try:
            yield Socket(socket)
        finally:
            await socket.close()

    @property
    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            raise Unanswered("nobody has begun to ask it")
        return self._session


def _read(status: int, body: str) -> Any:
    try:
        answer = json.loads(body)
    except ValueError:
        raise Unanswered(f"HTTP {status}, and no JSON") from None
    if status < _NO_SUCCESS:
        return answer
    code = answer.get("code") if isinstance(answer, dict) else None
    if status >= 500 or not isinstance(code, int):  # noqa: PLR2004 (the server's own fault)
        raise Unanswered(f"HTTP {status}")
    raise ApiError(code, str(answer.get("msg", "")), status)
