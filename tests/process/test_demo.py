"""The demo is a test: its verdict comes from the exchange's ledger, and its exit code says it."""

from __future__ import annotations

import asyncio
import json
import signal
from contextlib import suppress
from pathlib import Path

import pytest
from tests.process.play import Play

from surefoot.demo.stage import clean, command


@pytest.mark.parametrize("seed", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_the_demo_ends_with_all_zero(play: Play, seed: int) -> None:
    code, output, errors = await play.stage.run(
        "demo", "--kills", "4", "--seed", str(seed), "--json"
    )
    assert code == 0, output + errors
    document = json.loads(output)
    verdict = document["verdict"]
    assert verdict["orders"] > 0
    assert verdict["fills"] > 0
    assert {verdict[name] for name in ("duplicates", "orphans", "unbooked")} == {0}
    assert verdict["unexplained"] == {}
    assert len(document["kills"]) == 4


async def test_a_demo_that_is_watched_ends_politely_and_leaves_nothing(tmp_path: Path) -> None:
    """Ctrl-C reaches it in the middle of whatever it does; its processes and files go with it."""
    environment = clean({"TMPDIR": str(tmp_path), "PYTHONUNBUFFERED": "1"}, None)
    process = await asyncio.create_subprocess_exec(
        *command("demo", "--watch"),
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    assert process.stdout is not None
    said = [(await process.stdout.readline()).decode() for _ in range(4)]
    assert said[0].startswith("Watch it: http://127.0.0.1:")
    assert "until you press Ctrl-C" in said[2]
    process.send_signal(signal.SIGINT)
    rest = (await process.stdout.read()).decode()
    assert await process.wait() == 0, rest
    assert "Stopped after 0 kills." in rest
    assert "Traceback" not in rest
    assert [each.name for each in tmp_path.iterdir() if each.name.startswith("surefoot-demo")] == []
    assert not any(str(tmp_path).encode() in line for line in running())


def running() -> list[bytes]:
    """Return the command lines of all processes, and where each of them works."""
    found = []
    for each in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            found.append((each / "cmdline").read_bytes() + str((each / "cwd").readlink()).encode())
    return found


async def test_the_demo_is_told_from_the_first_line_on(play: Play) -> None:
    """Where to watch it, then every death; nothing in it is an escape that was meant as a line."""
    code, output, errors = await play.stage.run("demo", "--kills", "1")
    assert code == 0, output + errors
    assert output.startswith("Watch it: http://127.0.0.1:")
    assert "\\x" not in output
