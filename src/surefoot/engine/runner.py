"""One bot, one loop: the market comes in, the strategy is asked, its signal is guarded.

Protection first: every price goes to the position before the strategy hears of it, so a strategy
that raises, blocks or lies can cost entries but never a stop. A signal becomes an input of the
core only after the guards: the bot is running, recovery is done, the market is fresh, no cap is
passed. Exits pass all guards that are about risk being added.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from surefoot.core.errors import InvalidValue, SignalRefused
from surefoot.core.instrument import Instrument
from surefoot.core.reports import Fill, PriceSeen
from surefoot.core.signals import AddSignal, EntrySignal, ExitSignal
from surefoot.core.values import Side
from surefoot.engine.advisor import Advisor, Glance
from surefoot.engine.allowance import Allowance
from surefoot.engine.clock import Clock
from surefoot.engine.keeper import Keeper
from surefoot.engine.limits import MINUTE, check_price, check_rate
from surefoot.engine.quotes import Quote
from surefoot.engine.specs import BotSpec, Pair, length_of
from surefoot.engine.turnstile import Turnstile
from surefoot.engine.voice import Log
from surefoot.exchange.port import Tick
from surefoot.journal.port import Change, Journal, Memory
from surefoot.journal.signs import Remark
from surefoot.strategy import Add, Candle, Candles, Enter, Exit, Signal
from surefoot.strategy.call import Hook
from surefoot.strategy.errors import StrategyFailed

# Candles and fills that wait for a slow strategy; more than this and the oldest are dropped, said.
INBOX_MAX: Final = 1_000
# With no tick younger than this the market is stale: no entries, exits as before.
STALE_AFTER: Final = timedelta(seconds=30)
# Memory that changed without a signal is written down at most this often.
MEMORY_EVERY_S: Final = 1.0
# The market price is noted this often, for whoever asks what a position is worth.
MARK_EVERY: Final = timedelta(seconds=5)
# The same refusal is said again only after this long.
REPEAT_AFTER_S: Final = 60.0
_FIGURES: Final = re.compile(r"[\d.]+")

# Shows candles of a symbol and time frame as they are now: so many, closed until then.
Look: TypeAlias = Callable[[Pair, int, datetime | None], tuple[Candles, Candle | None]]


class Heard(Struct, frozen=True, kw_only=True):
    """A candle that closed, and the window that ends with it."""

    candle: Candle
    window: Candles


News: TypeAlias = Heard | Fill


class Runner:
    """Drives one bot: protection in one loop, opinions in another."""

    def __init__(  # noqa: PLR0913 (the parts of one loop, wired once in roster.py)
        self,
        *,
        spec: BotSpec,
        keeper: Keeper,
        allowance: Allowance,
        advisor: Advisor | None,
        turnstile: Turnstile,
        journal: Journal,
        clock: Clock,
        now: Callable[[], datetime],
        gate: Callable[[], str | None],
        review: Callable[[str], Awaitable[None]],
        log: Log,
    ) -> None:
        self.spec = spec
        self.keeper = keeper
        self.refused = 0
        self._allowance = allowance
        self._advisor = advisor
        self._turnstile = turnstile
        self._journal = journal
        self._clock = clock
        self._now = now
        self._gate = gate
        self._review = review
        self._log = log
        self._tick: Tick | None = None
        self._live = False
        self._unseen: Quote | None = None
        # Every price that came was shown: one that nothing follows from need not be.
        self._at_ease = False
        self._news: list[News] = []
        self._priced = asyncio.Event()
        self._news_or_tick = asyncio.Event()
        # The newest candle that the strategy was shown, and the window that ended with it.
        self.candle_at = None if advisor is None else advisor.candle_at
        self._candles = Candles()
        self._look: Look | None = None
        self._begun = asyncio.Event()
        self._started: Advisor | None = None
        # When each kind of refusal was last said; two of them may alternate.
        self._refusals: dict[tuple[str, str], float] = {}
        self._marked_at: datetime | None = None
        self._said = Remark(bot=spec.bot)
        # Which cap of the account would refuse an entry, as of the last look.
        self._capped: str | None = None
        self._remembered = self._memory()
        self._remembered_at = 0.0

    def see(self, quote: Quote) -> None:
        """Take prices in: the positions are shown how far they went, the strategy the newest."""
        self._tick = quote.newest
        self._live = True
        self._note_mark(quote.newest)
        if not self._at_ease or not self.keeper.ignores(quote):
            self._at_ease = False
            self._unseen = quote if self._unseen is None else self._unseen.then(quote)
            self._priced.set()
        if self._advisor is not None and self._advisor.listens("on_tick"):
            self._news_or_tick.set()

    def offer(self, news: News) -> None:
        """Take in what the strategy wants to hear; all of it waits, up to a bound."""
        hook: Hook = "on_candle" if isinstance(news, Heard) else "on_fill"
        if self._advisor is None or not self._advisor.listens(hook):
            if isinstance(news, Heard):
                self.remember(news.window)
            return
        if len(self._news) >= INBOX_MAX:
            self._log.warning("news dropped", bot=self.spec.bot, waiting=len(self._news))
            self._news.pop(0)
        self._news.append(news)
        self._news_or_tick.set()

    def go_stale(self) -> None:
        """Forget that the market was fresh: its stream broke."""
        self._live = False

    def mute(self) -> None:
        """Ask the strategy nothing any more; what is held is still protected."""
        if self._advisor is not None:
            self._advisor.close()
        self._advisor = None

    @property
    def last_price(self) -> Decimal | None:
        """Return the newest price that it saw, however old."""
        return None if self._tick is None else self._tick.price

    @property
    def muted(self) -> bool:
        """Tell whether no strategy is asked."""
        return self._advisor is None

    def hear(self, advisor: Advisor | None) -> None:
        """Ask this strategy from now on."""
        self._advisor = advisor
        self._news_or_tick.set()

    def remember(self, window: Candles) -> None:
        """Take in what closed before anything is to be shown: the strategy may look back on it."""
        self._candles = window

    def begin(self, look: Look) -> None:
        """Ask the strategy from now on: what it looks back on is there."""
        if self._look is None:
            self._look = look
            self._begun.set()
            self._news_or_tick.set()

    async def protect(self) -> None:
        """Show the positions how far prices went, for ever; never waits for the strategy."""
        while True:
            self._at_ease = self._unseen is None
            await self._priced.wait()
            self._priced.clear()
            for tick in self._take_ticks():
                await self._show(PriceSeen(price=tick.level, at=tick.at))

    def _take_ticks(self) -> tuple[Tick, ...]:
        quote, self._unseen = self._unseen, None
        return () if quote is None else quote.ticks()

    def _note_mark(self, tick: Tick) -> None:
        """Note the price now and then, so that a reader can say what a position is worth."""
        if self._marked_at is None or abs(tick.at - self._marked_at) >= MARK_EVERY:
            self._marked_at = tick.at
            self._journal.gauges.price(self.spec.account, tick.symbol, tick.price, tick.at)

    async def _show(self, seen: PriceSeen) -> None:
        for position in self.keeper.positions:
            if position.quantity or position.unfinished is not None:
                await self.keeper.tell(seen, position_id=position.position_id)

    async def advise(self) -> None:
        """Ask the strategy, for ever, from the candles on that nobody has heard."""
        await self._begun.wait()
        told: Tick | None = None
        while True:
            await self._news_or_tick.wait()
            self._news_or_tick.clear()
            await self._start()
            while self._news:
                await self._hear(self._news.pop(0))
            if self._tick is None or self._tick is told:
                continue
            await self._turnstile.come()  # a price that comes meanwhile is the one to ask about
            told = self._tick
            if self._advisor is not None and self._advisor.listens("on_tick"):
                await self._ask(self._advisor.on_tick(told, self._glance()))

    async def _hear(self, news: News) -> None:
        if self._advisor is None:
            return
        if isinstance(news, Fill):
            await self._ask(self._advisor.on_fill(news, self._glance()))
            return
        candle = news.candle
        if self.candle_at is not None and candle.at <= self.candle_at:
            return
        self.candle_at, self._candles = candle.at, news.window
        closed = candle.at + length_of(candle.timeframe)
        # It closed so long ago that no opinion on it should be acted upon.
        late = self._now() - closed > STALE_AFTER
        await self._ask(self._advisor.on_candle(candle, self._glance(closed)), late=late)

    def _glance(self, until: datetime | None = None) -> Glance:
        """Return what the strategy is shown beside the event: of a candle, as it was at its end."""
        others: dict[tuple[str, str], Candles] = {}
        open_candle = None
        if self._look is not None:
            most = self.spec.history
            others = {pair: self._look(pair, most, until)[0] for pair in self.spec.others}
            if self.spec.timeframe is not None and until is None:
                _, open_candle = self._look((self.spec.symbol, self.spec.timeframe), 0, None)
        return Glance(
            position=self.keeper.position,
            now=self._now(),
            price=self.last_price,
            candles=self._candles,
            open_candle=open_candle,
            others=others,
        )

    async def _start(self) -> None:
        """Let a strategy that is new prepare itself, before anything else is asked of it."""
        if self._advisor is None or self._advisor is self._started:
            return
        self._started = self._advisor
        if self._advisor.listens("on_start"):
            await self._ask(self._advisor.on_start(self._glance()))

    async def _ask(self, answer: Awaitable[Signal | None], *, late: bool = False) -> None:
        try:
            signal = await answer
        except StrategyFailed as error:
            self.mute()
            self._log.error("strategy failed", bot=self.spec.bot, details=error.details or None)
            await self._review(str(error))
            return
        self._remark()
        if signal is not None and not late:
            await self._take(signal)
        await self._remember()

    @property
    def waits_for(self) -> str:
        """Return in one line what has to come before it does anything."""
        if self._advisor is None:
            return "an operator: its strategy is not asked"
        if not self._begun.is_set():
            return f"the last {self.spec.history} candles, which are not read yet"
        return self._gate() or self._capped or self._advisor.note or "a signal of its strategy"

    def hold_back(self, why: str | None) -> None:
        """Hear that a cap of the account lets nothing be entered now; None: it does."""
        self._capped = None if self.keeper.position.quantity else why
        self._remark()

    def _remark(self, *, refused: str | None = None) -> None:
        """Note what the strategy waits for, and why its last signal was refused, if that is new."""
        remark = replace(
            self._said,
            waits_for=None if self._advisor is None else self._capped or self._advisor.note,
        )
        if refused is not None:
            remark = replace(remark, refused=refused, refused_at=self._now())
        if remark != self._said:
            self._said = remark
            self._journal.gauges.remark(remark)

    async def _take(self, signal: Signal) -> None:
        try:
            if isinstance(signal, Exit):
                await self.keeper.tell(await self._exit(signal), memory=self._memory())
            else:
                await self._enter(signal)
        except (SignalRefused, InvalidValue) as error:
            self.refused += 1
            self._say_refused(signal, str(error))

    def _say_refused(self, signal: Signal, why: str) -> None:
        """Log a refusal, but not the same one again and again: strategies may ask every tick."""
        now = self._clock.monotonic()
        # Its figures change with every price, and it is the same refusal.
        kind = (type(signal).__name__, _FIGURES.sub("", why))
        said = self._refusals.get(kind)
        if said is None or now - said >= REPEAT_AFTER_S:
            self._refusals = {
                each: at for each, at in self._refusals.items() if now - at < REPEAT_AFTER_S
            }
            self._refusals[kind] = now
            self._remark(refused=f"{type(signal).__name__}: {why}")
            self._log.info(
                "signal refused",
                bot=self.spec.bot,
                signal=kind[0],
                why=why,
                refused=self.refused,
            )

    async def _enter(self, signal: Enter | Add) -> None:
        self._admitted()
        wanted_at = self._now()
        async with self._allowance.turn(signal):
            tick = self._admitted()
            wish = await self._sized(signal, tick)
            await self._check_rate()
            # Prices went on while it waited for others: they are not those that it was about.
            if self._now() - wanted_at > STALE_AFTER:
                raise SignalRefused("it waited too long for what is free to be known")
            # Admitted once more: what there is may have been asked for, which takes its time.
            await self.keeper.tell(wish, memory=self._memory(), admit=self._admitted)

    async def _sized(self, signal: Enter | Add, tick: Tick) -> EntrySignal | AddSignal:
        if isinstance(signal, Enter):
            return await self._allowance.entry(self.spec, signal, tick, self._instrument)
        onto = self.keeper.position
        return await self._allowance.addition(self.spec, signal, onto, tick, self._instrument)

    async def _check_rate(self, *, spare: int = 0) -> None:
        now = self._now()
        written = await self._journal.written(self.spec.bot, now - MINUTE)
        check_rate(self.spec.limits, written, now, spare=spare)

    async def _exit(self, signal: Exit) -> ExitSignal:
        # An impatient strategy makes as many orders by leaving as by entering. One is to spare, so
        # that the last entry that was allowed may be left.
        await self._check_rate(spare=1)
        limit = signal.limit
        if limit is not None:
            limit = self._instrument.price(limit, Side.SELL)
            if self._tick is not None:
                check_price(
                    self.spec.limits,
                    symbol=self.spec.symbol,
                    price=limit,
                    last=self._tick.price,
                )
        return ExitSignal(
            fraction=signal.fraction,
            limit=limit,
            time_to_live=signal.time_to_live,
            reason=signal.reason,
        )

    def _admitted(self) -> Tick:
        """Return the newest tick, if the bot may enter now and its own time is recent.

        When it was heard proves nothing.
        """
        tick = self._tick
        if tick is None or not self._live or abs(self._now() - tick.at) > STALE_AFTER:
            raise SignalRefused("no entry while market data is stale")
        reason = self._gate()
        if reason is not None:
            raise SignalRefused(reason)
        return tick

    @property
    def _instrument(self) -> Instrument:
        return self.keeper.standing.instrument

    def _memory(self) -> Memory | None:
        """Return what must survive: the strategy's memory, and the last candle it was shown."""
        if self._advisor is None:
            return None
        return Memory(bot=self.spec.bot, data=self._advisor.to_memory(self.candle_at))

    async def _remember(self) -> None:
        """Write memory down that changed without a signal, at most once a second."""
        if self._clock.monotonic() - self._remembered_at < MEMORY_EVERY_S:
            return
        await self.checkpoint()

    async def checkpoint(self) -> None:
        """Make what the strategy remembers durable now, if it changed."""
        self._remembered_at = self._clock.monotonic()
        memory = self._memory()
        if memory is not None and memory != self._remembered:
            self._remembered = memory
            await self._journal.commit(Change(at=self._now(), memories=(memory,)))
