"""Sorting errors: what is a ban, what is a no, and what is only silence."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from ccxt.async_support import binance
from tests.unit.engine.clock import HandClock

from surefoot.core.reports import Grounds
from surefoot.exchange.address import Address
from surefoot.exchange.binance.carrier import Carrier
from surefoot.exchange.binance.client import FencedBinance
from surefoot.exchange.binance.facts import BINANCE
from surefoot.exchange.binance.verdicts import (
    Answered,
    NoSuchOrder,
    NothingToCancel,
    ban_end,
    of_read,
    of_send,
)
from surefoot.exchange.errors import (
    Banned,
    Misconfigured,
    NotSent,
    ReadFailed,
    Refused,
    TooMany,
    Unknown,
)

NOW = datetime(2026, 7, 1, 12, tzinfo=UTC)


def answered(status: int, code: int | None = None, text: str = "No.", **headers: str) -> Answered:
    """Return what the client makes of an answer; without a code it is a page of HTML."""
    body = None if code is None else {"code": code, "msg": text}
    with pytest.raises(Answered) as error:
        FencedBinance.handle_errors(None, status, "", "", "", headers, "<html>", body, {}, "")
    return error.value


async def holds(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()
    writer.close()


async def breaks(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.close()


async def mumbles(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read(10)
    writer.write(b"nonsense\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("how", "scheme", "said"),
    [
        (holds, "http", "the exchange does not answer in time"),
        (breaks, "http", "the exchange broke the connection off"),
        (mumbles, "http", "what came back is no answer of an exchange"),
        (mumbles, "https", "no secure connection to the exchange comes about"),
        (None, "http", "the exchange takes no connection"),
    ],
)
async def test_what_goes_wrong_on_the_way_is_said_in_a_trader_s_words(
    how: Any, scheme: str, said: str
) -> None:
    """The status, the dashboard and Telegram showed the URL of the request, with its query."""
    server = await asyncio.start_server(how or holds, "127.0.0.1", 0)
    address = f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}/api/v3"
    if how is None:
        server.close()
    client = binance(
        {"apiKey": "key", "secret": "secret", "timeout": 200, "enableRateLimit": False}
    )
    client.urls["api"]["private"] = address
    try:
        with pytest.raises(Exception, match="signature=") as error:
            await client.privateGetAccount({"timestamp": 1})
    finally:
        await client.close()
        server.close()
    assert str(of_read(error.value, now=NOW)) == said
    assert str(of_send(error.value)) == said


def test_what_is_not_known_is_said_without_its_address() -> None:
    error = RuntimeError("binance GET https://api.binance.com/api/v3/account?signature=abc broke")
    assert str(of_read(error, now=NOW)) == "RuntimeError: binance GET  broke"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, -2010, Refused),
        (400, -1013, Refused),
        (400, -1021, Refused),
        (401, -2015, Refused),
        (500, -2010, Unknown),  # a 5xx says that nobody knows, whatever else it says
        (503, -1013, Unknown),
        (504, -2015, Unknown),
        (200, -2010, Unknown),
        (502, -1015, Unknown),
        (502, -1003, Unknown),
        (400, -1006, Unknown),
        (400, -4242, Unknown),
        (400, None, Unknown),  # no word of the exchange's
        (401, None, Unknown),
        (403, None, Unknown),
        (407, None, Unknown),
        (407, -2010, Unknown),
        (418, None, Unknown),
        (429, None, Unknown),
        (511, None, Unknown),
        (302, None, Unknown),
        (429, -1015, TooMany),
        (400, -1015, TooMany),
        (429, -1003, TooMany),
        (418, -1003, TooMany),
        (400, -2011, NothingToCancel),
    ],
)
def test_only_the_exchange_itself_can_refuse(
    status: int, code: int | None, kind: type[Exception]
) -> None:
    assert type(of_send(answered(status, code))) is kind


@pytest.mark.parametrize(
    ("code", "text", "grounds"),
    [
        (-1013, "Filter failure: NOTIONAL", Grounds.TOO_SMALL),
        (-1013, "Filter failure: MIN_NOTIONAL", Grounds.TOO_SMALL),
        (-1013, "Filter failure: PRICE_FILTER", Grounds.FILTER),
        (-1013, "Filter failure: MARKET_LOT_SIZE", Grounds.FILTER),
        (-1013, "Filter failure: LOT_SIZE", Grounds.FILTER),
        (-1013, "Filter failure: MAX_NUM_ALGO_ORDERS", Grounds.FILTER),
        (-1013, "Market is closed.", Grounds.CLOSED),
        (-2010, "Stop price would trigger immediately.", Grounds.PASSED),
        (-2010, "Account has insufficient balance for requested action.", Grounds.FUNDS),
        (-2010, "Notional.", Grounds.OTHER),
        (-1021, "Timestamp for this request is outside of the recvWindow.", Grounds.UNTIMELY),
    ],
)
def test_a_refusal_teaches_what_its_words_say(code: int, text: str, grounds: Grounds) -> None:
    found = of_send(answered(400, code, text))
    assert isinstance(found, Refused)
    assert found.grounds is grounds


def test_a_duplicate_is_no_refusal() -> None:
    assert type(of_send(answered(400, -2010, "Duplicate order sent."))) is Unknown


def test_too_many_is_told_from_what_never_left() -> None:
    """It is about the others, not about this one: a later attempt may do."""
    found = of_send(answered(429, -1015, "Too many new orders."))
    assert isinstance(found, NotSent)
    assert "too many requests or orders (-1015): Too many new orders." in str(found)


@pytest.mark.parametrize("status", [401, 403, 407, 451, 500, 502, 511, 302])
def test_a_proxy_or_a_portal_is_an_outage(status: int) -> None:
    """Else a hotel's wireless ends the process, and the next start gives up for good."""
    assert type(of_read(answered(status), now=NOW)) is ReadFailed


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, -2015, Misconfigured),
        (401, -2014, Misconfigured),
        (400, -1022, Misconfigured),
        (400, -1121, Misconfigured),
        (511, -2015, ReadFailed),
        (407, -2015, ReadFailed),
        (200, -2015, ReadFailed),
        (400, -2013, NoSuchOrder),
        (500, -2013, ReadFailed),  # "none" is believed only when the exchange says it
        (429, -1003, Banned),
        (418, None, Banned),
        (429, None, Banned),
        (400, -1003, Banned),
        (429, -1015, ReadFailed),
    ],
)
def test_what_a_question_is_told(status: int, code: int | None, kind: type[Exception]) -> None:
    assert type(of_read(answered(status, code), now=NOW)) is kind


def test_too_many_orders_is_no_ban() -> None:
    """It is over in 10 s; keeping away for two minutes kept exits and stops away as well."""
    assert not answered(429, -1015).is_ban


@pytest.mark.parametrize(
    ("given", "stays"),
    [
        ("30", timedelta(seconds=30)),
        ("9" * 30, timedelta(days=3)),
        ("9" * 5000, timedelta(minutes=2)),
        ("²", timedelta(minutes=2)),
        ("-1", timedelta(minutes=2)),
        ("NaN", timedelta(minutes=2)),
        ("1e9", timedelta(minutes=2)),
        ("", timedelta(minutes=2)),
        ("Wed, 01 Jul 2026 12:05:00 GMT", timedelta(minutes=5)),
        ("Wed, 01 Jul 2026 12:05:00 -0000", timedelta(minutes=5)),
        ("Wed, 01 Jul 2026 11:05:00 GMT", timedelta(minutes=2)),
        ("Fri, 31 Dec 9999 23:59:59 -2359", timedelta(days=3)),
        ("Fri, 31 Dec 99999 23:59:59 GMT", timedelta(minutes=2)),
        (None, timedelta(minutes=2)),
    ],
)
def test_a_ban_has_an_end(given: str | None, stays: timedelta) -> None:
    assert ban_end(NOW, given) == NOW + stays


class StandingTime:
    """A clock that stands."""

    def now(self) -> datetime:
        return NOW

    def monotonic(self) -> float:
        return 0.0

    async def sleep(self, seconds: float) -> None:
        raise NotImplementedError


def carrier() -> Carrier:
    time = StandingTime()
    return Carrier(time, Address(BINANCE.weight, time))


@pytest.mark.parametrize(
    "raw",
    [
        ValueError("Exceeds the limit"),
        OverflowError(),
        KeyError("orderId"),
        RecursionError(),
        UnicodeDecodeError("utf-8", b"", 0, 1, ""),
        MemoryError(),
        answered(429, -1003, retry_after="9" * 30),
        answered(429, -1003, **{"Retry-After": "9" * 30}),
    ],
    ids=repr,
)
async def test_nothing_raw_comes_out_of_the_carrier(raw: Exception) -> None:
    async def call(_request: dict[str, Any]) -> Any:
        raise raw

    with pytest.raises((NotSent, Refused, Unknown)):
        await carrier().act("order.send", call, {}, lambda answer: answer)
    with pytest.raises((ReadFailed, Misconfigured)):
        await carrier().ask("time", call, {}, lambda answer: answer)


async def test_of_two_bans_the_longer_counts() -> None:
    """One answer with a short one must not end what another has said."""
    banned = carrier()
    banned.note_ban(NOW + timedelta(days=1))
    banned.note_ban(NOW + timedelta(seconds=1))

    async def call(_request: dict[str, Any]) -> Any:
        raise AssertionError

    with pytest.raises(Banned) as refused:
        await banned.ask("time", call, {}, lambda answer: answer)
    assert refused.value.until == NOW + timedelta(days=1)
    assert banned.spending().requests == 0


async def test_a_ban_does_not_hold_again_when_a_clock_that_was_ahead_is_set_right() -> None:
    """It was told before anybody knew the exchange's time; then it held for twenty minutes more.

    Nor does it end sooner: what is left of it is the same by either clock.
    """
    time = HandClock()
    banned = Carrier(time, Address(BINANCE.weight, time))
    banned.note_ban(banned.now() + timedelta(seconds=2))
    banned.offset = timedelta(minutes=20)
    assert banned.banned_until() == banned.now() + timedelta(seconds=2)
    time.elapsed += 2
    assert banned.banned_until() is None
