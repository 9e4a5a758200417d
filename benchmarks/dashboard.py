"""Measure the dashboard with a thousand bots: first row, delay of an update, wire, memory, tabs.

    python benchmarks/dashboard.py [--bots 1000] [--changes 200] [--seconds 20] [--tabs 20]

A journal of that many bots is made; `surefoot web` serves it as a process of its own; this process
writes so many changes a second, as an engine does, while that many tabs follow. One of them is a
Chromium whose journal page says when a record has appeared on it. `docs/performance.md` has the
last table.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import shutil
import socket
import sys
import tempfile
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from statistics import quantiles
from typing import Any, Final

import aiohttp
from msgspec.structs import replace
from playwright.async_api import Page, async_playwright
from tests.builders import START, Life

from surefoot.core.account_records import BotStatusChanged
from surefoot.core.records import LevelsSet
from surefoot.core.state import evolve
from surefoot.journal import open_journal
from surefoot.journal.port import Append, Change, Journal, bot_stream, position_stream

STEP: Final = Decimal("0.01")
JOURNAL: Final = "sqlite:///surefoot.db"
# Runs in the page before anything else: notes when the first row of the bots is there for the eye.
FIRST: Final = """() => {
  const look = () => {
    if (window.first || !document.querySelector('[role=rowgroup] [role=row]')) return;
    requestAnimationFrame(() => setTimeout(() => { window.first ??= performance.now(); }));
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true });
}"""
# Notes when the row of a record is there for the eye.
WATCH: Final = """() => {
  window.seen = {};
  const look = () => document.querySelectorAll('section a[href^="/journal/"]').forEach((row) => {
    const number = row.getAttribute('href').split('/').pop();
    window.seen[number] ??= Date.now();
  });
  new MutationObserver(look).observe(document.querySelector('section'), { childList: true });
}"""


class Bots:
    """So many bots in one journal, each with an open position, and the pen that writes them."""

    def __init__(self, journal: Journal, count: int) -> None:
        self._journal = journal
        self._lives = [Life(bot=f"bot-{number:04}") for number in range(count)]
        self._known = [0] * count
        self._turn = 0
        # When the record of each sequence number was durable.
        self.written: dict[int, float] = {}

    async def begin(self) -> None:
        """Write every bot down, with a position that is open."""
        for number, life in enumerate(self._lives):
            life.opened()
            name = life.position.bot
            word = BotStatusChanged(at=START, bot=name, status="RUNNING", by="bench")
            status = Append(stream=bot_stream(name), expected=0, records=(word,))
            await self._journal.commit(Change(at=START, appends=(status, self._news(number))))

    async def change(self) -> None:
        """Move one bot's stop a little, as a price that rises does."""
        number = self._turn % len(self._lives)
        self._turn += 1
        life = self._lives[number]
        levels = life.position.levels
        stop = (levels.stop or Decimal(0)) + STEP
        record = LevelsSet(at=datetime.now(UTC), levels=replace(levels, stop=stop))
        life.records.append(record)
        life.position = evolve(life.position, record)
        receipt = await self._journal.commit(Change(at=record.at, appends=(self._news(number),)))
        self.written[receipt.sequence] = time.time()

    def _news(self, number: int) -> Append:
        life, known = self._lives[number], self._known[number]
        self._known[number] = len(life.records)
        return Append(
            stream=position_stream(life.position.position_id),
            expected=known,
            records=tuple(life.records[known:]),
            position=life.position,
        )


class Tab:
    """One follower: what came, how late, and how much of it."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._head = {"Authorization": f"Bearer {token}"}
        self.seen: dict[int, float] = {}
        self.bytes = 0

    async def follow(self) -> None:
        """Take messages until cancelled."""
        address = f"{self._url.replace('http', 'ws', 1)}/api/v1/live"
        async with (
            aiohttp.ClientSession() as client,
            client.ws_connect(address, headers=self._head, max_msg_size=0, compress=15) as tab,
        ):
            async for message in tab:
                now = time.time()
                self.bytes += len(message.data)
                for record in json.loads(message.data).get("records", ()):
                    self.seen[record["sequence"]] = now


async def main() -> None:
    """Make the journal, serve it, write and look; print a table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--bots", type=int, default=1_000)
    parser.add_argument("--changes", type=int, default=200)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--tabs", type=int, default=20)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        url = configure(directory)
        journal = open_journal(JOURNAL, directory, at=START)
        bots = Bots(journal, chosen.bots)
        await bots.begin()
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "surefoot", "web",
            cwd=directory, stderr=asyncio.subprocess.DEVNULL,
        )  # fmt: skip
        try:
            await answers(url)
            await measure(chosen, directory, url, server.pid, bots)
        finally:
            server.terminate()
            await server.wait()
            await journal.close()


async def measure(
    chosen: argparse.Namespace, directory: Path, url: str, pid: int, bots: Bots
) -> None:
    """Look with all tabs while it is written, and say what came of it."""
    token = (directory / "surefoot.token").read_text().strip()
    tabs = [Tab(url, token) for _ in range(chosen.tabs - 1)]
    async with async_playwright() as started:
        browser = await started.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox"]
        )
        rows = [await first_row(await browser.new_page(), url, token) for _ in range(5)]
        page = await browser.new_page()
        await page.goto(f"{url}/#token={token}")
        await page.get_by_role("navigation").wait_for()
        await page.goto(f"{url}/journal")
        await page.locator('section a[href^="/journal/"]').first.wait_for()
        await page.evaluate(WATCH)
        session = await page.context.new_cdp_session(page)
        await session.send("Performance.enable", {"timeDomain": "threadTicks"})
        following = [asyncio.create_task(tab.follow()) for tab in tabs]
        await asyncio.sleep(2)
        before, drawn, began = processor(pid), await thread(session), time.monotonic()
        await write(bots, chosen.changes, chosen.seconds)
        spent = (processor(pid) - before) / (time.monotonic() - began)
        drawn = (await thread(session) - drawn) / (time.monotonic() - began)
        await asyncio.sleep(2)
        seen = {int(k): v / 1000 for k, v in (await page.evaluate("window.seen")).items()}
        for each in following:
            each.cancel()
        await browser.close()
    late = [tab.seen[n] - at for tab in tabs for n, at in bots.written.items() if n in tab.seen]
    shown = [seen[n] - at for n, at in bots.written.items() if n in seen]
    missing = sum(n not in tab.seen for tab in tabs for n in bots.written)
    table(
        f"{chosen.bots} bots, {chosen.changes} changes/s, {chosen.tabs} tabs",
        [
            (
                "first row of the bots, median of five",
                f"{median(s for s, _, _ in rows):.2f} s",
                "0.5 s",
            ),
            (
                "processor of the page's thread until then",
                f"{median(s for _, s, _ in rows):.2f} s",
                "",
            ),
            ("over the wire for it", f"{max(b for *_, b in rows) / 1000:.0f} kB", "150 kB"),
            ("record to its followers, p50 / p95", spread(late), "50 ms"),
            ("record to its row in Chromium, p50 / p95", spread(shown), "50 ms"),
            ("records that a follower missed", f"{missing}", "0"),
            ("processor of the page's thread, following", f"{drawn:.0%} of one", ""),
            ("processor of the web process", f"{spent:.0%} of one", ""),
            ("memory of the web process, most", f"{memory(pid)} MB", "90 MB"),
        ],
    )


async def first_row(page: Page, url: str, token: str) -> tuple[float, float, int]:
    """Open the bots in a fresh tab; return seconds to the first row, of its thread, and bytes."""
    wire = 0

    def count(event: dict[str, Any]) -> None:
        nonlocal wire
        wire += int(event["encodedDataLength"])

    await page.goto(f"{url}/#token={token}")
    await page.get_by_role("navigation").wait_for()
    session = await page.context.new_cdp_session(page)
    await session.send("Network.enable")
    await session.send("Network.setCacheDisabled", {"cacheDisabled": True})
    session.on("Network.loadingFinished", count)
    await session.send("Performance.enable", {"timeDomain": "threadTicks"})
    await page.add_init_script(f"({FIRST})()")
    before = await thread(session)
    await page.goto(f"{url}/bots", wait_until="commit")
    await page.get_by_role("rowgroup").get_by_role("row").first.wait_for()
    await asyncio.sleep(0.2)  # the row is noted once it has been drawn
    took = float(await page.evaluate("window.first")) / 1000
    spent = await thread(session) - before
    await page.wait_for_load_state("networkidle")
    await page.close()
    return took, spent, wire


async def thread(session: Any) -> float:
    """Return the seconds of processor time that the thread of a page has had so far."""
    found = (await session.send("Performance.getMetrics"))["metrics"]
    return float(next(each["value"] for each in found if each["name"] == "TaskDuration"))


async def write(bots: Bots, changes: int, seconds: int) -> None:
    """Write so many changes a second, evenly."""
    began = time.monotonic()
    for number in range(changes * seconds):
        await asyncio.sleep(max(0.0, began + number / changes - time.monotonic()))
        await bots.change()


def table(title: str, rows: Sequence[tuple[str, str, str]]) -> None:
    """Print what was measured, and what it may be at most."""
    print(f"| {title} | | limit |\n|---|---|---|")
    for row in rows:
        print(f"| {' | '.join(row)} |")


def spread(seconds: list[float]) -> str:
    """Return the median and the 95th percentile in milliseconds."""
    found = quantiles(seconds, n=100)
    return f"{found[49] * 1000:.0f} / {found[94] * 1000:.0f} ms (of {len(seconds)})"


def median(values: Any) -> float:
    """Return the middle one."""
    found = sorted(values)
    return float(found[len(found) // 2])


def processor(pid: int) -> float:
    """Return the seconds of processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / 100


def memory(pid: int) -> int:
    """Return the most memory that a process has had, in MB."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    (line,) = [each for each in lines if each.startswith("VmHWM")]
    return int(line.split()[1]) // 1000


def configure(directory: Path) -> str:
    """Write a configuration, and return the dashboard's address."""
    port = free_port()
    (directory / "surefoot.toml").write_text(
        f'[journal]\nurl = "{JOURNAL}"\n[web]\nlisten = "127.0.0.1:{port}"\n', encoding="utf-8"
    )
    return f"http://127.0.0.1:{port}"


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


async def answers(url: str) -> None:
    """Wait until it serves."""
    async with aiohttp.ClientSession() as client, asyncio.timeout(30):
        while True:
            try:
                async with client.get(f"{url}/healthz"):
                    return
            except aiohttp.ClientError:
                await asyncio.sleep(0.1)


if __name__ == "__main__":
    asyncio.run(main())
