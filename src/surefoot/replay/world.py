"""The shipped program on a simulated exchange that plays a recording, in virtual time.

Nothing is rebuilt for it: engine, adapter, journal, wire and matching are those of paper trading.
The same recording, configuration and seed give the same trades.
"""

from __future__ import annotations

import asyncio
import logging
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random  # noqa: TID251 (seeded by whoever replays)
from typing import Any, Final

from typing_extensions import override

from surefoot import app, config
from surefoot.config import Account, Bot, Secret, Settings
from surefoot.core.values import BotName
from surefoot.engine.tempo import Tempo
from surefoot.journal import open_browser
from surefoot.replay.result import Point, Result, Traded, result_of
from surefoot.simulator import Rules, Simulator, ccxt_settings
from surefoot.simulator import Settings as ExchangeSettings
from surefoot.simulator.clock import Clock
from surefoot.simulator.model import Recording
from surefoot.simulator.recorded import RecordedMarket
from surefoot.strategy.call import Room
from surefoot.strategy.inline import Inline, InlineLoop
from surefoot.virtual import VirtualLoop
from surefoot.virtual.ambient import ambient

# The program has to be there before the first price, and to finish after the last.
BEFORE_MS: Final = 60_000
_AFTER_S: Final = 5.0
# The curve has so many points at most, and none closer together.
_POINTS_MAX: Final = 500
_POINT_S: Final = 60.0
_JOURNAL: Final = "replay.db"
# A journal that is thrown away needs no disk that keeps it.
_MEMORY: Final = Path("/dev/shm")  # noqa: S108 (a directory of its own is made in it)
_THOUGHT_S: Final = 0.002
_MET_NOBODY: Final = "EXPIRED"
# Nothing is lost on the way here, no operator posts anything and nobody else trades.
_TEMPO: Final = Tempo(
    commands_s=3600.0,
    orders_s=5.0,
    resting_s=600.0,
    time_s=5.0,
    vitals_s=20.0,
    everything_s=600.0,
    prices_s=20.0,
    candles_s=20.0,
    clock_s=600.0,
    pulse_s=600.0,
)

Told = Callable[[datetime, int], None]


class Silence:
    """A log that keeps what went wrong, and nothing else."""

    def __init__(self, kept: list[str] | None = None) -> None:
        self.kept: list[str] = [] if kept is None else kept

    def bind(self, **_fields: object) -> Silence:
        """Return a log with fields, which are not kept."""
        return self

    def debug(self, event: str, **fields: Any) -> None:
        """Keep nothing."""

    def info(self, event: str, **fields: Any) -> None:
        """Keep nothing."""

    def warning(self, event: str, **fields: Any) -> None:
        """Keep nothing: a recording ends, and so do its streams."""

    def error(self, event: str, **fields: Any) -> None:
        """Keep what went wrong; an order that met nobody at its price did not."""
        if fields.get("status") == _MET_NOBODY:
            return
        words = " ".join(f"{key}={value}" for key, value in fields.items())
        self.kept.append(f"{event} {words}".strip())


class VirtualClock(Clock):
    """The time of the replay, for the exchange and for the program."""

    def __init__(self, loop: VirtualLoop, begin_ms: int, luck: Random) -> None:
        super().__init__()
        self._loop = loop
        self._begin_ms = begin_ms
        self._luck = luck

    @override
    def now_ms(self) -> int:
        return self._begin_ms + round(self._loop.time() * 1000)

    def now(self) -> datetime:
        """Return the time that it was then."""
        return datetime.fromtimestamp(self._begin_ms / 1000, UTC) + timedelta(
            seconds=self._loop.time()
        )

    @override
    def monotonic(self) -> float:
        return self._loop.time()

    def jitter(self) -> float:
        """Return a drawn number in [0, 1)."""
        return self._luck.random()


class Replay:
    """One recording, one configuration, one seed."""

    def __init__(  # noqa: PLR0913 (what a replay consists of)
        self,
        settings: Settings,
        recording: Recording,
        *,
        rules: tuple[Rules, ...],
        balances: Mapping[str, Decimal],
        fee: Decimal,
        seed: int,
        tell: Told | None = None,
    ) -> None:
        self._given = settings
        self._recording = recording
        self._tell = tell
        luck = Random(f"{seed} replay")  # noqa: S311 (no secret hangs on it)
        self._luck = luck
        self._loop = VirtualLoop(Random(f"{seed} loop"))  # noqa: S311 (the same)
        self._clock = VirtualClock(self._loop, recording.ticks[0].at_ms - BEFORE_MS, luck)
        self._directory = Path(
            tempfile.mkdtemp(prefix="surefoot-replay-", dir=_MEMORY if _MEMORY.is_dir() else None)
        )
        self._log = Silence()
        self._curve: list[Point] = []
        lasts_s = (recording.ticks[-1].at_ms - recording.ticks[0].at_ms) / 1000
        self._point_s = max(_POINT_S, lasts_s / _POINTS_MAX)
        self._exchange = ExchangeSettings(
            market="recorded",
            recording=recording,
            rules=rules,
            balances=dict(balances),
            fee_rate=fee,
            fills="through",
            latency_s=0.1,
            weight_limit=10**9,
        )

    def run(self) -> Result:
        """Play it from the beginning to the end."""
        try:
            with ambient(lambda: self._clock.now().timestamp(), self._luck):
                return self._loop.run_until_complete(self._play())
        finally:
            self._loop.close()
            shutil.rmtree(self._directory, ignore_errors=True)

    async def _play(self) -> Result:
        logging.getLogger("ccxt").setLevel(logging.CRITICAL)
        self._loop.set_exception_handler(lambda _loop, _context: None)
        async with Simulator(self._exchange, self._clock) as simulator:
            settings = self._placed(simulator.url)
            strategies = config.strategies(settings)
            ground = app.Ground(
                clock=self._clock,
                room=lambda say: Room(say, workers=Inline(self._think), loop=InlineLoop()),
                tempo=_TEMPO,
            )
            serving = self._loop.create_task(app.serve(settings, strategies, self._log, ground))
            watching = self._loop.create_task(self._watch(simulator, serving))
            await asyncio.wait({serving, watching}, return_when=asyncio.FIRST_COMPLETED)
            serving.cancel()
            watching.cancel()
            for ended in await asyncio.gather(serving, watching, return_exceptions=True):
                if isinstance(ended, Exception):
                    raise ended
            return await self._result(settings, simulator)

    async def _think(self) -> None:
        await self._clock.sleep(_THOUGHT_S)

    async def _watch(self, simulator: Simulator, serving: asyncio.Task[None]) -> None:
        """Draw the curve, and end with the recording."""
        market = simulator.market
        if not isinstance(market, RecordedMarket):
            raise TypeError("only a recording comes to an end")
        while not market.over.is_set():
            self._curve.append(self._point(simulator))
            if self._tell is not None:
                self._tell(self._clock.now(), market.played)
            waiting = self._loop.create_task(market.over.wait())
            await asyncio.wait(
                {waiting, serving}, timeout=self._point_s, return_when=asyncio.FIRST_COMPLETED
            )
            waiting.cancel()
        if market.played < len(self._recording.ticks):
            raise RuntimeError(f"the market ended after {market.played} prices of the recording")
        await self._clock.sleep(_AFTER_S)
        self._curve.append(self._point(simulator))

    def _point(self, simulator: Simulator) -> Point:
        exchange = simulator.exchange
        held = {
            asset: exchange.free.get(asset, Decimal(0)) + exchange.locked.get(asset, Decimal(0))
            for asset in {**exchange.free, **exchange.locked}
        }
        worth = {rules.base: exchange.quotes[name].bid for name, rules in exchange.rules.items()}
        quote = next(iter(exchange.rules.values())).quote
        value = sum(
            (amount * worth.get(asset, Decimal(asset == quote)) for asset, amount in held.items()),
            Decimal(0),
        )
        prices = {name: exchange.quotes[name].last for name in exchange.rules}
        return Point(at=self._clock.now(), value=value, prices=prices)

    def _placed(self, url: str) -> Settings:
        """Return the configuration with every account at this exchange, and another journal."""
        given = self._given
        key = Secret(self._exchange.key)
        ccxt = ccxt_settings(url) | {"verify": False, "rateLimit": 0.001}
        accounts: dict[Any, Account] = {
            name: replace(
                account,
                environment="simulated",
                api_key=key,
                secret=Secret(self._exchange.secret),
                ccxt=ccxt,
                paper=None,
            )
            for name, account in given.accounts.items()
        }
        return replace(
            given, accounts=accounts, journal_url=f"sqlite:///{self._directory / _JOURNAL}"
        )

    async def _result(self, settings: Settings, simulator: Simulator) -> Result:
        reader = open_browser(settings.journal_url, settings.directory)
        try:
            outcomes = await reader.outcomes(after=0, upto=await reader.records())
        finally:
            await reader.close()
        bots: dict[BotName, Bot] = dict(settings.bots)
        traded = [
            Traded(
                at=datetime.fromtimestamp(trade.at_ms / 1000, UTC),
                symbol=trade.symbol,
                side=trade.side,
                price=trade.price,
                quantity=trade.quantity,
                fee=trade.fee,
                fee_asset=trade.fee_asset,
            )
            for trade in simulator.exchange.trades
        ]
        return result_of(
            bots=bots,
            recording=self._recording,
            curve=self._curve,
            traded=traded,
            outcomes=outcomes,
            wrong=self._log.kept,
        )
