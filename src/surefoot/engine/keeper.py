"""One bot's positions, behind one door: decide, journal, believe, then act.

Every fact and every wish enters through `tell` (or, from a comparison, through `accept`), under
one lock, so a position is never decided upon twice at once. Nothing is believed before the journal
has it, and nothing is sent that this very commit did not make durable.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from functools import partial
from typing import Protocol

from msgspec.structs import replace

from surefoot.core.account_records import Record
from surefoot.core.decide import Ask, Input, Withdraw, decide, freeze_only, owed
from surefoot.core.draft import Decision
from surefoot.core.errors import InvariantViolated, SignalRefused, SurefootError
from surefoot.core.evidence import Owned
from surefoot.core.instrument import Instrument
from surefoot.core.lanes import Lane
from surefoot.core.leaving import is_at_rest
from surefoot.core.order import Order, Role
from surefoot.core.position import Position, State
from surefoot.core.records import (
    AmendIntended,
    CancelIntended,
    FillBooked,
    OrderIntended,
    PositionRecord,
)
from surefoot.core.reports import Fill, Grounds, LateFact, OrderReport, Refusal
from surefoot.core.signals import Freeze
from surefoot.core.state import evolve
from surefoot.core.terms import Terms
from surefoot.core.values import (
    AccountName,
    BotName,
    ClientOrderId,
    ExchangeOrderId,
    PositionId,
    Symbol,
)
from surefoot.crashpoint import crashpoint
from surefoot.engine.calm import Calm
from surefoot.engine.capacity import Capacity
from surefoot.engine.dispatch import Dispatch
from surefoot.engine.quotes import Quote
from surefoot.engine.staged import Staged, commit, stage
from surefoot.engine.supervision import Attend
from surefoot.journal.errors import RecordRefused
from surefoot.journal.port import (
    Change,
    Journal,
    Memory,
    Reader,
    Receipt,
    Verdict,
)


class Listener(Protocol):
    """Who wants to know what a position's records say, after they are durable."""

    def recorded(self, position: Position, records: Sequence[PositionRecord]) -> None:
        """Hear of records that have just become durable, and of the position after them."""
        ...

    def urge(self, client_order_id: ClientOrderId) -> None:
        """Hear that the exchange should be asked about an order soon."""
        ...

    async def refit(self) -> None:
        """See to it that keepers trade under the venue's filters of now, as far as it tells."""
        ...


class Keeper:
    """Keeps the positions of one bot: the current one, and older ones that are not settled."""

    def __init__(  # noqa: PLR0913 (the parts of one door, wired once in roster.py)
        self,
        *,
        bot: BotName,
        positions: Iterable[Position],
        terms: Terms,
        journal: Journal,
        dispatch: Dispatch,
        capacity: Capacity,
        now: Callable[[], datetime],
        attend: Attend,
        listener: Listener,
    ) -> None:
        self.bot = bot
        # What is agreed; `terms` are what holds now.
        self.standing = terms
        self.lock = asyncio.Lock()
        self._positions = {position.position_id: position for position in positions}
        self._journal = journal
        self._dispatch = dispatch
        self._capacity = capacity
        self._now = now
        self._attend = attend
        self._listener = listener
        self._calm = Calm()
        # When a fill was last booked here, or by a former life just before.
        self.traded_at: datetime | None = None
        # The last position that was asked whether it is idle, and what it was.
        self._idle: tuple[Position | None, bool] = (None, False)
        if any(self._has_place(position) for position in self.positions):
            capacity.take(bot, terms)

    def adopt(self, instrument: Instrument) -> bool:
        """Trade under other filters of the symbol from now on; tell whether they are others."""
        if instrument == self.standing.instrument:
            return False
        self.standing = replace(self.standing, instrument=instrument)
        return True

    @property
    def terms(self) -> Terms:
        """Return what holds now: without a place at the exchange a stop waits here, if it may."""
        return self._capacity.fitted(self.bot, self.standing)

    @property
    def symbol(self) -> Symbol:
        """Return the symbol that it trades."""
        return self.terms.instrument.symbol

    @property
    def positions(self) -> tuple[Position, ...]:
        """Return every position kept here, oldest first."""
        return tuple(self._positions.values())

    @property
    def position(self) -> Position:
        """Return the bot's current position."""
        return next(reversed(self._positions.values()))

    @property
    def idle(self) -> bool:
        """Tell whether there is nothing that time could change: nothing held, ordered or frozen."""
        position = self.position
        if self._idle[0] is not position:
            self._idle = (position, _is_idle(position))
        return self._idle[1] and len(self._positions) == 1

    @property
    def waiting(self) -> tuple[Position, ...]:
        """Return the positions of which something may follow as time passes."""
        terms = self.terms
        return tuple(each for each in self._positions.values() if not is_at_rest(each, terms))

    def ignores(self, quote: Quote) -> bool:
        """Tell whether nothing would follow from prices now; not while anything is decided."""
        if self.lock.locked():
            return False
        if self.idle:
            return True
        terms, positions = self.terms, self._positions.values()
        return all(self._calm.has(p, price, terms) for price in quote.path() for p in positions)

    async def tell(
        self,
        event: Input,
        *,
        position_id: PositionId | None = None,
        memory: Memory | None = None,
        verdict: Verdict | None = None,
        admit: Callable[[], object] = lambda: None,
    ) -> tuple[PositionRecord, ...]:
        """Let the core decide upon an input, and make what follows durable.

        `admit` refuses it under the lock: what somebody said while it waited holds.

        A broken invariant is never committed: the position is frozen instead, naming it.

        Raises:
            SignalRefused: the wish is not allowed here and now.
            JournalPoisoned: nobody knows what is durable; the process must exit.
        """
        async with self.lock:
            admit()
            position = self._positions.get(position_id) if position_id else self.position
            if isinstance(event, OrderReport | Fill):
                if position is None and position_id is not None:
                    position = await self.recall(position_id)
                event = await self._named(event, position)
            if position is None:
                return ()  # Settled and let go while this was on its way: nothing can follow.
            try:
                decision = self._decide(position, event)
            except SignalRefused:
                raise
            except SurefootError as broken:
                if verdict is not None:
                    raise  # An operator's word is refused, not half carried out.
                decision = self._frozen_by(broken, position)
            if not decision.records:
                await self._commit_verdict(verdict)
                return ()
            self._capacity.keep([(self.bot, self.terms, decision.records)])
            return await self._write(self.stage(position, decision), memory, verdict)

    async def _write(
        self, staged: Staged, memory: Memory | None, verdict: Verdict | None
    ) -> tuple[PositionRecord, ...]:
        """Make what was decided durable, believe it and act on it."""
        try:
            receipt = await commit(self._journal, staged.change(memory, verdict))
            self.believe(staged, receipt)
        except RecordRefused as refused:
            frozen = await self.give_up(staged.after.position_id, refused)
            if verdict is not None:
                raise SignalRefused(f"the journal refused it: {refused}") from refused
            return frozen
        return staged.records

    async def give_up(
        self, position_id: PositionId, refused: RecordRefused
    ) -> tuple[PositionRecord, ...]:
        """Freeze the one position whose record the journal will not have (L6): others go on.

        Whoever calls holds the lock. From here on it is what the journal has of it.
        """
        position = await self._journal.position(position_id)
        if position is not None:
            self._positions[position_id] = position
        if position is None or position.frozen is not None:
            return ()
        reason = f"the journal refused a record of it: {refused}"
        staged = self.stage(position, freeze_only(position, reason, self._now()))
        self.believe(staged, await commit(self._journal, staged.change()))
        return staged.records

    def _decide(self, position: Position, event: Input) -> Decision:
        """Decide; an order that the venue has no room for now is left out, and all else stays."""
        now, terms = self._now(), self.terms
        decision = decide(position, event, now, terms)
        held = self._capacity.held([(self.bot, terms, decision.records)])
        if held:
            return decide(position, event, now, replace(terms, held=held))
        return decision

    def _has_place(self, position: Position) -> bool:
        """Tell whether a position that was loaded has, or must have, a stop at the exchange."""
        if not self.standing.native_stop or not _is_open(position) or not position.plan.has_stop:
            return False
        stop = position.lane(Lane.PROTECTION)
        return stop is not None or not self.standing.stop_may_wait_here

    async def recall(self, position_id: PositionId) -> Position | None:
        """Keep a settled position of this bot again: facts apply in any state, for ever.

        Whoever calls holds the lock. One in another symbol is left: these terms do not fit it.
        """
        found = await self._journal.position(position_id)
        if found is None or found.bot != self.bot or found.symbol != self.terms.instrument.symbol:
            return None
        self._positions[found.position_id] = found
        by_number = sorted(self._positions.items(), key=lambda item: item[1].number)
        self._positions = dict(by_number)
        return found

    async def _named(
        self, fact: OrderReport | Fill, position: Position | None
    ) -> OrderReport | Fill | LateFact:
        """Say with a fact which order it is about, if that one has left its position.

        Asked under the lock: what is in the journal is what this position's last decision left.
        """
        names = (fact.client_order_id, fact.exchange_order_id)
        if position is None or position.find(*names) is not None:
            return fact
        for owned in await find_orders(self._journal, position.account, fact):
            if owned.position_id == position.position_id:
                return LateFact(order=owned.order, fact=fact)
        return fact

    def _frozen_by(self, broken: SurefootError, position: Position) -> Decision:
        """Freeze a position that cannot be decided upon; whatever it was, the others go on."""
        name = "invariant " if isinstance(broken, InvariantViolated) else ""
        if position.frozen is not None:
            return Decision(records=(), position=position)
        try:
            return self._decide(position, Freeze(reason=f"{name}{broken}"))
        except SurefootError:
            return freeze_only(position, f"{name}{broken}", self._now())

    async def _commit_verdict(self, verdict: Verdict | None) -> None:
        """Give an operator's word its verdict also when it changed nothing."""
        if verdict is not None:
            await self._journal.commit(Change(at=self._now(), verdicts=(verdict,)))

    def stage(self, position: Position, decision: Decision) -> Staged:
        """Prepare a decision for the journal."""
        current = position.position_id == self.position.position_id
        return stage(position, decision, current=current)

    def recall_trade(self, at: datetime) -> None:
        """Know of a fill that a former life booked; `at` is when."""
        self.traded_at = at

    def believe(self, staged: Staged, receipt: Receipt) -> None:
        """Believe what is durable now, tell the listener, and do what is owed."""
        if any(isinstance(record, FillBooked) for record in staged.records):
            self.traded_at = self._now()
        self._positions[staged.after.position_id] = staged.after
        if staged.successor is not None:
            started = evolve(None, staged.successor)
            self._positions[started.position_id] = started
        for record in staged.records:
            self._act(staged.after, record, receipt)
        if not any(map(_is_open, self.positions)):
            self._capacity.vacate(self.bot, self.standing)
        self._listener.recorded(staged.after, staged.records)

    def _act(self, position: Position, record: Record, receipt: Receipt) -> None:
        match record:
            case OrderIntended(order=order):
                self._attend(partial(self._send, position, order.client_order_id, receipt))
            case CancelIntended(client_order_id=name):
                self._attend(partial(self._withdraw, position.position_id, name))
            case AmendIntended():
                self._attend(partial(self._amend, position, record))
            case _:
                pass

    async def _send(self, position: Position, name: ClientOrderId, receipt: Receipt) -> None:
        order = position.find(name)
        if order is None:
            return
        old = None if order.replaces is None else position.find(order.replaces)
        for outcome in await self._dispatch.send(position.symbol, order, receipt, old=old):
            if order.role is Role.EXIT and _is_too_small(outcome):
                await self._listener.refit()  # Is it worth so little, or does the venue want more?
            await self.tell(outcome, position_id=position.position_id)
        crashpoint("order.after-result-commit")
        self._listener.urge(name)
        if old is not None:
            self._listener.urge(old.client_order_id)

    async def _amend(self, position: Position, asked: AmendIntended) -> None:
        order = position.find(asked.client_order_id)
        if order is None:
            return
        answer = await self._dispatch.amend(position.symbol, order, asked)
        if answer is not None:
            await self.tell(answer, position_id=position.position_id)
        self._listener.urge(order.client_order_id)

    async def _withdraw(self, position_id: PositionId, name: ClientOrderId) -> None:
        """Cancel if that is possible now; if not, the asking that goes on will make it so."""
        position = self._positions.get(position_id)
        if position is not None:
            await self.pursue(position, (name,))
        self._listener.urge(name)

    async def pursue(self, position: Position, names: Collection[ClientOrderId]) -> None:
        """Ask for every cancel of these orders that is owed."""
        for duty in owed(position):
            match duty:
                case Withdraw(order=order, exchange_order_id=known):
                    if order.client_order_id in names:
                        await self._cancel(position, order, known)
                case Ask():
                    pass

    async def _cancel(
        self, position: Position, order: Order, known: ExchangeOrderId | None
    ) -> None:
        if known is not None:
            await self._dispatch.cancel(self.symbol, known, order.cancel_name)
            return
        answer = await self._dispatch.hail(self.symbol, order)
        if answer is not None:
            await self.tell(answer, position_id=position.position_id)

    def forget_settled(self) -> None:
        """Let go of every settled position but the current one."""
        now = self._now()
        current = self.position.position_id
        for position in self.positions:
            if position.position_id != current and position.is_settled(now):
                del self._positions[position.position_id]


def _is_too_small(outcome: Input) -> bool:
    return isinstance(outcome, Refusal) and outcome.grounds is Grounds.TOO_SMALL


def _is_open(position: Position) -> bool:
    return position.state not in {State.FLAT, State.CLOSED}


def _is_idle(position: Position) -> bool:
    nothing = not position.quantity and position.is_counted and position.frozen is None
    return position.state is State.FLAT and nothing and position.exit_wish is None


async def find_orders(
    reader: Reader, account: AccountName, fact: OrderReport | Fill
) -> tuple[Owned, ...]:
    """Return which of our orders, of whatever age, a fact is about."""
    return await reader.find_orders(
        account,
        fact.symbol,
        names=() if fact.client_order_id is None else (fact.client_order_id,),
        numbers=(fact.exchange_order_id,),
    )
