"""The dashboard beside the server: there before recovery, after a death, and handed over."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.process.dashboard import Dashboard
from tests.process.play import Play, log_of


@pytest.fixture
async def dashboard(play: Play) -> AsyncIterator[Dashboard]:
    made = Dashboard(play)
    yield made
    made.end()


async def test_it_outlives_a_killed_server_and_is_taken_over_by_the_next(
    play: Play, dashboard: Dashboard
) -> None:
    await play.open(bots=dashboard.settings)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    first = dashboard.pid
    await server.kill()
    await play.until(lambda: dashboard.serves(engine=False))
    assert dashboard.pid == first
    successor = await play.start()
    await play.until(lambda: dashboard.pid not in {None, first}, successor)
    await play.until(lambda: dashboard.serves(engine=True), successor)
    assert dashboard.pid is not None
    ours = os.getpriority(os.PRIO_PROCESS, 0)  # which the server has from us
    assert os.getpriority(os.PRIO_PROCESS, dashboard.pid) == min(19, ours + 5), "bots come first"
    assert await successor.stop() == 0
    await play.until(lambda: dashboard.pid is None)  # a polite end is its end too


async def test_it_is_there_while_the_exchange_is_not(play: Play, dashboard: Dashboard) -> None:
    """Recovery cannot succeed, and the page that says so must not wait for it."""
    await play.open(bots=dashboard.settings)
    server = await play.start()
    await play.recovered(server)
    await server.kill()
    play.control.arm("outage", times=0)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    assert await server.stop() == 0


async def test_killed_it_comes_back_and_the_bots_never_notice(
    play: Play, dashboard: Dashboard
) -> None:
    await play.open(bots=dashboard.settings)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    first = dashboard.pid
    assert first is not None
    os.kill(first, signal.SIGKILL)
    play.say("buy")
    await play.state_is("OPEN", server=server)
    await play.until(lambda: dashboard.pid not in {None, first}, server)
    await play.until(lambda: dashboard.serves(engine=True), server)
    log = log_of(server)
    assert '"companion ended"' in log
    # What it says itself is written as the server was told to write.
    assert [said for said in map(json.loads, log.splitlines()) if said["event"] == "dashboard"]
    await server.stop()


async def test_a_second_one_is_refused_unless_it_is_to_take_over(
    play: Play, dashboard: Dashboard
) -> None:
    await play.open(bots=dashboard.settings)
    server = await play.start()
    await play.until(lambda: dashboard.serves(engine=True), server)
    first = dashboard.pid
    code, _, errors = await play.stage.run("web")
    assert code == 1
    assert f"process {first}" in errors
    # Nor is it replaced by the companion of a server that died while that was still starting.
    orphan = ("web", "--take-over", "--companion-of", "1")
    code, _, errors = await play.stage.run(*orphan)
    assert (code, dashboard.pid) == (1, first), errors
    code, _, errors = await play.stage.run("run")  # nor does a second server replace it
    assert (code, dashboard.pid) == (1, first)
    await server.stop()


async def test_it_is_not_given_the_keys(play: Play, dashboard: Dashboard) -> None:
    """Neither in its arguments nor in its environment, where others on the machine may look."""
    await play.open(bots=dashboard.settings, secret="planted-secret-value")
    environment = {"SOME_SECRET": "planted-secret-value", "KEPT": "kept"}
    server = await play.stage.start(environment=environment)
    await play.until(lambda: dashboard.serves(engine=True), server)
    proc = Path(f"/proc/{dashboard.pid}")
    given = (proc / "environ").read_bytes() + (proc / "cmdline").read_bytes()
    assert b"KEPT=kept" in given
    assert b"planted-secret-value" not in given
    for path in ("settings", "status", "records", "openapi.json"):
        _, answer = await dashboard.ask(f"/api/v1/{path}")
        assert "planted-secret-value" not in json.dumps(answer)
    await server.stop()
