"""Prices with their times, in a file beside the journal that may be lost.

Nothing is decided by it: it lets a reader say what a position is worth. A thread of its own
replaces the file as a whole, so that neither a slow disk nor a kill is felt by anybody else.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from surefoot.core.values import AccountName, Symbol
from surefoot.journal.port import Mark, Marks

# The file is replaced at most this often.
PAUSE_S: Final = 1.0
# How long closing waits for the last write; a disk that hangs costs no more than this.
_GOODBYE_S: Final = 2.0


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """One price in the file."""

    account: AccountName
    symbol: Symbol
    price: Decimal
    at: datetime


def gauges_of(journal: Path) -> Path:
    """Return the gauges of a journal."""
    return journal.with_name(f"{journal.name}.gauges")


def read_marks(path: Path) -> Marks:
    """Read the newest prices; none if there is no such file, or nothing sensible in it."""
    try:
        prices = msgspec.json.decode(path.read_bytes(), type=list[Price])
    except (OSError, msgspec.DecodeError):
        return {}
    return {(each.account, each.symbol): Mark(price=each.price, at=each.at) for each in prices}


class GaugeFile:
    """The server's side; the thread starts with the first price."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._prices: dict[tuple[AccountName, Symbol], Price] = {}
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def price(self, account: AccountName, symbol: Symbol, price: Decimal, at: datetime) -> None:
        """Note a price; never waits and never raises."""
        before = self._prices.get((account, symbol))
        if before is not None and before.at >= at:
            return
        self._prices[account, symbol] = Price(account=account, symbol=symbol, price=price, at=at)
        self._changed.set()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="gauges", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """Write what is new, and stop."""
        self._closing.set()
        self._changed.set()
        if self._thread is not None:
            self._thread.join(_GOODBYE_S)

    def _run(self) -> None:
        while not self._closing.is_set():
            self._changed.wait()
            self._changed.clear()
            _replace(self._path, self._prices)
            self._closing.wait(PAUSE_S)
        _replace(self._path, self._prices)


def _replace(path: Path, prices: dict[tuple[AccountName, Symbol], Price]) -> None:
    """Put a new file in the place of the old one; a disk that refuses costs the gauges only."""
    new = path.with_name(f"{path.name}.new")
    try:
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as output:
            output.write(msgspec.json.encode(list(prices.copy().values())))
        new.replace(path)
    except OSError:
        return
