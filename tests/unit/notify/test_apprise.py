"""What apprise reaches gets everything in order, or what it did not take is tried again."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator
from importlib.util import find_spec

import pytest
import pytest_asyncio
from aiohttp import web
from tests.builders import START
from tests.unit.notify.scene import served

from surefoot.config.secret import Secret
from surefoot.core.errors import InvalidValue
from surefoot.notify.apprise_service import AppriseService
from surefoot.notify.errors import Later
from surefoot.notify.event import Event, EventKind, Weight
from surefoot.notify.settings import AppriseSettings

pytestmark = [
    pytest.mark.skipif(find_spec("apprise") is None, reason="apprise is an extra"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # of its own
]

KEY = "canary-pa55word"


def event(number: int, text: str = "it happened") -> Event:
    return Event(id=f"abc-{number}", at=START, kind=EventKind.FILL, weight=Weight.INFO, text=text)


class Receiver:
    """Somebody's server, which apprise knows as `json://`."""

    def __init__(self) -> None:
        self.url = ""
        self.status = 200
        self.got: list[str] = []

    async def handle(self, request: web.Request) -> web.Response:
        if self.status == 200:
            self.got.append(json.loads(await request.read())["message"])
        return web.Response(status=self.status)

    def service(self, key: str = KEY) -> AppriseService:
        host = self.url.removeprefix("http://")
        url = Secret(f"json://ann:{key}@{host}/")
        return AppriseService(
            AppriseSettings(url=url, events=frozenset(EventKind), least=Weight.INFO)
        )


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[Receiver]:
    it = Receiver()
    async with served(it.handle) as it.url:
        yield it


async def test_what_happened_arrives_in_order_and_in_parts_that_a_service_takes(
    receiver: Receiver,
) -> None:
    told = [event(number, f"{number} " + "x" * 700) for number in range(6)]
    await receiver.service().deliver(told)
    assert len(receiver.got) > 1
    assert max(map(len, receiver.got)) <= 1_800
    whole = "\n".join(receiver.got)
    places = [whole.index(f"{number} xxx") for number in range(6)]
    assert places == sorted(places)


async def test_what_it_does_not_take_is_tried_again(
    receiver: Receiver, caplog: pytest.LogCaptureFixture
) -> None:
    receiver.status = 500
    with caplog.at_level(logging.DEBUG), pytest.raises(Later):
        await receiver.service().deliver([event(1)])
    assert KEY not in caplog.text
    receiver.status = 200
    await receiver.service().deliver([event(1)])
    assert len(receiver.got) == 1


def test_another_address_is_another_receiver_and_none_is_shown(receiver: Receiver) -> None:
    assert receiver.service().name == receiver.service().name != receiver.service("other").name
    assert KEY not in receiver.service().name


def test_an_address_that_means_nothing_is_refused_and_not_repeated() -> None:
    settings = AppriseSettings(
        url=Secret(f"nothing://{KEY}"), events=frozenset(EventKind), least=Weight.INFO
    )
    with pytest.raises(InvalidValue) as refused:
        AppriseService(settings)
    assert KEY not in str(refused.value)
