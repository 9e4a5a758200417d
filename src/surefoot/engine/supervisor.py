"""All accounts of one process: started, recovered, and served with operators' commands.

Commands wait in an inbox and are taken into the journal, once each. Each is carried out at most
once, in one transaction with what it does, and is void after its time: a "close" from yesterday
must not close today's position.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from decimal import Decimal, InvalidOperation
from functools import partial
from typing import Final

from surefoot.core.decide import Input
from surefoot.core.errors import InvalidValue, InvariantViolated, SignalRefused
from surefoot.core.records import Cause
from surefoot.core.signals import Adopt, Close, Filled, Flatten, Ignore
from surefoot.core.values import AccountName, BotName, ClientOrderId
from surefoot.engine.account import Account
from surefoot.engine.binding import WrongAccount
from surefoot.engine.clock import Clock
from surefoot.engine.keeper import Keeper
from surefoot.engine.recovery import BACK_OFF_MAX_S, Outcome
from surefoot.engine.statuses import Status
from surefoot.engine.supervision import Spawn, Supervision
from surefoot.engine.voice import Log
from surefoot.journal.port import Change, Command, Journal, Verdict

COMMANDS_EVERY_S: Final = 0.25


class Supervisor:
    """Serves the accounts of one journal until it is cancelled."""

    def __init__(
        self,
        *,
        journal: Journal,
        clock: Clock,
        accounts: Callable[[Spawn], Mapping[AccountName, Account]],
        log: Log,
    ) -> None:
        self._journal = journal
        self._clock = clock
        self._make_accounts = accounts
        self._log = log
        self._asked: dict[AccountName, asyncio.Event] = {}
        self._accounts: Mapping[AccountName, Account] = {}
        self._obeying = asyncio.Lock()

    async def run(self) -> None:
        """Serve for ever.

        Raises:
            JournalPoisoned: this process must not go on.
        """
        async with asyncio.TaskGroup() as tasks:

            def spawn(work: object) -> None:
                tasks.create_task(work)  # type: ignore[arg-type]

            accounts = self._accounts = self._make_accounts(spawn)
            supervision = Supervision(spawn, self._clock, self._log)
            try:
                for name, account in accounts.items():
                    self._asked[name] = asyncio.Event()
                    account.attend()
                    supervision.keep(f"account {name}", partial(self._serve, account))
                supervision.keep("commands", self._obey)
                await asyncio.Event().wait()
            finally:
                for account in accounts.values():
                    await account.stop()

    async def _serve(self, account: Account) -> None:
        """Recover, patiently; after giving up, again for ever, and at once if somebody asks."""
        asked = self._asked[account.name]
        recover = account.recovery.patiently
        while True:
            match await self._outcome(account, recover()):
                case Outcome.RECOVERED:
                    # What operators posted meanwhile comes first: a pause must not lose to a tick.
                    await self._obey_once()
                    account.start()
                    await asked.wait()
                case Outcome.UNREACHABLE:
                    await self._asked_or_due(asked)
                case Outcome.REFUSED:
                    await asked.wait()
            recover = account.recovery.patiently if asked.is_set() else account.recovery.again
            asked.clear()

    async def _outcome(self, account: Account, recovering: Awaitable[Outcome]) -> Outcome:
        """Recover one account; keys of another one are this account's trouble alone."""
        try:
            return await recovering
        except WrongAccount as error:
            why = str(error)
        account.login.senses.halt(why)
        account.login.log.error("recovery failed", why=why)
        await account.roster.review_all(why, Cause.CONFIGURATION)
        return Outcome.REFUSED

    async def _asked_or_due(self, asked: asyncio.Event) -> None:
        """Wait until somebody asks, but no longer than the longest back-off."""
        due = self._clock.monotonic() + BACK_OFF_MAX_S
        while not asked.is_set() and self._clock.monotonic() < due:
            await self._clock.sleep(COMMANDS_EVERY_S)

    async def _obey(self) -> None:
        while True:
            await self._obey_once()
            await self._clock.sleep(COMMANDS_EVERY_S)

    async def _obey_once(self) -> None:
        async with self._obeying:
            self._journal.gauges.turn(self._clock.now())
            await self._journal.take_commands(at=self._clock.now())
            for command in await self._journal.commands(status="posted"):
                if not self._too_early(command, self._accounts):
                    await self._carry_out(command, self._accounts)

    async def _carry_out(self, command: Command, accounts: Mapping[AccountName, Account]) -> None:
        try:
            self._refuse_old(command)
            done = await self._do(command, accounts)
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

    def _too_early(self, command: Command, accounts: Mapping[AccountName, Account]) -> bool:
        """Let a command wait while its account is being recovered, but not past its time."""
        concerned = [each for each in accounts.values() if _may_concern(each, command.target)]
        return (
            any(each.recovery.going_on for each in concerned)
            and self._clock.now() <= command.expires_at
        )

    def _refuse_old(self, command: Command) -> None:
        if self._clock.now() > command.expires_at:
            raise SignalRefused(f"it was void after {command.expires_at:%Y-%m-%d %H:%M:%S} UTC")

    async def _do(self, command: Command, accounts: Mapping[AccountName, Account]) -> Verdict:
        if command.kind == "resolve":
            return await self._resolve(command, accounts)
        account, bot = _bot(command.target, accounts)
        match command.kind:
            case "pause":
                return await self._set(account, bot, Status.PAUSED, command)
            case "resume":
                refuse_if_review_stands(account, bot)
                await account.roster.revive(bot)
                return await self._set(account, bot, Status.RUNNING, command)
            case "recover":
                self._asked[account.name].set()
                verdict = _done(command, "recovery is starting")
                await self._journal.commit(Change(at=self._clock.now(), verdicts=(verdict,)))
                return verdict
            case "close":
                keeper = _kept(account, bot)
                return await self._tell(keeper, Close(by=command.actor), command, "closing")
            case _:
                raise InvalidValue(f"nobody knows the command {command.kind!r}")

    async def _set(
        self, account: Account, bot: BotName, status: Status, command: Command
    ) -> Verdict:
        verdict = _done(command, f"{bot} is {status}")
        reason = command.arguments.get("reason")
        await account.roster.statuses.change(
            bot, status, by=command.actor, reason=reason, verdict=verdict
        )
        return verdict

    async def _resolve(self, command: Command, accounts: Mapping[AccountName, Account]) -> Verdict:
        for account in accounts.values():
            found = account.roster.find(command.target)
            if found is not None:
                keeper, position = found
                live = position.unfinished
                word = resolution(command, None if live is None else live.client_order_id)
                verdict = _done(command, f"{command.target} is resolved")
                await keeper.tell(word, position_id=position.position_id, verdict=verdict)
                account.rounds.want()
                return verdict
        raise InvalidValue(f"no position {command.target} is kept here")

    async def _tell(self, keeper: Keeper, word: Input, command: Command, result: str) -> Verdict:
        verdict = _done(command, result)
        await keeper.tell(word, verdict=verdict)
        return verdict


def refuse_if_review_stands(account: Account, bot: BotName) -> None:
    """Refuse to resume a bot whose account is not recovered: `recover` is what it needs.

    Raises:
        SignalRefused: it is not recovered.
    """
    if not account.roster.admits:
        raise SignalRefused(f"{bot} cannot run before its account is recovered: surefoot recover")


def resolution(command: Command, unfinished: ClientOrderId | None) -> Input:
    """Turn the arguments of a resolve command into the operator's word.

    Raises:
        InvalidValue: they do not say what to do.
    """
    by, how = command.actor, command.arguments.get("how")
    match how:
        case "adopt":
            return Adopt(by=by)
        case "flat":
            return Flatten(by=by)
        case "ignore":
            return Ignore(by=by)
        case "filled":
            return _filled(command, unfinished)
        case _:
            raise InvalidValue(f"resolve how? {how!r} is none of adopt, flat, filled, ignore")


def _filled(command: Command, unfinished: ClientOrderId | None) -> Filled:
    order = command.arguments.get("order") or unfinished
    if order is None:
        raise InvalidValue("there is no unfinished order that could have been filled")
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
    for account in accounts.values():
        if target in account.roster.bots:
            return account, BotName(target)
    raise InvalidValue(f"there is no bot {target}")


def _may_concern(account: Account, target: str) -> bool:
    """Tell whether a command may be about this account: a bot of it, or one of their positions."""
    names = account.roster.bots
    return target in names or target.rpartition("-")[0] in names


def _kept(account: Account, bot: BotName) -> Keeper:
    keeper = account.roster.keepers.get(bot)
    if keeper is None or not account.roster.admits:
        raise SignalRefused(f"{bot} is not recovered yet: surefoot recover {bot}")
    return keeper


def _done(command: Command, result: str) -> Verdict:
    return Verdict(command_id=command.command_id, status="done", result=result)
