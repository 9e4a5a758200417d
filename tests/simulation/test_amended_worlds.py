"""A stop that is to sell less is made smaller where it stands, whatever happens to the request.

The coins that it locks are fewer than it sells: an exchange's mistake, which a world may make.
Seen red: a request that counts as on its way for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import apsw
import pytest
from tests.simulation.world import BEAT_S, World

from surefoot.simulator import Settings

BOT = """
[bots.bot]
account = "main"
symbol = "BTC/USDT"
strategy = "tests.simulation.traders:InAndOut"
notional = 1000
stop_loss = "5%"
params = { hold = 3600.0 }
"""
LOT = Decimal("0.00001")
# Nobody hears of it: the request is lost, or its answer, or that comes when nobody waits any more.
UNHEARD = {
    "lost": {"fault": "lose_request", "times": 5},
    "unanswered": {"fault": "lose_response", "times": 5},
    "unseen": {"fault": "lose_response", "times": 5},
    "late": {"fault": "slow_response", "seconds": 30},
    "failed": {"fault": "error_after", "status": 504},
    "held up": {"fault": "hold_request", "seconds": 30},
}
# The two plain ones are lived through by `make test`.
CASES = [
    pytest.param(case, marks=() if case in {"lost", "unseen"} else pytest.mark.slow)
    for case in UNHEARD
]


class Amended:
    """A world in which a stop has to become smaller, and what is seen of it."""

    def __init__(self, tell: Callable[[World, str], None] | None = None) -> None:
        self.world = World(
            1,
            Settings(beat_s=BEAT_S),
            tell=None if tell is None else lambda line: tell(self.world, line),
        )
        self.exchange: Any = self.world.simulator.exchange
        self.names: set[str] = set()
        self.less = Decimal(0)
        # What the journal's row of the stop says that it sells.
        self.row = Decimal(0)
        self.bare = False

    @property
    def stops(self) -> list[Any]:
        return [each for each in self.exchange.standing if each.type == "STOP_LOSS"]

    def live(self, trouble: Callable[[], None]) -> None:
        """Let a stop rest, take some of its coins, and wait until everything has settled."""

        async def play(world: World) -> None:
            world.configure(BOT, account='visibility = "5s"')
            world.start()
            await world.sleep(20)
            (stop,) = self.stops
            self.less = (stop.quantity * 3 / 5).quantize(LOT)
            self.exchange.locked["BTC"] = self.less
            trouble()
            for _ in range(90):
                await world.sleep(2)
                self.bare = self.bare or not self.stops
                self.names |= {each.client_order_id for each in self.stops}
                if world.program is None:
                    world.start()
            self.row = _row(world.directory / "surefoot.db")

        self.world.run(play)

    def judge(self) -> None:
        """Hold that one stop rests, for what is there, and one did all the time."""
        told = "\n".join(self.world.story.lines[-80:])
        assert [each.quantity for each in self.stops] == [self.less], told
        assert not self.bare, told
        assert self.row == self.less, told


@pytest.mark.parametrize("case", CASES)
def test_a_request_of_which_nobody_hears_leaves_one_stop_for_what_is_there(case: str) -> None:
    world = Amended()
    fault = dict(UNHEARD[case])
    name = str(fault.pop("fault"))
    world.live(lambda: _arm(world, name, fault, unseen=case == "unseen"))
    world.judge()
    # What arrived was done, and the order itself tells so; what did not is replaced.
    assert len(world.names) == (2 if case in {"lost", "held up"} else 1)


def test_killed_when_the_wish_is_durable() -> None:
    """Nothing has left, or something has: the next life needs not know."""

    def dies(world: World, line: str) -> None:
        if "amend-intended" in line:
            world.kill()

    world = Amended(dies)
    world.live(lambda: None)
    world.judge()
    assert world.world.deaths >= 1


def test_killed_when_the_exchange_has_done_it() -> None:
    """The stop is smaller, and nobody was told: it is the same one, and it is not replaced."""
    world = Amended()
    amend = world.exchange.amend

    def dies(*order: Any) -> None:
        amend(*order)
        world.world.kill()

    world.live(lambda: setattr(world.exchange, "amend", dies))
    world.judge()
    assert len(world.names) == 1


def _arm(world: Amended, name: str, fault: dict[str, Any], *, unseen: bool) -> None:
    arm = world.world.simulator.armory.arm
    arm(name, {"on": "order.amend", **fault})
    if unseen:  # no stream tells of it either
        arm("stream_drop", {"on": "user", "times": 5})


def _row(journal: Path) -> Decimal:
    with closing(apsw.Connection(str(journal), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        query = "SELECT quantity FROM orders WHERE role = 'stop' ORDER BY sequence DESC LIMIT 1"
        ((quantity,),) = connection.execute(query)
    return Decimal(quantity)
