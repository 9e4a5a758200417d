"""Measure what watching costs trading: a whole engine alone, and with everybody who looks.

    python -m benchmarks.beside [--bots 8] [--seconds 5] [--rounds 24]

One engine trades on the simulated exchange all the time, in this process; in turns it is alone and
beside `surefoot web` with 20 tabs, a tab that never reads what it is sent, and a `surefoot notify`
that was stopped in the middle of its work. All turns belong to one run; what counts is the ratio of
what a record costs the engine in processor time, and how late its loop wakes.
`docs/performance.md` has the last table.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from operator import attrgetter
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any, Final

import aiohttp
from benchmarks.dashboard import Tab, answers, free_port, table

from surefoot import app, config
from surefoot.demo.show import ACCOUNT, CCXT
from surefoot.demo.stage import Stage
from surefoot.journal.port import Reader
from surefoot.web import Keys, Scope, token_file

TABS: Final = 20
SETTLE_S: Final = 2.0
PROGRAMS: Final = (("web", "--take-over"), ("notify", "--take-over"))
PROBE_S: Final = 0.005
REST: Final = """
[web]
listen = "127.0.0.1:{port}"
[state]
file = "open_positions.json"
[[webhooks]]
url = "http://127.0.0.1:9/"
"""
BOT: Final = """
[bots.bot-{number}]
account = "main"
symbol = "{symbol}"
strategy = "surefoot.strategy.examples:DipBuyer"
notional = 100
stop_loss = "0.04%"
take_profit = "0.03%"
trailing_stop = "0.03%"
params = {{ dip = 0.0001 }}
limits = {{ orders_per_minute = 1000 }}
"""


class Silence:
    """A log that nobody reads."""

    def bind(self, **_: Any) -> Silence:
        """Return itself."""
        return self

    def _nothing(self, event: str, **fields: Any) -> None:  # noqa: ARG002 (nobody reads it)
        return

    debug = info = warning = error = exception = critical = _nothing


class Turn:
    """What one turn came to."""

    def __init__(self) -> None:
        self.records = 0
        self.spent = self.lasted = 0.0
        self.late: list[float] = []

    @property
    def each(self) -> float:
        """Return the microseconds of processor time of one record."""
        return self.spent / self.records * 1e6

    @property
    def share(self) -> float:
        """Return the share of one core that the engine took."""
        return self.spent / self.lasted

    @property
    def lag(self) -> float:
        """Return by how many seconds its loop woke late, on average."""
        return fmean(self.late)


async def turn(reader: Reader, seconds: float) -> Turn:
    """Let the engine trade for a while, and note how late its loop wakes meanwhile."""
    taken = Turn()
    probing = asyncio.create_task(probe(taken))
    before = await reader.records()
    began, at = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    taken.spent, taken.lasted = time.process_time() - began, time.monotonic() - at
    taken.records = await reader.records() - before
    probing.cancel()
    return taken


async def probe(taken: Turn) -> None:
    """Sleep again and again, and note by how much it was too long."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(PROBE_S)
        taken.late.append(time.monotonic() - began - PROBE_S)


class Companions:
    """Everybody who looks: tabs in a process of their own, one that reads nothing."""

    def __init__(self) -> None:
        self._all: list[asyncio.subprocess.Process] = []
        self._looking: list[asyncio.subprocess.Process] = []

    @classmethod
    @asynccontextmanager
    async def started(cls, directory: Path, url: str) -> AsyncIterator[Companions]:
        """Start them all, and end them in the end."""
        made = cls()
        web, notify = [await start(directory, "-m", "surefoot", *each) for each in PROGRAMS]
        await answers(url)
        await asyncio.sleep(3)
        notify.send_signal(signal.SIGSTOP)  # it stays so: a notifier in the middle of its work
        made._looking = [web, await start(directory, __file__, "--follow", url)]
        made._all = [*made._looking, notify]
        await asyncio.sleep(2)
        try:
            yield made
        finally:
            for each in made._all:
                if each.returncode is None:
                    each.kill()
                    await each.wait()

    async def look(self, *, looking: bool) -> None:
        """Let all of them look, or none; one who has waited is let catch up first.

        Raises:
            RuntimeError: One of them has ended: what is measured is not what is said.

        """
        for each in self._looking:
            if each.returncode is not None:
                raise RuntimeError(f"one who looks has ended with {each.returncode}")
            each.send_signal(signal.SIGCONT if looking else signal.SIGSTOP)
        await asyncio.sleep(SETTLE_S)


async def start(directory: Path, *arguments: str) -> asyncio.subprocess.Process:
    """Start a program of Python's, which finds what this one finds."""
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *arguments,
        cwd=directory,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)},
        stderr=asyncio.subprocess.DEVNULL,
    )


async def follow(url: str) -> None:
    """Be twenty tabs, and one more that opens its ears and never listens."""
    os.nice(19)  # a browser has a machine of its own
    token = Keys(token_file(Path("surefoot.db"))).token(Scope.READ)
    head = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession() as client, asyncio.TaskGroup() as tabs:
        await client.ws_connect(f"{url.replace('http', 'ws', 1)}/api/v1/live?after=0", headers=head)
        for _ in range(TABS):
            tabs.create_task(Tab(url, token).follow())


async def main(chosen: argparse.Namespace) -> None:
    """Take turns, and print what they came to."""
    turns: dict[bool, list[Turn]] = {False: [], True: []}
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        stage, port = Stage(Path(name)), free_port()
        await stage.open_exchange("--market", "random", "--speed", "3")
        symbols = ("BTC/USDT", "ETH/USDT")
        bots = [BOT.format(number=n, symbol=symbols[n % 2]) for n in range(chosen.bots)]
        stage.configure(ACCOUNT, "".join(bots) + REST.format(port=port), CCXT)
        os.chdir(stage.directory)
        settings = config.load(stage.directory / "surefoot.toml", os.environ)
        strategies = config.strategies(settings)
        engine = asyncio.create_task(app.serve(settings, strategies, Silence()))
        await asyncio.sleep(10)  # recovered, and trading
        url = f"http://127.0.0.1:{port}"
        async with stage.reading() as reader, Companions.started(stage.directory, url) as everybody:
            for looking in order(chosen.rounds):
                await everybody.look(looking=looking)
                turns[looking].append(await turn(reader, chosen.seconds))
        engine.cancel()
        with suppress(asyncio.CancelledError):
            await engine
        await stage.close()
    show(turns[False], turns[True])


def order(rounds: int) -> list[bool]:
    """Return who begins each pair, by lot: no rhythm of a market can take sides."""
    drawn = random.Random(rounds)  # noqa: S311 (nothing is kept secret by it)
    pairs = [drawn.sample((False, True), 2) for _ in range(rounds)]
    return [looking for pair in pairs for looking in pair]


def show(alone: list[Turn], beside: list[Turn]) -> None:
    """Print both kinds of turns, and their ratios with the error that their pairs show."""
    rows = []
    for title, turns in (("alone", alone), ("beside everybody who looks", beside)):
        rows += [
            (f"records, {title}", f"{sum(each.records for each in turns)}", ""),
            (f"processor of the engine, {title}", f"{fmean(e.share for e in turns):.1%}", ""),
            (f"processor time of a record, {title}", f"{fmean(e.each for e in turns):.0f} µs", ""),
            (f"loop wakes late by, {title}", f"{fmean(e.lag for e in turns) * 1e3:.3f} ms", ""),
        ]
    pairs = list(zip(alone, beside, strict=True))
    for title, figure in (
        ("the engine's processor", attrgetter("share")),
        ("a record's processor time", attrgetter("each")),
        ("the loop's lateness", attrgetter("lag")),
    ):
        ratios = [figure(two) / figure(one) for one, two in pairs]
        error = stdev(ratios) / len(ratios) ** 0.5
        rows.append((f"ratio of {title}", f"{median(ratios):.3f} ± {error:.3f}", "1.05"))
    table(f"{len(pairs)} pairs of turns", rows)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bots", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rounds", type=int, default=24)
    parser.add_argument("--follow")
    given = parser.parse_args()
    asyncio.run(follow(given.follow) if given.follow else main(given))
