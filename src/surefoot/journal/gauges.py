"""Prices, the accounts' pulses, remarks on bots, that the server turns: what may be lost.

Nothing is decided by it: it lets a reader say what a position is worth. A thread of its own
replaces the file as a whole, so that neither a slow disk nor a kill is felt by anybody else.
"""

from __future__ import annotations

import os
import threading
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final

import msgspec

from surefoot.core.values import AccountName, BotName, Symbol
from surefoot.journal.signs import Mark, Marks, Pulse, Remark, Signs

# The file is replaced at most this often.
PAUSE_S: Final = 1.0
# That the server turns is noted anew this often: an idle machine is not to write all the time.
TURN: Final = timedelta(seconds=5)
# A price that is older than another one by more than this is not late: the clock went back.
LATE: Final = timedelta(seconds=10)
# How long closing waits for the last write; a disk that hangs costs no more than this.
_GOODBYE_S: Final = 2.0


class Price(msgspec.Struct, frozen=True, kw_only=True):
    """One price in the file."""

    account: AccountName
    symbol: Symbol
    price: Decimal
    at: datetime


class Gauges(msgspec.Struct, frozen=True, kw_only=True):
    """The file."""

    prices: tuple[Price, ...] = ()
    pulses: tuple[Pulse, ...] = ()
    remarks: tuple[Remark, ...] = ()
    turned: datetime | None = None


def is_late(at: datetime, noted: datetime) -> bool:
    """Tell whether a price comes too late to be noted after one of another time."""
    return noted - LATE <= at <= noted


def gauges_of(journal: Path) -> Path:
    """Return the gauges of a journal."""
    return journal.with_name(f"{journal.name}.gauges")


def read_marks(path: Path) -> Marks:
    """Read the newest prices; none if there is no such file, or nothing sensible in it."""
    prices = _read(path).prices
    return {(each.account, each.symbol): Mark(price=each.price, at=each.at) for each in prices}


def read_signs(path: Path) -> Signs:
    """Read the last signs of life; none if the file says nothing sensible."""
    found = _read(path)
    return Signs(
        turned=found.turned,
        pulses={each.account: each for each in found.pulses},
        remarks={each.bot: each for each in found.remarks},
    )


def _read(path: Path) -> Gauges:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Gauges)
    except (OSError, msgspec.DecodeError):
        return Gauges()


class GaugeFile:
    """The server's side; the thread starts with the first price."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._prices: dict[tuple[AccountName, Symbol], Price] = {}
        self._pulses: dict[AccountName, Pulse] = {}
        self._remarks: dict[BotName, Remark] = {}
        self._turned: datetime | None = None
        self._changed = threading.Event()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None

    def price(self, account: AccountName, symbol: Symbol, price: Decimal, at: datetime) -> None:
        """Note a price; never waits and never raises."""
        before = self._prices.get((account, symbol))
        if before is not None and is_late(at, before.at):
            return
        self._prices[account, symbol] = Price(account=account, symbol=symbol, price=price, at=at)
        self._begin()

    def beat(self, pulse: Pulse) -> None:
        """Note an account's pulse; never waits and never raises."""
        self._pulses[pulse.account] = pulse
        self._begin()

    def remark(self, remark: Remark) -> None:
        """Note what is to be said of a bot; never waits and never raises."""
        self._remarks[remark.bot] = remark
        self._begin()

    def turn(self, at: datetime) -> None:
        """Note that the server's loop turns; never waits and never raises."""
        if self._turned is None or abs(at - self._turned) >= TURN:
            self._turned = at
            self._begin()

    def _begin(self) -> None:
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
            _replace(self._path, self._content())
            self._closing.wait(PAUSE_S)
        _replace(self._path, self._content())

    def _content(self) -> Gauges:
        prices, pulses, remarks = self._prices.copy(), self._pulses.copy(), self._remarks.copy()
        return Gauges(
            prices=tuple(prices.values()),
            pulses=tuple(pulses.values()),
            remarks=tuple(remarks.values()),
            turned=self._turned,
        )


def _replace(path: Path, content: Gauges) -> None:
    """Put a new file in the place of the old one; a disk that refuses costs the gauges only."""
    new = path.with_name(f"{path.name}.new")
    try:
        file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(file, "wb") as output:
            output.write(msgspec.json.encode(content))
        new.replace(path)
    except OSError:
        return
