"""What is printed can forge no line and drive no terminal."""

from __future__ import annotations

import pytest

from surefoot.cli import run
from surefoot.cli.output import say, show_table
from surefoot.core.values import one_line

EVIL = "no\x1b[2J\r\nbot-1 is FLAT\x07\u2028\u202e"


def test_text_from_outside_stays_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    """Catches an exchange's message, or a planted record, that prints lines of its own."""
    say(EVIL)
    show_table(("WHY",), [(EVIL,)])
    lines = capsys.readouterr().out.split("\n")
    assert len(lines) == 4
    assert all(line.isprintable() for line in lines)
    assert lines[0] == r"no\x1b[2J\x0d\x0abot-1 is FLAT\x07\x2028\x202e"


def test_a_complaint_drives_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["explain\x1b[2J"]) == 2
    assert "\x1b" not in capsys.readouterr().err


def test_plain_text_is_left_alone() -> None:
    assert one_line("dip-btc-1 is OPEN: 0.002 · 61 700 €") == "dip-btc-1 is OPEN: 0.002 · 61 700 €"
