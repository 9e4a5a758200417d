"""What a login asks of its exchange at a start, and how often."""

from __future__ import annotations

from tests.unit.engine.desk import Desk

from surefoot.engine.login import SERVES_S


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
