"""Every message as a phone shows it: looked at once, and again whenever one changes."""

from __future__ import annotations

from tests.unit.notify.messages import FILE, text


def test_the_messages_are_those_that_were_looked_at() -> None:
    """A difference is no fault: run python -m tests.unit.notify.messages, and look at it."""
    assert text() == FILE.read_text(encoding="utf-8")
