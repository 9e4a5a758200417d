"""What `status` prints: readable at 80 columns by somebody who was just woken."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest
from msgspec.structs import replace
from tests.builders import BTC, PROTECTED, REPLACING, START, TERMS, D, Life, fill, report
from tests.unit.journal.test_review import LATER, MAIN, Served

from surefoot.cli import run
from surefoot.cli.output import TIE, wrapped
from surefoot.cli.status import CLEAR, WATCH_EVERY_S, Drawing, money, only, show
from surefoot.core.account_records import BotStatusChanged, Cause
from surefoot.core.exits import ExitPlan
from surefoot.core.health import HealthState
from surefoot.core.reports import PriceSeen
from surefoot.core.signals import EntrySignal, Freeze
from surefoot.core.values import BotName
from surefoot.engine.clock import SystemClock
from surefoot.journal import open_journal
from surefoot.journal.port import Append, Change, bot_stream
from surefoot.journal.status import read_status


async def journal() -> Served:
    """Write down six bots: one frozen, one with a stop at the exchange, two with one trouble."""
    journal = Served()
    for bot in ("dip", "swing", "one", "two", "three", "four"):
        life = Life(PROTECTED if bot == "swing" else TERMS, bot=bot)
        if bot in {"dip", "swing", "one"}:
            life.opened(price="61685.99")
        if bot == "swing":
            life.tell(report(life.order, "OPEN"))
        if bot == "dip":
            life.tell(Freeze(reason="the account holds 0.00161838 BTC less"))
        await journal.keep(life)
    for bot in ("two", "three"):
        await journal.word(BotName(bot), "REVIEW", "502 Bad Gateway", Cause.UNREACHABLE)
    await journal.stand(HealthState.OK, watched=True)
    journal.gauges.price(MAIN, BTC, D("61700.01"), START)
    return journal


async def test_who_is_woken_reads_first_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    show(await read_status(await journal(), now=LATER))
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "LOOK HERE: 2 things want somebody."
    assert "dip-1 is frozen: the account holds 0.00161838 BTC less" in lines
    assert "  do  surefoot resolve dip-1 --adopt" in lines
    assert "  or  surefoot close dip" in lines
    assert "three, two are in review: 502 Bad Gateway" in lines
    assert "REVIEW, 2 bots: 502 Bad Gateway" in lines
    assert "FROZEN, 1 bot: the account holds 0.00161838 BTC less" in lines
    assert "RUNNING, 3 bots" in lines


@pytest.mark.parametrize("watched", [True, False])
async def test_a_stop_for_a_part_or_not_yet_at_its_level_is_said_to_be_that(
    capsys: pytest.CaptureFixture[str], watched: bool
) -> None:
    """`stop 51480 at the exchange` it said, of one that sells a part, and at 49000."""
    life = Life(REPLACING)
    life.tell(
        EntrySignal(
            quantity=D("0.0016"), plan=ExitPlan(stop_loss=D("0.02"), trailing_stop=D("0.01"))
        )
    )
    life.tell(report(life.order, "FILLED", D("0.0016")), fill(life.order, "50000", trade="1"))
    life.tell(report(life.order, "OPEN"))
    journal = Served()
    life.tell(replace(report(life.order, "OPEN"), quantity=D("0.0004")), PriceSeen(price=D(52000)))
    await journal.keep(life)
    await journal.stand(HealthState.OK, watched=watched)
    show(await read_status(journal, now=LATER))
    text = capsys.readouterr().out.replace(TIE, " ")
    rest = "watched here only" if watched else "NOT WATCHED"
    assert f"stop 51480 at the exchange at 49000 for 0.0004 of 0.0016, the rest {rest};" in text


async def test_where_nobody_serves_an_account_is_not_watched(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """`halted` means that a person has to act; a server that was stopped is no such thing."""
    kept = await journal()
    kept.server = False
    show(await read_status(kept, now=LATER))
    shown = capsys.readouterr().out
    assert "not watched since" in shown
    assert "is halted" not in shown


async def test_a_stop_that_rests_nowhere_does_not_look_like_one_that_does(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show(await read_status(await journal(), now=LATER))
    printed = capsys.readouterr().out
    assert "0.0016 BTC at 61685.99, now 61700.01; stop 60452.28 at the exchange; " in printed
    assert "0.0016 BTC at 61685.99, now 61700.01; stop 60452.28 watched here only; " in printed
    await_server = Served(server=False)
    life = Life(bot="one")
    life.opened()
    await await_server.keep(life)
    show(await read_status(await_server, now=LATER))
    assert "stop 49000 NOT WATCHED; target 52000 NOT WATCHED" in capsys.readouterr().out


async def test_an_average_has_the_digits_of_a_price(capsys: pytest.CaptureFixture[str]) -> None:
    """What was paid in three trades was shown with eight digits behind the point."""
    served = Served()
    life = Life(PROTECTED, bot="swing")
    order = life.enter("0.00160")
    life.tell(
        report(order, "FILLED", order.quantity),
        fill(order, "61685.99", quantity="0.00050", trade="1"),
        fill(order, "61686.12", quantity="0.00110", trade="2"),
    )
    life.tell(report(life.order, "OPEN"))
    await served.keep(life)
    served.gauges.price(MAIN, BTC, D("61700.01"), START)
    show(await read_status(served, now=LATER))
    assert "0.0016 BTC at 61686.08, now 61700.01" in capsys.readouterr().out.replace(TIE, " ")


async def test_an_average_is_not_cut_as_short_as_a_round_price(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Bought at 1.5349 with no order that rests, it was "at 2, now 2" while the price was 2."""
    served = Served()
    life = Life(TERMS, bot="swing")
    life.opened("1.5349", quantity="100")
    await served.keep(life)
    served.gauges.price(MAIN, BTC, D("2"), START)
    show(await read_status(served, now=LATER))
    assert "BTC at 1.5349, now 2" in capsys.readouterr().out.replace(TIE, " ")


async def test_one_bot_and_its_orders(capsys: pytest.CaptureFixture[str]) -> None:
    document = only(await read_status(await journal(), now=LATER), BotName("swing"))
    show(document, orders=True)
    printed = capsys.readouterr().out
    assert "LOOK HERE" not in printed
    assert re.search(
        r"stop sell 0\.0016 at 60452\.28: WORKING, 0 filled \(sf[0-9a-f]{32}\)", printed
    )
    assert document.review == []


@pytest.mark.parametrize("width", [1, 40, 80])
def test_no_number_is_broken(width: int) -> None:
    """A quantity whose last digits went to the next line was read as a hundredth of it."""
    text = "0.00161838 BTC at 61685.99, now 61700.01; stop 60452.28 at the-exchange " * 3
    lines = wrapped(text, width, "    ")
    assert " ".join(" ".join(lines).split()) == " ".join(text.split())
    assert {word for line in lines for word in line.split()} == set(text.split())
    assert all(len(line) <= max(width, 40) for line in lines)


async def test_a_number_stays_beside_the_word_that_tells_what_it_is(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Catches `target` at the end of one line, and its price on the next."""
    document = await read_status(await journal(), now=LATER)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    for width in (40, 60, 80, 120):
        monkeypatch.setenv("COLUMNS", str(width))
        show(document)
        lines = re.sub(r"\x1b\[[0-9;]*m", "", capsys.readouterr().out).split("\n")
        assert all(len(line) <= width for line in lines)
        assert all(line.isprintable() for line in lines)
        assert not [each for each in lines if re.search(r"(?<!the )(stop|target|now)$", each)]


async def test_before_the_exchange_answered_nobody_knows_what_it_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    kept = Served()
    await kept.keep(Life())
    show(await read_status(kept, now=LATER))
    assert "UNKNOWN" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("environment", "said"), [("paper", "main (PAPER) is"), ("live", "main is")]
)
async def test_money_that_is_not_real_is_said_beside_the_account(
    environment: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    document = await read_status(await journal(), now=LATER)
    health = [replace(each, environment=environment) for each in document.health]
    show(replace(document, health=health))
    assert said in capsys.readouterr().out


@pytest.mark.parametrize(
    ("amount", "shown"),
    [
        ("-12345.678901", "-12345.67"),
        ("0.0224", "0.02"),
        ("-0.00012345", "-0.00012"),
        ("0.001", "0.001"),
        ("0", "0"),
        ("0.000", "0.00"),
        ("7.5", "7.5"),
        ("100.005", "100.00"),
    ],
)
def test_a_small_result_is_not_shown_as_none(amount: str, shown: str) -> None:
    """What a bot makes in BTC was always 0.00."""
    assert money(amount) == shown


def test_what_is_watched_fits_the_terminal_and_its_beginning_is_seen() -> None:
    """Catches thirty bots that push LOOK HERE out of the window, every two seconds."""
    drawn = Drawing(terminal=True)
    drawn.write("".join(f"line {number}\n" for number in range(30)))
    shown = drawn.page(10)
    assert shown.startswith(f"{CLEAR}line 0\n")
    assert shown.endswith("line 7\n… 22 lines more: surefoot status\n")
    assert shown.count("\n") == 9
    for height in (31, 100):
        assert drawn.page(height).endswith("line 29\n")
    assert CLEAR not in Drawing(terminal=False).page(10)


def test_it_is_shown_again_until_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """On no terminal every page is printed below the last; what has changed is seen."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "surefoot.toml").write_text('[journal]\nurl = "sqlite:///surefoot.db"\n')
    pages: list[str] = []

    async def write(reason: str) -> None:
        journal = open_journal("sqlite:///surefoot.db", tmp_path, at=START)
        bot = BotName(reason)
        record = BotStatusChanged(at=START, bot=bot, status="PAUSED", by="x", reason=reason)
        append = Append(stream=bot_stream(bot), expected=0, records=(record,))
        await journal.commit(Change(at=START, appends=(append,)))
        await journal.close()

    async def wait(_: SystemClock, seconds: float) -> None:
        assert seconds == WATCH_EVERY_S
        pages.append(capsys.readouterr().out)
        if len(pages) == 2:
            raise KeyboardInterrupt
        await write("later")

    asyncio.run(write("first"))
    monkeypatch.setattr(SystemClock, "sleep", wait)
    assert run(["status", "--watch"]) == 0
    assert [("first" in page, "later" in page) for page in pages] == [(True, False), (True, True)]


def test_one_document_is_not_watched(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["status", "--watch", "--json"]) == 2
    assert "--watch is for people" in capsys.readouterr().err
