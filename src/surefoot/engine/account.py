"""One exchange login: its bots, its streams and its timers.

The account is the unit of ownership: one process at a time holds it, and what it may ask of the
exchange is one budget. Nothing is entered before recovery has come to an end; afterwards the same
comparison goes on for ever, so that there is no difference between starting and running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Any, Final, TypeAlias

from surefoot.core.decide import Withdraw, owed
from surefoot.core.evidence import Finding, Orphan
from surefoot.core.position import Position
from surefoot.core.reconcile import Reconciliation, reconcile
from surefoot.core.records import BanNoted, FillBooked, PositionRecord
from surefoot.core.reports import TimePassed
from surefoot.core.values import ZERO, Asset, BotName, ClientOrderId, Symbol
from surefoot.engine.advisor import Advisor
from surefoot.engine.books import Applied, Books
from surefoot.engine.clock import Clock
from surefoot.engine.dispatch import Dispatch
from surefoot.engine.feed import Feed, Listeners
from surefoot.engine.keeper import Keeper, Spawn
from surefoot.engine.limits import Limits
from surefoot.engine.questions import Questions
from surefoot.engine.runner import Runner
from surefoot.engine.specs import AccountSpec, BotSpec
from surefoot.engine.statuses import Status, Statuses
from surefoot.engine.sweep import Gathered, Sweep
from surefoot.engine.voice import Log, say_finding, say_record
from surefoot.exchange.errors import Banned, ExchangeError, Misconfigured, ReadFailed
from surefoot.exchange.port import Exchange
from surefoot.journal.errors import JournalError
from surefoot.journal.port import Journal

POSITIONS_EVERY_S: Final = 30.0
CLOCK_EVERY_S: Final = 60.0
STEP_S: Final = 0.25
SECOND_S: Final = 1.0
# A balance that is short is looked at again this soon.
SHORT_AGAIN_S: Final = 10.0
# Full comparisons may spend this share of the venue's weight; entries and exits keep the rest.
WEIGHT_SHARE: Final = 0.25
# A bot's loop that failed this often is left alone; its stop still rests at the exchange.
FAILURES_MAX: Final = 5
# The same finding is said again only after this long.
REPEAT_AFTER_S: Final = 60.0


# Makes a bot's strategy, with what it remembers; None for a bot without one.
MakeAdvisor: TypeAlias = Callable[[BotName, dict[str, Any]], Awaitable[Advisor | None]]


class Halted(ExchangeError):
    """The exchange contradicts the journal as a whole; nothing is sent until somebody looks."""


class Account:
    """What is kept, compared and done for one login. Hears of every durable record."""

    def __init__(  # noqa: PLR0913 (wired once, in app)
        self,
        spec: AccountSpec,
        *,
        exchange: Exchange,
        journal: Journal,
        clock: Clock,
        make_advisor: MakeAdvisor,
        spawn: Spawn,
        log: Log,
    ) -> None:
        self.spec = spec
        self.exchange = exchange
        self.journal = journal
        self.clock = clock
        self.log = log.bind(account=spec.account)
        self.spawn = spawn
        self.keepers: dict[BotName, Keeper] = {}
        self.runners = Listeners()
        # Bots that cannot run as configured, and why: what they hold is watched.
        self.watched: dict[BotName, str] = {}
        self.statuses = Statuses(journal, exchange.now, self.log)
        self.dispatch = Dispatch(exchange)
        self.recovered = False
        self.recovering = True
        self.books = Books(
            account=spec.account,
            venue=exchange.venue,
            exclusive=spec.exclusive,
            keepers=self.keepers,
            journal=journal,
            now=exchange.now,
        )
        self._make_advisor = make_advisor
        self._feed: Feed | None = None
        self._running = False
        self._driven: set[BotName] = set()
        self._sweep = Sweep(spec.account, exchange, journal)
        self._sweeping = asyncio.Lock()
        self._questions = Questions()
        self._wanted = asyncio.Event()
        self._short_since: dict[Asset, float] = {}
        self._cancelled: set[tuple[str, str]] = set()
        self._said: dict[tuple[str | None, ...], float] = {}

    @property
    def visibility(self) -> timedelta:
        """Return V: how late an accepted order may still be invisible here."""
        return self.spec.visibility or self.exchange.venue.visibility

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Return the symbols of every position that is kept."""
        return tuple(sorted({position.symbol for position in self.books.positions()}))

    # Bots and streams ----------------------------------------------------------------------------

    async def add_runner(self, spec: BotSpec) -> None:
        """Make the loop of a bot whose positions are loaded; it starts with `start_loops`."""
        memory = await self.journal.memory(spec.bot)
        self.runners[spec.bot] = self._runner(spec, await self._make_advisor(spec.bot, memory))

    async def revive(self, bot: BotName) -> None:
        """Give a bot whose strategy had failed a fresh one, with the memory that is durable.

        Raises:
            InvalidValue: the strategy cannot be made.
        """
        runner = self.runners.get(bot)
        if runner is None:
            return
        if runner.muted:
            memory = await self.journal.memory(bot)
            runner.hear(await self._make_advisor(bot, memory))
        if self._running and bot not in self._driven:
            self.spawn(self._drive(runner))

    def add_watch(self, bot: BotName, position: Position) -> None:
        """Make a loop without a strategy: what is held is watched, nothing is ever added."""
        nothing = Limits(
            order_notional=ZERO,
            position_notional=ZERO,
            orders_per_minute=0,
            price_band=ZERO,
        )
        spec = BotSpec(
            bot=bot,
            account=self.spec.account,
            symbol=position.symbol,
            notional=ZERO,
            plan=position.plan,
            native_stop=True,
            limits=nothing,
        )
        self.runners[bot] = self._runner(spec, None)

    def _runner(self, spec: BotSpec, advisor: Advisor | None) -> Runner:
        return Runner(
            spec=spec,
            keeper=self.keepers[spec.bot],
            advisor=advisor,
            journal=self.journal,
            clock=self.clock,
            now=self.exchange.now,
            gate=partial(self.entry_refusal, spec.bot),
            review=partial(self.review, spec.bot),
            log=self.log,
        )

    async def start_streams(self) -> None:
        """Bring the streams up, once, before anything is read; go on without after a while."""
        if self._feed is None:
            self._feed = Feed(
                account=self.spec.account,
                streams=self.exchange,
                keepers=self.keepers,
                runners=self.runners,
                gap=self.want_sweep,
                is_ours=self.books.is_ours,
                now=self.exchange.now,
                log=self.log,
            )
            pairs = [
                (runner.spec.symbol, runner.spec.timeframe)
                for runner in self.runners.values()
                if runner.spec.timeframe is not None
            ]
            self.spawn(self._feed.account())
            self.spawn(self._feed.market(self.symbols, sorted(set(pairs))))
        if not await self._feed.connected():
            self.log.warning("account stream not up yet", outcome="going on with reads alone")

    def start_loops(self) -> None:
        """Start the bots' loops and the timers, once, after the first recovery."""
        if self._running:
            return
        self._running = True
        for runner in self.runners.values():
            self.spawn(self._drive(runner))
        for timer in (
            self.ask_about_orders(),
            self.compare_positions(),
            self.pass_time(),
            self.follow_clock(),
        ):
            self.spawn(timer)

    async def stop(self) -> None:
        """Let go: what strategies remember is written down, nothing is cancelled or closed."""
        for runner in self.runners.values():
            with suppress(JournalError):
                await runner.checkpoint()
            runner.mute()
        await self.exchange.close()

    async def _drive(self, runner: Runner) -> None:
        """Run a bot's loop; a mistake in it costs this bot its entries, and nobody else a thing."""
        bot = runner.spec.bot
        self._driven.add(bot)
        for _ in range(FAILURES_MAX):
            try:
                await runner.catch_up(self.exchange)
                await runner.run()
            except* JournalError:
                raise
            except* Exception as failures:  # noqa: BLE001 (L6: one bot never stops another)
                reason = "; ".join(f"{type(e).__name__}: {e}" for e in failures.exceptions)
                runner.mute()
                await self.review(bot, f"its loop failed: {reason}")
        self._driven.discard(bot)

    # What keepers say ----------------------------------------------------------------------------

    def recorded(self, position: Position, records: Sequence[PositionRecord]) -> None:
        """Hear of durable records: say them, and show fills to the strategy."""
        for record in records:
            say_record(self.log, position, record)
            runner = self.runners.get(position.bot)
            if isinstance(record, FillBooked) and runner is not None:
                runner.offer(record.fill)

    def urge(self, client_order_id: ClientOrderId) -> None:
        """Ask the exchange about an order soon."""
        self._questions.urge(client_order_id, self.clock.monotonic())

    def want_sweep(self) -> None:
        """Compare everything soon: a stream broke, or somebody asked."""
        self._wanted.set()

    # Comparing -----------------------------------------------------------------------------------

    async def look(self) -> tuple[Reconciliation, Gathered]:
        """Read everything and compare; nothing is written and nothing is done.

        Raises:
            Halted: the exchange contradicts the journal as a whole.
        """
        belief = self.books.belief()
        lookback = None if self.recovered else self.spec.lookback
        gathered = await self._sweep.everything(belief, self.symbols, self._missing(), lookback)
        if gathered.reset is not None:
            raise Halted(gathered.reset)
        outcome = reconcile(belief, gathered.evidence, self.exchange.now())
        if outcome.halt is not None:
            raise Halted(outcome.halt)
        return outcome, gathered

    async def compare(self) -> tuple[Reconciliation, Gathered, Applied]:
        """Read everything, compare, and make what follows durable and done."""
        async with self._sweeping:
            outcome, gathered = await self.look()
            now = self.clock.monotonic()
            self._short_since = {a: self._short_since.get(a, now) for a in outcome.short}
            return outcome, gathered, await self._conclude(outcome, gathered)

    async def _compare_some(self, orders: Sequence[ClientOrderId]) -> None:
        async with self._sweeping:
            belief = self.books.belief()
            gathered = await self._sweep.some(belief, orders)
            if gathered.reset is not None:
                raise Halted(gathered.reset)
            outcome = reconcile(belief, gathered.evidence, self.exchange.now())
            if outcome.halt is not None:
                raise Halted(outcome.halt)
            await self._conclude(outcome, gathered)

    async def _conclude(self, outcome: Reconciliation, gathered: Gathered) -> Applied:
        for finding in outcome.findings:
            self._say(finding)
        for failure in gathered.failures:
            self.log.warning("read failed", why=failure)
        applied = await self.books.apply(outcome, gathered.watermarks)
        await self._cancel_orphans(outcome.orphans)
        return applied

    def _say(self, finding: Finding) -> None:
        key = (finding.kind, finding.position_id, finding.order, finding.outcome)
        now = self.clock.monotonic()
        if now - self._said.get(key, -REPEAT_AFTER_S) >= REPEAT_AFTER_S:
            self._said[key] = now
            say_finding(self.log, finding)

    async def _cancel_orphans(self, orphans: Sequence[Orphan]) -> None:
        fresh = [orphan for orphan in orphans if _name_of(orphan) not in self._cancelled]
        if fresh:
            await self.books.intend_orphan_cancels(fresh)
        for orphan in orphans:
            report = orphan.report
            answer = await self.dispatch.cancel(report.symbol, report.exchange_order_id)
            self._cancelled.add(_name_of(orphan))
            self.log.info(
                "orphan cancelled",
                order=report.client_order_id,
                exchange_order=report.exchange_order_id,
                evidence=orphan.reason,
                outcome=answer,
            )

    def _missing(self) -> frozenset[Asset]:
        """Return the base assets that have been short for longer than V."""
        patience = self.visibility.total_seconds()
        now = self.clock.monotonic()
        return frozenset(a for a, since in self._short_since.items() if now - since > patience)

    # Timers --------------------------------------------------------------------------------------

    async def ask_about_orders(self) -> None:
        """Ask about orders as they fall due, and cancel again what is still to be cancelled."""
        while True:
            await self.clock.sleep(STEP_S)
            orders = [
                order
                for position in self.books.positions()
                for order in position.orders
                if not order.finished
            ]
            due = self._questions.due(orders, self.clock.monotonic())
            if due:
                await self._guard(self._compare_some(due))
                await self._pursue(due)

    async def _pursue(self, asked: Sequence[ClientOrderId]) -> None:
        for position in self.books.positions():
            for duty in owed(position):
                if isinstance(duty, Withdraw) and duty.order.client_order_id in asked:
                    await self.dispatch.cancel(position.symbol, duty.exchange_order_id)

    async def compare_positions(self) -> None:
        """Compare everything on a timer, after every stream break, and when asked."""
        while True:
            wait = self._pause()
            try:
                async with asyncio.timeout(wait):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            await self._guard(self.compare())

    def _pause(self) -> float:
        if self._short_since:
            return min(SHORT_AGAIN_S, self.visibility.total_seconds())
        cost = self.exchange.cost(self.symbols)
        affordable = self.exchange.venue.weight_per_minute * WEIGHT_SHARE / 60
        return max(POSITIONS_EVERY_S, cost / affordable)

    async def _guard(self, work: object) -> None:
        """Let a comparison fail without stopping the next one; a contradiction stops the bots."""
        try:
            await work  # type: ignore[misc]
        except (Halted, Misconfigured) as error:
            await self.review_all(str(error))
        except Banned as error:
            await self.books.note(
                BanNoted(at=self.exchange.now(), account=self.spec.account, until=error.until),
            )
            self.log.warning("banned", why=str(error))
        except ReadFailed as error:
            self.log.warning("read failed", why=str(error))

    async def pass_time(self) -> None:
        """Let time pass for positions that wait for it: lifetimes, and retries that are due."""
        while True:
            await self.clock.sleep(SECOND_S)
            for keeper in self.keepers.values():
                keeper.forget_settled()
                for position in keeper.positions:
                    if position.unfinished is not None or position.quantity:
                        await keeper.tell(TimePassed(), position_id=position.position_id)

    async def follow_clock(self) -> None:
        """Measure the exchange's clock again and again."""
        while True:
            await self.clock.sleep(CLOCK_EVERY_S)
            try:
                offset = await self.exchange.measure_clock()
            except ReadFailed as error:
                self.log.warning("clock not measured", why=str(error))
                continue
            self.log.debug("clock measured", offset_seconds=str(offset))

    # Review --------------------------------------------------------------------------------------

    async def review(self, bot: BotName, reason: str) -> None:
        """Take one bot out of entering, and say why; what an operator stopped stays stopped."""
        status = self.statuses.of(bot)
        kept = status if status in {Status.PAUSED, Status.STOPPED} else Status.REVIEW
        await self.statuses.change(bot, kept, by="surefoot", reason=reason)

    async def review_all(self, reason: str) -> None:
        """Take every bot of this account out of entering, and say why."""
        self.recovered = False
        await self.statuses.load()
        for bot in self._bots():
            await self.review(bot, reason)

    def _bots(self) -> tuple[BotName, ...]:
        configured = [bot.bot for bot in self.spec.bots]
        return tuple(dict.fromkeys([*configured, *self.keepers]))

    def entry_refusal(self, bot: BotName) -> str | None:
        """Return why a bot may not enter now, or None if it may."""
        if not self.recovered:
            return "recovery has not finished"
        keeper = self.keepers.get(bot)
        frozen = next((p for p in keeper.positions if p.frozen), None) if keeper else None
        if frozen is not None:
            return f"{frozen.position_id} is frozen: {frozen.frozen}"
        return self.statuses.refusal(bot)

    def find(self, position_id: str) -> tuple[Keeper, Position] | None:
        """Return the keeper of a position, and the position."""
        for keeper in self.keepers.values():
            for position in keeper.positions:
                if position.position_id == position_id:
                    return keeper, position
        return None


def _name_of(orphan: Orphan) -> tuple[str, str]:
    """Return what identifies an order: the exchange counts per symbol."""
    return (orphan.report.symbol, orphan.report.exchange_order_id)


def outcomes(before: Mapping[str, Position], after: Sequence[Position]) -> dict[str, int]:
    """Count what recovery came to, position by position."""
    counts = {"opened": 0, "flat": 0, "closed": 0, "working": 0, "unchanged": 0}
    for position in after:
        was = before.get(position.position_id)
        if was is None:
            continue
        counts[_outcome(was, position)] += 1
    return counts


def _outcome(was: Position, position: Position) -> str:
    state = position.state.value
    if was.state is not position.state:
        return {"OPEN": "opened", "FLAT": "flat", "CLOSED": "closed"}.get(state, "working")
    return "working" if state in {"OPENING", "CLOSING"} else "unchanged"
