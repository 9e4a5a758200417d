"""One world: an exchange, the whole program, and time, in one process under one seed."""

from __future__ import annotations

import asyncio
import fcntl
import gc
import hashlib
import json
import logging
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from types import MethodType
from typing import Any, Final
from unittest.mock import patch

from typing_extensions import override

from surefoot import app, config
from surefoot.engine.tempo import Tempo
from surefoot.exchange.binance.client import FencedBinance
from surefoot.journal import gauges, open_reader
from surefoot.journal.gauges import GaugeFile, Gauges
from surefoot.journal.port import Command
from surefoot.simulator import Settings, Simulator, ccxt_settings
from surefoot.simulator.clock import Clock
from surefoot.strategy.call import Room
from surefoot.strategy.inline import Inline, InlineLoop
from surefoot.virtual import Life, VirtualLoop
from surefoot.virtual.ambient import ambient

BEGINNING: Final = datetime(2026, 3, 1, tzinfo=UTC)
KEPT_LINES: Final = 4_000
RECOVERED: Final = "bot recovery finished"
# The exchange repeats quiet prices a little more often than a silent stream is given up.
BEAT_S: Final = 5.0
DISK: Final = Path("/dev/shm") if Path("/dev/shm").is_dir() else Path(tempfile.gettempdir())


class ExchangeClock(Clock):
    """The exchange's time: that of the world."""

    def __init__(self, loop: VirtualLoop) -> None:
        super().__init__()
        self._loop = loop

    @override
    def now_ms(self) -> int:
        return round((BEGINNING.timestamp() + self._loop.time()) * 1000) + self.offset_ms

    @override
    def monotonic(self) -> float:
        return self._loop.time()


class MachineClock:
    """The time on the machine of the program: its wall clock may be stepped."""

    def __init__(self, world: World) -> None:
        self._world = world

    def now(self) -> datetime:
        return BEGINNING + timedelta(seconds=self._world.loop.time() + self._world.clock_is_off_s)

    def monotonic(self) -> float:
        return self._world.loop.time()

    async def sleep(self, seconds: float) -> None:
        await self._world.sleep(seconds)

    def jitter(self) -> float:
        return self._world.luck.random()


class Story:
    """What happened, line by line; the digest of all of it, the last of it, and all if wanted."""

    def __init__(self, loop: VirtualLoop, home: Path, tell: Callable[[str], None] | None) -> None:
        self._loop = loop
        self._home = f"{home}/"
        self._tell = tell
        self._digest = hashlib.blake2b(digest_size=16)
        self.lines: list[str] = []
        self.counts: dict[str, int] = {}

    def say(self, who: str, event: str, **fields: Any) -> None:
        words = " ".join(f"{key}={_word(value)}" for key, value in fields.items())
        seconds = self._loop.time()
        line = (
            f"{timedelta(seconds=int(seconds))}.{int(seconds % 1 * 1e6):06} {who} {event} {words}"
        )
        line = line.replace(self._home, "")
        self._digest.update(line.encode() + b"\n")
        self.count(f"{who} {event}")
        self.lines.append(line)
        if len(self.lines) > 2 * KEPT_LINES:
            del self.lines[:KEPT_LINES]
        if self._tell is not None:
            self._tell(line)

    def count(self, what: str, times: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + times

    @property
    def digest(self) -> str:
        return self._digest.hexdigest()


class Voice:
    """The program's log, told in the story while its life lasts."""

    def __init__(self, story: Story, life: Life, fields: dict[str, Any] | None = None) -> None:
        self._story = story
        self._life = life
        self._fields = fields or {}

    def bind(self, **fields: Any) -> Voice:
        return Voice(self._story, self._life, {**self._fields, **fields})

    def debug(self, event: str, **fields: Any) -> None:
        """Keep what only a developer wants to know."""

    def info(self, event: str, **fields: Any) -> None:
        if not self._life.ended:
            self._story.say("bot", event, **{**self._fields, **fields})

    warning = error = info


class World:
    """Everything; `program` is the life that is running, if one is."""

    def __init__(
        self,
        seed: int,
        exchange: Settings,
        *,
        tell: Callable[[str], None] | None = None,
        tempo: Tempo | None = None,
        loop: type[VirtualLoop] = VirtualLoop,
    ) -> None:
        self.seed = seed
        self._tempo = tempo or Tempo()
        self.luck = Random(f"{seed} world")
        self.loop = loop(Random(f"{seed} loop"))
        self.directory = Path(tempfile.mkdtemp(prefix="surefoot-", dir=DISK))
        self.story = Story(self.loop, self.directory, tell)
        self.clock = MachineClock(self)
        self.clock_is_off_s = 0.0
        self.simulator = Simulator(exchange, ExchangeClock(self.loop))
        self.program: Life | None = None
        self._started = 0.0
        self.deaths = 0
        self.steps = 0
        # How many lives in a row were killed while they recovered; how many had recovered by then.
        self._cut_short = 0
        self._recovered = 0
        # Somebody is at the files: nothing starts the program meanwhile.
        self.kept_down = False
        # Steps that the next lives have to live, the last one first.
        self.short_lives: list[int] = []
        # Steps that the program has to live after its next order reached the exchange.
        self.at_next_order: int | None = None
        # Until when answers may have come too late for whoever asked.
        self.slow_until = 0.0
        self.starts = 0
        self.births: list[float] = []
        # Who wants to know every price that there ever was.
        self.watchers: list[Callable[[str, Decimal], None]] = []
        self._gauges: dict[Path, GaugeFile] = {}
        self.loop.killed = self._died
        self.loop.set_exception_handler(lambda _loop, _context: None)

    def run(self, play: Callable[[World], Coroutine[Any, Any, None]]) -> None:
        """Let a play happen, from the beginning to the end of this world."""
        with ExitStack() as stack:
            stack.callback(shutil.rmtree, self.directory, ignore_errors=True)
            stack.enter_context(patch.object(sys, "unraisablehook", _nothing))
            stack.enter_context(_tidied())
            stack.enter_context(warnings.catch_warnings())
            # Killed before it has begun to connect: aiohttp has made what it would have awaited.
            warnings.filterwarnings("ignore", "coroutine 'ClientSession._ws_connect' was never")
            stack.enter_context(patch.object(FencedBinance, "__dir__", _fields_there))
            stack.callback(self.loop.close)
            read, known = gauges._read, self._gauges
            noted = lambda file: known.__setitem__(file._path, file)  # noqa: E731 (it is a method)
            stack.enter_context(patch.object(GaugeFile, "_begin", noted))
            stack.enter_context(patch.object(gauges, "_read", lambda path: self._shown(read, path)))
            logging.getLogger("ccxt").setLevel(logging.CRITICAL)
            stack.enter_context(ambient(lambda: self.clock.now().timestamp(), self.luck))
            self.loop.run_until_complete(self._play(play))

    async def _play(self, play: Callable[[World], Coroutine[Any, Any, None]]) -> None:
        exchange = self.simulator.exchange
        exchange.listen(self._tell_execution)
        async with self.simulator:
            try:
                await play(self)
            finally:
                self.kill()
                await self.sleep(0)

    def _tell_execution(self, execution: str, order: Any, trade: Any) -> None:
        life = self.program
        if execution == "NEW" and life is None and order.origin == "api":
            self.story.count("world an order of the dead")
        if execution == "NEW" and self.at_next_order is not None and life is not None:
            life.dies_at = life.steps + self.at_next_order
            self.at_next_order = None
        extra = {} if trade is None else {"trade": trade.trade_id, "of": trade.quantity}
        self.story.say(
            "exchange",
            execution,
            name=order.client_order_id,
            side=order.side,
            type=order.type,
            symbol=order.symbol,
            quantity=order.quantity,
            executed=order.executed,
            price=order.price or order.stop_price,
            **extra,
        )

    # A thread writes gauges, at moments of the machine's; here whoever reads finds them new.

    def _shown(self, read: Callable[[Path], Gauges], path: Path) -> Gauges:
        if path in self._gauges:
            gauges._replace(path, self._gauges[path]._content())
        return read(path)

    # Time and luck -------------------------------------------------------------------------------

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    @property
    def now(self) -> float:
        return self.loop.time()

    # The program ---------------------------------------------------------------------------------

    def configure(self, bots: str, account: str = "", rest: str = "") -> None:
        """Write the configuration of one account at this world's exchange."""
        urls = ccxt_settings(self.simulator.url)["urls"]["api"]
        lines = f"""
[journal]
url = "sqlite:///surefoot.db"
[accounts.main]
exchange = "binance"
api_key = "simulated-key"
secret = "simulated-secret"
{account}
[accounts.main.ccxt]
verify = false
rateLimit = 0.001
urls.api.public = {json.dumps(urls["public"])}
urls.api.private = {json.dumps(urls["private"])}
urls.api.ws.spot = {json.dumps(urls["ws"]["spot"])}
urls.api.ws.ws-api.spot = {json.dumps(urls["ws"]["ws-api"]["spot"])}
{rest}
{bots}
"""
        (self.directory / "surefoot.toml").write_text(lines, encoding="utf-8")

    @property
    def up_since(self) -> float | None:
        """Return since when the program runs; None if it does not."""
        return None if self.program is None else self._started

    @property
    def recoveries(self) -> int:
        """Return how many recoveries have finished."""
        return self.story.counts.get(RECOVERED, 0)

    def start(self) -> Life:
        """Start the program on the files that are there."""
        self.starts += 1
        self.births.append(self.now)
        life = self.program = Life(f"life {self.starts}")
        self._started = self.now
        self.story.say("world", "start", life=self.starts)
        self.loop.begin(life, self._live(life)).add_done_callback(lambda task: task.cancelled())
        return life

    async def _live(self, life: Life) -> None:
        settings = config.load(self.directory / "surefoot.toml", {})
        strategies = config.strategies(settings)
        ground = app.Ground(
            clock=self.clock,
            tempo=self._tempo,
            room=lambda say: Room(say, workers=Inline(self._think), loop=InlineLoop()),
        )
        try:
            await app.serve(settings, strategies, Voice(self.story, life), ground)
        except Exception as error:  # it is started again, as a service would be
            if not life.ended:
                self.story.say("world", "the program ended", why=repr(error)[:300])
            raise
        finally:
            if not life.ended:
                self._gone(life)

    async def _think(self) -> None:
        await self.sleep(self.luck.expovariate(1 / 0.002))

    def kill(self) -> None:
        """Kill the program, between two steps."""
        if self.program is not None:
            self.loop.doom(self.program)
            self.program = None

    async def post(self, name: str, kind: str, target: str, arguments: Mapping[str, str]) -> None:
        """Post a command, as somebody at a terminal does."""
        now = self.clock.now()
        reader = open_reader("sqlite:///surefoot.db", self.directory)
        try:
            await reader.post(
                Command(
                    command_id=name,
                    kind=kind,
                    target=target,
                    actor="somebody",
                    posted_at=now,
                    expires_at=now + timedelta(minutes=10),
                    arguments=dict(arguments),
                )
            )
        finally:
            await reader.close()

    def stop(self) -> None:
        """Ask the program to stop, as SIGTERM does."""
        if self.program is not None and self.program.main is not None:
            self.story.say("world", "stop", life=self.program.name)
            self.program.main.cancel()

    def _died(self, life: Life) -> None:
        self.deaths += 1
        before, self._recovered = self._recovered, self.recoveries
        self._cut_short = self._cut_short + 1 if self._recovered == before else 0
        if self._cut_short == 2:
            self.story.count("world two recoveries killed in a row")
        self.story.say("world", "kill", life=life.name, step=life.steps)
        self._gone(life)
        gc.collect(2 if self.deaths % 50 == 0 else 0)

    def _gone(self, life: Life) -> None:
        """Take from a life what the system takes from a process that has ended: its locks."""
        self.steps += life.steps
        for path in list(self._gauges):
            gauges._replace(path, self._gauges.pop(path)._content())
        if self.program is life:
            self.program = None
        journal = str(self.directory / "surefoot.db")
        for link in Path("/proc/self/fd").iterdir():
            with suppress(OSError):
                if str(link.readlink()).startswith(journal):
                    fcntl.flock(int(link.name), fcntl.LOCK_UN)

    # The market ----------------------------------------------------------------------------------

    def move(self, symbol: str, factor: float) -> None:
        """Move a price by a factor."""
        exchange = self.simulator.exchange
        tick = exchange.rules[symbol].tick
        to = (exchange.quotes[symbol].last * Decimal(repr(factor))).quantize(tick)
        self.simulator.market.move(symbol, max(to, tick * 100), tick)
        for each in self.watchers:
            each(symbol, exchange.quotes[symbol].last)


@contextmanager
def _tidied() -> Iterator[None]:
    """Collect garbage at moments of this world only: finalizers take steps of their own."""
    gc.collect()
    gc.freeze()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
        gc.unfreeze()
        gc.collect()


def _fields() -> list[str]:
    """Return what a client has that is no method.

    A client goes through all that it has, to give each a second name; the names of its methods
    belong to the class, and are there after the first. That took half of the time of a start.
    """
    client = FencedBinance({})
    names = [name for name in dir(client) if "_" in name]
    return [name for name in names if not isinstance(getattr(client, name), MethodType)]


def _fields_there(client: object) -> list[str]:
    return [name for name in _FIELDS if hasattr(client, name)]


def _nothing(_unraisable: object) -> None:
    """Say nothing of what the garbage collector finds of a life that is over."""


def _word(value: object) -> str:
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    text = str(value)
    return text if text and " " not in text else json.dumps(text)


_FIELDS: Final = _fields()
