"""Hold the API against its own description: Schemathesis asks, a real server answers.

    python benchmarks/api_fuzz.py [--seeds 1 2 3] [--examples 50]

`surefoot run` trades on a simulated exchange; `surefoot web` serves its journal beside it, with the
brake on wrong tokens taken off, or most answers would be that one has to wait. All checks and all
phases run with an admin's token. The tool is no dependency: `pip install "schemathesis>=4.32,<5"`.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import socket
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import aiohttp

from surefoot.__main__ import main as surefoot
from surefoot.demo.show import ACCOUNT, BOTS, CCXT
from surefoot.demo.stage import Stage
from surefoot.web import Keys, Scope, throttle, token_file

READY_S: Final = 60
# A recovery that a command asks for, or a price that is late, is "not ready": that is its answer.
CONFIGURED: Final = """\
[[operations]]
include-name = "GET /readyz"
checks.not_a_server_error.expected-statuses = ["2xx", "4xx", "503"]
"""


def main() -> int:
    """Run it for every seed; 0 if all are clean."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--examples", type=int, default=50)
    chosen = parser.parse_args()
    beside = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    tool = beside or shutil.which("schemathesis")
    if tool is None:
        print('not run: there is no schemathesis here: pip install "schemathesis>=4.32,<5"')
        return 2
    return asyncio.run(_held(tool, chosen.seeds, chosen.examples))


async def _held(tool: str, seeds: Sequence[int], examples: int) -> int:
    with tempfile.TemporaryDirectory(prefix="surefoot-api-") as name:
        directory = Path(name)
        stage, port = Stage(directory), _free_port()
        await stage.open_exchange("--market", "random")
        listen = f'\n[web]\nlisten = "127.0.0.1:{port}"\n'
        stage.configure(ACCOUNT, BOTS + listen, CCXT)
        (directory / "schemathesis.toml").write_text(CONFIGURED)
        server = await stage.start()
        web = await asyncio.create_subprocess_exec(sys.executable, __file__, "serve", cwd=directory)
        try:
            await _ready(port)
            token = Keys(token_file(stage.journal)).token(Scope.ADMIN)
            codes = [await _ask(tool, port, token, seed, examples, directory) for seed in seeds]
        finally:
            web.terminate()
            await web.wait()
            await server.stop()
            await stage.close()
    return max(codes)


async def _ask(tool: str, port: int, token: str, seed: int, examples: int, directory: Path) -> int:
    asking = await asyncio.create_subprocess_exec(
        tool, "run", f"http://127.0.0.1:{port}/api/v1/openapi.json",
        "--checks", "all", "--max-examples", str(examples), "--seed", str(seed),
        "-H", f"Authorization: Bearer {token}", cwd=directory,
    )  # fmt: skip
    return await asking.wait()


async def _ready(port: int) -> None:
    async with asyncio.timeout(READY_S), aiohttp.ClientSession() as client:
        while True:
            try:
                async with client.get(f"http://127.0.0.1:{port}/readyz") as answer:
                    if answer.ok:
                        return
            except aiohttp.ClientError:
                pass  # It is not up yet.
            await asyncio.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def _serve() -> None:
    throttle.FAILURES_MAX = throttle.FAILURES_MAX_ALL = 10**9  # type: ignore[misc]
    sys.argv = ["surefoot", "web"]
    surefoot()


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        _serve()
    else:
        sys.exit(main())
