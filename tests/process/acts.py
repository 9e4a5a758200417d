"""What is copied beside a configuration: a strategy that does as a file says, and broken ones."""

from __future__ import annotations

from typing import Final

ACTS: Final = '''
"""Strategies for process tests."""

import time
from pathlib import Path

from surefoot.strategy import Add, Enter, Exit, Strategy


class Scripted(Strategy):
    """Does what `<bot>.signals` says, one line after the other, each once for ever."""

    script: str = "script"

    def on_tick(self, tick, view):
        lines = Path(self.script).read_text().splitlines() if Path(self.script).exists() else []
        number = view.memory.get("line", 0)
        if number >= len(lines):
            return None
        line, position = lines[number], view.position
        if line.startswith("buy") and position is not None:
            return None
        if line.startswith("sell") and (position is None or position.state != "OPEN"):
            return None
        view.memory["line"] = number + 1
        return signal(line)


def signal(line):
    """Read "enter limit=60000 ttl=5" or "exit limit=70000": wanted at once, allowed or not.

    "buy" and "sell" mean the same, but wait until they make sense.
    """
    verb, *words = line.split()
    given = dict(word.split("=") for word in words)
    limit, ttl, part = given.get("limit"), given.get("ttl"), given.get("fraction")
    what = {"limit": limit, "time_to_live": float(ttl) if ttl else None, "reason": line}
    return Enter(**what) if verb in {"enter", "buy"} else Exit(fraction=part, **what)


class Scales(Strategy):
    """Wants twice what it entered with, or half of it, until it is so; the file `size` says which.

    What it remembers of an order is nothing: only what the position is tells whether it is owed.
    """

    def on_tick(self, tick, view):
        size = Path("size").read_text() if Path("size").exists() else "one"
        position = view.position
        if position is None:
            return Enter(reason="first") if size == "one" else None
        if position.state != "OPEN" or position.adding:
            return None
        if size == "two" and position.quantity < 0.003:
            return Add(reason="more")
        if size == "half" and position.quantity > 0.001:
            return Exit(fraction=0.5, reason="less")
        return None


class Eager(Strategy):
    """Wants to enter and to leave at every tick, whatever is on."""

    def on_tick(self, tick, view):
        view.memory["n"] = n = view.memory.get("n", 0) + 1
        return Enter(reason="again") if n % 2 else Exit(reason="again")


class Raises(Strategy):
    """Has a bug."""

    def on_tick(self, tick, view):
        return {}["no such key"]


class Nonsense(Strategy):
    """Answers what nobody asked."""

    def on_tick(self, tick, view):
        return "buy!"


class Blocks(Strategy):
    """Never comes back."""

    def on_tick(self, tick, view):
        while True:
            time.sleep(0.01)
'''
