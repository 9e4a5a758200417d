"""The one button of a bad day: every entry off at once, every stop and exit kept.

It is a word on every bot, journaled like any other, so it outlives restarts; what it paused is what
`resume-all` lets run again, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Final

from surefoot.core.errors import InvalidValue, SignalRefused
from surefoot.core.values import BotName, counted
from surefoot.engine.account import Account
from surefoot.engine.statuses import Status

REASON: Final = "stop-all"


async def stop_all(accounts: Collection[Account], by: str) -> str:
    """Let no bot enter any more, also while nothing is recovered; return what came of it."""
    stopped: list[BotName] = []
    kept = 0
    for account in accounts:
        statuses = account.roster.statuses
        await statuses.load(account.roster.bots)
        for bot in account.roster.bots:
            if await statuses.pause(bot, by=by, reason=REASON):
                stopped.append(bot)
            else:
                kept += 1
        account.rounds.want()
    also = f"; {kept} entered nothing before" if kept else ""
    # What rests there is not known before, and so not withdrawn: it may still fill.
    unknown = sorted(account.name for account in accounts if not account.roster.admits)
    but = f"; what rests on {', '.join(unknown)} goes once it is recovered" if unknown else ""
    return (
        f"nothing is entered any more ({counted(len(stopped), 'bot')} paused{also}); "
        f"stops are kept{but}"
    )


async def resume_all(accounts: Iterable[Account], by: str) -> str:
    """Let what `stop_all` paused run again; return what came of it, also of those that cannot.

    Raises:
        SignalRefused: not one of them can run now.
    """
    resumed: list[BotName] = []
    cannot: list[str] = []
    unanswered = 0
    accounts = tuple(accounts)
    configured = {bot for account in accounts for bot in account.roster.configured}
    for account in accounts:
        statuses = account.roster.statuses
        # What one has left on a former account runs there no more: its new one speaks for it.
        elsewhere = configured - {*account.roster.configured}
        found = [
            bot
            for bot in account.roster.bots
            if statuses.of(bot) is Status.PAUSED and statuses.reason(bot) == REASON
            if bot not in elsewhere
        ]
        if not account.roster.admits:
            cannot += [f"{bot} cannot run before its account is recovered" for bot in found]
            continue
        for bot in found:
            if not statuses.needs_word(bot):
                try:
                    await account.roster.revive(bot)
                except InvalidValue as error:
                    cannot.append(str(error))
                    continue
            if await statuses.unpause(bot, by=by, reason=REASON) is Status.RUNNING:
                resumed.append(bot)
            else:
                unanswered += 1
    if cannot and not resumed and not unanswered:
        raise SignalRefused("; ".join(cannot))
    also = f"; {unanswered} still in review: surefoot status says why" if unanswered else ""
    but = f"; still paused: {'; '.join(cannot)}" if cannot else ""
    return f"{counted(len(resumed), 'bot')} may enter again{also}{but}"
