"""The run itself: curtain, kills, verdict."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from random import Random  # noqa: TID251 (seeded by the user)
from typing import Final

from surefoot.core.position import Position
from surefoot.core.values import PositionId
from surefoot.demo import story
from surefoot.demo.moments import Moment, moments
from surefoot.demo.stage import Server, Stage, StageFailed
from surefoot.demo.verdict import Verdict, judge

BOTS: Final = """
[bots.dip-btc]
account = "main"
symbol = "BTC/USDT"
strategy = "surefoot.strategy.examples:DipBuyer"
notional = 100
stop_loss = "0.06%"
take_profit = "0.03%"
params = { dip = 0.0002 }
limits = { orders_per_minute = 1000 }

[bots.dip-eth]
account = "main"
symbol = "ETH/USDT"
strategy = "surefoot.strategy.examples:DipBuyer"
notional = 250
stop_loss = "0.05%"
trailing_stop = "0.04%"
break_even = "0.02%"
params = { dip = 0.0003 }
limits = { orders_per_minute = 1000 }

[bots.cross-btc]
account = "main"
symbol = "BTC/USDT"
strategy = "surefoot.strategy.examples:MovingAverageCross"
notional = 150
stop_loss = "1%"
params = { timeframe = "1s", fast = 2, slow = 4 }
limits = { orders_per_minute = 1000 }

[bots.breakout-eth]
account = "main"
symbol = "ETH/USDT"
strategy = "surefoot.strategy.examples:Breakout"
notional = 120
stop_loss = "0.5%"
params = { timeframe = "1s", length = 3, exit_length = 2 }
limits = { orders_per_minute = 1000 }
"""
ACCOUNT: Final = {
    "api_key": "simulated-key",
    "secret": "simulated-secret",
    "ownership": "exclusive",
    # How late the simulated exchange may show what it accepted; the real one is given a minute.
    "visibility": "1s",
}
# A request that has not arrived by then is refused by the exchange.
CCXT: Final = "options.recvWindow = 2000"
SPEED: Final = 12
_SETTLE_S: Final = 30.0
# A machine that has much else to do lets a start wait for minutes; that is no fault of it.
_START_S: Final = 300.0
_MOMENT_S: Final = 27.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kill:
    """One death and what came of it."""

    number: int
    moment: str
    believed: str
    true: str
    done: str


class Show:
    """A run of kills on one stage; iterate over `kills`, then ask for the `verdict`."""

    def __init__(self, stage: Stage, *, kills: int, seed: int) -> None:
        self._stage = stage
        self._luck = Random(seed)  # noqa: S311 (a seed that anybody may repeat)
        self._moments = moments(kills, self._luck)
        self._seed = seed
        self._server: Server | None = None
        self._held: str | None = None

    async def open(self) -> None:
        """Open the exchange, on its tape."""
        await self._stage.open_exchange(
            "--market", "tape", "--speed", str(SPEED), "--seed", str(self._seed), "--slices", "2"
        )  # fmt: skip
        self._stage.configure(ACCOUNT, BOTS, CCXT)

    async def kills(self) -> AsyncIterator[Kill]:
        """Kill the server again and again, and tell what came of each time."""
        for number, moment in enumerate(self._moments, start=1):
            title = await self._die(moment)
            position = await self._concerned()
            self._held = None
            said = story.believed(position)
            truth = story.true(position, self._stage.control.ledger())
            upcoming = self._moments[number] if number < len(self._moments) else None
            if upcoming is None or not upcoming.in_recovery:
                await self._revive(position)
            yield Kill(
                number=number,
                moment=title,
                believed=said,
                true=truth,
                done=await self._done(position, revived=self._server is not None),
            )

    async def verdict(self) -> Verdict:
        """Let everything come to rest, and count at the exchange."""
        self._stage.control.disarm()
        await self._rest()
        if self._server is not None:
            await self._server.stop()
            self._server = None
        async with self._stage.reading() as reader:
            return await judge(reader, self._stage.control.ledger())

    # Dying ---------------------------------------------------------------------------------------

    async def _die(self, moment: Moment) -> str:
        """Bring the server to a moment and let it die there; return what really happened."""
        self._stage.control.disarm()
        if moment.while_held:
            return await self._die_while_held(moment)
        server = await self._restarted(moment.crash_at)
        if moment.crash_at is None:
            await self._stage.clock.sleep(self._luck.uniform(0.5, 4))
            await server.kill()
            return moment.title
        if await self._stage.until(lambda: server.exit_code is not None, self._wait(moment)):
            self._expect_killed(server)
            return moment.title
        await server.kill()
        return f"at a random moment (it never came to: {moment.title})"

    def _wait(self, moment: Moment) -> float:
        return _START_S if moment.in_recovery else _MOMENT_S

    async def _die_while_held(self, moment: Moment) -> str:
        server = self._server or await self._restarted(None)
        control = self._stage.control
        before = control.state()["orders"]
        control.arm("slow_response", on="order.send", seconds=30)
        control.arm("stream_drop", on="user", times=0)
        found = await self._stage.until(lambda: control.state()["orders"] > before, _MOMENT_S)
        await server.kill()
        self._server = None
        if found:
            self._held = control.ledger()["orders"][before]["clientOrderId"]
        return moment.title if found else "at a random moment (no order was sent in time)"

    async def _restarted(self, crash_at: str | None) -> Server:
        """Start a server that will crash; one that runs is killed first, between two events."""
        if self._server is not None:
            await self._server.kill()
            self._server = None
        return await self._stage.start(crash_at=crash_at)

    def _expect_killed(self, server: Server) -> None:
        if not server.killed:
            raise StageFailed(f"the server ended with {server.exit_code}; see {server.log}")

    # Coming back ---------------------------------------------------------------------------------

    async def _revive(self, position: Position | None) -> None:
        """Start again, and give it the time that the fence and the visibility bound ask for."""
        before = await self._stage.last_recovery()
        self._stage.control.disarm()
        server = self._server = await self._stage.start()

        async def recovered() -> bool:
            if server.exit_code is not None:
                raise StageFailed(f"the server ended with {server.exit_code}; see {server.log}")
            return await self._stage.last_recovery() > before

        if not await self._stage.until(recovered, _START_S):
            raise StageFailed(f"recovery did not end; see {server.log}")
        if position is not None:
            await self._stage.until(lambda: self._settled(position.position_id), _SETTLE_S)

    async def _settled(self, position_id: PositionId) -> bool:
        found = await self._stage.position(position_id)
        return not any(story.is_open_question(order) for order in found.orders)

    async def _concerned(self) -> Position | None:
        if not self._stage.journal.exists():
            return None
        async with self._stage.reading() as reader:
            return await story.concerned(reader, self._held)

    async def _done(self, position: Position | None, *, revived: bool) -> str:
        if not revived:
            return "left dead for a moment; it is killed again while it recovers"
        async with self._stage.reading() as reader:
            return await story.done(reader, position)

    async def _rest(self) -> None:
        """Pause the bots and wait until nothing but protection is out."""
        if self._server is None:
            await self._revive(None)
        async with self._stage.reading() as reader:
            names = sorted(await reader.bot_names())
        for name in names:
            await self._stage.run("pause", name)
        # A stop that fills while nobody looks is no mistake of anybody; so nothing moves any more.
        self._stage.control.do("market", mode="manual")
        if not await self._stage.until(self._quiet, _START_S):
            raise StageFailed(f"orders are still out after {_START_S:.0f} s")

    async def _quiet(self) -> bool:
        async with self._stage.reading() as reader:
            positions = await reader.unsettled(self._stage.clock.now())
        return not any(
            story.is_open_question(order) or order.role != "stop"
            for position in positions
            for order in position.orders
            if not order.finished
        )
