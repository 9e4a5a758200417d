"""What is said of a record, and how loud."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.builders import PROTECTED, Life, fill, report
from tests.unit.engine.desk import SaidLog

from surefoot.core.signals import ExitSignal
from surefoot.engine.voice import say_outcome, say_record


def said_of_the_end(life: Life, status: str) -> str:
    """End the newest order, and return how loud that is said."""
    log, order, before = SaidLog(), life.order, len(life.records)
    life.tell(report(order, status))
    for record in life.records[before:]:
        say_record(log, life.position, record)
    (level,) = [level for level, event, _ in log.lines if event == "order-reported"]
    return level


@pytest.mark.parametrize(("status", "level"), [("EXPIRED", "error"), ("CANCELED", "info")])
def test_an_exit_or_a_stop_that_expires_is_an_alarm(status: str, level: str) -> None:
    """Somebody wants out, and the exchange took the order without selling."""
    stop, out = Life(PROTECTED), Life()
    stop.opened()
    out.opened()
    out.tell(ExitSignal())
    assert [said_of_the_end(life, status) for life in (stop, out)] == [level, level]


def test_an_entry_that_expires_is_none() -> None:
    life = Life()
    life.enter()
    assert said_of_the_end(life, "EXPIRED") == "info"


def test_a_finished_trade_is_one_line() -> None:
    life, log = Life(), SaidLog()
    life.opened()
    life.tell(ExitSignal(), after=timedelta(hours=2))
    out = life.order
    sold = fill(out, "50500", trade="2", fee="0.1")
    life.tell(report(out, "FILLED", out.quantity), sold)
    say_outcome(log, life.position)
    ((level, event, fields),) = log.lines
    assert (level, event) == ("info", "trade finished")
    assert (fields["pnl"], fields["quote"]) == ("+0.70000000", "USDT")
    assert (fields["share"], fields["held"]) == ("+0.88%", "2:00:00")
    assert fields["fees"] == {"USDT": "0.1"}
