"""What the bots of one account may still enter with: the size, the caps, and the day's loss.

Everything that may refuse an entry for its size is here, before the intent. Where a size or a cap
depends on what others do, one entry is decided and committed after the other: two bots that enter
at once never both take what is there once. Which positions are on is never counted apart; it
follows from them. What a day has lost survives a restart, and so does an operator's word on it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from msgspec import Struct

from surefoot.core.account_records import LossCapLifted, LossCapReached
from surefoot.core.errors import InvalidValue, SignalRefused
from surefoot.core.exits import ExitPlan, at_entry
from surefoot.core.instrument import Instrument
from surefoot.core.lanes import Lane
from surefoot.core.position import Position, State
from surefoot.core.records import PositionRecord
from surefoot.core.signals import AddSignal, EntrySignal
from surefoot.core.sizing import Amount, Funds, Size, committed, notional_of
from surefoot.core.state import fold
from surefoot.core.values import ZERO, Asset, BotName, Direction, PositionId, Side, Symbol, plain
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.keeper import Keeper
from surefoot.engine.limits import Standing, check_caps, check_order
from surefoot.engine.login import Login
from surefoot.engine.specs import BotSpec
from surefoot.engine.staged import position_id
from surefoot.exchange.errors import Banned, ReadFailed
from surefoot.exchange.port import Tick
from surefoot.journal.port import (
    Change,
    Entry,
    Journal,
    Verdict,
    account_stream,
    entries_of,
    position_stream,
)
from surefoot.strategy import Add, Enter


class _Offer(Struct, frozen=True, kw_only=True):
    """What is paid at most for a unit; with `immediate` what that does not get is given up."""

    instrument: Instrument
    price: Decimal
    last: Decimal
    limit: Decimal | None
    immediate: bool = False


def _offer(spec: BotSpec, signal: Enter | Add, tick: Tick, instrument: Instrument) -> _Offer:
    limit, immediate = None, False
    if signal.limit is not None:
        limit = instrument.price(signal.limit, Side.BUY)
    elif spec.max_slippage is not None:
        limit = instrument.price(tick.ask * (1 + spec.max_slippage), Side.BUY)
        immediate = True
    price = tick.ask if limit is None else limit
    return _Offer(
        instrument=instrument, price=price, last=tick.price, limit=limit, immediate=immediate
    )


def _check_stop(spec: BotSpec, plan: ExitPlan, quantity: Decimal, offer: _Offer) -> None:
    """Return if a stop of so much would hold, and can rest at the exchange if it is to.

    Raises:
        InvalidValue: it would be reached at once, or is worth less there than the venue takes.
    """
    instrument, price = offer.instrument, offer.price
    stop = at_entry(plan, price, Direction.LONG, instrument.tick).stop
    trailing = ExitPlan(trailing_stop=plan.trailing_stop)
    trailed = at_entry(trailing, price, Direction.LONG, instrument.tick).stop
    last = price if offer.limit is not None else min(price, offer.last)
    for level, market in ((stop, last), (trailed, price)):
        if level is not None and level >= market:
            raise InvalidValue(
                f"{spec.symbol}: its stop, {plain(level)} on the venue's step of "
                f"{plain(instrument.tick)}, would be reached at once at {plain(market)}; widen it",
            )
    left = quantity * (1 - _FEE_MOST)
    if not spec.native_stop or stop is None or not instrument.is_dust(left, stop):
        return
    raise InvalidValue(
        f"{spec.symbol}: {plain(quantity)} {instrument.base} are worth too little at their stop of "
        f"{plain(stop)} for the venue's minimum of {plain(instrument.notional_min)} "
        f"{instrument.quote}; raise the bot's notional",
    )


_SHOWN: Final = Decimal("0.00000001")
# A venue may keep so much of what is bought as its fee.
_FEE_MOST: Final = Decimal("0.002")


class Allowance:
    """Sizes entries, and refuses those that pass a cap of the bot or of the account."""

    def __init__(
        self,
        login: Login,
        keepers: BySymbol[Keeper],
        journal: Journal,
        last_price: Callable[[Symbol], Decimal | None],
    ) -> None:
        self._login = login
        self._last_price = last_price
        self._keepers = keepers
        self._journal = journal
        self._caps = login.spec.caps
        self._alone = asyncio.Lock()
        # What the last entry of a bot was sized to cost; an order at the market does not say.
        self._asked: dict[BotName, Decimal] = {}
        shared = any(not isinstance(bot.notional, Amount) for bot in login.spec.bots)
        self._together = shared or self._caps is not None
        # What closed today, by position: when it did is the key to which day it belongs.
        self._closed: dict[PositionId, Position] = {}
        self._read: date | None = None  # for which day
        # What had been realized when a day began, of what was open then.
        self._before: dict[PositionId, tuple[date, Decimal]] = {}
        self._reading = asyncio.Lock()
        # The last word on what a day may lose, of each quote asset.
        self._words: dict[Asset, LossCapReached | LossCapLifted] = {}

    @asynccontextmanager
    async def turn(self, signal: Enter | Add) -> AsyncIterator[None]:
        """Let one entry at a time be decided and committed, if it matters what others do."""
        if self._together or not isinstance(signal.notional, Amount | None):
            async with self._alone:
                yield
        else:
            yield

    async def entry(
        self, spec: BotSpec, signal: Enter, tick: Tick, instrument: Instrument
    ) -> EntrySignal:
        """Return the entry that a signal means, on the venue's grid and within every cap.

        Raises:
            SignalRefused: it passes a cap; the message says which, and by what figures.
            InvalidValue: the venue takes no order of this size.
        """
        offer = _offer(spec, signal, tick, instrument)
        plan = signal.plan(spec.plan)
        stop = plan.stop_loss or plan.trailing_stop
        quantity = await self._quantity(spec, signal, offer, stop=stop)
        _check_stop(spec, plan, quantity, offer)
        return EntrySignal(
            quantity=quantity,
            plan=plan,
            direction=signal.direction,
            limit=offer.limit,
            immediate=offer.immediate,
            time_to_live=None if offer.immediate else signal.time_to_live,
            reason=signal.reason,
        )

    async def addition(
        self, spec: BotSpec, signal: Add, position: Position, tick: Tick, instrument: Instrument
    ) -> AddSignal:
        """Return the addition that a signal means; the caps hold with what is on already.

        Raises:
            SignalRefused: it passes a cap; the message says which, and by what figures.
            InvalidValue: the venue takes no order of this size.
        """
        offer = _offer(spec, signal, tick, instrument)
        level, price = position.levels.stop, offer.price
        if level is not None and level >= price:
            raise SignalRefused(f"at {plain(price)} it would be beyond its stop at {plain(level)}")
        stop = None if level is None else (price - level) / price
        return AddSignal(
            quantity=await self._quantity(spec, signal, offer, stop=stop, onto=position),
            limit=offer.limit,
            immediate=offer.immediate,
            time_to_live=None if offer.immediate else signal.time_to_live,
            reason=signal.reason,
        )

    async def _quantity(
        self,
        spec: BotSpec,
        signal: Enter | Add,
        offer: _Offer,
        *,
        stop: Decimal | None,
        onto: Position | None = None,
    ) -> Decimal:
        """Return how much is bought, if no cap forbids it beside what is held of it already."""
        quote, held = offer.instrument.quote, ZERO if onto is None else onto.held_cost
        size = spec.notional if signal.notional is None else signal.notional
        notional = await self._notional(spec, size, stop, quote, held)
        quantity = offer.instrument.size(notional, offer.price)
        check_order(
            spec.limits,
            symbol=spec.symbol,
            quantity=quantity,
            price=offer.price,
            last=offer.last,
            held=held,
        )
        cost = quantity * offer.price
        if self._caps is not None:
            self._refuse_unpriced(quote)
            await self._refuse_loss(quote)
            check_caps(self._caps, self._standing(quote), cost, adds=onto is not None)
        keeper = self._keepers.get(spec.bot)
        if keeper is None or keeper.position.lane(Lane.ENTRY) is None:
            self._asked[spec.bot] = cost  # else it will be refused, and another one is out
        return quantity

    async def _notional(
        self, spec: BotSpec, size: Size, stop: Decimal | None, quote: Asset, held: Decimal
    ) -> Decimal:
        if isinstance(size, Amount):
            return size.notional
        found = notional_of(size, funds=await self._funds(quote), stop=stop)
        # What grows with the account grows up to the caps; a figure that passes them is refused.
        room = max(spec.limits.position_notional - held, ZERO)
        return min(found, spec.limits.order_notional, room)

    async def _funds(self, quote: Asset) -> Funds:
        """Ask what there is; entries of which the exchange has not said a word are taken off.

        Raises:
            SignalRefused: it does not answer.
        """
        # Before the question: what is acknowledged now is not free in the answer any more.
        unsure = sum(
            (
                committed(position.orders, self._most(position), unsure=True)
                for position in self._positions(quote)
            ),
            ZERO,
        )
        try:
            holding = await self._login.exchange.holding(quote)
        except ReadFailed as error:
            if isinstance(error, Banned):
                await self._login.note_ban(error.until)
            raise SignalRefused(f"what is free is not known: {error}") from error
        held = sum((position.held_cost for position in self._positions(quote)), ZERO)
        free = holding.free - unsure
        return Funds(free=free, total=holding.free + holding.locked + held)

    # The account's caps --------------------------------------------------------------------------

    def _positions(self, quote: Asset) -> list[Position]:
        kept = [p for keeper in self._keepers.values() for p in keeper.positions]
        return [position for position in kept if position.quote == quote]

    def _most(self, position: Position) -> Decimal:
        """Return what an entry at the market costs about; from before a restart, at this price.

        Raises:
            SignalRefused: it has no price yet.
        """
        asked, entry = self._asked.get(position.bot), position.lane(Lane.ENTRY)
        if asked is not None:
            return asked
        if entry is None or entry.limit is not None:
            return ZERO
        return entry.quantity * self._price(position.symbol)

    def _price(self, symbol: Symbol) -> Decimal:
        price = self._last_price(symbol)
        if price is None:
            raise SignalRefused(f"{symbol} has no price yet, so what is on is not known")
        return price

    def _standing(self, quote: Asset) -> Standing:
        """Return what is on now: at cost, with what entries that are not over may still add."""
        exposure, count = ZERO, 0
        for position in self._positions(quote):
            ahead = committed(position.orders, self._most(position))
            exposure += position.held_cost + ahead
            count += bool(position.quantity or ahead) and position.state is not State.CLOSED
        return Standing(exposure=exposure, positions=count, quote=quote)

    def note(self, position: Position) -> None:
        """Hear of a position that changed: what it closed with belongs to a day."""
        capped = self._caps is not None and self._caps.daily_loss is not None
        if capped and position.closed_at is not None:
            self._closed[position.position_id] = position

    async def refusal(self, quote: Asset) -> str | None:
        """Return why the loss of the day lets nothing be entered, or None: also what rests."""
        try:
            await self._refuse_loss(quote)
        except SignalRefused as refused:
            return str(refused)
        return None

    async def _refuse_loss(self, quote: Asset) -> None:
        """Refuse entries for the rest of a day (UTC) that has lost as much as it may.

        What is open and stands worse than it was bought may be lost too: entries wait for it.
        """
        most = None if self._caps is None else self._caps.daily_loss
        if most is None:
            return
        now, lost = self._login.now(), await self.lost_today(quote)
        word = self._words.get(quote)
        today = word is not None and word.at.date() == now.date()
        forgiven = word.lost if today and isinstance(word, LossCapLifted) else ZERO
        stopped = today and isinstance(word, LossCapReached)
        cap = f"(cap daily_loss {plain(most)})"
        if not stopped and lost - forgiven < most:
            ahead, counted = self._open_loss(quote)
            if lost - forgiven + ahead >= most:
                raise SignalRefused(
                    f"the account has lost {_cents(lost)} {quote} today, and {_cents(ahead)} more "
                    f"would be lost by what is open{counted} {cap}; entries go on when that is "
                    f"less",
                )
            return
        if not stopped:
            reached = LossCapReached(
                at=now, account=self._login.name, quote=quote, lost=lost, cap=most
            )
            self._words[quote] = reached
            await self._login.note(reached)
            self._login.log.error("loss cap reached", lost=_cents(lost), cap=plain(most))
        raise SignalRefused(
            f"the account has lost {_cents(lost)} {quote} today {cap}; entries go on tomorrow, "
            f"UTC, or after: surefoot lift {self._login.name}",
        )

    def _refuse_unpriced(self, quote: Asset) -> None:
        """Refuse entries while nobody knows what is open would lose: at a start, for a moment."""
        if self._caps is not None and self._caps.daily_loss is not None:
            for position in self._open(quote):
                if not self._is_halted(position.symbol):
                    self._price(position.symbol)

    def _open_loss(self, quote: Asset) -> tuple[Decimal, str]:
        """Return what is open would lose at the last prices, and what of it has none.

        What would win pays for nothing. What is not traded may never have a price again: it counts
        as worth nothing, or one such holding would keep everybody out for ever.
        """
        losses, halted = ZERO, set[Symbol]()
        for position in self._open(quote):
            price = self._last_price(position.symbol)
            if price is None and self._is_halted(position.symbol):
                halted.add(position.symbol)
                price = ZERO
            if price is not None:
                losses += max(ZERO, -position.unrealized_pnl(price))
        names = ", ".join(sorted(halted))
        return (
            losses,
            f" ({names} at its cost: it is not traded and has no price)" if halted else "",
        )

    def _open(self, quote: Asset) -> list[Position]:
        kept = self._positions(quote)
        return [each for each in kept if each.quantity and each.state is not State.CLOSED]

    def _is_halted(self, symbol: Symbol) -> bool:
        return not self._login.exchange.is_trading(symbol)

    async def lost_today(self, quote: Asset) -> Decimal:
        """Return what trades of today (UTC) have lost, wins taken off; negative if they won."""
        now = self._login.now()
        closed = await self._closed_today(now)
        today = [p for p in closed.values() if p.closed_at and p.closed_at.date() == now.date()]
        going_on = [p for p in self._positions(quote) if p.state is not State.CLOSED]
        lost = ZERO
        for position in (p for p in (*today, *going_on) if p.quote == quote):
            lost -= position.realized_pnl - await self._realized_before(position, now)
        return lost

    async def _realized_before(self, position: Position, now: datetime) -> Decimal:
        """Return what a position had realized when the day began: it belongs to another one."""
        opened, today = position.opened_at, now.date()
        if opened is None or opened.date() >= today or not position.exited:
            return ZERO
        known = self._before.get(position.position_id)
        if known is None or known[0] != today:
            entries = entries_of(self._journal, position_stream(position.position_id))
            records = [e.record async for e in entries if e.record.at.date() < today]
            then = fold(r for r in records if isinstance(r, PositionRecord))
            known = (today, ZERO if then is None else then.realized_pnl)
            self._before = {k: each for k, each in self._before.items() if each[0] == today}
            self._before[position.position_id] = known
        return known[1]

    async def _closed_today(self, now: datetime) -> dict[PositionId, Position]:
        async with self._reading:
            # Another day forgets the one before; if the clock went back, that was one too early.
            if self._read is None or now.date() < self._read:
                await self._read_today(now)
            self._read = now.date()
        for name, position in tuple(self._closed.items()):
            if position.closed_at is not None and position.closed_at.date() < now.date():
                del self._closed[name]
        return self._closed

    async def _read_today(self, now: datetime) -> None:
        """Read what closed today before this process was born, also of bots that are no more."""
        self._words = await self._last_words(now)
        newest = {row.bot: row.position for row in await self._journal.bots()}
        newest |= {keeper.bot: keeper.position for keeper in self._keepers.values()}
        for bot, last in newest.items():
            for number in range(0 if last is None else last.number, 0, -1):
                position = await self._journal.position(position_id(bot, number))
                if position is None or position.closed_at is None:
                    continue
                if position.closed_at.date() < now.date():
                    break
                # A bot may have traded on another account since. What was heard is newer.
                if position.account == self._login.name:
                    self._closed.setdefault(position.position_id, position)

    async def _last_words(self, now: datetime) -> dict[Asset, LossCapReached | LossCapLifted]:
        """Read the last word of today on each quote asset."""
        stream, found = account_stream(self._login.name), list[Entry]()
        for kind in ("loss-cap-reached", "loss-cap-lifted"):
            entry = await self._journal.last(stream, kind)
            while entry is not None and entry.record.at.date() >= now.date():
                found.append(entry)
                entry = await self._journal.last(stream, kind, before=entry.sequence)
        in_order = [entry.record for entry in sorted(found, key=lambda entry: entry.sequence)]
        words = [r for r in in_order if isinstance(r, LossCapReached | LossCapLifted)]
        return {word.quote: word for word in words}

    async def lift(self, by: str, verdict: Callable[[str], Verdict]) -> Verdict:
        """Let entries in again today: from now on as much may be lost once more.

        What lets them in and the verdict are one commit: done again, it would be refused.

        Raises:
            InvalidValue: the day's loss stops nothing now.
        """
        async with self._alone:
            now = self._login.now()
            await self._closed_today(now)
            stopped = [
                word.quote
                for word in self._words.values()
                if isinstance(word, LossCapReached) and word.at.date() == now.date()
            ]
            if not stopped:
                raise InvalidValue(f"{self._login.name} has not reached its loss of a day")
            lifted = [
                LossCapLifted(
                    at=now,
                    account=self._login.name,
                    quote=quote,
                    lost=await self.lost_today(quote),
                    by=by,
                )
                for quote in stopped
            ]
            passed = " and ".join(f"{_cents(word.lost)} {word.quote}" for word in lifted)
            done = verdict(f"entries go on; {passed} lost so far today are let pass")
            async with self._login.appending(lifted) as appends:
                change = Change(at=now, appends=tuple(appends), verdicts=(done,))
                await self._journal.commit(change)
            self._words |= {word.quote: word for word in lifted}
        return done


def _cents(amount: Decimal) -> str:
    """Write a loss for people: averages of what was paid have no end; records have it all."""
    return plain(amount.quantize(_SHOWN))
