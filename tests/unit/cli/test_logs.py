"""The log: it hides what is secret, and it never stops a server."""

from __future__ import annotations

import io

import pytest

from surefoot.cli.logs import Redactor, start_log


def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk behind stderr raised between a durable intent and its send."""

    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    start_log(None, style="json").info("still here", bot="dip-btc")


def test_a_secret_is_blacked_out_wherever_it_stands() -> None:
    clean = Redactor(["hunter2-and-more"])
    event = {"why": "key hunter2-and-more is bad", "deep": [{"x": "hunter2-and-more"}], "n": 1}
    assert clean(None, "info", event) == {
        "why": "key *** is bad",
        "deep": [{"x": "***"}],
        "n": 1,
    }
