"""The one clock that is real."""

from __future__ import annotations

import time

import pytest

from surefoot.engine.clock import SystemClock


@pytest.mark.skipif(not hasattr(time, "CLOCK_BOOTTIME"), reason="nothing here counts sleep")
def test_the_sleep_of_the_machine_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Catches a price from before the lid was closed that passes as fresh."""
    slept = {time.CLOCK_BOOTTIME: 3_600.0, time.CLOCK_MONOTONIC: 0.0}
    monkeypatch.setattr(time, "clock_gettime", slept.__getitem__)
    assert SystemClock().monotonic() == 3_600.0
