"""Measure what watching costs trading: the journal's writer alone, and with everybody who looks.

    python -m benchmarks.beside [--bots 200] [--seconds 6] [--rounds 4]

The same writer commits as fast as it can, in turns alone and beside `surefoot web` with 20 tabs, a
tab that never reads what it is sent, and a `surefoot notify` that was stopped in the middle of its
work. Both turns belong to one run; what counts is the ratio of what a commit costs in processor
time, and how late the loop wakes. `docs/performance.md` has the last table.
"""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from typing import Final

import aiohttp
from benchmarks.dashboard import JOURNAL, Bots, Tab, answers, configure, table
from tests.builders import START

from surefoot.journal import open_journal
from surefoot.web import Keys, Scope, token_file

TABS: Final = 20
PROBE_S: Final = 0.005
NOTIFY: Final = '[state]\nfile = "open_positions.json"\n[[webhooks]]\nurl = "http://127.0.0.1:9/"\n'


class Turn:
    """What one turn came to."""

    def __init__(self) -> None:
        self.commits = 0
        self.spent = 0.0
        self.late: list[float] = []

    @property
    def each(self) -> float:
        """Return the microseconds of processor time of one commit."""
        return self.spent / self.commits * 1e6


async def write(bots: Bots, seconds: float) -> Turn:
    """Commit as fast as it goes, and note how late the loop wakes meanwhile."""
    turn = Turn()
    probing = asyncio.create_task(probe(turn))
    began, until = time.process_time(), time.monotonic() + seconds
    while time.monotonic() < until:
        await bots.change()
        turn.commits += 1
    turn.spent = time.process_time() - began
    probing.cancel()
    return turn


async def probe(turn: Turn) -> None:
    """Sleep again and again, and note by how much it was too long."""
    while True:
        began = time.monotonic()
        await asyncio.sleep(PROBE_S)
        turn.late.append(time.monotonic() - began - PROBE_S)


@asynccontextmanager
async def watched(directory: Path, url: str) -> AsyncIterator[None]:
    """Have everybody look who may: tabs in a process of their own, one that reads nothing."""
    started = [await start(directory, "-m", "surefoot", what) for what in ("web", "notify")]
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
                raise RuntimeError(f"somebody who watches ended with {each.returncode}")
            each.kill()
            await each.wait()


async def start(directory: Path, *arguments: str) -> asyncio.subprocess.Process:
    """Start a program of Python's."""
    return await asyncio.create_subprocess_exec(
        sys.executable, *arguments, cwd=directory, stderr=asyncio.subprocess.DEVNULL
    )


async def follow(url: str) -> None:
    """Be twenty tabs, and one more that opens its ears and never listens."""
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
        directory = Path(name)
        url = configure(directory)
        with (directory / "surefoot.toml").open("a", encoding="utf-8") as file:
            file.write(NOTIFY)
        journal = open_journal(JOURNAL, directory, at=START)
        bots = Bots(journal, chosen.bots)
        await bots.begin()
        for _ in range(chosen.rounds):
            alone.append(await write(bots, chosen.seconds))
            async with watched(directory, url):
                beside.append(await write(bots, chosen.seconds))
        await journal.close()
    show(alone, beside)


def show(alone: list[Turn], beside: list[Turn]) -> None:
    """Print both turns and their ratio."""
    costs = [median(turn.each for turn in turns) for turns in (alone, beside)]
    lags = [median(each for turn in turns for each in turn.late) * 1e3 for turns in (alone, beside)]
    table(
        f"{sum(each.commits for each in (*alone, *beside))} commits",
        [
            ("processor time of a commit, alone", f"{costs[0]:.0f} µs", ""),
            ("beside everybody who looks", f"{costs[1]:.0f} µs", ""),
            ("ratio", f"{costs[1] / costs[0]:.3f}", "1.05"),
            ("loop wakes late by, alone (median)", f"{lags[0]:.2f} ms", ""),
            ("beside everybody who looks", f"{lags[1]:.2f} ms", ""),
        ],
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--bots", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=6)
    parser.add_argument("--rounds", type=int, default=4)
    parser.add_argument("--follow")
    given = parser.parse_args()
    asyncio.run(follow(given.follow) if given.follow else main(given))
