"""What no market has is refused before anything is played."""

from __future__ import annotations

import pytest

from surefoot.cli import run
from surefoot.cli.outcome import USAGE


@pytest.mark.parametrize(
    ("option", "value"),
    [("--spread", "-0.01"), ("--spread", "1"), ("--balance", "0"), ("--fee", "-1"), ("--fee", "1")],
)
def test_a_cost_or_balance_that_cannot_be_is_refused(
    option: str, value: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Catches a replay that earns its spread, or a fee of 7 that was meant as 7 hundredths."""
    assert run(["replay", option, value]) == USAGE
    assert f"for {option}. Must be " in capsys.readouterr().err
