"""The page about the simulator lists what there is: faults, commands, documents, options."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

import pytest
from tests.unit.simulator.trader import Trader

from surefoot.simulator.control import ControlRefused
from surefoot.simulator.faults import FAULTS, OPERATIONS, STREAMS

PAGE: Final = (Path(__file__).parents[3] / "docs" / "simulator.md").read_text("utf-8")


def table(head: str) -> dict[str, str]:
    """Return the rows of every table with this first heading: first cell and last."""
    found: dict[str, str] = {}
    for block in re.findall(rf"^\| {head} \|.*\n\|[-|]+\n((?:\|.*\n)+)", PAGE, re.MULTILINE):
        for line in block.splitlines():
            cells = [cell.strip() for cell in line.strip("|").split(" | ")]
            found[cells[0].strip().strip("`")] = cells[-1].strip(" |")
    return found


def test_every_fault_is_described_in_its_own_sentence() -> None:
    assert table("Fault") == FAULTS


def test_everything_that_a_fault_may_hit_is_named() -> None:
    named = set(re.findall(r"`([\w.*]+)`", table("Parameter")["on"]))
    assert named == {*OPERATIONS, *STREAMS, "store"} - {"*"}


async def test_every_command_is_described(trader: Trader) -> None:
    with pytest.raises(ControlRefused) as refused:
        await trader.do("nothing")
    known = str(refused.value).partition("known: ")[2].split(", ")
    assert list(table("Command")) == known


async def test_every_document_is_described(trader: Trader) -> None:
    application = trader.simulator._runner.app
    paths = {
        str(route.resource.canonical).removeprefix("/sim/")
        for route in application.router.routes()
        if route.resource is not None and route.method == "GET"
    }
    found = {path for path in paths if "/" not in path and "{" not in path}
    assert set(table("Document")) == found


def test_every_option_is_described() -> None:
    source = (Path(__file__).parents[3] / "src/surefoot/simulator/__main__.py").read_text("utf-8")
    options = set(re.findall(r'add_argument\("(--[a-z]+)"', source))
    described = {name for cell in table("Option") for name in re.findall(r"--[a-z]+", cell)}
    assert described == options
