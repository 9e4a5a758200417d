"""`surefoot web`: the dashboard and the API, alone or as a child of `surefoot run`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from surefoot.cli.companion import CompanionOf, give_way, replaces
from surefoot.cli.doctor import examine, versions
from surefoot.cli.logs import start_log
from surefoot.cli.options import LogFormat, Options
from surefoot.cli.outcome import FINE
from surefoot.cli.stopping import until_stopped
from surefoot.config import Bot, ConfigError, Settings
from surefoot.core.exits import ExitPlan
from surefoot.core.sizing import told
from surefoot.core.values import plain
from surefoot.engine.clock import SystemClock
from surefoot.journal import open_browser
from surefoot.journal.tenancy import Tenancy
from surefoot.web import Keys, token_file
from surefoot.web.answers import AccountShown, BotShown, SettingsAnswer
from surefoot.web.server import serve


def web(
    *,
    take_over: Annotated[bool, Parameter(negative="")] = False,
    companion_of: CompanionOf = None,
    log_format: LogFormat = None,
    options: Options | None = None,
) -> int:
    """Serve the dashboard and the API until stopped. Works while the server is down.

    Parameters
    ----------
    take_over
        Replace the dashboard that serves this journal now, if there is one.
    companion_of
        The server that started it.
    log_format
        How to write the log, whatever the configuration says.
    options
        Where the configuration is.
    """
    settings = (options or Options()).settings(keys=False)
    if take_over:
        give_way()
    log = start_log(None, level=settings.log.level, style=log_format or settings.log.format)
    journal = settings.journal_path
    if journal is None:
        raise ConfigError("[journal]", ["the dashboard needs a journal in a file"])
    work = serve(
        settings.web,
        open_journal=partial(open_browser, settings.journal_url, settings.directory),
        keys=Keys(token_file(journal)),
        tenancy=Tenancy(journal, "web"),
        shown=partial(shown, settings),
        clock=SystemClock(),
        log=log,
        take_over=replaces(take_over=take_over, companion_of=companion_of),
    )
    with suppress(asyncio.CancelledError):
        asyncio.run(until_stopped(work, log))
    return FINE


def shown(settings: Settings) -> SettingsAnswer:
    """Return what the configuration says, for reading only."""
    return SettingsAnswer(
        versions=versions(),
        journal=settings.journal_shown,
        listen=f"{settings.web.host}:{settings.web.port}",
        exposure=settings.web.exposure,
        accounts=[
            AccountShown(
                account=each.name, exchange=each.exchange, environment=each.environment,
                ownership=each.ownership, api_key=each.api_key.source, secret=each.secret.source,
            )
            for each in settings.accounts.values()
        ],
        bots=[_bot(each) for each in settings.bots.values()],
        doctor=examine(settings),
    )  # fmt: skip


def _gains(plan: ExitPlan) -> str | None:
    parts = [f"{plain(each.fraction * 100)}% at {plain(each.at * 100)}%" for each in plan.parts]
    parts += [] if plan.take_profit is None else [f"{plain(plan.take_profit * 100)}%"]
    return ", ".join(parts) or None


def _bot(bot: Bot) -> BotShown:
    distances = {
        name: None if value is None else f"{plain(value * 100)}%"
        for name, value in (
            ("stop_loss", bot.plan.stop_loss),
            ("break_even", bot.plan.break_even),
            ("trailing_stop", bot.plan.trailing_stop),
        )
    }
    return BotShown(
        bot=bot.name,
        account=bot.account,
        symbol=bot.symbol,
        strategy=bot.strategy,
        notional=told(bot.notional),
        stop_at=bot.stop_at,
        take_profit=_gains(bot.plan),
        **distances,
    )
