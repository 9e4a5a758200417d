"""What a strategy says is written down, so it has to be text that can be."""

from __future__ import annotations

from surefoot.strategy import Enter, Exit


def test_a_reason_that_is_no_valid_unicode_is_made_so() -> None:
    """A lone surrogate in a reason poisoned the journal, again after every restart."""
    for signal in (Enter(reason="caf\udce9"), Exit(reason="caf\udce9")):
        assert signal.reason.encode() == b"caf?"
