"""A start that was forked is a start: what it says, what it holds, and how it dies."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from tests.process.forked import Forked
from tests.process.play import Play

from surefoot.demo.stage import Server


def held(server: Server) -> dict[str, set[str]]:
    """Return what the system says of a process, as far as two of them may be compared."""
    proc = Path(f"/proc/{server.pid}")
    lines = dict(line.split(":", 1) for line in (proc / "status").read_text().splitlines())
    links = [str(each.readlink()) for each in (proc / "fd").iterdir() if each.is_symlink()]
    files = {name for name in links if name.startswith("/")} - {str(server.log)}
    return {
        "directory": {str((proc / "cwd").readlink())},
        "files": files,
        "pipes": {name for name in links if name.startswith("pipe:")},
        "signals": {f"{name} {lines[name].strip()}" for name in ("SigBlk", "SigIgn", "SigCgt")},
    }


async def test_it_says_and_holds_what_a_start_from_nothing_does(play: Play) -> None:
    """Nothing of the process that forked it is left open, ignored or masked."""
    await play.open()
    said, holds = [], []
    for cold in (True, False):
        play.stage.cold = cold
        said.append([await play.stage.run(*words) for words in (("rnu",), ("init", "--help"))])
        server = await play.start()
        await play.recovered(server)
        holds.append(held(server))
        assert await server.stop() == 0
    assert said[0] == said[1]
    assert said[0][0][0] == 2
    assert holds[0] == holds[1]


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
async def test_how_it_ended_is_heard(play: Play, number: int) -> None:
    await play.open()
    server = await play.start()
    assert server.exit_code is None
    await play.recovered(server)
    server.signal(number)
    assert await server.wait() == (-number if number == signal.SIGKILL else 0)
    assert server.killed == (number == signal.SIGKILL)
    with pytest.raises(ProcessLookupError):
        server.signal(signal.SIGTERM)


async def test_what_was_never_forked_is_no_process() -> None:
    """It was process 0: to end it is to end everything that the tests were started with."""
    hears, says = os.pipe()
    os.close(says)
    with pytest.raises(RuntimeError, match="the process that forks has died"):
        Forked(hears)


async def test_whose_end_nobody_tells_is_not_waited_for() -> None:
    hears, says = os.pipe()
    os.write(says, os.getpid().to_bytes(4, "little"))
    forked = Forked(hears)
    os.close(says)
    with pytest.raises(RuntimeError, match="the process that forks has died"):
        await forked.wait()
