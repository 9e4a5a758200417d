"""The dead man's switch: heard as long as the server is well, and never otherwise."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest_asyncio
from aiohttp import web
from tests.builders import START
from tests.unit.engine.clock import HandClock
from tests.unit.notify.scene import Journal, Voice, served

from surefoot.config.secret import Secret
from surefoot.notify import http
from surefoot.notify.heartbeat import FRESH, Heartbeat
from surefoot.notify.settings import HeartbeatSettings


class Outside:
    def __init__(self) -> None:
        self.journal = Journal()
        self.voice = Voice()
        self.clock = HandClock()
        self.heard = 0
        self.status = 200
        self.switch: Heartbeat

    async def handle(self, _: web.Request) -> web.Response:
        self.heard += 1
        return web.Response(status=self.status)


@pytest_asyncio.fixture
async def outside() -> AsyncIterator[Outside]:
    it = Outside()
    async with http.session() as session, served(it.handle) as url:
        settings = HeartbeatSettings(url=Secret(f"{url}/ping"), every=timedelta(seconds=60))
        it.switch = Heartbeat(
            settings, reader=it.journal, session=session, clock=it.clock, log=it.voice
        )
        yield it


async def test_a_server_that_turns_is_heard(outside: Outside) -> None:
    outside.journal.gauges.turn(START)
    await outside.switch.beat()
    assert outside.heard == 1


async def test_a_server_that_is_gone_is_silent(outside: Outside) -> None:
    outside.journal.gauges.turn(START)
    outside.journal.since = None
    await outside.switch.beat()
    assert outside.heard == 0


async def test_a_server_that_hangs_is_silent(outside: Outside) -> None:
    """It holds its lease, but its loop does not turn. Red when only the lease was asked."""
    outside.journal.gauges.turn(START - FRESH - timedelta(seconds=1))
    await outside.switch.beat()
    assert outside.heard == 0


async def test_a_receiver_that_fails_is_said_once(outside: Outside) -> None:
    outside.journal.gauges.turn(START)
    outside.status = 500
    for _ in range(3):
        await outside.switch.beat()
    assert outside.voice.said == ["heartbeat is not heard"]
