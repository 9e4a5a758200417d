"""Measure what watching costs trading: a whole engine alone, and with everybody who looks.

    python -m benchmarks.beside [--bots 8] [--seconds 8] [--rounds 5]

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
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import aiohttp
from benchmarks.dashboard import Tab, answers, free_port, table

from surefoot import app, config
from surefoot.demo.show import ACCOUNT, CCXT
from surefoot.demo.stage import Stage
from surefoot.journal.port import Reader
from surefoot.web import Keys, Scope, token_file

TABS: Final = 20
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


@asynccontextmanager
async def watched(directory: Path, url: str) -> AsyncIterator[None]:
    """Have everybody look who may: tabs in a process of their own, one that reads nothing."""
    companions = ("web", "notify")
    started = [await start(directory, "-m", "surefoot", each, "--take-over") for each in companions]
    await answers(url)
    await asyncio.sleep(3)
    started[1].send_signal(signal.SIGSTOP)
    started.append(await start(directory, __file__, "--follow", url))
    await asyncio.sleep(2)
    try:
        yield
    finally:
        for each in started:
            if each.returncode is not None:
                who = ("web", "notify", "the tabs")[started.index(each)]
                raise RuntimeError(f"{who} ended with {each.returncode}")
            each.kill()
            await each.wait()


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
    alone, beside = list[Turn](), list[Turn]()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        stage, port = Stage(Path(name)), free_port()
        await stage.open_exchange("--market", "tape", "--speed", "3")
        symbols = ("BTC/USDT", "ETH/USDT")
        bots = [BOT.format(number=n, symbol=symbols[n % 2]) for n in range(chosen.bots)]
        stage.configure(ACCOUNT, "".join(bots) + REST.format(port=port), CCXT)
        os.chdir(stage.directory)
        settings = config.load(stage.directory / "surefoot.toml", os.environ)
        strategies = config.strategies(settings)
        engine = asyncio.create_task(app.serve(settings, strategies, Silence()))
        await asyncio.sleep(10)  # recovered, and trading
        async with stage.reading() as reader:
            for _ in range(chosen.rounds):
                alone.append(await turn(reader, chosen.seconds))
                async with watched(stage.directory, f"http://127.0.0.1:{port}"):
                    beside.append(await turn(reader, chosen.seconds))
        engine.cancel()
        with suppress(asyncio.CancelledError):
            await engine
        await stage.close()
    show(alone, beside)


def show(alone: list[Turn], beside: list[Turn]) -> None:
    """Print both turns and their ratio."""
    rows = []
    for title, turns in (("alone", alone), ("beside everybody who looks", beside)):
        late = quantiles([each for one in turns for each in one.late], n=20)
        rows += [
            (f"records, {title}", f"{sum(each.records for each in turns)}", ""),
            (f"processor of the engine, {title}", f"{share(turns):.1%} of one core", ""),
            (f"processor time of a record, {title}", f"{cost(turns):.0f} µs", ""),
            (f"loop wakes late by, {title}", f"{late[9] * 1e3:.2f} / {late[18] * 1e3:.2f} ms", ""),
        ]
    rows += [
        ("ratio of the engine's processor", f"{share(beside) / share(alone):.3f}", "1.05"),
        ("ratio of a record's", f"{cost(beside) / cost(alone):.3f}", "1.05"),
    ]
    table(f"{len(alone)} turns each", rows)


def share(turns: list[Turn]) -> float:
    """Return the processor time of the engine in a second of one and the same market."""
    return sum(each.spent for each in turns) / sum(each.lasted for each in turns)


def cost(turns: list[Turn]) -> float:
    """Return the microseconds of processor time of a record, over all turns."""
    return sum(each.spent for each in turns) / sum(each.records for each in turns) * 1e6


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bots", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--follow")
    given = parser.parse_args()
    asyncio.run(follow(given.follow) if given.follow else main(given))
