"""A ban that an earlier process noted is heeded before the first request of the next."""

from __future__ import annotations

from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest

from surefoot.app import preflight
from surefoot.core.account_records import BanNoted
from surefoot.core.values import AccountName
from surefoot.engine.clock import SystemClock
from surefoot.exchange.address import Address
from surefoot.exchange.binance.adapter import Binance
from surefoot.exchange.binance.facts import BINANCE
from surefoot.exchange.port import Login
from surefoot.journal.port import account_stream

MAIN = AccountName("main")


class Noted:
    """A journal in which nothing is but a ban."""

    def __init__(self, until: datetime, lasts: timedelta = timedelta(hours=1)) -> None:
        self._until = until
        self._lasts = lasts

    async def bot_names(self) -> frozenset[Any]:
        return frozenset()

    async def last(self, stream: str, kind: str) -> Any:
        if kind != "ban-noted" or stream != account_stream(MAIN):
            return None
        at = self._until - self._lasts
        return SimpleNamespace(record=BanNoted(at=at, account=MAIN, until=self._until))


def nowhere() -> Login:
    """Return a login at an address that nobody listens on."""
    url = "http://127.0.0.1:9/api/v3"
    return Login(
        keys=lambda: ("k", "s"),
        settings={"urls": {"api": {"public": url, "private": url}}, "timeout_on_exit": 0},
        environment="simulated",
        time=SystemClock(),
        address=Address(BINANCE.weight, SystemClock()),
    )


@pytest.mark.parametrize(("left", "asked"), [(timedelta(hours=1), 0), (-timedelta(hours=1), 1)])
async def test_a_ban_in_the_journal_is_heeded_before_anything_is_sent(
    left: timedelta, asked: int
) -> None:
    """Five requests were sent into it, and each makes the next ban longer."""
    exchange, nothing = Binance(nowhere()), SimpleNamespace(bots={}, accounts={})
    journal: Any = Noted(SystemClock().now() + left)
    try:
        await preflight(nothing, {}, {MAIN: exchange}, journal)
    finally:
        await exchange.close()
    assert exchange.spending().requests == asked


async def test_a_ban_that_one_account_noted_keeps_the_others_of_its_address_away() -> None:
    """It is the address that is banned; who was asked first had asked into it."""
    login, nothing = nowhere(), SimpleNamespace(bots={}, accounts={})
    first, banned = Binance(login), Binance(login)
    journal: Any = Noted(SystemClock().now() + timedelta(hours=1))
    try:
        await preflight(nothing, {}, {AccountName("first"): first, MAIN: banned}, journal)
    finally:
        await first.close()
        await banned.close()
    assert first.spending().requests == 0


async def test_a_ban_that_a_clock_ahead_noted_lasts_no_longer_than_it_did_then() -> None:
    """A ban of seconds kept everybody away for the half hour that the clock had been ahead."""
    login, nothing = nowhere(), SimpleNamespace(bots={}, accounts={})
    exchange, lasts = Binance(login), timedelta(seconds=20)
    journal: Any = Noted(SystemClock().now() + timedelta(minutes=30), lasts)
    try:
        await preflight(nothing, {}, {MAIN: exchange}, journal)
        until = exchange.banned_until()
        assert until is not None
        assert until <= exchange.now() + lasts
    finally:
        await exchange.close()
    assert exchange.spending().requests == 0
