"""What a login asks of its exchange at a start, and how often."""

from __future__ import annotations

from datetime import timedelta

from tests.unit.engine.desk import Desk

from surefoot.core.account_records import BanNoted
from surefoot.engine.login import SERVES_S
from surefoot.journal.port import account_stream


def asked(desk: Desk) -> list[str]:
    return [ask.verb for ask in desk.exchange.asked]


async def test_what_was_asked_a_moment_ago_serves_once(desk: Desk) -> None:
    """A restart paid twice for markets, clock and keys: 43 of the 130 that it may cost."""
    desk.login.introduce(desk.exchange.identity)
    assert await desk.login.arrive() == desk.exchange.identity
    assert asked(desk) == []
    assert await desk.login.arrive() == desk.exchange.identity
    assert asked(desk) == ["connect", "identify"]


async def test_what_was_asked_longer_ago_is_asked_again(desk: Desk) -> None:
    desk.login.introduce(desk.exchange.identity)
    desk.clock.elapsed += SERVES_S
    await desk.login.arrive()
    assert asked(desk) == ["connect", "identify"]


async def test_a_ban_that_a_clock_ahead_noted_hides_none_that_comes_later(desk: Desk) -> None:
    """The journal had one that ended later; a restart knew nothing of the ban that held."""
    login, now = desk.login, desk.login.now()
    ahead = now + timedelta(minutes=30)
    noted = BanNoted(at=ahead, account=login.name, until=ahead + timedelta(seconds=2))
    await login.note(noted)
    for _ in range(2):
        await login.note_ban(now + timedelta(minutes=5))
    assert await desk.journal.version(account_stream(login.name)) == 2
    entry = await desk.journal.last(account_stream(login.name), "ban-noted")
    assert entry is not None
    assert entry.record == BanNoted(at=now, account=login.name, until=now + timedelta(minutes=5))
