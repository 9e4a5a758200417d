"""`surefoot init`: a commented configuration and a strategy to edit."""

from __future__ import annotations

from pathlib import Path

from surefoot.cli.outcome import FINE, Failed
from surefoot.cli.output import say
from surefoot.cli.simulated import account_at
from surefoot.config import STRATEGY_TEMPLATE, template


def init(directory: Path = Path(), *, sim: str | None = None) -> int:
    """Write surefoot.toml and my_bots.py; files that exist are left alone.

    Parameters
    ----------
    directory
        Where to; it is created if needed.
    sim
        The address that `surefoot sim` prints: trade there, without keys.
    """
    text = template() if sim is None else template(f"{account_at(sim.rstrip('/'))}\n")
    files = {"surefoot.toml": text, "my_bots.py": STRATEGY_TEMPLATE}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        there = [name for name in files if (directory / name).exists()]
        if there:
            where = directory.resolve()
            raise Failed(f"{' and '.join(there)} in {where} exist; nothing was written")
        for name, content in files.items():
            (directory / name).write_text(content, encoding="utf-8")
    except OSError as error:
        raise Failed(f"{directory.absolute()} cannot be written: {error.strerror}") from error
    say(f"Wrote {' and '.join(files)} to {directory.resolve()}. Next:")
    if sim is None:
        say("  export BINANCE_API_KEY=… BINANCE_SECRET=…   # without keys: surefoot init --sim")
    say("  surefoot check")
    say("  surefoot run")
    return FINE
