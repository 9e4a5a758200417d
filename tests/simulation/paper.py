"""Paper trading in virtual time: a venue, the mirror of it, and the program; all may go and return.

The venue plays recorded prices: three weeks of the same recording beside each other, as three
symbols. What it is in the end is explained here by trades alone, without the program's own code.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Coroutine
from contextlib import closing
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, Final

from tests.simulation.world import BEGINNING, ExchangeClock, World
from typing_extensions import override

from surefoot.engine.tempo import Tempo
from surefoot.replay.inputs import recording_of
from surefoot.simulator import Origin, Settings, Simulator
from surefoot.simulator.candle_files import read_candles
from surefoot.simulator.model import Recording, Rules, default_rules
from surefoot.virtual import Life

TAPE: Final = Path(__file__).parent / "tapes" / "btc-5m-2022-01.csv.gz"
BEGUN_WITH: Final = Decimal(10_000)
SYMBOLS: Final = ("BTCUSDT", "ETHUSDT", "SOLUSDT")
WEEK_S: Final = 7 * 86_400
_WEEK_MS: Final = WEEK_S * 1_000
_SPREAD: Final = Decimal("0.0002")
# The program is there before the first price, and a recorded candle is one of the clock's.
BEFORE_S: Final = 300.0
_SOURCE_PORT: Final = 50_001
_PAPER_PORT: Final = 50_002
_FILLS: Final = "SELECT trade_id, symbol, price, quantity, fee, fee_asset FROM fills"
# A week of looking for nothing four times a second would take most of the time.
_TEMPO: Final = Tempo(
    commands_s=60.0,
    orders_s=1.0,
    resting_s=60.0,
    time_s=2.0,
    vitals_s=10.0,
    everything_s=120.0,
    prices_s=10.0,
    candles_s=10.0,
    clock_s=600.0,
    pulse_s=60.0,
)

Fill = tuple[str, str, Decimal, Decimal, Decimal, str]


def week(lasts_s: float) -> Recording:
    """Return the first so many seconds of a week, three times; it begins soon after a world."""
    rows = read_candles(TAPE)
    first, begin = rows[0].at_ms, round((BEGINNING.timestamp() + BEFORE_S) * 1_000)
    weeks = {}
    for number, symbol in enumerate(SYMBOLS):
        since = first + number * _WEEK_MS
        end = since + min(lasts_s * 1_000, _WEEK_MS)
        weeks[symbol] = [
            replace(row, at_ms=begin + row.at_ms - since)
            for row in rows
            if since <= row.at_ms < end
        ]
    return recording_of(weeks, None, spread=_SPREAD, since=None, until=None)


def listed(played: Recording) -> tuple[Rules, ...]:
    firsts = {each.symbol: each.price for each in reversed(played.ticks)}
    return tuple(
        replace(each, price=firsts[each.symbol])
        for each in default_rules()
        if each.symbol in SYMBOLS
    )


class PaperWorld(World):
    """A world whose exchange is the mirror of a venue."""

    def __init__(
        self, seed: int, played: Recording, tell: Callable[[str], None] | None = None
    ) -> None:
        super().__init__(seed, Settings(), tell=tell, tempo=_TEMPO)
        venue = Settings(
            port=_SOURCE_PORT,
            market="recorded",
            recording=played,
            rules=listed(played),
            weight_limit=10**9,
        )
        self.venue = Simulator(venue, ExchangeClock(self.loop))
        self.troubles = Random(f"{seed} troubles")
        self.mirror: Life | None = None
        self.happened: Counter[str] = Counter()

    # The mirror ----------------------------------------------------------------------------------

    def _mirrored(self) -> Simulator:
        settings = Settings.mirroring(
            Origin.at(f"http://127.0.0.1:{_SOURCE_PORT}", SYMBOLS),
            port=_PAPER_PORT,
            balances={"USDT": BEGUN_WITH},
            state=self.directory / "paper.state",
            latency_s=0.05,
            beat_s=5.0,
            silence_s=150.0,  # recorded prices come a hundred seconds apart
        )
        return Simulator(settings, ExchangeClock(self.loop))

    async def start_mirror(self) -> None:
        """Start the paper exchange from what it has kept, and wait until it can be asked."""
        self.mirror = Life("mirror")
        up = asyncio.Event()
        self.loop.begin(self.mirror, self._mirror(up)).add_done_callback(_forget)
        await up.wait()

    async def _mirror(self, up: asyncio.Event) -> None:
        self.simulator = self._mirrored()
        self.simulator.exchange.listen(self._tell_execution)
        async with self.simulator:
            up.set()
            await asyncio.Event().wait()

    async def kill_mirror(self, away_s: float) -> None:
        """Kill the paper exchange between two steps, and start it again some time later."""
        if self.mirror is not None:
            self.loop.doom(self.mirror)
        await self.sleep(away_s)
        await self.start_mirror()

    @override
    def _died(self, life: Life) -> None:
        if life is self.mirror:
            self.simulator.store.close()  # as the system does with the files of whoever is killed
        else:
            super()._died(life)

    # What goes wrong -----------------------------------------------------------------------------

    async def blind(self, seconds: float) -> None:
        """Let nobody see the venue for a while."""
        self.venue.armory.arm("outage", {})
        self.venue.streams.disconnect()
        await self.sleep(seconds)
        self.venue.armory.disarm()

    async def trouble(self) -> None:
        """Let one thing go wrong, or two at once."""
        luck = self.troubles
        kind = luck.choice(("kill",) * 5 + ("mirror",) * 2 + ("outage",) * 2 + ("both", "stop"))
        self.happened[kind] += 1
        self.story.say("world", "trouble", kind=kind)
        match kind:
            case "kill":
                self.kill()
            case "stop":
                self.stop()
            case "mirror":
                await self.kill_mirror(luck.uniform(1, 300))
            case "outage":
                await self.blind(luck.uniform(20, 900))
            case _:
                self.kill()
                await self.kill_mirror(luck.uniform(1, 600))

    async def keep_alive(self) -> None:
        """Start the program again whenever it is dead, as a service would be."""
        while True:
            if self.program is None:
                await self.sleep(self.troubles.choice((0.5, 5.0, 60.0, 900.0)))
                self.start()
            await self.sleep(5.0)

    @override
    async def _play(self, play: Callable[[World], Coroutine[Any, Any, None]]) -> None:
        async with self.venue:
            await self.start_mirror()
            try:
                await play(self)
            finally:
                self.kill()
                await self.sleep(0)
                if self.mirror is not None:
                    self.loop.doom(self.mirror)
                await self.sleep(0)

    # What has become of it -----------------------------------------------------------------------

    @property
    def held(self) -> dict[str, Decimal]:
        """Return what the paper account shows."""
        exchange = self.simulator.exchange
        zero = Decimal(0)
        sums = {
            asset: exchange.free.get(asset, zero) + exchange.locked.get(asset, zero)
            for asset in {**exchange.free, **exchange.locked}
        }
        return {asset: amount for asset, amount in sums.items() if amount}

    def explained(self) -> dict[str, Decimal]:
        """Return what the paper account should show by its trades."""
        held: Counter[str] = Counter({"USDT": BEGUN_WITH})  # type: ignore[dict-item]
        for trade in self.simulator.exchange.trades:
            sign = 1 if trade.side == "BUY" else -1
            held[trade.symbol.removesuffix("USDT")] += sign * trade.quantity  # type: ignore[assignment]
            held["USDT"] -= sign * trade.quantity * trade.price  # type: ignore[assignment]
            held[trade.fee_asset] -= trade.fee  # type: ignore[assignment]
        return {asset: Decimal(amount) for asset, amount in held.items() if amount}

    def traded(self) -> Counter[Fill]:
        """Return the trades of the paper account, as the exchange has them."""
        return Counter(
            (str(t.trade_id), t.symbol, t.price, t.quantity, t.fee, t.fee_asset)
            for t in self.simulator.exchange.trades
        )

    def booked(self) -> Counter[Fill]:
        """Read what the journal has booked, without its own code."""
        path = f"file:{self.directory}/surefoot.db?mode=rw"
        with closing(sqlite3.connect(path, uri=True)) as found:
            return Counter(
                (str(trade), symbol.replace("/", ""), *map(Decimal, amounts), asset)
                for trade, symbol, *amounts, asset in found.execute(_FILLS)
            )


def _forget(task: asyncio.Task[None]) -> None:
    if not task.cancelled():
        task.exception()
