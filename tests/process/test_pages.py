"""What the pages tell to type is typed, as printed, by somebody who has just begun.

One simulated exchange and one server stand behind all of it. That takes half a minute of processor
time, so `make sweep` has it; `unit/documents` parses the same lines with every change. What other
programs are for (pip, git, make, journalctl, sqlite3) is left to them; `surefoot demo` and the
first minutes on paper have tests of their own. Broken on purpose, and red here: a command that a
page still calls by an old name, an option that only parses, a position that no command can find.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import shutil
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import aiohttp
import pytest
from tests.process.dashboard import free_port
from tests.unit.documents.test_snippets import PAGES, shown

from surefoot.demo.stage import clean
from surefoot.journal.tenancy import Tenancy

PATIENCE_S: Final = 60.0
OTHERS: Final = ("pip ", "git ", "make ", "cd ", "export ", "journalctl ", "sqlite3 ", "../.venv")
SHOWN_ELSEWHERE: Final = ("surefoot demo", "surefoot run", "surefoot sim --port", "surefoot init")
STAYS: Final = re.compile(r"--follow|^surefoot sim(?! --faults)|^python -m surefoot\.simulator")
FINE: Final = (0, 3)  # 3: something wants somebody, which is no fault of the command


def printed() -> list[tuple[str, str]]:
    """Return every line that a page tells to type, with the page."""
    return [
        (page.name, re.sub(r"\s+#.*$", "", line))
        for page in PAGES
        for language, text in shown(page)
        if language == "console"
        for line in re.findall(r"^\$ (.+)$", text, re.MULTILINE)
    ]


async def turn() -> None:
    """Look again in a moment."""
    await asyncio.sleep(0.05)


class Desk:
    """A folder with `surefoot` on its path, and what was started there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.url = f"http://127.0.0.1:{free_port()}"
        self._stand: list[asyncio.subprocess.Process] = []
        self._typed = 0
        tools = folder / "bin"
        tools.mkdir()
        for name, what in (("surefoot", " -m surefoot"), ("python", "")):
            shim = tools / name
            shim.write_text(f'#!/bin/sh\nexec "{sys.executable}"{what} "$@"\n', "utf-8")
            shim.chmod(0o755)
        patient = {"SUREFOOT__BOTS__MY_BOT__PARAMS": '{ hold = "1h" }'}  # until a page closes it
        self._environment = clean({"PATH": f"{tools}:{os.environ['PATH']}"} | patient, None)

    def here(self, line: str) -> str:
        """Return a printed line with the names of this desk."""
        line = re.sub(r"^(sudo -u \S+ /opt/surefoot|\.venv)/bin/surefoot", "surefoot", line)
        line = line.replace("/etc/surefoot/", "").replace("/backup/", f"{self.folder}/")
        line = line.replace("8765", self.url.rpartition(":")[2]).replace("--port 8080", "--port 0")
        line = line.replace("http://127.0.0.1:8080", self.url)
        line = line.replace("dip-btc-7", "my-bot-1").replace("dip-btc", "my-bot")
        return line if shutil.which("jq") else re.sub(r"\| jq .*$", "", line)

    async def types(self, line: str, *, among: str = ".") -> tuple[int, str]:
        """Type a line; return its exit code and what it printed."""
        process, said = await self._start(line, among)
        code = await asyncio.wait_for(process.wait(), PATIENCE_S)
        return code, said.read_text("utf-8")

    async def starts(self, line: str, *, among: str = ".") -> asyncio.subprocess.Process:
        """Type a line that goes on; return it as soon as it has printed something."""
        process, said = await self._start(line, among)
        self._stand.append(process)
        async with asyncio.timeout(PATIENCE_S):
            while not said.stat().st_size:
                assert process.returncode is None, line
                await turn()
        return process

    async def _start(self, line: str, among: str) -> tuple[asyncio.subprocess.Process, Path]:
        self._typed += 1
        said = self.folder / f"said-{self._typed}"
        with said.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                "bash",
                "-c",
                line,
                cwd=self.folder / among,
                env=self._environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )
        return process, said

    async def ends(self, process: asyncio.subprocess.Process) -> int:
        """Press Ctrl-C, and let it end."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGINT)
        return await asyncio.wait_for(process.wait(), PATIENCE_S)

    async def clears(self) -> None:
        """Leave nothing running: what a server has started outlives it, in a session of its own."""
        for process in self._stand:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
        for what in ("web", "notify"):
            tenant = Tenancy(self.folder / "hello" / "surefoot.db", what).tenant()
            if tenant is not None:
                with suppress(ProcessLookupError):
                    os.kill(tenant.pid, signal.SIGKILL)

    async def records(self, symbol: str, name: str) -> None:
        """Record the candles that the replay's page speaks of."""
        question = f"{self.url}/api/v3/klines?symbol={symbol}&interval=1m&limit=300"
        async with aiohttp.ClientSession() as client, client.get(question) as answer:
            rows = await answer.json()
        lines = (",".join(str(value) for value in row[:6]) for row in rows)
        (self.folder / "hello" / name).write_text("\n".join(lines) + "\n", "utf-8")

    async def holds(self) -> bool:
        """Tell whether the first bot has a position."""
        _, text = await self.types("surefoot status --json", among="hello")
        return bool(json.loads(text)["bots"][0]["position"])


@pytest.mark.slow
async def test_what_the_pages_tell_to_type_can_be_typed(tmp_path: Path) -> None:
    lines = printed()
    desk = Desk(tmp_path)
    try:
        await _begins(desk, [line for page, line in lines if page == "how-to.md"])
        typed = [
            (page, line)
            for page, line in lines
            if not line.startswith((*OTHERS, *SHOWN_ELSEWHERE)) or " --faults" in line
        ]
        assert len(typed) > 25, "the pages are read"
        for page, line in typed:
            if STAYS.search(line):
                here = await desk.starts(desk.here(line), among="hello")
                assert await desk.ends(here) in {0, 130, -signal.SIGINT}, (page, line)
                continue
            code, said = await desk.types(desk.here(line), among="hello")
            assert code in FINE, (page, line, said)
            assert "Traceback" not in said, (page, line, said)
    finally:
        await desk.clears()


async def _begins(desk: Desk, lines: list[str]) -> None:
    """Follow the first steps of the how-to, until the first bot holds something."""
    sim, init = (
        next(line for line in lines if line.startswith(f"surefoot {word} "))
        for word in ("sim", "init")
    )
    await desk.starts(desk.here(sim))
    code, said = await desk.types(desk.here(init))
    assert code == 0, said
    assert "surefoot check" in lines
    code, said = await desk.types("surefoot check", among="hello")
    assert code == 0, said
    assert "SIMULATED" in said, said
    assert "surefoot run" in lines
    await desk.starts("surefoot run", among="hello")
    for name in ("btc", "eth"):
        await desk.records(f"{name.upper()}USDT", f"{name}-1m.csv")
    async with asyncio.timeout(PATIENCE_S):
        while not await desk.holds():
            pass  # each look is a process of its own, which takes its time


@pytest.mark.parametrize("word", OTHERS)
def test_what_is_left_to_others_is_on_a_page(word: str) -> None:
    """A list of what is not typed here has no line that nobody prints."""
    assert any(line.startswith(word) for _, line in printed()), word
