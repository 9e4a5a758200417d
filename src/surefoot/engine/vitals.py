"""One account's pulse: how it stands and what is stuck, derived again and again, kept as records.

Only changes are written and said. What stands already keeps its beginning over a restart; ages go
into the gauges, which may be lost.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from msgspec.structs import replace

from surefoot.core.account_records import AccountRecord, HealthChanged, StuckChanged
from surefoot.core.deadlines import lingering, overdue, uncompared, unsensed
from surefoot.core.health import Circumstances, Health, HealthState, diagnose
from surefoot.core.position import Position
from surefoot.core.stuck import Stuck
from surefoot.engine.keeper import Keeper
from surefoot.engine.login import Login
from surefoot.engine.roster import Roster
from surefoot.journal.port import Journal, account_stream
from surefoot.journal.signs import Pulse

GAUGE_EVERY_S: Final = 5.0
# After a start, what is asked about right then is not called stuck before its answer is in.
SETTLING: Final = timedelta(seconds=10)
# Nobody answers: what is missing for that reason alone is said once, of the account.
_SILENT: Final = frozenset({HealthState.UNREACHABLE, HealthState.BANNED})


class Vitals:
    """Looks at one account once a second."""

    def __init__(self, login: Login, roster: Roster, journal: Journal) -> None:
        self._login = login
        self._roster = roster
        self._journal = journal
        self._health: Health | None = None
        # Since when this server runs; whose word the last one in the journal is.
        self._server: datetime | None = None
        self._said_by: datetime | None = None
        self._stuck: dict[str, Stuck] = {}
        self._settling = SETTLING
        self._began = login.clock.monotonic()
        # What the journal holds while the start has loaded nothing: it has to be bound before.
        self._unloaded: tuple[Position, ...] | None = None
        self._pulse = Pulse(account=login.name)
        self._noted_at = float("-inf")

    async def keep(self) -> None:
        """Look for ever, beginning with what stands in the journal."""
        await self._load()
        while True:
            await self.look()
            await self._login.clock.sleep(self._login.tempo.vitals_s)

    async def once(self) -> None:
        """Look once, at what a recovery without a server has come to."""
        await self._load()
        self._settling = timedelta(0)
        await self.look()

    async def _load(self) -> None:
        stream = account_stream(self._login.name)
        holder = self._journal.holder()
        self._server = None if holder is None else holder.since
        health = await self._journal.last(stream, "health-changed")
        if health is not None and isinstance(health.record, HealthChanged):
            self._health, self._said_by = health.record.health, health.record.server
        stuck = await self._journal.last(stream, "stuck-changed")
        if stuck is not None and isinstance(stuck.record, StuckChanged):
            self._stuck = {each.id: each for each in stuck.record.standing}
            for each in stuck.record.standing:
                self._login.senses.resume(each)

    async def look(self) -> None:
        """Derive everything anew, and write down what changed."""
        login, now = self._login, self._login.now()
        until = login.exchange.banned_until()
        if until is not None:
            await login.note_ban(until)
        busy = self._roster.busy
        held = {p.symbol for keeper in busy for p in keeper.positions if p.quantity}
        seen = login.senses.circumstances(until, held)
        health = diagnose(seen, self._health, now)
        if seen.recovered:
            stuck = self._derived(busy, seen, health, now)
        else:
            stuck = await self._uncompared(health, now)
        records = [*self._health_record(health, now), *self._stuck_record(stuck, now)]
        if records:
            await login.note(*records)
        self._say_health(health)
        self._say_stuck(stuck)
        self._health, self._stuck, self._said_by = health, stuck, self._server
        self._gauge(now)

    # Health --------------------------------------------------------------------------------------

    def _health_record(self, health: Health, now: datetime) -> list[AccountRecord]:
        """Return what is new; the last server's word is none of ours, even if it is the same."""
        if health == self._health and self._said_by == self._server:
            return []
        spec = self._login.spec
        return [
            HealthChanged(
                at=now,
                account=spec.account,
                environment=spec.environment,
                health=health,
                server=self._server,
            ),
        ]

    def _say_health(self, health: Health) -> None:
        if health == self._health:
            return
        good = health.state in {HealthState.OK, HealthState.STARTING}
        speak = self._login.log.info if good else self._login.log.warning
        speak("account health", state=health.state.value, why=health.why, watched=health.watched)

    # What is stuck -------------------------------------------------------------------------------

    def _derived(
        self, busy: Sequence[Keeper], seen: Circumstances, health: Health, now: datetime
    ) -> dict[str, Stuck]:
        """Return all that is stuck now; right after a start, what stood stands.

        While nobody answers, that reads and prices are missing is said already, once.
        """
        since = self._login.senses.recovered_at
        if since is None or now - since < self._settling:
            return self._stuck
        terms = {keeper.bot: keeper.terms for keeper in busy}
        positions = [position for keeper in busy for position in keeper.positions]
        silent = health.state in _SILENT
        missed = unsensed(positions, seen.unproven, seen.unpriced, seen.unweighed, now)
        found = (
            *overdue(positions, terms, now, self._stuck.values()),
            *(each for each in missed if not silent or each.id in self._stuck),
            *lingering(self._login.senses.orphans, now),
        )
        return {each.id: self._continued(each) for each in found}

    async def _uncompared(self, health: Health, now: datetime) -> dict[str, Stuck]:
        """Return what stood before, and what a start that nobody answers leaves open."""
        if health.state not in _SILENT:
            return self._stuck
        positions = self._roster.positions or self._unloaded
        if positions is None:
            unsettled = await self._journal.unsettled(now)
            positions = tuple(each for each in unsettled if each.account == self._login.name)
            self._unloaded = positions
        since = now - timedelta(seconds=self._login.clock.monotonic() - self._began)
        found = uncompared(positions, since, now)
        return self._stuck | {each.id: self._continued(each) for each in found}

    def _continued(self, stuck: Stuck) -> Stuck:
        """Return a stuck thing with the beginning and the words that it had when it was raised."""
        before = self._stuck.get(stuck.id)
        if before is None:
            return stuck
        return replace(before, since=min(before.since, stuck.since))

    def _stuck_record(self, stuck: dict[str, Stuck], now: datetime) -> list[AccountRecord]:
        if stuck.keys() == self._stuck.keys():
            return []
        return [
            StuckChanged(
                at=now,
                account=self._login.name,
                raised=tuple(sorted(stuck.keys() - self._stuck.keys())),
                ended=tuple(sorted(self._stuck.keys() - stuck.keys())),
                standing=tuple(stuck.values()),
            ),
        ]

    def _say_stuck(self, stuck: dict[str, Stuck]) -> None:
        for each in (each for name, each in stuck.items() if name not in self._stuck):
            self._login.log.error(
                "stuck",
                id=each.id,
                bot=each.bot,
                position=each.position_id,
                since=each.since.isoformat(),
                believed=each.believed,
                true=each.true,
            )
        for name in sorted(self._stuck.keys() - stuck.keys()):
            self._login.log.info("no longer stuck", id=name)

    # Gauges --------------------------------------------------------------------------------------

    def _gauge(self, now: datetime) -> None:
        """Note when the account was last heard and is tried next: seldom, or when that is new."""
        senses, before = self._login.senses, self._pulse
        self._pulse = Pulse(
            account=self._login.name,
            heard_at=now if senses.is_up("account") else before.heard_at,
            attempt=senses.attempt,
            next_try=senses.next_try,
        )
        elapsed = self._login.clock.monotonic() - self._noted_at
        if elapsed >= GAUGE_EVERY_S or self._pulse.next_try != before.next_try:
            self._noted_at = self._login.clock.monotonic()
            self._journal.gauges.beat(self._pulse)
