"""`surefoot init`: a commented configuration and a strategy to edit."""

from __future__ import annotations

from pathlib import Path

from surefoot.cli.outcome import FINE, Failed
from surefoot.cli.output import say
from surefoot.config import STRATEGY_TEMPLATE, TEMPLATE


def init(directory: Path = Path()) -> int:
    """Write surefoot.toml and my_bots.py; files that exist are left alone.

    Parameters
    ----------
    directory
        Where to; it is created if needed.
    """
    directory.mkdir(parents=True, exist_ok=True)
    files = {"surefoot.toml": TEMPLATE, "my_bots.py": STRATEGY_TEMPLATE}
    there = [name for name in files if (directory / name).exists()]
    if there:
        raise Failed(f"{' and '.join(there)} in {directory.resolve()} exist; nothing was written")
    for name, text in files.items():
        (directory / name).write_text(text, encoding="utf-8")
    say(f"Wrote {' and '.join(files)} to {directory.resolve()}. Next:")
    say("  export BINANCE_API_KEY=… BINANCE_SECRET=…   # or try it without keys: surefoot demo")
    say("  surefoot check")
    say("  surefoot run")
    return FINE
