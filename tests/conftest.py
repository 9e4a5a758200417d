"""What holds for every test: nothing of the caller's environment, no race with the clock."""

from __future__ import annotations

import gc
import os
import sys

import pytest
from hypothesis import settings

# First of all that imports ccxt: tests that do need no other of its hundred exchanges either.
import surefoot.exchange.binance.ccxt_alone  # noqa: F401

# Each of these waits for a process, or lives through a world: seconds, where others take a moment.
LONG = ("tests/property/", "tests/simulation/", "tests/browser/", "tests/process/")

for _name in [name for name in os.environ if name.startswith("SUREFOOT_")]:
    del os.environ[_name]  # a configuration override or a crash point set in the caller's shell

# Where the shell says so, each of a thousand processes compiled the whole program anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

settings.register_profile("surefoot", parent=settings(), deadline=None)
settings.load_profile("surefoot")


@pytest.hookimpl(trylast=True)  # once those are gone that are not wanted
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal the long tests to all workers, between others that give a core something to do.

    Workers begin with equal shares of the list, and end by taking the rest from each other's ends:
    there nothing long may stand, or one of them is waited for by all.
    """
    hands = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    if hands == 1:
        return
    long = [item for room in LONG for item in items if item.nodeid.startswith(room)]
    short = [item for item in items if not item.nodeid.startswith(LONG)]
    most = -(-len(short) // hands)
    dealt = [
        _woven(long[hand::hands], short[hand * most : (hand + 1) * most]) for hand in range(hands)
    ]
    items[:] = [item for share in dealt for item in share]


def _woven(long: list[pytest.Item], short: list[pytest.Item]) -> list[pytest.Item]:
    """Spread the long ones over two thirds of the others, between two of their files."""
    woven, left = [], list(reversed(long))
    for number, item in enumerate(short):
        wanted = len(long) - len(long) * number * 3 // (2 * len(short))
        if number == 0 or item.path != short[number - 1].path:
            while len(left) >= max(wanted, 1):
                woven.append(left.pop())
        woven.append(item)
    return woven + list(reversed(left))


def pytest_collection_finish() -> None:
    """Whoever looks for garbage need not look through all modules and tests again each time."""
    gc.collect()
    gc.freeze()
