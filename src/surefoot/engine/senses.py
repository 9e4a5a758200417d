"""What is noticed of one account: answers, streams and prices, and since when they are missing.

Whoever listens or asks notes it here; nothing is concluded here, and nothing is durable. The
beginning of a trouble is kept, and its end forgets it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import datetime, timedelta

from surefoot.core.evidence import Lingering, Orphan
from surefoot.core.health import Circumstances, Trouble
from surefoot.core.stuck import Stuck, StuckKind
from surefoot.core.values import Symbol
from surefoot.engine.gathered import Gathered


class Senses:
    """The newest of everything; before the first word of a stream it counts as down."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._silent: Trouble | None = None
        self._answered_at: datetime | None = None
        self._halted: str | None = None
        self.recovered_at: datetime | None = None
        self._progress: str | None = None
        self._streams: dict[str, Trouble | None] = {}
        self._unproven: dict[Symbol, datetime] = {}
        self._unweighed: dict[Symbol, datetime] = {}
        self._priced: dict[Symbol, datetime] = {}
        self._orphans: dict[Symbol, dict[str, Lingering]] = {}
        self._lingered: dict[str, datetime] = {}
        # Symbols that the market stream has told of since it is up: no news is no change.
        self._alive: set[Symbol] = set()
        self._told: dict[Symbol, datetime] = {}
        self.attempt = 0
        self.next_try: datetime | None = None

    def circumstances(
        self, banned_until: datetime | None, held: Collection[Symbol]
    ) -> Circumstances:
        """Return all of it at this moment; prices matter of what is held."""
        return Circumstances(
            recovered=self.recovered_at is not None,
            progress=self._progress,
            halted=self._halted,
            banned_until=banned_until,
            silent=self._silent,
            account_stream=self._streams.get("account"),
            market_stream=self._streams.get("market"),
            unproven=dict(self._unproven),
            unpriced=self.unpriced(held),
            unweighed=dict(self._unweighed),
        )

    # Recovery ------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Note that somebody tries again: what was halted is looked at anew."""
        self._halted = None

    def fail(self, why: str, *, attempt: int = 0, next_try: datetime | None = None) -> None:
        """Note that nothing was answered, which try that was, and when the next one is."""
        self.attempt, self.next_try = attempt, next_try
        if self._silent is None:
            self._silent = Trouble(since=self._now(), why=why)

    def answer(self) -> None:
        """Note that something was answered."""
        self._silent, self._answered_at = None, self._now()
        self.attempt, self.next_try = 0, None

    def come_so_far(self, progress: str) -> None:
        """Note how far a start has come."""
        self._progress = progress

    def recover(self) -> None:
        """Note that everything is known."""
        self.answer()
        self.recovered_at = self.recovered_at or self._now()

    def halt(self, why: str) -> None:
        """Note that nothing goes on before a person has acted."""
        self._halted = why

    def resume(self, stuck: Stuck) -> None:
        """Take up what was missing before a restart: it is missing until it is there."""
        if stuck.kind is StuckKind.READ_UNPROVEN:
            self._unproven[stuck.symbol] = stuck.since
        elif stuck.kind is StuckKind.HOLDING_UNWEIGHED:
            self._unweighed[stuck.symbol] = stuck.since
        elif stuck.kind is StuckKind.PRICE_STALE:
            self._priced[stuck.symbol] = stuck.since
        elif stuck.kind is StuckKind.CANCEL_UNFINISHED and stuck.bot is None:
            self._lingered[stuck.subject] = stuck.since

    # Reads ---------------------------------------------------------------------------------------

    def gather(self, gathered: Gathered, *, whole: Symbol | None) -> None:
        """Note how a round of reading went; `whole` is the symbol of which it read everything.

        Trades that it left for later, because they could prove nothing yet, are no failed read.
        """
        evidence = gathered.evidence
        answers = (evidence.open_orders, evidence.looked_up, evidence.windows)
        if not gathered.failures or evidence.balances is not None or any(answers):
            self.answer()
        elif self._answered_at is None or self._answered_at < evidence.started_at:
            # While this was asked in vain, nobody else was answered either.
            self.fail(gathered.failures[0])
        for symbol in gathered.unread:
            self._unproven.setdefault(symbol, self._now())
        if whole is not None:
            window = evidence.windows.get(whole)
            if whole not in gathered.unread and (window is None or window.complete):
                self._unproven.pop(whole, None)
            else:
                self._unproven.setdefault(whole, self._now())

    def is_proven(self, symbol: Symbol) -> bool:
        """Tell whether the last round that read all of a symbol succeeded."""
        return symbol not in self._unproven

    def leave_unweighed(self, symbols: Iterable[Symbol]) -> None:
        """Note that what is there of an asset is not what it was, and not yet explained."""
        self._unweighed = dict.fromkeys(symbols, self._now()) | self._unweighed

    def weigh(self, symbols: Iterable[Symbol]) -> None:
        """Note that it is known what the balance of an asset means."""
        for symbol in symbols:
            self._unweighed.pop(symbol, None)

    @property
    def orphans(self) -> tuple[Lingering, ...]:
        """Return the orphans that the last reads have shown."""
        return tuple(each for found in self._orphans.values() for each in found.values())

    def list_orphans(self, symbol: Symbol, found: Iterable[Orphan]) -> None:
        """Note all the orphans that a list of a symbol shows; those that are gone are forgotten."""
        before, now = self._orphans.get(symbol, {}), self._now()
        self._orphans[symbol] = {
            each.name: before.get(each.name)
            or Lingering(orphan=each, since=self._lingered.pop(each.name, now))
            for each in found
        }

    # Streams -------------------------------------------------------------------------------------

    def is_up(self, stream: str) -> bool:
        """Tell whether a stream is known to be up."""
        return stream in self._streams and self._streams[stream] is None

    def lose(self, stream: str, why: str) -> None:
        """Note that a stream broke, or still does not come up."""
        if stream == "market":
            self._priced |= dict.fromkeys(self._alive, self._now())
            self._alive.clear()
        if self._streams.get(stream) is None:
            self._streams[stream] = Trouble(since=self._now(), why=why)

    def regain(self, stream: str) -> None:
        """Note that a stream is up."""
        self._streams[stream] = None

    def price(self, symbol: Symbol, *, told: bool = True) -> None:
        """Note that a symbol has a price: the stream told it, or somebody had to ask."""
        self._priced[symbol] = self._now()
        if not told:
            self.answer()
        elif self.is_up("market"):
            self._alive.add(symbol)
            self._told[symbol] = self._now()

    def quiet(self, symbols: Iterable[Symbol], quiet_for: timedelta) -> dict[Symbol, datetime]:
        """Return what the stream is thought to tell of, of which no price came for so long."""
        now = self._now()
        alive = (symbol for symbol in symbols if symbol in self._alive)
        # What came later than now came before the clock went back, nobody knows how long ago.
        return {
            each: self._told[each]
            for each in alive
            if not now - quiet_for < self._priced[each] <= now
        }

    def mute(self, symbol: Symbol) -> None:
        """Note that the stream does not tell of a symbol, although it moves."""
        self._alive.discard(symbol)

    def unpriced(self, symbols: Iterable[Symbol]) -> dict[Symbol, datetime]:
        """Return which symbols have no live price, and since when; the start counts as one."""
        started = self.recovered_at or self._now()
        return {
            symbol: self._priced.get(symbol, started)
            for symbol in symbols
            if symbol not in self._alive
        }
