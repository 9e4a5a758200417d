"""The log: it hides what is secret, and it never stops a server."""

from __future__ import annotations

import asyncio
import io
import json

import pytest

from surefoot.cli.logs import Redactor, say_forgotten, start_log


def test_a_log_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk behind stderr raised between a durable intent and its send."""

    class Full(io.StringIO):
        def write(self, _text: str) -> int:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr("sys.stderr", Full())
    start_log(None, style="json").info("still here", bot="dip-btc")


def test_a_secret_is_blacked_out_wherever_it_stands() -> None:
    clean = Redactor(lambda: ["hunter2-and-more"])
    event = {"why": "key hunter2-and-more is bad", "deep": [{"x": "hunter2-and-more"}], "n": 1}
    assert clean(None, "info", event) == {
        "why": "key *** is bad",
        "deep": [{"x": "***"}],
        "n": 1,
    }


async def test_what_nobody_waited_for_is_a_line_of_ours(capsys: pytest.CaptureFixture[str]) -> None:
    """A stream that died printed "Future exception was never retrieved" and a traceback, raw."""
    loop = asyncio.get_running_loop()
    say_forgotten(loop, start_log(None, style="json"))
    try:
        loop.call_exception_handler(
            {"message": "Future exception was never retrieved", "exception": OSError("reset")}
        )
        assert capsys.readouterr().err == ""
        loop.call_exception_handler({"message": "in callback", "exception": KeyError("x")})
        (line,) = capsys.readouterr().err.splitlines()
        assert json.loads(line)["why"] == "KeyError: 'x'"
    finally:
        loop.set_exception_handler(None)
