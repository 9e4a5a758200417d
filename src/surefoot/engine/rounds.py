"""What is done again and again: ask about orders, compare everything, let time pass.

Recovery runs the same comparison; afterwards it goes on for ever, so that there is no difference
between starting and running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Final

from msgspec.structs import replace

from surefoot.core.decide import Withdraw, owed
from surefoot.core.evidence import Finding, Orphan
from surefoot.core.lanes import Lane
from surefoot.core.records import Cause
from surefoot.core.reports import TimePassed
from surefoot.core.signals import Withhold
from surefoot.core.values import ClientOrderId
from surefoot.engine.books import Applied, Books
from surefoot.engine.comparing import Comparing, Halted
from surefoot.engine.keeper import Keeper
from surefoot.engine.login import Login
from surefoot.engine.questions import Questions
from surefoot.engine.roster import Roster
from surefoot.engine.supervision import Supervision
from surefoot.engine.sweep import Gathered
from surefoot.engine.voice import say_finding
from surefoot.exchange.errors import Banned, Misconfigured, ReadFailed

POSITIONS_EVERY_S: Final = 30.0
STEP_S: Final = 0.25
SECOND_S: Final = 1.0
# Full comparisons may spend this share of the venue's weight; entries and exits keep the rest.
WEIGHT_SHARE: Final = 0.25
# The same finding is said again only after this long.
REPEAT_AFTER_S: Final = 60.0


class Rounds:
    """Goes round one account, on timers and when asked."""

    def __init__(
        self,
        login: Login,
        *,
        roster: Roster,
        books: Books,
        comparing: Comparing,
        questions: Questions,
    ) -> None:
        self._login = login
        self._roster = roster
        self._books = books
        self._comparing = comparing
        self._questions = questions
        self._comparisons = asyncio.Lock()
        self._wanted = asyncio.Event()
        self._said: dict[tuple[str | None, ...], float] = {}

    def start(self, supervision: Supervision) -> None:
        """Go round from now on."""
        supervision.keep("ask about orders", self.ask_about_orders)
        supervision.keep("compare positions", self.compare_positions)
        supervision.keep("pass time", self.pass_time)

    def want(self) -> None:
        """Compare everything soon: a stream broke, or somebody asked."""
        self._wanted.set()

    # Comparing -----------------------------------------------------------------------------------

    async def compare(self) -> tuple[Gathered, Applied]:
        """Read everything, compare, and make what follows durable and done.

        Raises:
            Halted: the exchange contradicts the journal as a whole.
        """
        async with self._comparisons:
            lookback = None if self._roster.admits else self._login.spec.lookback
            gathered = await self._comparing.everything(self._books.belief(), lookback)
            self._login.senses.gather(gathered, everything=True)
            return gathered, await self._conclude(gathered)

    async def ask(self, orders: Sequence[ClientOrderId]) -> None:
        """Ask about some orders only, compare, and make what follows durable and done."""
        async with self._comparisons:
            gathered = await self._comparing.some(self._books.belief(), orders)
            self._login.senses.gather(gathered, everything=False)
            await self._conclude(gathered)

    async def _conclude(self, gathered: Gathered) -> Applied:
        for failure in gathered.failures:
            self._login.log.debug("read failed", why=failure)
        outcome, applied = await self._books.conclude(gathered, self._comparing.compare)
        for finding in outcome.findings:
            self._say(finding)
        cancelled = [await self._cancel_orphan(orphan) for orphan in outcome.orphans]
        return replace(applied, cancels=applied.cancels + sum(cancelled))

    def _say(self, finding: Finding) -> None:
        key = (finding.kind, finding.position_id, finding.order, finding.outcome)
        now = self._login.clock.monotonic()
        if now - self._said.get(key, -REPEAT_AFTER_S) >= REPEAT_AFTER_S:
            self._said[key] = now
            say_finding(self._login.log, finding)

    async def _cancel_orphan(self, orphan: Orphan) -> bool:
        """Cancel an orphan, if a second look says the same; tell whether it did."""
        listed = orphan.report
        try:
            again = await self._comparing.again(self._books.belief(), listed)
        except (ReadFailed, Misconfigured) as error:
            if isinstance(error, Banned):
                raise
            self._login.log.warning("read failed", why=str(error))
            return False
        if not await self._books.withdraw(again):
            return False
        answer = await self._login.dispatch.cancel(listed.symbol, listed.exchange_order_id)
        self._login.log.info(
            "orphan cancelled",
            order=listed.client_order_id,
            exchange_order=listed.exchange_order_id,
            evidence=orphan.reason,
            outcome=answer,
        )
        return True

    # Timers --------------------------------------------------------------------------------------

    async def ask_about_orders(self) -> None:
        """Ask about orders as they fall due, and cancel again what is still to be cancelled."""
        while True:
            await self._login.clock.sleep(STEP_S)
            orders = [
                order
                for position in self._roster.positions
                for order in position.orders
                if not order.finished
            ]
            due = self._questions.due(orders, self._login.clock.monotonic())
            if due:
                await self._guard(self.ask(due))
                await self._pursue(due)

    async def _pursue(self, asked: Sequence[ClientOrderId]) -> None:
        for position in self._roster.positions:
            for duty in owed(position):
                if isinstance(duty, Withdraw) and duty.order.client_order_id in asked:
                    await self._login.dispatch.cancel(position.symbol, duty.exchange_order_id)

    async def compare_positions(self) -> None:
        """Compare everything on a timer, after every stream break, and when asked."""
        while True:
            try:
                async with asyncio.timeout(self._pause()):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            await self._guard(self.compare())

    def _pause(self) -> float:
        soon = self._comparing.again_in_s
        if soon is not None:
            return soon
        cost = self._login.exchange.cost(self._roster.symbols)
        affordable = self._login.exchange.venue.weight.limit * WEIGHT_SHARE / 60
        return max(POSITIONS_EVERY_S, cost / affordable)

    async def _guard(self, work: Awaitable[object]) -> None:
        """Let a comparison fail without stopping the next one; a contradiction stops the bots."""
        try:
            await work
        except Halted as error:
            self._login.senses.halt(str(error))
            await self._roster.review_all(str(error), Cause.CONTRADICTION)
        except Misconfigured as error:
            self._login.senses.halt(str(error))
            await self._roster.review_all(str(error), Cause.CONFIGURATION)
        except Banned as error:
            await self._login.note_ban(error.until)
        except ReadFailed as error:
            self._login.senses.fail(str(error))
            self._login.log.debug("read failed", why=str(error))

    async def pass_time(self) -> None:
        """Let time pass for positions that wait for it: lifetimes, and retries that are due."""
        while True:
            await self._login.clock.sleep(SECOND_S)
            for keeper in self._roster.keepers.values():
                keeper.forget_settled()
                await self._withhold(keeper)
                for position in keeper.positions:
                    if position.unfinished is not None or position.quantity:
                        await keeper.tell(TimePassed(), position_id=position.position_id)

    async def _withhold(self, keeper: Keeper) -> None:
        """Withdraw the resting entry of a bot that may not enter: it would still fill."""
        position, why = keeper.position, self._roster.statuses.refusal(keeper.bot)
        if why is not None and position.lane(Lane.ENTRY) is not None:
            await keeper.tell(Withhold(reason=why), position_id=position.position_id)
