"""What changes, as it changes: records in sequence, and the figures that they moved.

A reader brings the sequence number it has seen last and gets everything after it, so nothing is
lost over a reconnect. Nothing is kept for a reader: each message is made from what is newer than
its own cursor. One that does not take a message in time is let go.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Any, Final

import msgspec
from fastapi import APIRouter, WebSocket, WebSocketDisconnect

from surefoot.journal.clock import Clock
from surefoot.web.board import Board

# Without news a sign of life is sent, so that a page knows when to call itself disconnected.
BEAT_S: Final = 2.0
# A reader that has not taken a message by then is dropped.
PATIENCE_S: Final = 10.0
READERS_MAX: Final = 64
TRY_LATER: Final = 1013

router = APIRouter()


class Message(msgspec.Struct, kw_only=True, omit_defaults=True):
    """One message; `at` is this server's time, for ages that do not trust the reader's clock.

    `read_at` is when the figures were read: what is not read again gets old, whatever beats.
    """

    at: datetime
    cursor: int
    epoch: str | None = None
    problem: str | None = None
    turned_at: datetime | None = None
    read_at: datetime | None = None
    records: list[Any] = []
    status: Any = None
    bots: list[Any] = []


class Readers:
    """How many listen, and no more than that."""

    def __init__(self) -> None:
        self.count = 0
        self.dropped = 0

    @asynccontextmanager
    async def seat(self) -> AsyncIterator[bool]:
        """Take one of the seats, if there is one."""
        free = self.count < READERS_MAX
        self.count += free
        try:
            yield free
        finally:
            self.count -= free


@router.websocket("/api/v1/live")
async def live(socket: WebSocket, after: int | None = None) -> None:
    """Send what changes, from a record on (or from now)."""
    state = socket.app.state
    async with state.readers.seat() as seated:
        await socket.accept()
        if not seated:
            await socket.close(TRY_LATER)
            return
        try:
            async with asyncio.TaskGroup() as tasks:
                sending = tasks.create_task(_send(socket, state.board, state.clock, after))
                await _until_gone(socket)
                sending.cancel()
        except* WebSocketDisconnect:
            pass  # It went while it was told something.


async def _until_gone(socket: WebSocket) -> None:
    """Wait for the goodbye; what a reader says otherwise is not listened to."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _send(socket: WebSocket, board: Board, clock: Clock, after: int | None) -> None:
    cursor, version, epoch = after, 0, None
    while True:
        if cursor is None or cursor > board.cursor:
            cursor = board.cursor
        problem = board.problem
        message = Message(
            at=clock.now(), cursor=cursor, problem=problem,
            turned_at=board.turned_at, read_at=board.read_at,
        )  # fmt: skip
        if problem is None:
            news = await board.news(cursor, version)
            cursor, version = news.cursor, news.version
            message.cursor, message.records = cursor, news.records
            message.status, message.bots = news.status, news.bots
            if epoch != board.figures.epoch:
                epoch = message.epoch = board.figures.epoch
        try:
            async with asyncio.timeout(PATIENCE_S):
                await socket.send_text(msgspec.json.encode(message).decode())
        except TimeoutError:
            socket.app.state.readers.dropped += 1
            await socket.close(TRY_LATER)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(BEAT_S):
                await board.moved(cursor, version)
