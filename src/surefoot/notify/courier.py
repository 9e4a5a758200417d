"""One destination and its way through the journal: in order, at least once, at its own pace.

read what is new → say it → let the destination take it → move the cursor

Whatever fails, the cursor stands and the same is tried again; what is refused for good is put
aside, so that it does not hold up the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Final, Protocol

from msgspec.structs import replace

from surefoot.crashpoint import crashpoint
from surefoot.journal.clock import Clock
from surefoot.journal.cursors import PARKED_MAX, Aside, Cursor, Cursors
from surefoot.journal.port import Reader
from surefoot.notify.back_off import BackOff
from surefoot.notify.errors import Later, Parked
from surefoot.notify.event import Event, EventKind, Weight
from surefoot.notify.presence import absence, presence
from surefoot.notify.telling import events

# Records looked at in one step: what is told in one go is bounded.
STEP: Final = 500
# How often the journal is asked for more.
PAUSE_S: Final = 0.5


class Log(Protocol):
    """Where a courier says how it goes."""

    def info(self, event: str, **fields: object) -> None:
        """Say something ordinary."""
        ...

    def warning(self, event: str, **fields: object) -> None:
        """Say something that somebody may want to know."""
        ...


class Destination(Protocol):
    """Somebody who is told; `name` names its cursor, so it must not change."""

    @property
    def name(self) -> str:
        """Return the name of its cursor."""
        ...

    @property
    def kinds(self) -> Collection[EventKind]:
        """Return what it wants to hear of."""
        ...

    @property
    def least(self) -> Weight:
        """Return from which weight on."""
        ...

    async def deliver(self, told: Sequence[Event]) -> None:
        """Hand these over, in this order, as few messages as it likes.

        Raises:
            Later: try the same again; some may have arrived.
            Parked: it refuses them for good.
        """
        ...


class Courier:
    """Tells one destination everything, for ever."""

    def __init__(
        self,
        destination: Destination,
        *,
        reader: Reader,
        cursors: Cursors,
        clock: Clock,
        log: Log,
        mark: str = "",
    ) -> None:
        self._to = destination
        self._mark = mark
        self._reader = reader
        self._cursors = cursors
        self._clock = clock
        self._log = log
        self._back_off = BackOff(clock)
        # What was told and no disk has taken yet: it must not be told again for that.
        self._unnoted: Cursor | None = None

    async def run(self) -> None:
        """Go on until cancelled."""
        while True:
            try:
                idle = not await self.step()
            except Later as error:
                if self._back_off.fails():
                    self._log.warning("messages wait", destination=self._to.name, why=str(error))
                await self._back_off.wait(error)
            else:
                if self._back_off.succeeds():
                    self._log.info("messages go out again", destination=self._to.name)
                if idle:
                    await self._clock.sleep(PAUSE_S)

    async def step(self) -> bool:
        """Tell what is new, within bounds; False if there was nothing.

        Raises:
            Later: the destination does not take it now; nothing has moved.
            OSError: the disk does not take the note of it; nothing more is told before it does.
        """
        if self._unnoted is not None:
            self._note(self._unnoted)
        cursor = await self._cursor()
        entries = await self._reader.entries(after=cursor.sequence, limit=STEP)
        told = await events(entries, self._reader)
        since = self._since()
        if since is None and len(entries) == STEP:
            since = cursor.server  # first what the server did, then that it is gone
        if since != cursor.server:
            told = await self._with_presence(told, cursor, since)
        elif not entries:
            return False
        after = entries[-1].sequence if entries else cursor.sequence
        moved = replace(cursor, sequence=after, server=since)
        wanted = [
            replace(each, text=f"{self._mark}{each.text}") for each in told if self._wants(each)
        ]
        if wanted:
            crashpoint("notify.before-delivery")
            moved = await self._deliver(wanted, moved)
            crashpoint("notify.after-delivery")
        self._note(moved)
        crashpoint("notify.after-cursor")
        return True

    def _note(self, moved: Cursor) -> None:
        self._unnoted = moved
        self._cursors.write(self._to.name, moved)
        self._unnoted = None

    def _since(self) -> datetime | None:
        holder = self._reader.holder()
        return None if holder is None else holder.since

    async def _with_presence(
        self, told: list[Event], cursor: Cursor, since: datetime | None
    ) -> list[Event]:
        if since is None:
            return [*told, await absence(cursor, self._reader, self._clock.now())]
        return [presence(cursor, self._reader.epoch, since), *told]

    async def _deliver(self, told: Sequence[Event], moved: Cursor) -> Cursor:
        """Hand over; if all together are refused for good, each alone, so that one is put aside."""
        try:
            await self._to.deliver(told)
        except Parked as error:
            if len(told) > 1:
                for each in told:
                    moved = await self._deliver([each], moved)
                return moved
            self._log.warning(
                "message refused for good", destination=self._to.name, id=told[0].id, why=str(error)
            )
            aside = Aside(id=told[0].id, at=self._clock.now(), text=told[0].text, why=str(error))
            return replace(moved, parked=(*moved.parked, aside)[-PARKED_MAX:])
        return moved

    async def _cursor(self) -> Cursor:
        """Return where to go on: a new destination hears what happens from now on."""
        records = await self._reader.records()
        cursor = self._cursors.read(self._to.name)
        if cursor is None:
            cursor = Cursor(
                epoch=self._reader.epoch, sequence=records, server=self._since(),
                parked=self._gap(records),
            )  # fmt: skip
            self._cursors.write(self._to.name, cursor)
        if cursor.epoch == self._reader.epoch and cursor.sequence <= records:
            return cursor
        # The journal was put back: nobody was told what it writes from where it stands now. That
        # is noted at once, or the place would move on with it.
        back = replace(cursor, epoch=self._reader.epoch, sequence=min(cursor.sequence, records))
        self._cursors.write(self._to.name, back)
        return back

    def _gap(self, records: int) -> tuple[Aside, ...]:
        """Return what is to be said where a note was lost: from when on messages are missing."""
        if not self._cursors.is_noted(self._to.name):
            return ()
        why = "the note of how far it was told cannot be read"
        self._log.warning("messages may be missing", destination=self._to.name, why=why)
        text = f"Messages of records up to {records} may be missing; the journal has them all."
        id_ = f"{self._reader.epoch[:8]}-{records}-gap"
        return (Aside(id=id_, at=self._clock.now(), text=text, why=why),)

    def _wants(self, event: Event) -> bool:
        return event.kind in self._to.kinds and event.weight.at_least(self._to.least)
