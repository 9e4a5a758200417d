"""Recovery: the six steps, with patience. It runs the same lines as every later comparison.

    1 bind      the journal belongs to one account, and this must be it
    2 load      every bot's positions, from the records
    3 streams   up and buffering before anything is read
    4 compare   orders, then fills, then holdings; per position, until nothing more follows
    5 orphans   ours cancelled, foreign ones reported (or cancelled on an exclusive account)
    6 report    one record, also when nothing was to do and when it failed

An exchange that cannot be reached is tried again after 1, 2, 4 … 60 s. When patience ends, the
bots are put into review and the process lives on; `surefoot recover` tries again.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Final

from surefoot.core.errors import InvalidValue
from surefoot.core.identity import order_identity
from surefoot.core.instrument import Instrument
from surefoot.core.position import Position, State
from surefoot.core.records import (
    AccountBound,
    BanNoted,
    PositionStarted,
    RecoveryFinished,
    WatermarkMoved,
)
from surefoot.core.rules import Terms
from surefoot.core.values import AccountName, BotName, Symbol
from surefoot.crashpoint import crashpoint
from surefoot.engine.account import Account, Halted, outcomes
from surefoot.engine.books import Applied
from surefoot.engine.keeper import Keeper, position_id
from surefoot.engine.limits import MINUTE
from surefoot.engine.runner import length_of
from surefoot.engine.specs import BotSpec
from surefoot.engine.statuses import Status
from surefoot.exchange.errors import Banned, Misconfigured, ReadFailed
from surefoot.journal.port import account_stream

ROUNDS_MAX: Final = 5
BACK_OFF_MAX_S: Final = 60
# How often the reads of one symbol may fail before recovery goes on without its bots.
TRIES_PER_SYMBOL: Final = 3
# With many bots, say now and then how far loading has come.
PROGRESS_EVERY: Final = 25
LEFT_OVER: Final = "it is not in the configuration any more"
JITTER_S: Final = 0.25


class WrongAccount(InvalidValue):
    """The keys belong to another account than the journal does."""


class Recovery:
    """Brings one account from whatever the last process left behind to a known state."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._log = account.log
        self._before: dict[str, Position] = {}
        self._restarted = 0
        self._tries = 0
        self._unreadable: dict[BotName, str] = {}

    async def patiently(self) -> bool:
        """Recover, trying again while the exchange cannot be reached; False after giving up.

        Raises:
            WrongAccount: the keys belong to another account; nothing was touched.
        """
        self._account.recovering = True
        try:
            return await self._patiently()
        finally:
            self._account.recovering = False

    async def _patiently(self) -> bool:
        started = self._account.clock.monotonic()
        attempt = 0
        while True:
            try:
                await self.once()
            except (Halted, Misconfigured) as error:
                await self._give_up(str(error), started)
                return False
            except ReadFailed as error:
                attempt += 1
                wait = await self._wait(error, attempt)
                waited = self._account.clock.monotonic() - started
                if waited + wait > self._account.spec.give_up_after.total_seconds():
                    await self._give_up(f"the exchange cannot be reached: {error}", started)
                    return False
                self._log.warning(
                    "exchange unreachable",
                    attempt=attempt,
                    retry_in_s=round(wait),
                    why=str(error),
                )
                await self._account.clock.sleep(wait + JITTER_S * self._account.clock.jitter())
            else:
                return True

    async def _wait(self, error: ReadFailed, attempt: int) -> float:
        if not isinstance(error, Banned):
            return float(min(2 ** (attempt - 1), BACK_OFF_MAX_S))
        account = self._account
        await account.books.note(
            BanNoted(at=account.exchange.now(), account=account.spec.account, until=error.until),
        )
        return max(1.0, (error.until - account.exchange.now()).total_seconds())

    async def once(self) -> None:
        """Go through the six steps once."""
        account = self._account
        started = account.clock.monotonic()
        asked = account.exchange.spending()
        await self._heed_ban()
        await account.exchange.connect()
        await bind(account)
        self._step("bound to the account")
        crashpoint("recovery.after-bind")
        await load(account)
        self._step("bots loaded", bots=len(account.keepers))
        self._before = {p.position_id: p for p in account.books.positions()}
        crashpoint("recovery.after-load")
        await account.start_streams()
        self._step("streams connected")
        await self._first_watermarks()
        total = await self._rounds()
        self._step("compared with the exchange", records=total.records)
        crashpoint("recovery.before-report")
        await self._start_bots()
        account.recovered = True
        spent = account.exchange.spending()
        await self._report(
            "complete" if not account.statuses.in_review() else "partial",
            total,
            requests=spent.requests - asked.requests,
            weight=spent.weight - asked.weight,
            seconds=account.clock.monotonic() - started,
        )
        crashpoint("recovery.after-report")

    def _step(self, done: str, **facts: int) -> None:
        self._log.info("recovery step", done=done, **facts)

    async def _heed_ban(self) -> None:
        """Keep a ban that was noted before this process was born."""
        account = self._account
        entry = await account.journal.last(account_stream(account.spec.account), "ban-noted")
        if entry is None or not isinstance(entry.record, BanNoted):
            return
        until = entry.record.until
        if account.exchange.now() < until:
            account.exchange.note_ban(until)
            raise Banned(until, "the exchange asked us to stay away")

    async def _first_watermarks(self) -> None:
        """Start reading fills at the newest one there is, before anything of ours can follow."""
        account = self._account
        moves: list[WatermarkMoved] = []
        unread: dict[Symbol, str] = {}
        for symbol in account.symbols:
            try:
                moves += await self._first_watermark(symbol)
            except Banned:
                raise
            except ReadFailed as error:
                unread[symbol] = str(error)
        if unread:
            self._go_on_without(frozenset(unread), next(iter(unread.values())))
        if moves:
            await account.books.note(*moves)

    async def _first_watermark(self, symbol: Symbol) -> list[WatermarkMoved]:
        account = self._account
        name = account.spec.account
        if await account.journal.watermark(name, symbol) is not None:
            return []
        if any(p.orders for p in account.books.positions() if p.symbol == symbol):
            return []
        if len(account.journal.epochs) > 1:
            return []  # It was restored: what it does not know may be among the older fills.
        newest = await account.exchange.newest_trade(symbol)
        if newest is None:
            return []
        at = account.exchange.now()
        return [WatermarkMoved(at=at, account=name, symbol=symbol, trade_id=newest)]

    async def _rounds(self) -> Applied:
        """Compare until nothing more follows."""
        total = Applied()
        account = self._account
        for _ in range(ROUNDS_MAX):
            outcome, gathered, applied = await account.compare()
            crashpoint("recovery.before-orphans")
            if gathered.failures and not applied.records:
                self._go_on_without(gathered.unread, gathered.failures[0])
            total = Applied(
                records=total.records + applied.records,
                fills=total.fills + applied.fills,
                cancels=total.cancels + applied.cancels + len(outcome.orphans),
                intents=total.intents + applied.intents,
            )
            if not applied.records:
                break
        return total

    def _go_on_without(self, unread: frozenset[Symbol], why: str) -> None:
        """Leave out the symbols that cannot be read, after a few tries: others go on (L6).

        Raises:
            ReadFailed: nothing can be read, or it is too early to give a symbol up.
        """
        self._tries += 1
        if self._tries < TRIES_PER_SYMBOL or set(self._account.symbols) <= unread:
            raise ReadFailed(why)
        for keeper in self._account.keepers.values():
            if keeper.position.symbol in unread:
                self._unreadable[keeper.bot] = why

    async def _start_bots(self) -> None:
        account = self._account
        for spec in account.spec.bots:
            status = account.statuses.of(spec.bot)
            if spec.bot not in account.keepers or status in {Status.PAUSED, Status.STOPPED}:
                continue
            reason = self._unreadable.get(spec.bot) or account.watched.get(spec.bot)
            if not account.exchange.is_trading(spec.symbol):
                reason = f"{spec.symbol} is not trading at {account.exchange.venue.name} now"
            if reason is not None:
                await account.review(spec.bot, reason)
                continue
            try:
                await account.revive(spec.bot)
            except InvalidValue as error:
                await account.review(spec.bot, str(error))
                continue
            self._restarted += 1
            await account.statuses.change(spec.bot, Status.RUNNING, by="surefoot")

    async def _give_up(self, reason: str, started: float) -> None:
        account = self._account
        self._log.error("recovery failed", why=reason)
        await account.review_all(reason)
        await self._report(
            "failed",
            Applied(),
            requests=0,
            weight=0,
            seconds=account.clock.monotonic() - started,
        )

    async def _report(
        self, outcome: str, total: Applied, *, requests: int, weight: int, seconds: float
    ) -> None:
        account = self._account
        report = RecoveryFinished(
            at=account.exchange.now(),
            account=account.spec.account,
            outcome=outcome,
            positions=outcomes(self._before, account.books.positions()),
            orders_cancelled=total.cancels,
            fills_booked=total.fills,
            bots_restarted=self._restarted,
            bots_in_review=account.statuses.in_review(),
            requests=requests,
            weight=weight,
            seconds=Decimal(round(seconds * 1000)) / 1000,
        )
        await account.books.note(report)
        self._log.info(
            "recovery finished",
            outcome=outcome,
            positions=report.positions,
            fills_booked=report.fills_booked,
            orders_cancelled=report.orders_cancelled,
            bots_in_review=report.bots_in_review,
            seconds=str(report.seconds),
        )


async def bind(account: Account) -> None:
    """Make sure that the journal and the keys belong to the same account.

    Raises:
        WrongAccount: they do not.
    """
    name = account.spec.account
    identity = await account.exchange.identify()
    entry = await account.journal.last(account_stream(name), "account-bound")
    if entry is None or not isinstance(entry.record, AccountBound):
        await account.books.note(
            AccountBound(
                at=account.exchange.now(),
                account=name,
                exchange=identity.exchange,
                uid=identity.uid,
                environment=identity.environment,
            ),
        )
        return
    check_binding(name, entry.record, identity.exchange, identity.uid, identity.environment)


def check_binding(
    name: AccountName, bound: AccountBound, exchange: str, uid: str, environment: str
) -> None:
    """Return if these are the account that the journal was made for.

    Raises:
        WrongAccount: they are not.
    """
    if (bound.exchange, bound.uid, bound.environment) != (exchange, uid, environment):
        raise WrongAccount(
            f"this journal belongs to {bound.exchange} account {bound.uid} ({bound.environment}), "
            f"but the keys of accounts.{name} are of {exchange} account {uid} ({environment}); "
            f"use the right keys, or another journal",
        )


async def load(account: Account) -> None:
    """Load the positions of every bot, once; a bot that cannot be loaded is put into review."""
    if account.keepers:
        return
    await account.statuses.load()
    found: dict[BotName, list[Position]] = {}
    now = account.exchange.now()
    for position in await account.journal.positions(current_only=True):
        if position.account == account.spec.account and not position.is_settled(now):
            found.setdefault(position.bot, []).append(position)
    for number, spec in enumerate(account.spec.bots, start=1):
        if number % PROGRESS_EVERY == 0:
            of = len(account.spec.bots)
            account.log.info("recovery step", done="loading bots", bots=number, of=of)
        positions = found.pop(spec.bot, [])
        try:
            await _load_bot(account, spec, positions)
        except Misconfigured as error:
            await _load_left_over(account, spec.bot, positions, str(error))
    for bot, positions in found.items():
        await _load_left_over(account, bot, positions, LEFT_OVER)


async def load_existing(account: Account) -> None:
    """Load what the journal has, for looking only: nothing is started and nothing is written."""
    specs = {spec.bot: spec for spec in account.spec.bots}
    for position in await account.journal.positions(current_only=True):
        if position.account != account.spec.account:
            continue
        spec = specs.get(position.bot)
        instrument = account.exchange.instrument(position.symbol)
        before = account.keepers.get(position.bot)
        positions = [*(before.positions if before else ()), position]
        account.keepers[position.bot] = _keeper(account, position.bot, positions, instrument, spec)


async def _load_bot(account: Account, spec: BotSpec, positions: list[Position]) -> None:
    instrument = account.exchange.instrument(spec.symbol)
    frames = account.exchange.venue.timeframes
    if spec.timeframe is not None and spec.timeframe not in frames:
        known = ", ".join(sorted(frames, key=length_of))
        raise Misconfigured(f"there are no candles of {spec.timeframe} here; there are {known}")
    current = positions[-1] if positions else None
    if current is not None and current.symbol != spec.symbol:
        if current.state is not State.FLAT or current.quantity:
            raise Misconfigured(
                f"{current.position_id} is {current.state} in {current.symbol}, but the "
                f"configuration says {spec.symbol}; close it first",
            )
        current = None
    # What was settled in a former symbol is history; it cannot be compared with this one's terms.
    positions = [position for position in positions if position.symbol == spec.symbol]
    if current is None:
        started = await _start(account, spec, instrument)
        positions = [*positions, started]
    keeper = account.keepers[spec.bot] = _keeper(account, spec.bot, positions, instrument, spec)
    keeper.written += await account.journal.written(spec.bot, account.exchange.now() - MINUTE)
    await account.add_runner(spec)


async def _start(account: Account, spec: BotSpec, instrument: Instrument) -> Position:
    """Give a bot its first position, or its first in a new symbol."""
    before = await account.journal.positions(bot=spec.bot)
    number = before[-1].number + 1 if before else 1
    record = PositionStarted(
        at=account.exchange.now(),
        position_id=position_id(spec.bot, number),
        bot=spec.bot,
        account=spec.account,
        symbol=spec.symbol,
        base=instrument.base,
        quote=instrument.quote,
        number=number,
    )
    status = account.statuses.of(spec.bot) or Status.RUNNING
    await account.statuses.change(spec.bot, status, by="surefoot", start=record)
    (*_, started) = await account.journal.positions(bot=spec.bot)
    return started


async def _load_left_over(
    account: Account, bot: BotName, positions: list[Position], reason: str
) -> None:
    """Keep what a bot that cannot run still holds: watched, and never added to."""
    held = [p for p in positions if p.quantity or p.unfinished or p.frozen]
    if not held and reason is LEFT_OVER:
        return
    if held:
        positions = [p for p in held if p.symbol == held[-1].symbol]
        reason = f"{reason}; what it holds is still watched"
    try:
        instrument = account.exchange.instrument(positions[-1].symbol) if held else None
    except Misconfigured as error:
        await account.review(bot, f"{reason}, but {error}")
        return
    if instrument is None:
        await account.review(bot, reason)
        return
    account.keepers[bot] = _keeper(account, bot, positions, instrument, None)
    account.add_watch(bot, positions[-1])
    account.watched[bot] = reason
    await account.review(bot, reason)


def _keeper(
    account: Account,
    bot: BotName,
    positions: list[Position],
    instrument: Instrument,
    spec: BotSpec | None,
) -> Keeper:
    venue, epoch = account.exchange.venue, account.journal.epoch
    native = venue.native_stop and (spec is None or spec.native_stop)
    terms = Terms(
        instrument=instrument,
        request_lifetime=account.spec.request_lifetime or venue.request_lifetime,
        visibility=account.visibility,
        native_stop=native,
        name_order=lambda position, role, attempt: venue.encode(
            order_identity(epoch, position, role, attempt),
        ),
    )
    return Keeper(
        bot=bot,
        positions=positions,
        terms=terms,
        journal=account.journal,
        dispatch=account.dispatch,
        now=account.exchange.now,
        spawn=account.spawn,
        listener=account,
    )
