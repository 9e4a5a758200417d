"""Gauges may be lost, and are in nobody's way."""

from __future__ import annotations

import os
import stat
import threading
from datetime import timedelta
from decimal import Decimal as D
from pathlib import Path

import pytest
from tests.builders import BTC, START

from surefoot.core.values import AccountName
from surefoot.journal import gauges
from surefoot.journal.gauges import TURN, GaugeFile, read_marks, read_signs
from surefoot.journal.signs import Pulse

MAIN = AccountName("main")


def test_what_was_noted_is_read_back_exactly(tmp_path: Path) -> None:
    file = GaugeFile(tmp_path / "gauges")
    before = os.umask(0)
    file.price(MAIN, BTC, D("61700.10"), START)
    file.close()
    os.umask(before)
    assert str(read_marks(tmp_path / "gauges")[MAIN, BTC].price) == "61700.10"
    assert stat.S_IMODE((tmp_path / "gauges").stat().st_mode) == 0o600
    assert [each.name for each in tmp_path.iterdir()] == ["gauges"]


@pytest.mark.parametrize("content", [None, b"", b"[{", b'{"a": 1}', b"\xff\xfe", b"[1]"])
def test_what_cannot_be_read_is_no_price(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "gauges").write_bytes(content)
    assert read_marks(tmp_path / "gauges") == {}


def test_a_disk_that_refuses_costs_nothing(tmp_path: Path) -> None:
    file = GaugeFile(tmp_path / "no folder" / "gauges")
    file.price(MAIN, BTC, D(1), START)
    file.close()
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_hangs_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Noting a price goes on while a write hangs; and the newest is written in the end."""
    hanging, release = threading.Event(), threading.Event()
    replace = gauges._replace

    def hang(*arguments: object) -> None:
        hanging.set()
        release.wait()
        replace(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(gauges, "_replace", hang)
    file = GaugeFile(tmp_path / "gauges")
    for second in range(100):
        file.price(MAIN, BTC, D(second), START + timedelta(seconds=second))
        hanging.wait()
    release.set()
    file.close()
    assert read_marks(tmp_path / "gauges")[MAIN, BTC].price == D(99)


def test_that_the_server_turns_is_noted_now_and_then(tmp_path: Path) -> None:
    """A loop that hangs leaves an old time; one that turns fast does not write all the time."""
    file = GaugeFile(tmp_path / "gauges")
    file.turn(START)
    file.turn(START + TURN - timedelta(microseconds=1))
    file.close()
    assert read_signs(tmp_path / "gauges").turned == START
    file = GaugeFile(tmp_path / "gauges")
    file.turn(START)
    file.turn(START + TURN)
    file.close()
    assert read_signs(tmp_path / "gauges").turned == START + TURN


def test_a_pulse_is_read_back(tmp_path: Path) -> None:
    file = GaugeFile(tmp_path / "gauges")
    pulse = Pulse(account=MAIN, heard_at=START, attempt=3, next_try=START + timedelta(seconds=8))
    file.beat(Pulse(account=MAIN))
    file.beat(pulse)
    file.close()
    assert read_signs(tmp_path / "gauges").pulses == {MAIN: pulse}
