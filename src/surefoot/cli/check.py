"""`surefoot check`: would it run? Changes nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

from surefoot import app, config
from surefoot.app import Checkup
from surefoot.cli.doctor import examine
from surefoot.cli.on_paper import differences, reached
from surefoot.cli.options import Options
from surefoot.cli.outcome import FAILED, FINE
from surefoot.cli.output import say, show_json, show_table
from surefoot.cli.polling import polled
from surefoot.config import Settings
from surefoot.config.trial import Asked
from surefoot.core.values import BotName, counted, natural
from surefoot.engine.clock import SystemClock
from surefoot.journal import journal_exists, journal_holder, open_reader
from surefoot.web.answers import Symptom

_STYLES: Final = {True: None, False: "bold red"}


def check(*, options: Options | None = None) -> int:
    """Check the configuration, strategies, keys, clocks and the journal; change nothing.

    Exits with 2 if the configuration or the journal is unusable, 1 if an exchange does not answer
    or something on this machine is not well.
    """
    options = options or Options()
    settings = options.settings(keys=True, messengers=True)
    serving = journal_holder(settings.journal_url, settings.directory) is not None
    trial = config.tried(settings, serving=serving)
    records = asyncio.run(_records(settings))
    checkups = asyncio.run(_checkups(settings, trial.asked))
    symptoms = [*examine(settings), *asyncio.run(polled(settings))]
    if options.json:
        show_json(
            {
                "journal": {"url": settings.journal_shown, "records": records},
                "bots": sorted(settings.bots, key=natural),
                "not_tried": sorted(trial.in_use),
                "accounts": checkups,
                "paper": {name: differences(settings, name) for name in settings.papers},
                "machine": symptoms,
            },
        )
    else:
        _show(settings, records, checkups)
        for bot in trial.in_use:
            say(f"{bot}: its strategy wants an address that is in use; the server that runs has it")
        _show_machine(symptoms)
    failed = any(not each.well for each in symptoms) or any(each.failure for each in checkups)
    return FAILED if failed else FINE


async def _checkups(settings: Settings, asked: Mapping[BotName, Asked]) -> tuple[Checkup, ...]:
    async with reached(settings, SystemClock(), changing=False) as placed:
        return await app.check(placed, asked)


async def _records(settings: Settings) -> int | None:
    if not journal_exists(settings.journal_url, settings.directory):
        return None
    reader = open_reader(settings.journal_url, settings.directory)
    try:
        return await reader.verify()
    finally:
        await reader.close()


def _show(settings: Settings, records: int | None, checkups: tuple[Checkup, ...]) -> None:
    found = (
        "none yet; `surefoot run` creates it"
        if records is None
        else f"{counted(records, 'record')}, sound"
    )
    say(f"Configuration: {counted(len(settings.bots), 'bot')}, strategies loaded.")
    say(f"Journal {settings.journal_shown}: {found}.")
    say("")
    columns = ("ACCOUNT", "ENVIRONMENT", "UID", "CLOCK OFFSET", "VISIBILITY", "STOPS", "ANSWER")
    rows = [
        (
            each.account,
            each.environment if each.environment == "live" else each.environment.upper(),
            each.uid,
            each.clock_offset,
            each.visibility,
            "at the exchange" if each.native_stop else "local",
            each.failure or "ok",
        )
        for each in checkups
    ]
    show_table(columns, rows)
    for name in settings.papers:
        say("")
        say(f"{name} trades on PAPER. With `paper = false` under [accounts.{name}]:", "bold")
        for each in differences(settings, name):
            say(f"- {each}", indent="  ")


def _show_machine(symptoms: Sequence[Symptom]) -> None:
    say("")
    for each in symptoms:
        say(f"{'ok ' if each.well else 'BAD'}  {each.what}: {each.said}", _STYLES[each.well])
