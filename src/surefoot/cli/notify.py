"""`surefoot notify`: the messengers, alone or as a child of `surefoot run`."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import Annotated

from cyclopts import Parameter

from surefoot.cli.companion import CompanionOf, give_way, replaces
from surefoot.cli.logs import start_log
from surefoot.cli.options import LogFormat, Options
from surefoot.cli.outcome import FAILED, FINE
from surefoot.cli.output import say, show_json
from surefoot.cli.stopping import until_stopped
from surefoot.config import ConfigError, Settings
from surefoot.engine.clock import SystemClock
from surefoot.journal import open_browser
from surefoot.journal.cursors import Cursors, outbox_of
from surefoot.journal.tenancy import Tenancy
from surefoot.notify.service import Service, greet


def notify(
    *,
    test: Annotated[bool, Parameter(negative="")] = False,
    take_over: Annotated[bool, Parameter(negative="")] = False,
    companion_of: CompanionOf = None,
    log_format: LogFormat = None,
    options: Options | None = None,
) -> int:
    """Tell people what the journal records, until stopped. Works while the server is down.

    Parameters
    ----------
    test
        Only send everybody a message, and say who could be reached.
    take_over
        Replace the process that delivers this journal's messages now, if there is one.
    companion_of
        The server that started it.
    log_format
        How to write the log, whatever the configuration says.
    options
        Where the configuration is.
    """
    options = options or Options()
    settings = options.settings(keys=False, messengers=True)
    if not settings.notify.wanted:
        raise ConfigError(
            str(options.config),
            ["nobody is to be told: add [telegram], [[webhooks]], [heartbeat] or [state]"],
        )
    if test:
        return _tested(settings, options)
    journal = settings.journal_path
    if journal is None:
        raise ConfigError("[journal]", ["the messengers need a journal in a file"])
    if take_over:
        give_way()
    log = start_log(settings, level=settings.log.level, style=log_format)
    service = Service(
        settings.notify,
        open_journal=partial(open_browser, settings.journal_url, settings.directory),
        cursors=Cursors(outbox_of(journal)),
        tenancy=Tenancy(journal, "notify"),
        clock=SystemClock(),
        log=log,
    )
    over = replaces(take_over=take_over, companion_of=companion_of)
    with suppress(asyncio.CancelledError):
        asyncio.run(until_stopped(service.run(take_over=over), log))
    return FINE


def _tested(settings: Settings, options: Options) -> int:
    outcomes = asyncio.run(greet(settings.notify, SystemClock()))
    if options.json:
        show_json([{"destination": name, "failure": why} for name, why in outcomes])
    else:
        for name, why in outcomes:
            say(f"{name}: {why or 'reached'}", "red" if why else "green")
    return FAILED if any(why for _, why in outcomes) else FINE
