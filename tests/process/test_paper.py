"""Trading on paper, from `init` to a kill and back: the same engine, at a mirror of a venue."""

from __future__ import annotations

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest
import pytest_asyncio
from tests.process.paper import PaperPlay, PaperStage
from tests.process.play import log_of

from surefoot.core.values import PositionId


@pytest_asyncio.fixture
async def paper(tmp_path: Path) -> AsyncIterator[PaperPlay]:
    stage = PaperStage(tmp_path)
    played = PaperPlay(stage)
    try:
        yield played
    finally:
        await stage.close()
        played.end_exchange()


async def test_the_path_of_a_newcomer(paper: PaperPlay) -> None:
    """init, check, run, a position with its stop; killed, and the stop works on; found again."""
    stage = paper.stage
    stage.cold = True
    source = await stage.open_exchange("--market", "manual")
    assert (await stage.run("init", "--prices-from", source.url, "--strategy", "dip"))[0] == 0
    written = stage.directory / "surefoot.toml"
    written.write_text(written.read_text("utf-8").replace("enabled = true", "enabled = false"))
    await _checked(paper)

    server = await paper.start()
    await paper.recovered(server)
    assert "PAPER: live prices, simulated fills" in log_of(server)
    await paper.until(lambda: '"market stream up"' in log_of(server), server)
    await paper.sees(server=server)
    paper.move("61000")  # a dip of more than the strategy's 0.3 %
    await paper.until(lambda: len(paper.orders("SELL")) == 1, server)
    [stop] = paper.orders("SELL")
    assert (stop["type"], stop["status"]) == ("STOP_LOSS", "NEW")
    await paper.until(paper.is_well, server)
    assert (await paper.health())["environment"] == "paper"

    await server.kill()
    assert paper.orders("SELL")[0]["status"] == "NEW", "the paper exchange outlives the server"
    paper.move("59000")
    await paper.until(lambda: paper.orders("SELL")[0]["status"] == "FILLED")

    server = await paper.start()
    await paper.recovered(server)
    assert (await stage.position(PositionId("my-bot-1"))).state == "CLOSED"
    paper.judge_cents()
    paper.judge()
    assert await server.stop() == 0
    await paper.until(lambda: not paper.runs)


async def _checked(paper: PaperPlay) -> None:
    """`check` says what is otherwise with real money, and writes nothing."""
    directory = paper.stage.directory
    before = {each.name for each in directory.iterdir() if each.is_file()}
    code, said, errors = await paper.stage.run("check")
    assert code == 0, errors
    assert "main trades on PAPER" in said
    assert f"the journal is {directory / 'surefoot.db'}" in said
    assert {each.name for each in directory.iterdir() if each.is_file()} == before


async def test_going_live_is_one_line_and_never_touches_what_is_on_paper(paper: PaperPlay) -> None:
    """Without `paper` the keys are looked for, and the journal is another one."""
    stage = paper.stage
    assert (await stage.run("init"))[0] == 0
    written = stage.directory / "surefoot.toml"
    written.write_text(written.read_text("utf-8").replace("paper = true ", "paper = false"))
    code, _, errors = await stage.run("check")
    assert code == 2
    assert "BINANCE_API_KEY" in errors
    assert not stage.journal.exists()


async def test_a_source_that_dies_fills_nothing_and_comes_back(paper: PaperPlay) -> None:
    await paper.open("--market", "manual")
    port = paper.source.url.rpartition(":")[2]
    paper.move("60000")
    server = await paper.start()
    await paper.sees(server=server)
    paper.want("long")
    position = await paper.state_is("OPEN", server=server)
    await paper.until(lambda: len(paper.orders("SELL")) == 1, server)

    await paper.stage.close_exchange()
    await paper.until(lambda: paper.control.state()["stale"] is not None, server)

    await paper.until(lambda: '"state": "degraded"' in log_of(server), server)
    assert paper.orders("SELL")[0]["status"] == "NEW"
    # Back, with another market: what was traded before anybody looked is played through the stop.
    await paper.stage.open_exchange("--market", "manual", "--port", port)
    paper.want("flat")  # it may not want in again
    paper.move("57000")
    paper.move("60000")
    await paper.until(lambda: paper.orders("SELL")[0]["status"] == "FILLED", server)
    assert (await paper.state_is("CLOSED", server=server)).position_id == position.position_id
    paper.judge_cents()
    paper.judge()
    await server.stop()


@pytest.mark.parametrize(
    "fault", ["die_before_write", pytest.param("die_after_write", marks=pytest.mark.slow)]
)
async def test_the_paper_exchange_is_killed_at_every_write(paper: PaperPlay, fault: str) -> None:
    """Nothing is half there, nothing happens twice, and what was done is found out by asking.

    An entry and its stop are two writes, and so is leaving: the stop makes way, then it is sold.
    """
    await paper.open("--market", "manual")
    paper.move("60000")
    server = await paper.start()
    await paper.sees(server=server)
    for number, skip in enumerate(range(2), start=1):
        for want, reached in (("long", _holds), ("flat", _left)):
            paper.control.arm(fault, on="store", skip=skip)
            paper.want(want)
            await _dies_and_returns(paper)
            await paper.until(partial(reached, paper, number), server)
            paper.judge_cents()
    await server.stop()


async def _dies_and_returns(paper: PaperPlay) -> None:
    tenant = paper.tenancy.tenant()
    assert tenant is not None

    def again() -> bool:
        now = paper.tenancy.tenant()
        return now is not None and now.pid != tenant.pid and now.url != ""

    await paper.until(again)
    await paper.sees()


def _holds(paper: PaperPlay, number: int) -> bool:
    """Tell whether the n-th entry is held and protected; one that never was is none."""
    stops = [each for each in paper.orders("SELL") if each["status"] == "NEW"]
    return len(paper.orders("BUY")) == number and len(stops) == 1


def _left(paper: PaperPlay, number: int) -> bool:
    open_orders = [each for each in paper.control.ledger()["orders"] if each["status"] == "NEW"]
    closed = paper.rows("SELECT count(*) FROM positions WHERE state = 'CLOSED'")
    return not open_orders and closed == [(number,)]
