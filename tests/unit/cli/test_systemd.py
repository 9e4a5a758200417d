"""What systemd is told: ready, alive and stopping, and nothing of it can hurt the server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.engine.clock import HandClock, turns

from surefoot.cli.systemd import ServiceSocket, as_service

UNIT = Path(__file__).parents[3] / "deploy" / "surefoot.service"


class Listener:
    """systemd's end of the socket."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.setblocking(False)

    @property
    def heard(self) -> list[str]:
        found = []
        while True:
            try:
                found.append(self.socket.recv(100).decode())
            except BlockingIOError:
                return found

    def unit(self, **environment: str) -> ServiceSocket:
        return ServiceSocket({"NOTIFY_SOCKET": str(self.path)} | environment)


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[Listener]:
    it = Listener(tmp_path / "notify")
    yield it
    it.socket.close()


async def test_it_hears_ready_then_that_the_loop_turns_then_the_end(systemd: Listener) -> None:
    clock, ready = HandClock(), False
    unit = systemd.unit(WATCHDOG_USEC="30000000", WATCHDOG_PID=str(os.getpid()))
    async with as_service(unit, lambda: ready, clock):
        await clock.advance(5)
        assert systemd.heard == [], "recovery has not even begun"
        ready = True
        await clock.advance(1)
        assert systemd.heard == ["READY=1", "WATCHDOG=1"]
        await clock.advance(13)
        assert systemd.heard == []
        await clock.advance(2)
        assert systemd.heard == ["WATCHDOG=1"], "twice as often as the limit"
    assert systemd.heard == ["STOPPING=1"]


async def test_a_loop_that_hangs_does_not_feed(systemd: Listener) -> None:
    """It is the loop itself that feeds: while it does not turn, nothing is said."""
    clock = HandClock()
    async with as_service(systemd.unit(WATCHDOG_USEC="2000000"), lambda: True, clock):
        await turns()
        assert systemd.heard == ["READY=1", "WATCHDOG=1"]
        clock.elapsed += 60  # time passes, and nobody is woken
        assert systemd.heard == []


async def test_the_end_of_the_server_ends_it_with_its_error(systemd: Listener) -> None:
    with pytest.RaisesGroup(pytest.RaisesExc(RuntimeError, match="poisoned")):
        async with as_service(systemd.unit(), lambda: True, HandClock()):
            await turns()
            raise RuntimeError("poisoned")
    assert systemd.heard == ["READY=1", "STOPPING=1"]


@pytest.mark.parametrize(
    "environment",
    [{}, {"NOTIFY_SOCKET": "/nowhere/at/all"}, {"NOTIFY_SOCKET": "@surefoot-nobody-listens"}],
)
async def test_without_a_listener_nothing_happens(environment: dict[str, str]) -> None:
    async with as_service(ServiceSocket(environment), lambda: True, HandClock()):
        await turns()


@pytest.mark.parametrize(
    "environment",
    [
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "9", "WATCHDOG_PID": "1"},
    ],
)
def test_a_watchdog_that_is_not_ours_is_not_fed(environment: dict[str, str]) -> None:
    assert ServiceSocket(environment).feed_every_s is None


def test_the_unit_lets_the_dashboard_live_and_the_operator_in() -> None:
    """Under a real systemd both failed: a change of niceness was death, and the journal hidden."""
    lines = UNIT.read_text().splitlines()
    refused = lines.index("SystemCallFilter=~@privileged @resources")
    assert "SystemCallFilter=setpriority" in lines[refused:]
    assert "SystemCallErrorNumber=EPERM" in lines
    assert "User=surefoot" in lines
    assert "DynamicUser=yes" not in lines


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not here")
def test_the_unit_is_one_and_exposes_little(tmp_path: Path) -> None:
    text = UNIT.read_text().replace("/opt/surefoot/bin/surefoot", shutil.which("true") or "")
    unit = tmp_path / "surefoot.service"
    unit.write_text(text)
    verified = subprocess.run(
        ["systemd-analyze", "verify", str(unit)], capture_output=True, text=True, check=False
    )
    assert (verified.returncode, verified.stderr) == (0, "")
    judged = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", "--threshold=20", str(unit)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert judged.returncode == 0, judged.stdout[-2000:]
