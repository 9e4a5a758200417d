"""What is done again and again: ask about orders, compare everything, let time pass.

Recovery runs the same comparison; afterwards it goes on for ever, so that there is no difference
between starting and running.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from functools import partial
from typing import Final

from surefoot.core.account_records import Cause
from surefoot.core.lanes import Lane
from surefoot.core.reports import TimePassed
from surefoot.core.signals import Withhold
from surefoot.core.values import ClientOrderId, Symbol
from surefoot.engine.comparing import Halted
from surefoot.engine.inspection import Inspection
from surefoot.engine.keeper import Keeper
from surefoot.engine.login import Login
from surefoot.engine.questions import Questions
from surefoot.engine.roster import Roster
from surefoot.engine.supervision import Supervision
from surefoot.exchange.errors import Banned, Misconfigured, ReadFailed

# So many bots are told in one turn of the loop that time has passed.
KEEPERS_A_TURN: Final = 10
# Full comparisons may spend this share of the venue's weight; entries and exits keep the rest.
WEIGHT_SHARE: Final = 0.25


class Rounds:
    """Goes round one account, on timers and when asked."""

    def __init__(
        self,
        login: Login,
        *,
        roster: Roster,
        inspection: Inspection,
        questions: Questions,
        supervision: Supervision,
    ) -> None:
        self._login = login
        self._roster = roster
        self.inspection = inspection
        self._questions = questions
        self._supervision = supervision
        self._attend = supervision.attend
        self._wanted = asyncio.Event()
        self._asked: set[ClientOrderId] = set()
        self._left_out: set[Symbol] = set()
        self._watched: set[Symbol] = set()

    def attend(self) -> None:
        """See from now on to the orders and the time of whatever is proven."""
        self._supervision.keep("ask about orders", self.ask_about_orders)
        self._supervision.keep("pass time", self.pass_time)

    def watch(self, symbol: Symbol) -> None:
        """Take a symbol as proven: protect what is held there, while others are being proven."""
        self._watched.add(symbol)
        self._roster.watch(symbol)

    def start(self) -> None:
        """Compare everything from now on; what could not be proven is watched all the same."""
        for symbol in self._roster.symbols:
            self.watch(symbol)
        self._supervision.keep("compare positions", self.compare_positions)

    def want(self) -> None:
        """Compare everything soon: a stream broke, or somebody asked."""
        self._wanted.set()

    # Timers --------------------------------------------------------------------------------------

    async def ask_about_orders(self) -> None:
        """Ask about orders as they fall due, and cancel again what is still to be cancelled."""
        while True:
            await self._login.clock.sleep(self._login.tempo.orders_s)
            keepers = [k for k in self._roster.busy if k.symbol in self._watched]
            positions = [p for keeper in keepers for p in keeper.positions]
            orders = [(o, p.symbol) for p in positions for o in p.orders if not o.finished]
            symbols = {order.client_order_id: symbol for order, symbol in orders}
            due = self._questions.due(
                [order for order, _ in orders], self._login.clock.monotonic(), self._asked
            )
            denied = [(p.symbol, p.denied_at) for p in positions if p.denied_at is not None]
            suspects = self._questions.suspects(denied, self._login.clock.monotonic())
            if suspects:
                self._attend(partial(self._compare, suspects))
            for symbol in dict.fromkeys(symbols[name] for name in due):
                names = frozenset(name for name in due if symbols[name] == symbol)
                self._attend(partial(self._ask, symbol, names))

    async def _ask(self, symbol: Symbol, names: frozenset[ClientOrderId]) -> None:
        """Ask about the orders of one symbol; however long it takes, the others go on."""
        self._asked |= names
        try:
            await self._guard(self.inspection.ask_on(symbol, names))
        finally:
            self._asked -= names

    async def compare_positions(self) -> None:
        """Compare everything on a timer, after every stream break, and when asked.

        A symbol whose answers do not come keeps nobody else waiting: the next round leaves it out.
        """
        while True:
            try:
                async with asyncio.timeout(self._pause()):
                    await self._wanted.wait()
            except TimeoutError:
                pass
            self._wanted.clear()
            idle = self.inspection.idle()
            self._left_out |= {*self._roster.symbols} - {*idle}
            if idle:
                self._attend(partial(self._compare, idle))

    async def _compare(self, symbols: Collection[Symbol]) -> None:
        """Compare symbols, and at once again those of them that a later round had to leave out."""
        await self._guard(self.inspection.everything(symbols))
        again = self._left_out & {*symbols}
        self._left_out -= again
        if again:
            self._attend(partial(self._compare, again))

    def _pause(self) -> float:
        soon = self.inspection.again_in_s
        if soon is not None:
            return soon
        affordable = self._login.exchange.venue.weight.limit * WEIGHT_SHARE / 60
        return max(self._login.tempo.everything_s, self.inspection.cost / affordable)

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
            await self._login.clock.sleep(self._login.tempo.time_s)
            proven = [k for k in self._roster.busy if k.symbol in self._watched]
            for number, keeper in enumerate(proven, start=1):
                if number % KEEPERS_A_TURN == 0:
                    await self._login.clock.sleep(0)  # prices must not wait for all of them
                keeper.forget_settled()
                await self._withhold(keeper)
                for position in keeper.waiting:
                    await keeper.tell(TimePassed(), position_id=position.position_id)

    async def _withhold(self, keeper: Keeper) -> None:
        """Withdraw the resting entry of a bot that may not enter: it would still fill."""
        position = keeper.position
        if position.lane(Lane.ENTRY) is None:
            return
        why = self._roster.statuses.refusal(keeper.bot)
        why = why or await self._roster.allowance.refusal(position.quote)
        if why is not None:
            await keeper.tell(Withhold(reason=why), position_id=position.position_id)
