"""The one writer: a thread, its own connection, and many changes per commit.

The thread is an executor's, so that a loop whose time is virtual can do its work. Callers queue a
change and wait. The thread takes whatever is queued, runs each change in a
savepoint, and commits once, so that fifty bots share one trip to the disk. A refused change is
rolled back alone. A commit that fails poisons: the disk may hold it or not, and only a fresh
start can tell.
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import apsw
from msgspec import Struct

from surefoot.crashpoint import crashpoint
from surefoot.journal.codec import Tip
from surefoot.journal.errors import JournalError, JournalPoisoned, RecordRefused
from surefoot.journal.outside import Outside
from surefoot.journal.port import Change, Receipt, intents_in
from surefoot.journal.projection import apply_change

# More than this many changes never share a commit; the rest wait for the next one.
BATCH_MAX: Final = 256
# Changes waiting beyond this make callers fail instead of memory grow.
QUEUE_MAX: Final = 10_000


class _Waiting(Struct, kw_only=True):
    change: Change
    loop: asyncio.AbstractEventLoop
    future: asyncio.Future[Receipt]
    outcome: Receipt | BaseException | None = None

    def answer(self, outcome: Receipt | BaseException) -> None:
        self.loop.call_soon_threadsafe(_resolve, self.future, outcome)


def _resolve(future: asyncio.Future[Receipt], outcome: Receipt | BaseException) -> None:
    if future.done():
        return
    if isinstance(outcome, BaseException):
        future.set_exception(outcome)
    else:
        future.set_result(outcome)


class Writer:
    """Owns the writing connection from start to stop.

    The generation of this life goes into the database with the first commit, and not before: a
    process that only looked leaves no trace.
    """

    def __init__(self, connection: apsw.Connection, tip: Tip, outside: Outside) -> None:
        self._connection = connection
        self._tip = tip
        self._outside = outside
        self._lock = threading.Lock()
        self._queue: deque[_Waiting] = deque()
        self._awake = False
        self._working: asyncio.Future[None] | None = None
        self._stopped = False
        self._poison: str | None = None
        self.commits = 0
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="journal")

    async def commit(self, change: Change) -> Receipt:
        """Queue a change and wait until it is durable."""
        loop = asyncio.get_running_loop()
        waiting = _Waiting(change=change, loop=loop, future=loop.create_future())
        with self._lock:
            if len(self._queue) >= QUEUE_MAX:
                raise JournalPoisoned(f"{QUEUE_MAX} changes wait for the disk; giving up")
            self._queue.append(waiting)
            asleep, self._awake = not self._awake, True
        if asleep:
            self._working = loop.run_in_executor(self._thread, self._work)
        return await asyncio.shield(waiting.future)

    async def stop(self) -> None:
        """Commit what is queued, then let the thread end; a second time does nothing."""
        if self._stopped:
            return
        self._stopped = True
        await asyncio.get_running_loop().run_in_executor(self._thread, self._work)
        self._thread.shutdown()

    def _work(self) -> None:
        while batch := self._drain():
            self._write(batch)

    def _drain(self) -> list[_Waiting]:
        with self._lock:
            batch = [self._queue.popleft() for _ in range(min(BATCH_MAX, len(self._queue)))]
            self._awake = bool(batch)
        return batch

    def _write(self, batch: list[_Waiting]) -> None:
        if self._poison is None:
            try:
                self._transact(batch)
            except Exception as error:  # noqa: BLE001 (whatever it was, the outcome is unknown)
                self._poison = (
                    f"a commit failed ({error}); nobody knows whether it happened. This process "
                    f"stops here; the next start asks the exchange"
                )
        for waiting in batch:
            poisoned = self._poison is not None and not isinstance(waiting.outcome, JournalError)
            if poisoned or waiting.outcome is None:
                waiting.answer(JournalPoisoned(self._poison or "no outcome"))
            else:
                waiting.answer(waiting.outcome)

    def _transact(self, batch: list[_Waiting]) -> None:
        execute = self._connection.execute
        execute("BEGIN IMMEDIATE")
        tip = self._tip
        if not self._outside.began:
            name = self._outside.generation
            execute("INSERT OR REPLACE INTO meta VALUES ('generation', ?)", (name,))
        for waiting in batch:
            execute("SAVEPOINT change")
            try:
                tip = apply_change(self._connection, waiting.change, tip)
            except RecordRefused as refusal:
                execute("ROLLBACK TO change")
                waiting.outcome = refusal
            else:
                waiting.outcome = Receipt(
                    sequence=tip.sequence,
                    intents=intents_in(waiting.change.appends),
                )
            execute("RELEASE change")
        self._outside.check()
        crashpoint("journal.before-commit")
        execute("COMMIT")
        crashpoint("journal.after-commit")
        self._outside.committed(tip)
        self._tip = tip
        self.commits += 1
