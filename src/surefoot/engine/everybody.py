"""The one button of a bad day: every entry off at once, every stop and exit kept.

It is a word on every bot, journaled like any other, so it outlives restarts; what it paused is what
`resume-all` lets run again, and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Final

from msgspec import Struct

from surefoot.core.errors import InvalidValue, SignalRefused
from surefoot.core.values import BotName, counted
from surefoot.engine.account import Account
from surefoot.engine.statuses import Status

REASON: Final = "stop-all"


async def stop_all(accounts: Collection[Account], by: str) -> str:
    """Let no bot enter any more, also while nothing is recovered; return what came of it."""
    stopped = kept = 0
    for account in accounts:
        bots, statuses = account.roster.bots, account.roster.statuses
        await statuses.load(bots)
        paused = await statuses.pause_all(bots, by=by, reason=REASON)
        stopped, kept = stopped + paused, kept + len(bots) - paused
        account.rounds.want()
    also = f"; {kept} entered nothing before" if kept else ""
    # What rests there is not known before, and so not withdrawn: it may still fill.
    unknown = sorted(account.name for account in accounts if not account.roster.admits)
    but = f"; what rests on {', '.join(unknown)} goes once it is recovered" if unknown else ""
    return (
        f"nothing is entered any more ({counted(stopped, 'bot')} paused{also}); stops are kept{but}"
    )


class _Resumed(Struct, kw_only=True):
    """What came of it: who runs, who is looked at first, who cannot, and who is in review still."""

    running: list[BotName] = []
    looked_at: list[BotName] = []
    cannot: list[str] = []
    unanswered: list[BotName] = []

    def told(self) -> str:
        """Return it in words."""
        also = f"; {len(self.unanswered)} still in review: surefoot status says why"
        looks = f"; recovery looks whether {', '.join(self.looked_at)} can run now"
        return (
            f"{counted(len(self.running), 'bot')} may enter again"
            f"{also if self.unanswered else ''}{looks if self.looked_at else ''}"
            f"{'; still paused: ' if self.cannot else ''}{'; '.join(self.cannot)}"
        )


async def resume_all(accounts: Collection[Account], by: str) -> str:
    """Let what `stop_all` paused run again; return what came of it, also of those that cannot.

    Raises:
        SignalRefused: not one of them can run now.
    """
    came = _Resumed()
    configured = {bot for account in accounts for bot in account.roster.configured}
    for account in accounts:
        # What one has left on a former account runs there no more: its new one speaks for it.
        gone = configured - {*account.roster.configured}
        await _resume(account, [bot for bot in account.roster.bots if bot not in gone], by, came)
    if came.cannot and not (came.running or came.unanswered or came.looked_at):
        raise SignalRefused("; ".join(came.cannot))
    return came.told()


async def _resume(account: Account, bots: Collection[BotName], by: str, came: _Resumed) -> None:
    statuses = account.roster.statuses
    waiting = {bot for bot in bots if account.roster.waits(bot)}
    await statuses.hear(waiting)
    for bot in bots:
        if statuses.of(bot) is not Status.PAUSED or statuses.reason(bot) != REASON:
            continue
        if not account.roster.admits:
            came.cannot.append(f"{bot} cannot run before its account is recovered")
            continue
        try:
            if bot not in waiting and not statuses.needs_word(bot):
                await account.roster.revive(bot)
        except InvalidValue as error:
            came.cannot.append(str(error))
            continue
        after = await statuses.unpause(bot, by=by, reason=REASON)
        if bot in waiting:
            came.looked_at.append(bot)
        elif after is Status.RUNNING:
            came.running.append(bot)
        else:
            came.unanswered.append(bot)
