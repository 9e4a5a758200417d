"""Operators' commands: taken from the inbox into the journal, and carried out there, once each.

Each is carried out at most once, in one transaction with what it does, and is void after its time:
a "close" from yesterday must not close today's position.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from datetime import timedelta
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Final

from msgspec.structs import replace

from surefoot.core.decide import Input
from surefoot.core.errors import InvalidValue, InvariantViolated, SignalRefused
from surefoot.core.order import ReportedStatus
from surefoot.core.position import Position
from surefoot.core.reports import OrderReport
from surefoot.core.resolving import Answer, doubtful
from surefoot.core.signals import Adopt, Close, Filled, Flatten, Ignore
from surefoot.core.values import AccountName, BotName, ClientOrderId, plain
from surefoot.engine.account import Account
from surefoot.engine.clock import Clock
from surefoot.engine.everybody import resume_all, stop_all
from surefoot.engine.keeper import Keeper
from surefoot.engine.statuses import Status
from surefoot.engine.voice import Log
from surefoot.exchange.errors import Misconfigured, ReadFailed
from surefoot.journal.port import Change, Command, Journal, Verdict

# What an operator answers with: an answer to less than is known by now is none.
_ANSWERS: Final = frozenset({"resume", "resume-all", "resolve"})
# What lets bots enter.
_LETTING: Final = frozenset({"resume", "resume-all"})
# The clocks of two doors, a messenger's and this host's, are no further apart.
_APART: Final = timedelta(minutes=10)


class Commands:
    """Carries out what operators post, for the accounts of one journal."""

    def __init__(
        self,
        accounts: Mapping[AccountName, Account],
        *,
        journal: Journal,
        clock: Clock,
        recover: Callable[[AccountName], None],
        log: Log,
        every_s: float,
    ) -> None:
        self._accounts = accounts
        self._journal = journal
        self._clock = clock
        self._recover = recover
        self._log = log
        self._every_s = every_s
        self._obeying = asyncio.Lock()

    async def obey(self) -> None:
        """Carry out what is posted, for ever."""
        while True:
            await self.obey_once()
            await self._clock.sleep(self._every_s)

    async def obey_once(self) -> None:
        """Carry out what is posted now."""
        async with self._obeying:
            self._journal.gauges.turn(self._clock.now())
            await self._journal.take_commands(at=self._clock.now())
            for command in await self._journal.commands(status="posted"):
                if not self._too_early(command):
                    await self._carry_out(command)

    async def _carry_out(self, command: Command) -> None:
        try:
            self._refuse_old(command)
            await self._refuse_overtaken(command)
            done = await self._do(command)
        except (SignalRefused, InvalidValue, InvariantViolated) as refusal:
            done = Verdict(
                command_id=command.command_id,
                status="refused",
                result=str(refusal),
            )
            await self._journal.commit(Change(at=self._clock.now(), verdicts=(done,)))
        self._log.info(
            "command",
            kind=command.kind,
            target=command.target,
            by=command.actor,
            outcome=done.status,
            result=done.result,
        )

    def _too_early(self, command: Command) -> bool:
        """Let a command wait while its account is being recovered, but not past its time.

        A pause needs no exchange: it must hold before recovery lets the bot enter.
        """
        named = any(command.target in each.roster.configured for each in self._accounts.values())
        if command.kind == "pause" and named:
            return False
        concerned = [each for each in self._accounts.values() if _may_concern(each, command.target)]
        return (
            any(each.recovery.going_on for each in concerned)
            and self._clock.now() <= command.expires_at
        )

    def _refuse_old(self, command: Command) -> None:
        if self._clock.now() > command.expires_at:
            raise SignalRefused(f"it was void after {command.expires_at:%Y-%m-%d %H:%M:%S} UTC")
        setback = self._journal.setback
        if setback and command.posted_at < setback.at and command.kind in _ANSWERS:
            raise SignalRefused(f"it was said before this was known: {setback.why}; say it again")

    async def _refuse_overtaken(self, command: Command) -> None:
        """Let no bot enter on a word that was on its way while somebody said the contrary.

        A messenger may deliver it up to a minute late; what was said last holds. What was said at a
        time that is long to come was said by a clock that was ahead, and so before.
        """
        if command.kind not in _LETTING:
            return
        latest = self._clock.now() + _APART
        for each in await self._journal.commands(status="done"):
            if command.posted_at < each.posted_at <= latest and _holds(each, command):
                raise SignalRefused(
                    f"{each.actor} said {each.kind} after it, at {each.posted_at:%H:%M:%S} UTC; "
                    f"say it again if you still want it"
                )

    async def _do(self, command: Command) -> Verdict:
        match command.kind:
            case "resolve":
                return await self._resolve(command)
            case "lift":
                account = self._accounts.get(AccountName(command.target))
                if account is None:
                    raise InvalidValue(f"there is no account {command.target}")
                return await account.roster.allowance.lift(command.actor, partial(_done, command))
            case "stop-all":
                return await self._told(command, await stop_all(self._everybody, command.actor))
            case "resume-all":
                said = await resume_all(self._everybody, command.actor)
                for account in self._everybody:
                    if any(map(account.roster.waits, account.roster.configured)):
                        self._recover(account.name)
                return await self._told(command, said)
            case _:
                return await self._do_to_bot(command)

    async def _do_to_bot(self, command: Command) -> Verdict:
        account, bot = _bot(command.target, self._accounts)
        match command.kind:
            case "pause":
                await account.roster.statuses.load(account.roster.bots)
                return await self._set(account, bot, Status.PAUSED, command)
            case "resume" if account.roster.waits(bot):
                await account.roster.statuses.hear([bot])
                await account.roster.statuses.unpause(bot, by=command.actor)
                self._recover(account.name)
                return await self._told(command, "recovery looks whether it can run now")
            case "resume":
                refuse_if_review_stands(account, bot)
                await account.roster.revive(bot)
                return await self._set(account, bot, Status.RUNNING, command)
            case "recover":
                self._recover(account.name)
                return await self._told(command, "recovery is starting")
            case "close":
                keeper = _kept(account, bot)
                verdict = _done(command, "closing")
                await keeper.tell(Close(by=command.actor), verdict=verdict)
                return verdict
            case _:
                raise InvalidValue(f"nobody knows the command {command.kind!r}")

    @property
    def _everybody(self) -> tuple[Account, ...]:
        return tuple(self._accounts.values())

    async def _told(self, command: Command, result: str) -> Verdict:
        """Write down that a command is done whose effects have records of their own."""
        verdict = _done(command, result)
        await self._journal.commit(Change(at=self._clock.now(), verdicts=(verdict,)))
        return verdict

    async def _set(
        self, account: Account, bot: BotName, status: Status, command: Command
    ) -> Verdict:
        verdict = _done(command, f"{bot} is {status}")
        reason = command.arguments.get("reason")
        await account.roster.statuses.change(
            bot, status, by=command.actor, reason=reason, verdict=verdict
        )
        return verdict

    async def _resolve(self, command: Command) -> Verdict:
        account, keeper, position = self._kept_position(command.target)
        word = resolution(command, _only_doubt(position))
        if isinstance(word, Filled):
            word = await self._checked(account, position, word)
        verdict = _done(command, f"{position.position_id} is resolved")
        await keeper.tell(word, position_id=position.position_id, verdict=verdict)
        account.rounds.want()
        return verdict

    def _kept_position(self, target: str) -> tuple[Account, Keeper, Position]:
        """Find a position by its id, or the one of a bot that has to be resolved."""
        kept: list[tuple[Account, Keeper]] = []
        for account in self._accounts.values():
            found = account.roster.find(target)
            if found is not None:
                return account, *found
            keeper = account.roster.keepers.get(BotName(target))
            if keeper is not None:
                kept.append((account, keeper))
        if not kept:
            raise InvalidValue(f"no position {target} is kept here")
        # A bot that moved is kept on two accounts: what has to be resolved may be on either.
        frozen = [(*where, p) for where in kept for p in where[1].positions if p.frozen is not None]
        if len(frozen) > 1:
            names = ", ".join(position.position_id for *_, position in frozen)
            raise InvalidValue(f"{target} has more than one that is frozen: {names}")
        current = [(*where, where[1].position) for where in kept]
        doubted = [each for each in current if doubtful(each[2])]
        return (*frozen, *doubted, *current)[0]

    async def _checked(self, account: Account, position: Position, word: Filled) -> Filled:
        """Hold what an operator says against the exchange, if it can be reached.

        Raises:
            SignalRefused: the exchange knows better.
        """
        name = word.client_order_id
        try:
            report = await account.login.exchange.order(position.symbol, name)
        except (ReadFailed, Misconfigured):
            return word  # Nobody can be asked: then only what was never confirmed may be told of.
        if report is None:
            return replace(word, denied=True)
        account.rounds.want()
        refuse_known(position, word, report)
        return replace(word, denied=True)


def _holds(said: Command, command: Command) -> bool:
    """Tell whether one command is to keep from entering what another one would let."""
    if said.kind == "pause":
        return said.target == command.target
    return said.kind == "stop-all"


def refuse_if_review_stands(account: Account, bot: BotName) -> None:
    """Refuse to resume a bot of which nothing is proven: `recover` is what it needs.

    Raises:
        SignalRefused: its account is not recovered, or its symbol could not be read.
    """
    if not account.roster.admits:
        raise SignalRefused(f"{bot} cannot run before its account is recovered: surefoot recover")
    why = account.roster.statuses.unread(bot)
    if why is not None:
        raise SignalRefused(
            f"{bot} cannot run before its symbol is read ({why}): surefoot recover {bot}"
        )


def refuse_known(position: Position, word: Filled, report: OrderReport) -> None:
    """Refuse to be told of an order that the exchange has, unless both say the same.

    Raises:
        SignalRefused: it is live, or filled something else.
    """
    order = position.find(word.client_order_id)
    said = word.quantity + (order.filled if order is not None else 0)
    if report.status is ReportedStatus.OPEN:
        raise SignalRefused(
            f"the exchange has {word.client_order_id} live ({report.side} "
            f"{plain(report.quantity)}, {plain(report.filled)} filled): nothing is in doubt",
        )
    if said != report.filled:
        raise SignalRefused(
            f"the exchange says that {word.client_order_id} is {report.status} with "
            f"{plain(report.filled)} filled, not {plain(said)}: it is booked from there",
        )


def _only_doubt(position: Position) -> ClientOrderId | None:
    """Return the order that `--filled` must mean if it names none."""
    orders = doubtful(position)
    return orders[0].client_order_id if len(orders) == 1 else None


def resolution(command: Command, doubt: ClientOrderId | None) -> Input:
    """Turn the arguments of a resolve command into the operator's word.

    Raises:
        InvalidValue: they do not say what to do.
    """
    by, how = command.actor, command.arguments.get("how")
    match how:
        case Answer.ADOPT:
            return Adopt(by=by)
        case Answer.FLAT:
            return Flatten(by=by)
        case Answer.IGNORE:
            return Ignore(by=by)
        case Answer.FILLED:
            return _filled(command, doubt)
        case _:
            raise InvalidValue(f"resolve how? {how!r} is none of {', '.join(Answer)}")


def _filled(command: Command, doubt: ClientOrderId | None) -> Filled:
    order = command.arguments.get("order") or doubt
    if order is None:
        raise InvalidValue("no single order is in doubt: name one with --order")
    try:
        quantity = Decimal(command.arguments["quantity"])
        price = Decimal(command.arguments.get("price", "0"))
    except (KeyError, InvalidOperation) as error:
        raise InvalidValue("--filled needs QUANTITY@PRICE, two decimal numbers") from error
    nothing = quantity == 0
    if not nothing and not (
        quantity.is_finite() and price.is_finite() and min(quantity, price) > 0
    ):
        raise InvalidValue("--filled needs QUANTITY@PRICE, two positive numbers, or 0")
    return Filled(
        by=command.actor,
        client_order_id=ClientOrderId(order),
        quantity=quantity,
        price=price,
    )


def _bot(target: str, accounts: Mapping[AccountName, Account]) -> tuple[Account, BotName]:
    """Find a bot by its name, or by the name of its current position.

    One that is to trade on another account is meant where it still holds something, and else where
    it is configured: nothing but its dust is at the other.
    """
    bot = BotName(target)
    named = [each for each in accounts.values() if bot in each.roster.bots]
    kept = (each for each in named if bot in each.roster.keepers)
    holding = (e for e in kept if any(p.needs_watching for p in e.roster.keepers[bot].positions))
    if named:
        configured = (each for each in named if bot in each.roster.configured)
        return next(holding, next(configured, named[0])), bot
    for account in accounts.values():
        found = account.roster.find(target)
        if found is not None and found[0].position is found[1]:
            return account, found[0].bot
    raise InvalidValue(f"there is no bot {target}, and no bot whose position that is now")


def _may_concern(account: Account, target: str) -> bool:
    """Tell whether a command may be about this account: itself, a bot of it, or a position."""
    names = account.roster.bots
    own = target in names or target.rpartition("-")[0] in names
    return own or target == account.name


def _kept(account: Account, bot: BotName) -> Keeper:
    keeper = account.roster.keepers.get(bot)
    if keeper is None or account.login.senses.recovered_at is None:
        raise SignalRefused(
            f"{bot} is not recovered yet, so what it holds is not certain: surefoot recover {bot}"
        )
    return keeper


def _done(command: Command, result: str) -> Verdict:
    return Verdict(command_id=command.command_id, status="done", result=result)
