"""Who is kept: the bots of one account, what they hold, whether they run and may enter.

A bot that is configured has a keeper for its positions and a runner for its loop. One that cannot
run as configured, but holds something, is watched: nothing is ever added, stops and exits work.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from decimal import Decimal
from functools import partial
from typing import Any, Final, TypeAlias

from surefoot.core.account_records import Cause
from surefoot.core.errors import InvalidValue
from surefoot.core.identity import Origin
from surefoot.core.instrument import Instrument
from surefoot.core.position import Position, State
from surefoot.core.records import (
    FillBooked,
    OrderRefused,
    PositionRecord,
    PositionStarted,
    StateChanged,
)
from surefoot.core.reports import Grounds, SetBack, Shortage
from surefoot.core.sizing import Amount
from surefoot.core.values import ZERO, Asset, BotName, ClientOrderId, Symbol
from surefoot.engine.advisor import Advisor
from surefoot.engine.allowance import Allowance
from surefoot.engine.belief import terms_of, traded_lately
from surefoot.engine.by_symbol import BySymbol
from surefoot.engine.fitness import HeldElsewhere, bases_of, fitting
from surefoot.engine.keeper import Keeper
from surefoot.engine.limits import Limits
from surefoot.engine.listing import Listing
from surefoot.engine.login import Login
from surefoot.engine.lull import Lull
from surefoot.engine.questions import Questions
from surefoot.engine.runner import Runner
from surefoot.engine.specs import BotSpec, Pair
from surefoot.engine.staged import position_id
from surefoot.engine.statuses import Statuses
from surefoot.engine.supervision import Supervision, Work
from surefoot.engine.turnstile import Turnstile
from surefoot.engine.voice import say_outcome, say_record
from surefoot.engine.windows import Windows
from surefoot.exchange.errors import Misconfigured
from surefoot.journal.errors import JournalError
from surefoot.journal.port import Journal, Setback, position_stream

# With many bots, say now and then how far loading has come.
PROGRESS_EVERY: Final = 25
# What a position is that was told of a setback, or that began after it.
_AFTER_SETBACK: Final = ("position-set-back", "position-started")
# Why an order is refused that was sized under filters of once.
_MISFITS: Final = frozenset({Grounds.FILTER, Grounds.TOO_SMALL})
LEFT_OVER: Final = "it is not in the configuration any more"
NOTHING: Final = Limits(
    order_notional=ZERO,
    position_notional=ZERO,
    orders_per_minute=0,
    price_band=ZERO,
)

# What each bot has.
_Found: TypeAlias = dict[BotName, list[Position]]
# Makes a bot's strategy, with what it remembers; None for a bot without one.
MakeAdvisor: TypeAlias = Callable[[BotName, dict[str, Any]], Awaitable[Advisor | None]]


class Roster:
    """The bots of one account. Hears of every durable record of their positions."""

    def __init__(
        self,
        login: Login,
        *,
        journal: Journal,
        make_advisor: MakeAdvisor,
        questions: Questions,
        supervision: Supervision,
    ) -> None:
        self.login = login
        self.keepers: BySymbol[Keeper] = BySymbol(lambda keeper: keeper.symbol)
        self.runners: BySymbol[Runner] = BySymbol(lambda runner: runner.spec.symbol)
        self.windows = Windows(login, self.runners)
        self.allowance = Allowance(login, self.keepers, journal, self._last_price)
        self._listing = Listing(login, self.keepers, supervision)
        # Bots that cannot run as configured, and why: what they hold is watched.
        self.unfit: dict[BotName, str] = {}
        # What bots of this account trade: nobody else may pay with it.
        self._traded: dict[Asset, BotName] = {}
        # Those of them that still have something on another account, and nothing here.
        self._waiting: dict[BotName, BotSpec] = {}
        self.statuses = Statuses(journal, login.now, login.log)
        self._journal = journal
        self._make_advisor = make_advisor
        self._questions = questions
        self._turnstile = Turnstile()
        self._supervision = supervision
        self.admits = False
        self._driven: set[BotName] | None = None
        self._watched: set[BotName] = set()

    @property
    def bots(self) -> tuple[BotName, ...]:
        """Return every bot, configured or left over."""
        return tuple(dict.fromkeys([*self.configured, *self.keepers]))

    @property
    def configured(self) -> tuple[BotName, ...]:
        """Return every bot that is to trade here."""
        return tuple(bot.bot for bot in self.login.spec.bots)

    @property
    def positions(self) -> tuple[Position, ...]:
        """Return every position that is kept, of every bot."""
        return tuple(each for keeper in self.keepers.values() for each in keeper.positions)

    @property
    def busy(self) -> list[Keeper]:
        """Return who has anything that time could change: all that looks must cost nothing else."""
        return [keeper for keeper in self.keepers.values() if not keeper.idle]

    @property
    def symbols(self) -> tuple[Symbol, ...]:
        """Return the symbols of every position that is kept."""
        return self.keepers.symbols

    @property
    def heard(self) -> tuple[tuple[Symbol, ...], tuple[Pair, ...]]:
        """Return of which symbols prices and candles are listened to: also for who waits to run."""
        specs = [*self._waiting.values(), *(runner.spec for runner in self.runners.values())]
        symbols = {*self.symbols, *(spec.symbol for spec in self._waiting.values())}
        return tuple(sorted(symbols)), tuple(sorted({p for spec in specs for p in spec.pairs}))

    def waits(self, bot: BotName) -> bool:
        """Tell whether a bot could run here, once what it has on another account is closed."""
        return bot in self._waiting

    def _last_price(self, symbol: Symbol) -> Decimal | None:
        prices = (runner.last_price for runner in self.runners.of(symbol))
        return next((price for price in prices if price is not None), None)

    def find(self, position: str) -> tuple[Keeper, Position] | None:
        """Return the keeper of a position, and the position."""
        for keeper in self.keepers.values():
            for each in keeper.positions:
                if each.position_id == position:
                    return keeper, each
        return None

    # What keepers say ----------------------------------------------------------------------------

    def recorded(self, position: Position, records: Sequence[PositionRecord]) -> None:
        """Hear of durable records: say them, and show fills to the strategy."""
        self.allowance.note(position)
        for record in records:
            say_record(self.login.log, position, record)
            if isinstance(record, StateChanged) and record.target is State.CLOSED:
                say_outcome(self.login.log, position)
            runner = self.runners.get(position.bot)
            if isinstance(record, FillBooked) and runner is not None:
                runner.offer(record.fill)
            if isinstance(record, OrderRefused) and record.grounds in _MISFITS:
                self._listing.doubt()

    def urge(self, client_order_id: ClientOrderId) -> None:
        """Ask the exchange about an order soon."""
        self._questions.urge(client_order_id, self.login.clock.monotonic())

    async def refit(self) -> None:
        """Read the venue's filters again, unless that was done just now."""
        await self._listing.settle()

    # Who may enter -------------------------------------------------------------------------------

    def admit(self) -> None:
        """Let bots enter that run: everything is known."""
        self.admits = True

    def refusal(self, bot: BotName) -> str | None:
        """Return why a bot may not enter now, or None if it may."""
        if not self.admits:
            return "recovery has not finished"
        keeper = self.keepers.get(bot)
        frozen = next((p for p in keeper.positions if p.frozen), None) if keeper else None
        if frozen is not None:
            return f"{frozen.position_id} is frozen: {frozen.frozen}"
        return self.statuses.refusal(bot)

    async def review(self, bot: BotName, reason: str, cause: Cause = Cause.STRATEGY) -> None:
        """Take one bot out of entering, and say why."""
        await self.statuses.review(bot, reason, cause)

    async def review_all(self, reason: str, cause: Cause) -> None:
        """Take every bot of this account out of entering, and say why."""
        self.admits = False
        await self.statuses.load()
        for bot in self.bots:
            await self.review(bot, reason, cause)

    # Loops ---------------------------------------------------------------------------------------

    def watch(self, symbol: Symbol) -> None:
        """Honour the levels of the bots on a symbol from now on: what they hold is proven."""
        for runner in self.runners.of(symbol):
            if runner.spec.bot not in self._watched:
                self._watched.add(runner.spec.bot)
                self._keep(f"levels of {runner.spec.bot}", runner, runner.protect)

    def drive(self) -> None:
        """Ask every bot's strategy from now on, once; also of those that have come since."""
        fresh = {bot: each for bot, each in self.runners.items() if bot not in (self._driven or ())}
        if self._driven is None:
            self._supervision.keep("what may be traded", self._listing.keep)
            self._supervision.keep("candles", self.windows.keep)
            self._supervision.keep("overdue candles", self.windows.look)
            lull = Lull(self.login, self.runners, self._journal, self.allowance)
            self._supervision.keep("lull", lull.keep)
        else:
            self.windows.open(fresh.values())
        self._driven = {*self.runners}
        for bot, runner in fresh.items():
            self._keep(f"bot {bot}", runner, runner.advise)

    def _keep(self, name: str, runner: Runner, work: Work) -> None:
        self._supervision.keep(name, work, failed=partial(self._loop_failed, runner))

    async def _loop_failed(self, runner: Runner, why: str) -> None:
        """Let a mistake in a bot's loop cost this bot its entries, and nobody else a thing."""
        runner.mute()
        await self.review(runner.spec.bot, f"its loop failed: {why}")

    async def revive(self, bot: BotName) -> None:
        """Give a bot whose strategy had failed a fresh one, with the memory that is durable.

        Raises:
            InvalidValue: it has no loop that could run as configured, or no strategy.
        """
        runner = self.runners.get(bot)
        why = self.unfit.get(bot)
        if why is not None or runner is None:
            why = why or "it has not been loaded"
            raise InvalidValue(f"{bot} cannot run: {why}; mend the configuration, start again")
        if runner.muted:
            memory = await self._journal.memory(bot)
            runner.hear(await self._make_advisor(bot, memory))

    async def stop(self) -> None:
        """Write down what strategies remember, and ask them nothing any more."""
        for runner in self.runners.values():
            with suppress(JournalError):
                await runner.checkpoint()
            runner.mute()

    # Loading -------------------------------------------------------------------------------------

    async def load(self) -> None:
        """Load the positions of every bot, once; one that cannot be loaded is put into review."""
        await self.statuses.hear(self._waiting)
        if self.keepers:
            self._listing.adopt()
            await self._load_waiting()
            return
        found, elsewhere = await self._found()
        specs = self.login.spec.bots
        held = (each for positions in found.values() for each in positions)
        self._traded = bases_of(specs, self.login.exchange, held)
        await self.statuses.load(dict.fromkeys([*(each.bot for each in specs), *found]))
        for number, spec in enumerate(specs, start=1):
            if number % PROGRESS_EVERY == 0:
                self.login.log.info(
                    "recovery step", done="loading bots", bots=number, of=len(specs)
                )
            await self._load_or_watch(spec, found.pop(spec.bot, []), elsewhere.get(spec.bot, []))
        for bot, positions in found.items():
            await self._watch(bot, positions, LEFT_OVER)
        await self._recall_trades()
        if (setback := self._journal.setback) is not None:
            await self._heed(setback)

    async def _recall_trades(self) -> None:
        for symbol, at in (await traded_lately(self._journal, self.login.now())).items():
            for keeper in self.keepers.of(symbol):
                keeper.recall_trade(at)

    async def _load_waiting(self) -> None:
        """Load those whose position on another account may be closed by now."""
        if not self._waiting:
            return
        found, elsewhere = await self._found()
        for bot, spec in tuple(self._waiting.items()):
            await self._load_or_watch(spec, found.get(bot, []), elsewhere.get(bot, []))

    async def _load_or_watch(
        self, spec: BotSpec, positions: list[Position], elsewhere: Sequence[Position]
    ) -> None:
        """Load a bot; if it cannot run as configured, what it holds is watched."""
        self._waiting.pop(spec.bot, None)
        self.unfit.pop(spec.bot, None)
        try:
            await self._load(spec, positions, elsewhere)
        except Misconfigured as error:
            waits = isinstance(error, HeldElsewhere)
            await self._watch(spec.bot, positions, str(error), waits=waits)
            if waits and spec.bot not in self.keepers:
                self._waiting[spec.bot] = spec

    async def _heed(self, setback: Setback) -> None:
        """Believe in no holding of a journal that went back in time, before it is proven."""
        for keeper in self.keepers.values():
            for position in keeper.positions:
                if position.state is State.CLOSED:
                    continue
                stream = position_stream(position.position_id)
                known = [await self._journal.last(stream, kind) for kind in _AFTER_SETBACK]
                if all(each is None or each.sequence <= setback.sequence for each in known):
                    await keeper.tell(SetBack(reason=setback.why), position_id=position.position_id)

    async def _found(self) -> tuple[_Found, _Found]:
        """Return what bots have on this account, and what they have on others."""
        here, elsewhere = _Found(), _Found()
        for position in await self._journal.unsettled(self.login.now()):
            found = here if position.account == self.login.name else elsewhere
            found.setdefault(position.bot, []).append(position)
        return here, elsewhere

    async def _load(
        self, spec: BotSpec, positions: list[Position], elsewhere: Sequence[Position]
    ) -> None:
        instrument = fitting(spec, self.login.exchange, positions, elsewhere, self._traded)
        current = positions[-1] if positions else None
        if current is not None and current.symbol != spec.symbol:
            current = None
        if current is not None and any(each.number > current.number for each in elsewhere):
            # It has been on another account since: the number after this one is taken.
            if current.needs_watching:
                raise Misconfigured(f"{current.position_id} is {current.state}; close it first")
            await self._let_go(spec.bot, [current])
            positions, current = positions[:-1], None
        # What was settled in a former symbol is history; this one's terms do not fit it.
        await self._let_go(spec.bot, [p for p in positions if p.symbol != spec.symbol])
        positions = [position for position in positions if position.symbol == spec.symbol]
        if current is None:
            positions = [*positions, await self._start(spec, instrument)]
        self.keepers[spec.bot] = self._keeper(spec.bot, positions, instrument, spec)
        memory = await self._journal.memory(spec.bot)
        runner = self._runner(spec, await self._make_advisor(spec.bot, memory))
        if self.statuses.has_failed(spec.bot):
            runner.mute()  # What failed before a restart is not asked again by itself.
        self.runners[spec.bot] = runner

    async def _start(self, spec: BotSpec, instrument: Instrument) -> Position:
        """Give a bot its first position, or its first in a new symbol."""
        before = await self._journal.positions(bot=spec.bot)
        number = before[-1].number + 1 if before else 1
        record = PositionStarted(
            at=self.login.now(),
            position_id=position_id(spec.bot, number),
            bot=spec.bot,
            account=spec.account,
            symbol=spec.symbol,
            base=instrument.base,
            quote=instrument.quote,
            number=number,
        )
        await self.statuses.begin(spec.bot, record)
        (*_, started) = await self._journal.positions(bot=spec.bot)
        return started

    async def _watch(
        self, bot: BotName, positions: list[Position], reason: str, *, waits: bool = False
    ) -> None:
        """Keep what a bot that cannot run still holds: watched, and never added to.

        Nobody has to look at one that is gone, and of which only a NEVER is still looked for. One
        that `waits` with nothing to watch is loaded by the next recovery, others by the next start.
        """
        awaited = [p for p in positions if p.is_awaited(self.login.now())]
        held = [position for position in awaited if position.needs_watching]
        gone = reason is LEFT_OVER
        if not awaited and gone:
            await self._let_go(bot, positions)
            return
        # Without that, its dust is still its own, for the day on which it can run again.
        kept = awaited or [p for p in positions if p.claim > ZERO]
        if kept:
            symbol = (held or kept)[-1].symbol
            positions = [p for p in kept if p.symbol == symbol]
            reason = f"{reason}; what it holds is still watched"
            try:
                instrument = self.login.exchange.instrument(positions[-1].symbol)
            except Misconfigured as error:
                reason = f"{reason}, but {error}"
            else:
                self.keepers[bot] = self._keeper(bot, positions, instrument, None)
                self.runners[bot] = self._runner(self._watching(bot, positions[-1]), None)
        self.unfit[bot] = reason
        if held or not gone:
            unfit = not waits or bot in self.keepers
            await self.review(bot, reason, Cause.UNFIT if unfit else Cause.CONFIGURATION)

    async def _let_go(self, bot: BotName, positions: Sequence[Position]) -> None:
        """Leave dust to the owner of the account, if no position will ever sell it."""
        for position in positions:
            if position.state is not State.FLAT or not position.claim or position.entered:
                continue
            try:
                instrument = self.login.exchange.instrument(position.symbol)
            except Misconfigured:
                continue  # It is not traded here any more; nobody else claims it either.
            keeper = self._keeper(bot, [position], instrument, None)
            why = f"{bot} trades {position.symbol} no more, so it is yours"
            await keeper.tell(Shortage(missing=position.claim, evidence=why))

    def _watching(self, bot: BotName, position: Position) -> BotSpec:
        """Return the orders of a loop without a strategy: what is held is watched."""
        return BotSpec(
            bot=bot,
            account=self.login.name,
            symbol=position.symbol,
            notional=Amount(notional=ZERO),
            plan=position.plan,
            native_stop=True,
            limits=NOTHING,
        )

    def _keeper(
        self,
        bot: BotName,
        positions: list[Position],
        instrument: Instrument,
        spec: BotSpec | None,
    ) -> Keeper:
        terms = terms_of(
            self.login.spec,
            spec,
            instrument=instrument,
            venue=self.login.exchange.venue,
            origin=Origin(
                epoch=self._journal.epoch,
                generation=self._journal.generation,
                account=self.login.name,
            ),
        )
        return Keeper(
            bot=bot,
            positions=positions,
            terms=terms,
            journal=self._journal,
            dispatch=self.login.dispatch,
            capacity=self.login.capacity,
            now=self.login.now,
            attend=self._supervision.attend,
            listener=self,
        )

    def _runner(self, spec: BotSpec, advisor: Advisor | None) -> Runner:
        return Runner(
            spec=spec,
            keeper=self.keepers[spec.bot],
            allowance=self.allowance,
            advisor=advisor,
            turnstile=self._turnstile,
            journal=self._journal,
            clock=self.login.clock,
            now=self.login.now,
            gate=partial(self.refusal, spec.bot),
            review=partial(self.review, spec.bot),
            log=self.login.log,
        )
