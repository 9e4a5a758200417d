"""The page of a replay says how much, when, and what nobody recorded."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from xml.etree import ElementTree as ET

import pytest

from surefoot.cli.replay import _show
from surefoot.replay.page import page
from surefoot.replay.result import Point, Result, Traded, result_of
from surefoot.simulator.model import Hole, Recording, Tick

BEGIN = datetime(2022, 1, 1, tzinfo=UTC)
BEGIN_MS = round(BEGIN.timestamp() * 1000)


def minutes(number: int) -> datetime:
    return BEGIN + timedelta(minutes=number)


def traded(number: int, side: str, price: str) -> Traded:
    return Traded(
        at=minutes(number),
        symbol="BTCUSDT",
        side=side,
        price=D(price),
        quantity=D("0.1"),
        fee=D("0.01"),
        fee_asset="USDT",
    )


def result() -> Result:
    prices = (100, 104, 96, 97, 102)
    ticks = tuple(
        Tick(BEGIN_MS + 60_000 * number, "BTCUSDT", D(price)) for number, price in enumerate(prices)
    )
    return result_of(
        bots={},
        recording=Recording(
            ticks=ticks,
            spread=D(0),
            holes=(Hole("BTCUSDT", BEGIN_MS + 120_000, BEGIN_MS + 180_000, 1),),
        ),
        curve=[
            Point(at=minutes(number), value=D(value), prices={"BTCUSDT": D(100)})
            for number, value in enumerate((1000, 1010, 985, 990, 995))
        ],
        traded=[traded(1, "BUY", "104"), traded(3, "SELL", "97")],
        outcomes=[],
        wrong=["<stuck>"],
    )


def test_the_page_says_what_a_trader_asks_first() -> None:
    """What became of the money, the fees, the deepest fall, and what the market did meanwhile."""
    text = page(result())
    assert "1,000.00 became 995.00: -0.50%" in text
    assert "Fees: 0.02 USDT" in text
    assert "Deepest fall: 25.00" in text
    assert "BTCUSDT +2.00%" in text
    assert "&lt;stuck&gt;" in text
    assert "1 candle is missing" in text
    assert "What this cannot know" in text


def test_charts_have_amounts_and_times_and_show_every_trade() -> None:
    """Red with the lines alone that it drew: nobody could tell how much, or when."""
    text = page(result())
    charts = [part[: part.index("</svg>") + 6] for part in text.split("<svg ")[1:]]
    value, depth, prices = (ET.fromstring(f"<svg {each}") for each in charts)  # noqa: S314
    assert {"985.00", "1,010.00", "Jan 01 00:00"} <= texts(value)
    assert {"0.00", "-25.00"} <= texts(depth)
    assert {"96.00", "104.00"} <= texts(prices)
    kinds = [each.get("class") for each in prices.iter()]
    assert [kinds.count(each) for each in ("buy", "sell", "hole")] == [1, 1, 1]
    assert kinds.count("rise") + kinds.count("fall") == 5


def texts(chart: ET.Element) -> set[str]:
    return {each.text or "" for each in chart.iter("text")}


def test_the_terminal_says_what_was_filled_and_how_the_rest_is_counted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Catches a loss beside "no finished trade", with no word of what was bought and is held."""
    _show(result())
    said = " ".join(capsys.readouterr().out.split())
    assert "1,000.00 became 995.00, with 2 fills; what is held is counted at the bid." in said
    assert "Deepest fall 25.00." in said
