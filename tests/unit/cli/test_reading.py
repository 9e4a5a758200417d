"""What `log` and `export` print, and how much of the journal they read for it."""

from __future__ import annotations

import csv
import io
import json

import pytest
from tests.builders import START, D, Life
from tests.memory_journal import MemoryJournal

from surefoot.cli import export, log, profit
from surefoot.journal.port import Append, Change, Entry
from surefoot.journal.profit import Figures


class Counted(MemoryJournal):
    """Counts the rows that it hands out."""

    rows = 0

    async def newest(self, count: int, **more: object) -> tuple[Entry, ...]:
        found = await super().newest(count, **more)  # type: ignore[arg-type]
        self.rows += len(found)
        return found

    async def entries(self, **more: object) -> tuple[Entry, ...]:
        found = await super().entries(**more)  # type: ignore[arg-type]
        self.rows += len(found)
        return found


@pytest.fixture
async def journal() -> Counted:
    journal = Counted()
    life = Life(bot="one")
    life.opened()
    stream = f"position/{life.position.position_id}"
    records = tuple(life.records)
    append = Append(stream=stream, expected=0, records=records, position=life.position)
    await journal.commit(Change(at=START, appends=(append,)))
    return journal


async def test_the_last_records_are_read_and_no_others(
    journal: Counted, capsys: pytest.CaptureFixture[str]
) -> None:
    await log._show(journal, None, 2, follow=False, as_json=True)
    output, errors = capsys.readouterr()
    assert [json.loads(line)["sequence"] for line in output.splitlines()] == [
        await journal.records() - 1,
        await journal.records(),
    ]
    assert "The last 2 records; --all shows everything." in errors
    assert journal.rows == 2


async def test_everything_is_shown_when_asked_for(
    journal: Counted, capsys: pytest.CaptureFixture[str]
) -> None:
    for last in (0, 100):
        await log._show(journal, "one", last, follow=False, as_json=True)
        output, errors = capsys.readouterr()
        assert len(output.splitlines()) == await journal.records()
        assert errors == ""


async def test_an_export_is_one_document(
    journal: Counted, capsys: pytest.CaptureFixture[str]
) -> None:
    await export._print(journal, "all", "json")
    document = json.loads(capsys.readouterr().out)
    assert {name: len(rows) for name, rows in document.items()} == {
        "positions": 1,
        "orders": 1,
        "fills": 1,
    }
    await export._print(journal, "fills", "csv")
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["position"] == "one-1"
    await export._print(MemoryJournal(), "orders", "json")
    assert json.loads(capsys.readouterr().out) == []


async def test_taxes_are_one_row_a_trade_with_its_fee(
    journal: Counted, capsys: pytest.CaptureFixture[str]
) -> None:
    await export._print(journal, "taxes", "csv")
    (row,) = csv.DictReader(io.StringIO(capsys.readouterr().out))
    assert row["Date"] == "2026-01-01 00:00:00 UTC"
    assert (row["Sent Amount"], row["Sent Currency"]) == ("80", "USDT")
    assert (row["Received Amount"], row["Received Currency"]) == ("0.0016", "BTC")
    assert (row["Fee Amount"], row["Fee Currency"]) == ("", "")


@pytest.mark.parametrize("name", ["dip", "a-bot-with-a-name-that-fills-a-third-of-a-terminal"])
def test_profit_fits_into_80_columns(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    figures = Figures(
        name=name,
        quote="USDT",
        trades=1234,
        won=617,
        pnl=D("-12345.678901234"),
        fees={"USDT": D("12.3"), "BNB": D("0.00012345")},
        win_rate=D("0.5"),
        expectancy=D("-10.004602"),
        best=D("123.4"),
        worst=D("-99.9"),
        drawdown=D("23456.7"),
        held_seconds=100_000,
    )
    profit._show("bot", [figures], [figures])
    output = capsys.readouterr().out
    assert max(map(len, output.splitlines())) <= 80
    assert "-12345.6789 USDT" in output
    assert "1d 3h" in output
