"""Every account that is used gets its exchange; accounts at one address share its weight."""

from __future__ import annotations

from functools import partial

from surefoot import config
from surefoot.config import Settings
from surefoot.core.values import AccountName
from surefoot.engine.clock import Clock
from surefoot.engine.leftovers import with_leftovers
from surefoot.engine.tempo import Tempo
from surefoot.exchange import open_exchange
from surefoot.exchange.address import Address
from surefoot.exchange.port import Exchange
from surefoot.journal.port import Reader


async def open_exchanges(
    settings: Settings, clock: Clock, journal: Reader | None, tempo: Tempo | None = None
) -> dict[AccountName, Exchange]:
    """Make the exchange of every account where bots trade, or where something is left."""
    addresses: dict[str, Address] = {}
    trading = {bot.account for bot in settings.bots.values()}
    used = await with_leftovers(trading, journal, clock.now())
    return {
        name: open_exchange(
            account.exchange,
            keys=partial(config.keys, settings, name),
            settings=dict(account.ccxt),
            allow_custom_host=account.allow_custom_host,
            time=clock,
            paper=account.paper is not None,
            addresses=addresses,
            pulse_s=(tempo or Tempo()).pulse_s,
        )
        for name, account in settings.accounts.items()
        if name in (used if account.paper is None else trading)  # no bot, no paper exchange
    }
