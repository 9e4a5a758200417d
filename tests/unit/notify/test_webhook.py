"""Webhooks: signed, in order, and every answer of a receiver understood."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web
from tests.builders import START
from tests.unit.engine.clock import HandClock
from tests.unit.notify.scene import served

from surefoot.config.secret import Secret
from surefoot.notify import http
from surefoot.notify.errors import Later, Parked
from surefoot.notify.event import Event, EventKind, Weight
from surefoot.notify.settings import WebhookSettings
from surefoot.notify.webhook import Webhook


def event(number: int, text: str = "it happened") -> Event:
    return Event(id=f"abc-{number}", at=START, kind=EventKind.FILL, weight=Weight.INFO, text=text)


class Receiver:
    """Somebody's server, that answers as it is told to."""

    def __init__(self, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.url = ""
        self.answer: Any = web.Response
        self.got: list[tuple[bytes, dict[str, str]]] = []

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.got.append((await request.read(), dict(request.headers)))
        answer: web.StreamResponse = self.answer()
        return answer

    def hook(self, *, signed: bool = True) -> Webhook:
        settings = WebhookSettings(
            url=Secret(f"{self.url}/hook"),
            secret=Secret("s3cret") if signed else None,
            events=frozenset(EventKind),
            least=Weight.INFO,
        )
        return Webhook(settings, self.session, HandClock())


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with http.session() as session:
        it = Receiver(session)
        async with served(it.handle) as it.url:
            yield it


async def test_events_arrive_in_order_and_their_signature_proves_them(receiver: Receiver) -> None:
    await receiver.hook().deliver([event(1), event(2)])
    ((body, headers),) = receiver.got
    assert [each["id"] for each in json.loads(body)["events"]] == ["abc-1", "abc-2"]
    stamp = headers["Surefoot-Timestamp"]
    assert stamp == str(int(START.timestamp()))
    right = hmac.new(b"s3cret", stamp.encode() + b"." + body, hashlib.sha256).hexdigest()
    assert headers["Surefoot-Signature"] == right
    assert b"s3cret" not in body


async def test_without_a_secret_nothing_is_signed(receiver: Receiver) -> None:
    await receiver.hook(signed=False).deliver([event(1)])
    assert "Surefoot-Signature" not in receiver.got[0][1]


@pytest.mark.parametrize("status", [301, 401, 403, 404, 408, 429, 500, 502, 503, 504])
async def test_what_may_work_later_is_tried_again(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda: web.Response(status=status, headers={"Location": "/elsewhere"})
    with pytest.raises(Later) as caught:
        await receiver.hook().deliver([event(1)])
    assert caught.value.after_s is None
    assert len(receiver.got) == 1, "a redirect would carry the message somewhere else"


@pytest.mark.parametrize("status", [400, 410, 413, 415, 422])
async def test_what_is_refused_for_good_is_not_tried_again(receiver: Receiver, status: int) -> None:
    receiver.answer = lambda: web.Response(status=status)
    with pytest.raises(Parked):
        await receiver.hook().deliver([event(1)])


@pytest.mark.parametrize(
    ("asked", "waits"),
    [("7", 7.0), ("999999999", 3600.0), ("-1", None), ("Wed, 21 Oct 2026 07:28:00 GMT", None)],
)
async def test_a_wait_that_is_asked_for_is_kept_within_reason(
    receiver: Receiver, asked: str, waits: float | None
) -> None:
    receiver.answer = lambda: web.Response(status=429, headers={"Retry-After": asked})
    with pytest.raises(Later) as caught:
        await receiver.hook().deliver([event(1)])
    assert caught.value.after_s == waits


async def test_nobody_there_says_so_without_the_address(receiver: Receiver) -> None:
    """An address may hold a token, and the message goes to the log."""
    receiver.url = "http://127.0.0.1:9/token-in-path"
    with pytest.raises(Later) as caught:
        await receiver.hook().deliver([event(1)])
    assert "token" not in str(caught.value)
    assert caught.value.__cause__ is None


def test_another_address_is_another_receiver() -> None:
    def name(url: str) -> str:
        settings = WebhookSettings(
            url=Secret(url), secret=None, events=frozenset(), least=Weight.INFO
        )
        return Webhook(settings, None, HandClock()).name  # type: ignore[arg-type]

    assert name("https://a.example/1") != name("https://a.example/2")
    assert name("https://a.example/1") == name("https://a.example/1")
    assert "example" not in name("https://a.example/1")
