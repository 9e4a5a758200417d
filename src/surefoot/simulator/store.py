"""What outlives the process: orders, trades, balances, and how far the public trades were seen.

One transaction for everything that one request or one price has done, finished before anybody
hears of it. Events only wait in queues until then, since nothing else runs meanwhile. Whoever
starts with the same file goes on where it stopped, and knows from which trade on to look back.
"""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
from typing_extensions import override

from surefoot.simulator.exchange import Exchange, Execution
from surefoot.simulator.faults import STORE_FAULTS, Armory
from surefoot.simulator.model import Order, Trade

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS orders (symbol TEXT, number INTEGER, body BLOB NOT NULL,
    PRIMARY KEY (symbol, number)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS trades (place INTEGER PRIMARY KEY, body BLOB NOT NULL);
"""
# A predecessor that is going lets go within this time.
_HELD_S: Final = 1.0
_encode: Final = msgspec.json.encode


@dataclass(frozen=True, slots=True)
class Mark:
    """The newest trade between others that matching has seen."""

    number: int
    at_ms: int

    def is_after(self, other: Mark) -> bool:
        """Tell whether it is newer; a venue may count anew, but its time goes on."""
        return self.number > other.number or self.at_ms > other.at_ms


@dataclass(slots=True, kw_only=True)
class Facts:
    """What is not an order or a trade."""

    uid: int
    port: int = 0
    free: dict[str, Decimal] = field(default_factory=dict)
    locked: dict[str, Decimal] = field(default_factory=dict)
    marks: dict[str, Mark] = field(default_factory=dict)
    last: dict[str, Decimal] = field(default_factory=dict)
    listed: list[dict[str, Any]] = field(default_factory=list)  # as the venue described them


class Store(Protocol):
    """Where it is kept."""

    facts: Facts

    def commit(self) -> None:
        """Keep what has happened since the last time; returning means that it is kept."""
        ...

    def close(self) -> None:
        """Let go of where it is kept."""
        ...

    def touch(self) -> None:
        """Keep the facts at the next commit, though no order has changed."""
        ...


def kept_uid(path: Path) -> int | None:
    """Return whose state a file keeps, or None; changes nothing.

    Raises:
        StateSpoiled: nobody's.
    """
    if not path.exists():
        return None
    with (
        _legible(path),
        closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as database,
    ):
        if (
            database.execute("SELECT name FROM sqlite_schema WHERE name = 'facts'").fetchone()
            is None
        ):
            return None  # whoever made it was killed before it wrote anything
        row = database.execute("SELECT body FROM facts").fetchone()
        return None if row is None else msgspec.json.decode(row[0], type=Facts).uid


class Forgetful(Store):
    """Keeps nothing: what is simulated is gone with the process."""

    def __init__(self, uid: int) -> None:
        self.facts = Facts(uid=uid)

    @override
    def commit(self) -> None:
        pass

    @override
    def close(self) -> None:
        pass

    @override
    def touch(self) -> None:
        pass


class StateHeld(RuntimeError):
    """Another exchange keeps its state in the same file: each of the two would sell its coins."""


class StateSpoiled(RuntimeError):
    """A state file is not one, or not any more: what was held on paper is not known."""


@contextmanager
def _legible(path: Path) -> Iterator[None]:
    """Say what is wrong with a file.

    Raises:
        StateHeld: somebody has it open. StateSpoiled: it is none.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise StateHeld(f"{path} is in use by another simulated exchange ({error})") from error
    except (sqlite3.DatabaseError, msgspec.DecodeError) as error:
        raise StateSpoiled(
            f"{path} cannot be read: {error}. Put a copy of it back; or, to begin on paper anew, "
            f"move it and the journal away together"
        ) from error


def _alone(path: Path) -> sqlite3.Connection:
    """Open a state that nobody else has open, and nobody else can while it is."""
    database = sqlite3.connect(path, isolation_level=None, timeout=_HELD_S)
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
        database.executescript(_SCHEMA)
        database.execute("BEGIN IMMEDIATE")  # a lock is taken by whoever uses it, not before
        database.execute("COMMIT")
    except sqlite3.Error:
        database.close()
        raise
    return database


class Kept(Store):
    """A file that belongs to one exchange."""

    def __init__(self, path: Path, exchange: Exchange, armory: Armory, now_ms: int) -> None:
        self._exchange = exchange
        self._born_ms = now_ms
        self._armory = armory
        self._orders: dict[tuple[str, int], Order] = {}
        self._trades: list[Trade] = []
        self._touched = False
        path.touch(mode=0o600)  # SQLite gives the files beside it the same mode
        with _legible(path):
            self._database = _alone(path)
            self.facts = self._read()
        exchange.listen(self._note)
        self.touch()
        self.commit()

    def _read(self) -> Facts:
        """Give the exchange what is kept; a new file gets an account number of its own."""
        row = self._database.execute("SELECT body FROM facts").fetchone()
        exchange = self._exchange
        if row is None:
            exchange.uid = self._born_ms
            return Facts(uid=exchange.uid, free=exchange.free, locked=exchange.locked)
        facts = msgspec.json.decode(row[0], type=Facts)
        orders = self._database.execute("SELECT body FROM orders ORDER BY symbol, number")
        trades = self._database.execute("SELECT body FROM trades ORDER BY place")
        exchange.uid = facts.uid
        exchange.restore(
            [msgspec.json.decode(body, type=Order) for (body,) in orders],
            [msgspec.json.decode(body, type=Trade) for (body,) in trades],
            free=facts.free,
            locked=facts.locked,
        )
        return facts

    def _note(self, _execution: Execution, order: Order, trade: Trade | None) -> None:
        self._orders[order.key] = order
        if trade is not None:
            self._trades.append(trade)

    @override
    def touch(self) -> None:
        self._touched = True

    @override
    def commit(self) -> None:
        if not (self._touched or self._orders or self._trades):
            return
        self._die_if("die_before_write")
        try:
            self._write(self._exchange.free, self._exchange.locked)
        except sqlite3.Error as error:
            # Nobody knows whether it is kept, and nobody may hear of what is not: start again.
            sys.stderr.write(f"the simulated exchange cannot keep its state: {error}\n")
            sys.stderr.flush()
            os._exit(1)
        self._orders.clear()
        self._trades.clear()
        self._touched = False
        self._die_if("die_after_write")

    @override
    def close(self) -> None:
        self._database.close()

    def _write(self, free: Mapping[str, Decimal], locked: Mapping[str, Decimal]) -> None:
        self.facts.free, self.facts.locked = dict(free), dict(locked)
        self.facts.last = {name: quote.last for name, quote in self._exchange.quotes.items()}
        orders = [(*key, _encode(order)) for key, order in self._orders.items()]
        run = self._database
        run.execute("BEGIN IMMEDIATE")
        run.execute("INSERT OR REPLACE INTO facts VALUES ('all', ?)", (_encode(self.facts),))
        run.executemany("INSERT OR REPLACE INTO orders VALUES (?, ?, ?)", orders)
        trades = [(_encode(trade),) for trade in self._trades]
        run.executemany("INSERT INTO trades (body) VALUES (?)", trades)
        run.execute("COMMIT")

    def _die_if(self, fault: str) -> None:
        if self._armory.take("store", {}, {fault: STORE_FAULTS[fault]}):
            os.kill(os.getpid(), signal.SIGKILL)
