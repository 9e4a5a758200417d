"""SIGKILL in the middle of an addition, of a part that is sold, and of the stop that follows.

The strategy wants what it wants until it is so. So each of these ends with one addition, or one
half sold, however often it was decided, and with one stop that rests for everything that is held.
"""

from __future__ import annotations

from typing import Any, Final

import pytest
from tests.builders import D
from tests.process.play import LIVE, Play

from surefoot.core.position import Position

# The entry and its stop are the first two intents, and the entry has the first fill.
_ORDER: Final = (
    "intent.after-commit:3",  # durable, and never sent: proven absent, and wanted again
    "order.before-send:3",
    "order.after-response:3",  # at the exchange, filled, and unheard
    "order.after-result-commit:3",
    "fill.before-commit:2",
    "fill.after-commit:2",  # booked, and the stop still is for what was held before
)
_STOP: Final = ("order.before-send:4", "order.after-response:4", "order.after-result-commit:4")
# One of each is lived through by `make test`: the others cost seconds each.
_SOON: Final = {("two", "fill.after-commit:2"), ("half", "order.after-response:3")}
_CASES: Final[list[Any]] = [
    pytest.param(size, point, marks=() if (size, point) in _SOON else pytest.mark.slow)
    for size in ("two", "half")
    for point in (*_ORDER, *_STOP)
]


@pytest.mark.parametrize(("size", "point"), _CASES)
async def test_killed_while_scaling(play: Play, size: str, point: str) -> None:
    """Of each sort there is one at last, and one stop for everything."""
    await play.open(strategy="Scales", stop_at="exchange", bot='stop_loss = "2%"')
    server = await play.start(crash_at=point)
    await play.until(lambda: len(resting(play)) == 1, server)
    first = (await play.position()).quantity
    (play.stage.directory / "size").write_text(size, encoding="utf-8")
    await play.die(server)
    held_meanwhile(play)

    server = await play.start()
    await play.recovered(server)
    found: list[Position] = []

    async def settled() -> bool:
        found[:] = [await play.position()]
        done = abs(found[0].quantity - wanted(size, first)) <= D("0.00001")
        return done and covered(play, found[0])

    await play.until(settled, server)
    filled = [each for each in play.orders() if each["status"] == "FILLED"]
    assert [each["side"] for each in filled] == ["BUY", "BUY" if size == "two" else "SELL"]
    assert found[0].entries == (2 if size == "two" else 1)
    await server.stop()
    play.judge(entries=2)


def wanted(size: str, first: Any) -> Any:
    return first * 2 if size == "two" else first / 2


def resting(play: Play) -> list[dict[str, Any]]:
    return [
        each
        for each in play.orders("SELL")
        if each["type"] == "STOP_LOSS" and each["status"] in LIVE
    ]


def held_meanwhile(play: Play) -> None:
    """Nothing runs: whatever rests is one stop at most, and for no more than is held."""
    assert len(resting(play)) <= 1


def covered(play: Play, position: Position) -> bool:
    """Tell whether one stop rests, for everything that can be sold."""
    stops = resting(play)
    if len(stops) != 1:
        return False
    left = position.quantity - D(stops[0]["origQty"])
    return position.state == "OPEN" and 0 <= left < D("0.00001")
