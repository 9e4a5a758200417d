"""How each account stands, as the journal has it: its health, and what is past its deadline."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from msgspec import Struct

from surefoot.core.health import Health, HealthState
from surefoot.core.records import AccountBound, HealthChanged, StuckChanged
from surefoot.core.stuck import Stuck
from surefoot.core.values import AccountName
from surefoot.journal.port import BotRow, Entry, Holder, Reader, account_stream

# Said of an account on whose journal no server runs.
NO_SERVER: Final = "no server runs"


class Standing(Struct, frozen=True, kw_only=True):
    """One account: its health, and what is past its deadline."""

    account: AccountName
    environment: str
    health: Health
    stuck: tuple[Stuck, ...] = ()


async def read_standings(
    reader: Reader, rows: Iterable[BotRow], holder: Holder | None
) -> list[Standing]:
    """Read how every account stands that has a record or a position."""
    names = {row.position.account for row in rows if row.position is not None}
    accounts = sorted(names.union(await reader.accounts()))
    return [await _standing(reader, account, holder) for account in accounts]


async def _standing(reader: Reader, account: AccountName, holder: Holder | None) -> Standing:
    stream = account_stream(account)
    changed = await reader.last(stream, "health-changed")
    last = await reader.last(stream, "stuck-changed")
    stuck = None if last is None else last.record
    return Standing(
        account=account,
        environment=await _environment(reader, account, changed),
        health=await _health(reader, changed, holder),
        stuck=stuck.standing if isinstance(stuck, StuckChanged) else (),
    )


async def _health(reader: Reader, changed: Entry | None, holder: Holder | None) -> Health:
    """Return the last word on an account's health; without a server nothing of it holds."""
    if holder is None:
        since = await _last_sign(reader)
        return Health(state=HealthState.HALTED, since=since, watched=False, why=NO_SERVER)
    if changed is not None and isinstance(changed.record, HealthChanged):
        return changed.record.health
    return Health(state=HealthState.STARTING, since=holder.since, watched=False)


async def _last_sign(reader: Reader) -> datetime:
    (newest,) = await reader.newest(1)
    return newest.at


async def _environment(reader: Reader, account: AccountName, changed: Entry | None) -> str:
    if changed is not None and isinstance(changed.record, HealthChanged):
        return changed.record.environment
    entry = await reader.last(account_stream(account), "account-bound")
    bound = None if entry is None else entry.record
    return bound.environment if isinstance(bound, AccountBound) else "unknown"
