"""The open positions of all bots as a plain file, for other scripts and for eyes.

It is replaced as a whole whenever something in it changes, so a reader never sees half of it. It
is a copy for others: nothing here ever reads it.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from surefoot.core.position import Position
from surefoot.core.values import natural, plain
from surefoot.crashpoint import crashpoint
from surefoot.journal.clock import Clock
from surefoot.journal.port import Reader
from surefoot.journal.standing import read_standings
from surefoot.journal.status import RestingStop, protection_status
from surefoot.notify.courier import Log

VERSION: Final = 1
PAUSE_S: Final = 0.5


class OpenPosition(msgspec.Struct, frozen=True, kw_only=True):
    """One position that is not over. Amounts are decimal strings.

    `stop_at` and `target_at` tell where a level is kept: "exchange", "here" (in the server) or
    "none". `resting` is the stop that the exchange has, be it of a part or not yet at the level
    that is wanted; `rest_at` is where the stop of what that does not sell is kept. `orders` are
    those that are written down and not over, whether sent or not.
    """

    position: str
    bot: str
    account: str
    symbol: str
    side: str
    state: str
    phase: str
    quantity: str
    entry_price: str | None
    stop: str | None
    stop_at: str
    resting: RestingStop | None
    rest_at: str
    target: str | None
    target_at: str
    frozen: str | None
    orders: list[str]


class StateDocument(msgspec.Struct, frozen=True, kw_only=True):
    """The file. `server` is since when the server runs, or null: then nothing here is watched."""

    version: int
    records: int
    written_at: datetime
    server: datetime | None
    positions: list[OpenPosition]


class StateFile:
    """Keeps the file as new as the journal."""

    def __init__(self, path: Path, *, reader: Reader, clock: Clock, log: Log) -> None:
        self._path = path
        self._reader = reader
        self._clock = clock
        self._log = log
        self._last: tuple[int, datetime | None] | None = None
        self._failing = False

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            await self.step()
            await self._clock.sleep(PAUSE_S)

    async def step(self) -> None:
        """Replace the file if the journal has moved, or the server came or went."""
        holder = self._reader.holder()
        now = (await self._reader.records(), None if holder is None else holder.since)
        if now == self._last:
            return
        document = await read_state(self._reader, at=self._clock.now())
        try:
            _replace(self._path, msgspec.json.format(msgspec.json.encode(document)) + b"\n")
        except OSError as error:
            if not self._failing:
                self._log.warning("the state file is not written", why=error.strerror)
            self._failing = True
        else:
            self._last, self._failing = now, False


async def read_state(reader: Reader, *, at: datetime) -> StateDocument:
    """Read every position that is not over."""
    holder = reader.holder()
    records = await reader.records()
    rows = await reader.bots()
    standings = await read_standings(reader, rows, holder, at)
    watched = {each.account: each.health.watched for each in standings}
    current = [row.position for row in rows if row.position is not None]
    older = [await reader.position(name) for row in rows for name in row.frozen]
    found = {each.position_id: each for each in (*older, *current) if each is not None}
    return StateDocument(
        version=VERSION,
        records=records,
        written_at=at,
        server=None if holder is None else holder.since,
        positions=[
            _open(each, watched=watched.get(each.account, False))
            for each in sorted(found.values(), key=lambda each: natural(each.position_id))
            if each.quantity or each.unfinished is not None or each.frozen is not None
        ],
    )


def _open(position: Position, *, watched: bool) -> OpenPosition:
    levels = position.levels
    kept = protection_status(position, watched=watched)
    return OpenPosition(
        position=position.position_id,
        bot=position.bot,
        account=position.account,
        symbol=position.symbol,
        side=position.direction.value,
        state=position.state.value,
        phase=levels.phase.value,
        quantity=plain(position.quantity),
        entry_price=None if position.entry_price is None else plain(round(position.entry_price, 8)),
        stop=None if levels.stop is None else plain(levels.stop),
        stop_at=kept.stop.value,
        resting=kept.resting,
        rest_at=kept.rest.value,
        target=None if levels.take_profit is None else plain(levels.take_profit),
        target_at=kept.take_profit.value,
        frozen=position.frozen,
        orders=[each.client_order_id for each in position.orders if not each.finished],
    )


def _replace(path: Path, content: bytes) -> None:
    new = path.with_name(f".{path.name}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(handle, "wb") as output:
        output.write(content)
        output.flush()
        os.fsync(output.fileno())
    crashpoint("state.before-replace")
    new.replace(path)
