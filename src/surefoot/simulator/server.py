"""The whole simulated exchange, listening on loopback."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from types import TracebackType
from typing import Final, Self

from aiohttp import web

from surefoot.simulator import security
from surefoot.simulator.candles import Candles
from surefoot.simulator.clock import Clock
from surefoot.simulator.control_api import ControlApi
from surefoot.simulator.exchange import Exchange
from surefoot.simulator.faults import Armory
from surefoot.simulator.floor import Floor
from surefoot.simulator.market import Market, PlayedMarket
from surefoot.simulator.mirror import MirroredMarket
from surefoot.simulator.model import Settings
from surefoot.simulator.recorded import NOTHING, RecordedCandles, RecordedMarket
from surefoot.simulator.rest import Rest
from surefoot.simulator.store import Forgetful, Kept, Store
from surefoot.simulator.streams import Streams

_HOST: Final = "127.0.0.1"


class Simulator:
    """A running exchange: `async with Simulator(Settings()) as simulator: simulator.url`."""

    def __init__(self, settings: Settings, clock: Clock | None = None) -> None:
        self.clock = clock or Clock()
        self.exchange = Exchange(settings, self.clock)
        self.armory = Armory()
        self._settings = settings
        self.meter = security.Meter(self.clock, settings.weight_limit)
        self.streams = Streams(self.exchange, self.armory, self.clock, settings, self.meter)
        self.store: Store = (
            Forgetful(settings.uid)
            if settings.state is None
            else Kept(settings.state, self.exchange, self.armory, self.clock.now_ms())
        )
        self.market = self._market()
        rest = Rest(
            self.exchange,
            market=self.market,
            store=self.store,
            armory=self.armory,
            clock=self.clock,
            settings=settings,
            meter=self.meter,
        )
        self.requests = rest.requests
        control = ControlApi(
            self.exchange,
            market=self.market,
            rest=rest,
            streams=self.streams,
            armory=self.armory,
            clock=self.clock,
            store=self.store,
        )
        application = web.Application()
        application.add_routes([*rest.routes(), *self.streams.routes(), *control.routes()])
        # A cut connection is the point here, and no error to log.
        self._runner = web.AppRunner(
            application, access_log=None, logger=_quiet(), shutdown_timeout=0.1
        )
        self._driving: asyncio.Task[None] | None = None
        self.url = ""

    def _market(self) -> Market:
        settings = self._settings
        if settings.market == "mirror":
            return MirroredMarket(self.exchange, self.streams, self.store, self.clock, settings)
        now_ms = self.clock.now_ms()
        if settings.market == "recorded":  # what was before it began is not known
            recorded = RecordedCandles(settings.rules, settings.recording or NOTHING)
            floor = Floor(self.exchange, recorded, self.streams.publish, self.clock)
            return RecordedMarket(self.exchange, recorded, floor, self.clock, settings)
        candles = Candles(settings.rules, now_ms, settings.seed)
        floor = Floor(self.exchange, candles, self.streams.publish, self.clock)
        return PlayedMarket(self.exchange, candles, floor, self.clock, settings)

    async def __aenter__(self) -> Self:
        await self.market.prepare()
        await self._runner.setup()
        await self._listen()
        host, port = self._runner.addresses[0][:2]
        self.url = f"http://{host}:{port}"
        self.store.facts.port = port
        self.store.touch()
        self.store.commit()
        self._driving = asyncio.get_running_loop().create_task(self.market.run())
        return self

    async def _listen(self) -> None:
        """Listen where it did before, if it can: whoever traded here looks for it there."""
        before = self._settings.port or self.store.facts.port
        try:
            await web.TCPSite(self._runner, _HOST, before).start()
        except OSError:
            if self._settings.port or not before:
                raise
            await web.TCPSite(self._runner, _HOST, 0).start()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._driving is not None:
            self._driving.cancel()
            with suppress(asyncio.CancelledError):
                await self._driving
        self.streams.disconnect()
        await self._runner.cleanup()
        self.store.close()


def _quiet() -> logging.Logger:
    log = logging.getLogger("surefoot.simulator")
    log.addHandler(logging.NullHandler())
    log.propagate = False
    return log
