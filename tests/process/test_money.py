"""Money adds up: the journal explains what the exchange's own ledger has, after kills too."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.builders import D
from tests.process.play import Play

KILLS = (None, "order.after-response", "fill.after-commit", "fill.before-commit")


async def round_trip(play: Play, number: int, crash_at: str | None) -> None:
    """Enter and leave; the process may die on the way, and the next one finishes."""
    play.say("enter")
    server = await play.start(crash_at=None if crash_at is None else f"{crash_at}:2")
    await play.state_is("OPEN", number, server=server)
    play.say("exit")
    if crash_at is not None:
        await play.die(server)
        server = await play.start()
        await play.recovered(server)
    await play.state_is("CLOSED", number, server=server)
    await server.stop()


async def proven(play: Play) -> tuple[int, dict[str, Any]]:
    code, output, errors = await play.stage.run("profit", "--check", "--json")
    assert output, errors
    (proof,) = json.loads(output)
    assert proof["wrong"] == []
    return code, {line["asset"]: line for line in proof["lines"]}


@pytest.mark.parametrize("fees", ["received", pytest.param("bnb", marks=pytest.mark.slow)])
async def test_every_cent_is_explained(play: Play, fees: str) -> None:
    await play.open("--fees", fees)
    for number, crash_at in enumerate(KILLS, start=1):
        await round_trip(play, number, crash_at)
    code, lines = await proven(play)
    assert code == 0
    assert {asset: D(line["unexplained"]) for asset, line in lines.items()} == dict.fromkeys(
        lines, D(0)
    )
    dust = D(lines["BTC"]["held"])
    assert (D(0) < dust < D("0.00001")) == (fees == "received")
    (earned,) = json.loads((await play.stage.run("profit", "--json"))[1])["total"]
    assert earned["trades"] == len(KILLS)
    assert D(earned["pnl"]) == D(lines["USDT"]["profit"])
    play.judge()


async def test_what_others_did_is_said_and_not_explained(play: Play) -> None:
    await play.open()
    await round_trip(play, 1, None)
    play.control.do("balance", asset="USDT", free="12345.67")
    code, lines = await proven(play)
    assert code == 3
    line = lines["USDT"]
    assert D(line["now"]) == D("12345.67")
    assert D(line["unexplained"]) == D("12345.67") - D(line["expected"])
