"""What a thousand bots weigh: one real process, 1,024 descriptors, the bundled exchange.

    python -m benchmarks.crowd [--bots N] [--seconds N]

Each row is a process of its own against the same exchange: resident memory once it has recovered
and served for a while, its descriptors and its threads. With more `--seconds` it is a soak: what
grows is the difference between the middle and the end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Final

from typing_extensions import override

from surefoot.simulator import Settings, Simulator, ccxt_settings
from surefoot.simulator.model import Rules
from surefoot.strategy import Enter, Exit, Strategy
from surefoot.strategy.facts import Tick, View
from surefoot.strategy.signals import Signal

DESCRIPTORS: Final = 1_024
PATIENCE_S: Final = 600.0
LOOK_EVERY_S: Final = 5.0
ROOT: Final = Path(__file__).resolve().parent.parent


class Idle(Strategy):
    """Listens and wants nothing."""

    @override
    def on_tick(self, tick: Tick, view: View) -> Signal | None:
        """Want nothing."""


class Busy(Strategy):
    """Enters and leaves every few minutes, for ever."""

    @override
    def on_tick(self, _tick: Tick, view: View) -> Signal | None:
        """Turn around."""
        view.memory["ticks"] = seen = view.memory.get("ticks", 0) + 1
        if seen % 40:
            return None
        return Enter(reason="in") if view.position is None else Exit(reason="out")


@dataclass(frozen=True, kw_only=True)
class Figures:
    """What a process needed, in kB, and whether it got there."""

    bots: int
    memory: tuple[int, ...]
    descriptors: int
    threads: int
    started_s: float


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bots", type=int, nargs="*", default=[1, 1_000])
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--symbols", type=int, default=250)
    parser.add_argument("--beat", type=float, default=2.0, help="seconds between two prices")
    parser.add_argument("--strategy", choices=("Idle", "Busy"), default="Idle")
    chosen = parser.parse_args()
    found = [asyncio.run(measured(bots, chosen)) for bots in chosen.bots]
    for each in found:
        middle = each.memory[len(each.memory) // 2]
        print("kB at every minute:", *each.memory[:: round(60 / LOOK_EVERY_S)])
        print(
            f"{each.bots:,} bots: {each.memory[-1]:,} kB, {each.memory[-1] - middle:+,} kB in the "
            f"second half, {each.descriptors} descriptors, {each.threads} threads, recovered "
            f"after {each.started_s:.0f} s"
        )
    few, many = found[0], found[-1]
    if many.bots > few.bots:
        more = (many.memory[-1] - few.memory[-1]) / (many.bots - few.bots)
        print(f"one bot more: {more:.1f} kB")


async def measured(bots: int, chosen: argparse.Namespace) -> Figures:
    """Serve so many bots for a while, and look at the process."""
    rules = tuple(
        Rules(symbol=f"C{n}USDT", base=f"C{n}", quote="USDT", price=Decimal(100))
        for n in range(chosen.symbols)
    )
    settings = Settings(
        rules=rules, market="random", beat_s=chosen.beat, balances={"USDT": Decimal(10_000_000)}
    )
    loop = asyncio.get_running_loop()
    with tempfile.TemporaryDirectory(prefix="crowd-") as name:
        directory = Path(name)
        async with Simulator(settings) as exchange:
            (directory / "surefoot.toml").write_text(configuration(exchange.url, bots, chosen))
            began = loop.time()
            with (directory / "log").open("wb") as log:
                process = await asyncio.create_subprocess_exec(
                    *(sys.executable, "-m", "surefoot", "run", "--log", "json"),
                    cwd=directory,
                    env={
                        **os.environ,
                        "PYTHONPATH": os.pathsep.join((str(ROOT / "src"), str(ROOT))),
                    },
                    stderr=log,
                    preexec_fn=few_descriptors,
                )
            try:
                await recovered(process, directory / "log")
                started = loop.time() - began
                memory = []
                while loop.time() - began - started < chosen.seconds:
                    await asyncio.sleep(min(LOOK_EVERY_S, chosen.seconds))
                    memory.append(resident(process.pid))
                return Figures(
                    bots=bots,
                    memory=tuple(memory),
                    descriptors=count(process.pid, "fd"),
                    threads=count(process.pid, "task"),
                    started_s=started,
                )
            finally:
                if process.returncode is None:
                    process.terminate()
                    await process.wait()


def few_descriptors() -> None:
    """Take away what a usual limit would not give."""
    resource.setrlimit(resource.RLIMIT_NOFILE, (DESCRIPTORS, DESCRIPTORS))


async def recovered(process: asyncio.subprocess.Process, log: Path) -> None:
    """Wait until the bots are served.

    Raises:
        RuntimeError: it ended before.
    """
    async with asyncio.timeout(PATIENCE_S):
        while process.returncode is None:
            if '"recovery finished"' in await asyncio.to_thread(log.read_text):
                return
            await asyncio.sleep(1)
    ended = (await asyncio.to_thread(log.read_text))[-2_000:]
    raise RuntimeError(f"it ended with {process.returncode}\n{ended}")


def count(pid: int, what: str) -> int:
    """Return how many of something a process has, as the system counts them."""
    return sum(1 for _ in Path(f"/proc/{pid}/{what}").iterdir())


def resident(pid: int) -> int:
    """Return the memory that a process occupies, in kB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))


def configuration(url: str, bots: int, chosen: argparse.Namespace) -> str:
    """Return a configuration of so many bots."""
    return "".join(written(url, bots, chosen))


def written(url: str, bots: int, chosen: argparse.Namespace) -> Iterator[str]:
    """Yield the parts of a configuration."""
    urls = ccxt_settings(url)["urls"]["api"]
    yield f"""
[journal]
url = "sqlite:///surefoot.db"
[accounts.main]
exchange = "binance"
api_key = "simulated-key"
secret = "simulated-secret"
[accounts.main.ccxt]
urls.api.public = {json.dumps(urls["public"])}
urls.api.private = {json.dumps(urls["private"])}
urls.api.ws.spot = {json.dumps(urls["ws"]["spot"])}
urls.api.ws.ws-api.spot = {json.dumps(urls["ws"]["ws-api"]["spot"])}
"""
    for bot in range(bots):
        yield f"""
[bots.bot-{bot:05}]
account = "main"
symbol = "C{bot % chosen.symbols}/USDT"
strategy = "benchmarks.crowd:{chosen.strategy}"
notional = 100
stop_loss = "10%"
"""


if __name__ == "__main__":
    main()
