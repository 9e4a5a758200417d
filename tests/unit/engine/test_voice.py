"""What is said of a record, and how loud."""

from __future__ import annotations

import pytest
from tests.builders import PROTECTED, Life, report
from tests.unit.engine.desk import SaidLog

from surefoot.core.signals import ExitSignal
from surefoot.engine.voice import say_record


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
