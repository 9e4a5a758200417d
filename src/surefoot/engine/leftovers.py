"""What bots hold on accounts that they are not configured for any more: it goes on being watched.

An account that no bot trades on is served all the same while something is left there. One that is
not in the configuration cannot be: nobody watches it then, and its bot is in review for that.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from surefoot.core.account_records import Cause
from surefoot.core.position import Position
from surefoot.core.values import AccountName, BotName
from surefoot.engine.clock import Clock
from surefoot.engine.statuses import Statuses
from surefoot.engine.voice import Log
from surefoot.journal.port import Journal, Reader


async def with_leftovers(
    used: Collection[AccountName], reader: Reader | None, now: datetime
) -> frozenset[AccountName]:
    """Return the accounts that bots trade on, and those where something is left."""
    left = () if reader is None else await _unserved(reader, used, now)
    return frozenset([*used, *(position.account for position in left)])


async def review_unserved(
    accounts: Collection[AccountName],
    bots: Collection[BotName],
    journal: Journal,
    clock: Clock,
    log: Log,
) -> None:
    """Say of every position on an account that is not configured that nobody watches it.

    A bot that is still configured hears it from the account that it is to trade on.
    """
    statuses = Statuses(journal, clock.now, log)
    await statuses.load()
    for position in await _unserved(journal, accounts, clock.now()):
        if position.bot not in bots and position.needs_watching:
            why = f"{position.position_id} is {position.state} on the account {position.account}"
            why = f"{why}, which is not in the configuration: nobody watches it"
            await statuses.review(position.bot, why, Cause.CONFIGURATION)


async def _unserved(
    reader: Reader, served: Collection[AccountName], now: datetime
) -> list[Position]:
    """Read what is left on other accounts; nothing, if none of them was ever bound here.

    All positions are read for it, and once more by each account when it begins.
    """
    if {*await reader.accounts()} <= {*served}:
        return []
    left = [each for each in await reader.unsettled(now) if each.account not in served]
    return [position for position in left if position.is_awaited(now)]
