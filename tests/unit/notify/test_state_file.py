"""The plain file of open positions: as new as the journal, never half written."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from tests.builders import PROTECTED, START, D, Life, fill, report
from tests.unit.engine.clock import HandClock
from tests.unit.notify.scene import Journal, Voice

from surefoot.core.signals import ExitSignal
from surefoot.notify.state_file import StateFile


class Desk:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "open_positions.json"
        self.journal = Journal()
        self.voice = Voice()
        self.file = StateFile(self.path, reader=self.journal, clock=HandClock(), log=self.voice)

    async def content(self) -> dict[str, Any]:
        await self.file.step()
        found: dict[str, Any] = json.loads(self.path.read_text())
        return found


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


async def test_it_shows_what_is_held_and_where_its_stop_is(desk: Desk) -> None:
    life = Life(PROTECTED)
    life.opened(price="50000")
    life.tell(report(life.order, "OPEN"))
    await desk.journal.keep(life)
    await desk.journal.word("RUNNING")
    document = await desk.content()
    (position,) = document["positions"]
    assert position == {
        "position": "dip-btc-1",
        "bot": "dip-btc",
        "account": "main",
        "symbol": "BTC/USDT",
        "side": "long",
        "state": "OPEN",
        "phase": "MONITORING",
        "quantity": "0.0016",
        "entry_price": "50000",
        "stop": "49000",
        "stop_at": "exchange",
        "resting": {"trigger": "49000", "quantity": "0.0016"},
        "rest_at": "exchange",
        "target": "52000",
        "target_at": "none",
        "frozen": None,
        "orders": [life.order.client_order_id],
    }
    assert document["server"] == "2026-01-01T00:00:00Z"
    assert document["records"] == await desk.journal.records()
    assert stat.S_IMODE(desk.path.stat().st_mode) == 0o600
    assert [each.name for each in desk.path.parent.iterdir()] == ["open_positions.json"]


async def test_a_stop_for_a_part_says_of_how_much_it_is(desk: Desk) -> None:
    """The file said "exchange" of it, as of one that sells all that is held."""
    life = Life(PROTECTED)
    life.opened(price="50000")
    life.tell(replace(report(life.order, "OPEN"), quantity=D("0.0004")))
    await desk.journal.keep(life)
    await desk.journal.word("RUNNING")
    (position,) = (await desk.content())["positions"]
    assert (position["stop_at"], position["rest_at"]) == ("exchange", "none")
    assert position["resting"] == {"trigger": "49000", "quantity": "0.0004"}


async def test_a_position_that_is_over_is_gone_from_it(desk: Desk) -> None:
    life = Life()
    life.opened()
    await desk.journal.keep(life)
    await desk.journal.word("RUNNING")
    assert len((await desk.content())["positions"]) == 1
    life.tell(ExitSignal(reason=""))
    life.tell(report(life.order, "FILLED", life.order.quantity), fill(life.order, "1", trade="2"))
    await desk.journal.keep(life)
    assert (await desk.content())["positions"] == []


async def test_it_says_that_no_server_runs(desk: Desk) -> None:
    await desk.journal.word("RUNNING")
    assert (await desk.content())["server"] is not None
    desk.journal.since = None
    assert (await desk.content())["server"] is None


async def test_it_is_not_written_again_without_need(desk: Desk) -> None:
    await desk.journal.word("RUNNING")
    await desk.content()
    written = desk.path.stat().st_ino
    await desk.content()
    assert desk.path.stat().st_ino == written


async def test_a_disk_that_refuses_is_said_once_and_tried_again(desk: Desk) -> None:
    await desk.journal.word("RUNNING")
    desk.path.mkdir()
    await desk.file.step()
    await desk.file.step()
    assert desk.voice.said == ["the state file is not written"]
    desk.path.rmdir()
    assert (await desk.content())["written_at"] == f"{START:%Y-%m-%dT%H:%M:%S}Z"
