"""How each account stands, as the journal has it: its health, and what is past its deadline."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final

from msgspec import Struct

from surefoot.core.account_records import AccountBound, HealthChanged, StuckChanged
from surefoot.core.health import Health, HealthState
from surefoot.core.stuck import Stuck
from surefoot.core.values import AccountName
from surefoot.journal.port import BotRow, Entry, Holder, Reader, account_stream

# Said of an account on whose journal no server runs.
NO_SERVER: Final = "no server runs"
# Said of an account that the server which runs does not have, while something is at stake there.
UNSERVED: Final = "the server that runs says nothing of it: is it in the configuration?"
# The loop of a server that works turns four times a second, and says so every five.
TURNS_WITHIN: Final = timedelta(minutes=1)


class Standing(Struct, frozen=True, kw_only=True):
    """One account: its health, and what is past its deadline.

    `absent` tells that nobody serves it.
    """

    account: AccountName
    environment: str
    health: Health
    absent: bool = False
    stuck: tuple[Stuck, ...] = ()

    @property
    def hangs(self) -> bool:
        """Tell whether a server runs that does not turn."""
        return self.absent and self.health.why not in {NO_SERVER, UNSERVED}


async def read_standings(
    reader: Reader, rows: Iterable[BotRow], holder: Holder | None, now: datetime
) -> list[Standing]:
    """Read how every account stands that has a record or a position."""
    absence = await _absence(reader, holder, now)
    positions = [row.position for row in rows if row.position is not None]
    accounts = sorted({each.account for each in positions}.union(await reader.accounts()))
    awaited = {each.account for each in positions if each.is_awaited(now)}
    unserved = None if holder is None else _unserved(holder, now)
    return [
        await _standing(reader, each, holder, absence, unserved if each in awaited else None)
        for each in accounts
    ]


async def _standing(
    reader: Reader,
    account: AccountName,
    holder: Holder | None,
    absence: Health | None,
    unserved: Health | None,
) -> Standing:
    stream = account_stream(account)
    changed = await reader.last(stream, "health-changed")
    if not _is_said_by(holder, changed):
        absence = absence or unserved
    last = await reader.last(stream, "stuck-changed")
    stuck = None if last is None else last.record
    return Standing(
        account=account,
        environment=await _environment(reader, account, changed),
        absent=absence is not None,
        health=absence or _health(changed, holder),
        stuck=stuck.standing if isinstance(stuck, StuckChanged) else (),
    )


async def _absence(reader: Reader, holder: Holder | None, now: datetime) -> Health | None:
    """Return how every account stands while no server serves them; None while one does."""
    if holder is None:
        since = await last_sign(reader) or now
        return Health(state=HealthState.HALTED, since=since, watched=False, why=NO_SERVER)
    turned = (await reader.signs()).turned
    alive = now if turned is None else max(turned, holder.since)  # a gauge may be lost
    if now - alive <= TURNS_WITHIN:
        return None
    why = f"the server (process {holder.pid}) hangs: end it, and start it again"
    return Health(state=HealthState.HALTED, since=alive, watched=False, why=why)


def _unserved(holder: Holder, now: datetime) -> Health | None:
    """Return how an account stands of which a server has said nothing; None: it may be starting."""
    if now - holder.since <= TURNS_WITHIN:
        return None
    return Health(state=HealthState.HALTED, since=holder.since, watched=False, why=UNSERVED)


async def last_sign(reader: Reader) -> datetime | None:
    """Return when a server last gave a sign of life here; None if none ever has."""
    newest = await reader.newest(1)
    turned = (await reader.signs()).turned  # a gauge: it may be lost, and then it is less exact
    signs = [each.at for each in newest] + ([] if turned is None else [turned])
    return max(signs, default=None)


def _is_said_by(holder: Holder | None, changed: Entry | None) -> bool:
    said = None if changed is None else changed.record
    return isinstance(said, HealthChanged) and holder is not None and said.server == holder.since


def _health(changed: Entry | None, holder: Holder | None) -> Health:
    """Return this server's last word on an account's health; before it, it is starting."""
    said = None if changed is None else changed.record
    if isinstance(said, HealthChanged) and _is_said_by(holder, changed):
        return said.health
    since = datetime.min.replace(tzinfo=UTC) if holder is None else holder.since
    return Health(state=HealthState.STARTING, since=since, watched=False)


async def _environment(reader: Reader, account: AccountName, changed: Entry | None) -> str:
    if changed is not None and isinstance(changed.record, HealthChanged):
        return changed.record.environment
    entry = await reader.last(account_stream(account), "account-bound")
    bound = None if entry is None else entry.record
    return bound.environment if isinstance(bound, AccountBound) else "unknown"
