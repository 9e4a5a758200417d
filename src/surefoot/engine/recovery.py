"""Recovery: the six steps, with patience. It runs the same lines as every later comparison.

    1 bind      the journal belongs to one account, and this must be it
    2 load      every bot's positions, from the records
    3 streams   up and buffering before anything is read
    4 compare   orders, then fills, then holdings; per position, until nothing more follows
    5 orphans   ours cancelled, foreign ones reported (or cancelled on an exclusive account)
    6 report    one record, also when nothing was to do and when it failed

An exchange that cannot be reached is tried again after 1, 2, 4 … 60 s. When patience ends, the
bots are put into review, the process lives on, and it is tried again every minute, for ever;
`surefoot recover` tries at once. What cannot help itself waits for that word.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from functools import partial
from typing import Final

from surefoot.core.account_records import Cause, RecoveryFinished
from surefoot.core.errors import InvalidValue
from surefoot.core.evidence import Finding
from surefoot.core.position import Position
from surefoot.core.values import BotName, PositionId, Symbol
from surefoot.crashpoint import crashpoint
from surefoot.engine.binding import bind
from surefoot.engine.books import Applied
from surefoot.engine.comparing import Halted
from surefoot.engine.feed import Feed
from surefoot.engine.inspection import Inspection
from surefoot.engine.login import Login
from surefoot.engine.prices import Prices
from surefoot.engine.progress import Progress
from surefoot.engine.report import counted, told
from surefoot.engine.roster import Roster
from surefoot.engine.specs import BotSpec
from surefoot.engine.statuses import Status
from surefoot.engine.supervision import Supervision
from surefoot.exchange.errors import Banned, ExchangeError, Misconfigured, ReadFailed
from surefoot.journal.port import Journal

ROUNDS_MAX: Final = 5
BACK_OFF_MAX_S: Final = 60
# How often the reads of one symbol may fail before recovery goes on without its bots.
TRIES_PER_SYMBOL: Final = 3
JITTER_S: Final = 0.25


class Outcome(Enum):
    """What recovery came to: done, to be tried again, or waiting for the operator's word."""

    RECOVERED = auto()
    UNREACHABLE = auto()
    REFUSED = auto()


# Why a bot is kept from running by what ends by itself, and is not seen to by anybody else.
_PASSING: Final = frozenset({Cause.SYMBOL, Cause.UNREACHABLE})


class Recovery:
    """Brings one account from whatever the last process left behind to a known state."""

    def __init__(  # noqa: PLR0913 (wired once, in app)
        self,
        login: Login,
        *,
        journal: Journal,
        roster: Roster,
        inspection: Inspection,
        watch: Callable[[Symbol], None],
        feed: Feed,
        prices: Prices,
        supervision: Supervision,
    ) -> None:
        self._login = login
        self._journal = journal
        self._roster = roster
        self._inspection = inspection
        self._watch = watch
        self._feed = feed
        self._prices = prices
        self._supervision = supervision
        self._streaming = False
        self._going_on = True
        self._retries = 0
        self._unwatched_since: datetime | None = None

    def follow(self, last_sign: datetime | None) -> None:
        """Note when the server before gave its last sign: since then nobody has watched."""
        self._unwatched_since = last_sign

    @property
    def going_on(self) -> bool:
        """Tell whether it has not come to an end yet, so that what is asked should wait."""
        return self._going_on

    async def patiently(self) -> Outcome:
        """Recover, trying again while the exchange cannot be reached, until patience ends.

        Raises:
            WrongAccount: the keys belong to another account; nothing was touched.
        """
        self._going_on = True
        try:
            return await self._patiently()
        finally:
            self._going_on = False

    async def again(self) -> Outcome:
        """Try once more after giving up; one more failure is only said.

        Raises:
            WrongAccount: the keys belong to another account; nothing was touched.
        """
        course = _Course(self._login, self._roster)
        self._going_on = True
        try:
            await self._once(course)
        except (Halted, Misconfigured) as error:
            return await self._give_up(error, course)
        except ReadFailed as error:
            self._retries += 1
            if isinstance(error, Banned):
                await self._login.note_ban(error.until)
            self._say_unreachable(error, self._retries, BACK_OFF_MAX_S)
            return Outcome.UNREACHABLE
        else:
            return Outcome.RECOVERED
        finally:
            self._going_on = False

    @property
    def is_waiting(self) -> bool:
        """Tell whether a bot is kept from running by what ends by itself: see `is_cured`."""
        return bool(self._kept())

    async def is_cured(self) -> bool:
        """Look whether a market that was closed at a start is open, or has been read since."""
        kept, exchange = self._kept(), self._login.exchange
        if Cause.SYMBOL in kept.values():
            try:
                await exchange.connect()
            except (ReadFailed, Misconfigured) as error:
                self._login.log.debug("read failed", why=str(error))
                return False
        return any(
            exchange.is_trading(symbol)
            if cause is Cause.SYMBOL
            else self._login.senses.is_proven(symbol)
            for symbol, cause in kept.items()
        )

    def _kept(self) -> dict[Symbol, Cause]:
        bots, statuses = self._login.spec.bots, self._roster.statuses
        causes = ((spec.symbol, statuses.cause(spec.bot)) for spec in bots)
        return {symbol: cause for symbol, cause in causes if cause in _PASSING}

    async def _patiently(self) -> Outcome:
        clock = self._login.clock
        course = _Course(self._login, self._roster)
        attempt = 0
        while True:
            try:
                await self._once(course)
            except (Halted, Misconfigured) as error:
                return await self._give_up(error, course)
            except ReadFailed as error:
                attempt += 1
                wait = await self._wait(error, attempt)
                patience = self._login.spec.give_up_after.total_seconds()
                if course.seconds + wait > patience:
                    return await self._give_up(error, course)
                self._say_unreachable(error, attempt, wait)
                await clock.sleep(wait + JITTER_S * clock.jitter())
            else:
                return Outcome.RECOVERED

    def _say_unreachable(self, error: ReadFailed, attempt: int, wait: float) -> None:
        next_try = self._login.now() + timedelta(seconds=wait)
        self._login.senses.fail(str(error), attempt=attempt, next_try=next_try)
        self._login.log.warning(
            "exchange unreachable",
            attempt=attempt,
            retry_in_s=round(wait),
            why=str(error),
        )

    async def _wait(self, error: ReadFailed, attempt: int) -> float:
        if not isinstance(error, Banned):
            return float(min(2 ** (attempt - 1), BACK_OFF_MAX_S))
        await self._login.note_ban(error.until)
        return max(1.0, (error.until - self._login.now()).total_seconds())

    async def _once(self, course: _Course) -> None:
        """Go through the six steps once."""
        login, roster = self._login, self._roster
        course.begin()
        login.senses.begin()
        await login.heed_ban()
        await bind(login, self._journal)
        self._step("bound to the account")
        crashpoint("recovery.after-bind")
        await roster.load()
        self._step("bots loaded", bots=len(roster.keepers))
        course.loaded()
        crashpoint("recovery.after-load")
        await self._start_streams()
        self._step("streams connected")
        self._supervision.attend(partial(self._prices.ask, of_the_bare=True))
        total = await self._compare(course)
        self._step("compared with the exchange", records=total.records)
        crashpoint("recovery.before-report")
        await self._start_bots(course)
        roster.admit()
        login.senses.recover()
        outcome = "complete" if not roster.statuses.in_review() else "partial"
        await self._report(course.report(outcome, total, self._unwatched_since))
        self._unwatched_since = None
        crashpoint("recovery.after-report")

    def _step(self, done: str, **facts: int) -> None:
        self._login.log.info("recovery step", done=done, **facts)

    async def _start_streams(self) -> None:
        """Bring the streams up, once, before anything is read; go on without after a while."""
        if not self._streaming:
            self._streaming = True
            market = partial(self._feed.market, *self._roster.heard)
            self._supervision.keep("account stream", self._feed.account)
            self._supervision.keep("market stream", market)
        if not await self._feed.connected():
            self._login.log.warning(
                "account stream not up yet", outcome="going on with reads alone"
            )

    async def _compare(self, course: _Course) -> Applied:
        """Compare until nothing more follows: everything, and then again what calls for it."""
        total = Applied()
        left: frozenset[Symbol] | None = None
        lookback = None if self._roster.admits else self._login.spec.lookback
        since: datetime | None = self._login.serving
        for _ in range(ROUNDS_MAX):
            proven = self._proven(len(self._roster.symbols if left is None else left))
            inspected = await self._inspection.everything(
                left, lookback=lookback, since=since, proven=proven
            )
            crashpoint("recovery.before-orphans")
            applied = inspected.applied
            course.findings += inspected.findings
            if inspected.failures and not applied.records:
                course.go_on_without(inspected.unread, inspected.failures[0])
            total += applied
            left, since = inspected.again | inspected.unread, None
            if not applied.records or not left:
                break
        return total

    def _proven(self, symbols: int) -> Callable[[Symbol], None]:
        """Return what hears of each of so many symbols when it is proven."""
        progress = Progress(self._login, symbols)

        def hear(symbol: Symbol) -> None:
            self._watch(symbol)
            progress.step()

        return hear

    async def _start_bots(self, course: _Course) -> None:
        roster = self._roster
        for spec in self._login.spec.bots:
            if spec.bot not in roster.keepers or roster.statuses.needs_word(spec.bot):
                continue
            standing = self._standing(spec, course)
            if standing is not None:
                await roster.review(spec.bot, *standing)
                continue
            held = roster.statuses.of(spec.bot) in {Status.PAUSED, Status.STOPPED}
            try:
                if not held:
                    await roster.revive(spec.bot)
            except InvalidValue as error:
                await roster.review(spec.bot, str(error), Cause.STRATEGY)
                continue
            course.restarted += await roster.statuses.release(spec.bot)

    def _standing(self, spec: BotSpec, course: _Course) -> tuple[str, Cause] | None:
        """Return why a bot may not run, or None: every cause that can be looked at is gone."""
        exchange = self._login.exchange
        if not exchange.is_trading(spec.symbol):
            return f"{spec.symbol} is not trading at {exchange.venue.name} now", Cause.SYMBOL
        if spec.bot in course.unreadable:
            return course.unreadable[spec.bot], Cause.UNREACHABLE
        if spec.bot in self._roster.unfit:
            return self._roster.unfit[spec.bot], Cause.UNFIT
        return None

    async def _give_up(self, error: ExchangeError, course: _Course) -> Outcome:
        outcome, cause, reason = Outcome.REFUSED, Cause.CONFIGURATION, str(error)
        if isinstance(error, Halted):
            cause = Cause.CONTRADICTION
        elif isinstance(error, ReadFailed):
            outcome, cause = Outcome.UNREACHABLE, Cause.UNREACHABLE
            reason = f"the exchange cannot be reached: {error}"
        if outcome is Outcome.REFUSED:
            self._login.senses.halt(reason)
        else:
            self._login.senses.fail(reason)
        self._login.log.error("recovery failed", why=reason)
        await self._roster.review_all(reason, cause)
        await self._report(course.report("failed", Applied(), self._unwatched_since))
        return outcome

    async def _report(self, report: RecoveryFinished) -> None:
        await self._login.note(report)
        self._login.log.info(
            "recovery finished",
            outcome=report.outcome,
            positions=report.positions,
            fills_booked=report.fills_booked,
            orders_cancelled=report.orders_cancelled,
            bots_in_review=report.bots_in_review,
            seconds=str(report.seconds),
        )


class _Course:
    """One recovery from its first try to its report: what was before, and what was given up."""

    def __init__(self, login: Login, roster: Roster) -> None:
        self._login = login
        self._roster = roster
        self._began = self._tried = login.clock.monotonic()
        self._spent = login.exchange.spending()
        self._before: dict[PositionId, Position] = {}
        self._tries = 0
        self.restarted = 0
        self.findings: list[Finding] = []
        self.unreadable: dict[BotName, str] = {}

    @property
    def seconds(self) -> float:
        """Return for how long it has been going on."""
        return self._login.clock.monotonic() - self._began

    def begin(self) -> None:
        """Note that a try begins: its report counts from here."""
        self._tried = self._login.clock.monotonic()
        self.findings.clear()
        self._spent = self._login.exchange.spending()

    def loaded(self) -> None:
        """Note how the positions were before anything was compared."""
        self._before = {each.position_id: each for each in self._roster.positions}

    def go_on_without(self, unread: frozenset[Symbol], why: str) -> None:
        """Leave out the symbols that cannot be read, after a few tries: others go on (L6).

        Raises:
            ReadFailed: nothing can be read, or it is too early to give a symbol up.
        """
        self._tries += 1
        if self._tries < TRIES_PER_SYMBOL or set(self._roster.symbols) <= unread:
            raise ReadFailed(why)
        for keeper in self._roster.keepers.values():
            if keeper.position.symbol in unread:
                self.unreadable[keeper.bot] = why

    def report(
        self, outcome: str, total: Applied, unwatched_since: datetime | None
    ) -> RecoveryFinished:
        """Say what came of it; of one that failed, how long patience was."""
        failed = outcome == "failed"
        spent = self._login.exchange.spending()
        since = self._began if failed else self._tried
        seconds = self._login.clock.monotonic() - since
        return RecoveryFinished(
            at=self._login.now(),
            account=self._login.name,
            outcome=outcome,
            positions=counted(self._before, self._roster.positions),
            orders_cancelled=total.cancels,
            fills_booked=total.fills,
            bots_restarted=self.restarted,
            bots_in_review=self._roster.statuses.in_review(),
            requests=0 if failed else spent.requests - self._spent.requests,
            weight=0 if failed else spent.weight - self._spent.weight,
            seconds=Decimal(round(seconds * 1000)) / 1000,
            told=told(self._before, self._roster.positions, self.findings),
            unwatched_since=unwatched_since,
        )
