"""`surefoot recover`: reconcile with the exchange now, or only look."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

from cyclopts import Parameter
from msgspec.structs import asdict
from rich.console import Console

from surefoot import app, config
from surefoot.app import Look
from surefoot.cli.findings import UNWATCHED, show_findings
from surefoot.cli.logs import Progress, say_forgotten, start_log
from surefoot.cli.naming import find, nearest
from surefoot.cli.on_paper import reached
from surefoot.cli.options import Options
from surefoot.cli.outcome import FAILED, FINE, REVIEW
from surefoot.cli.output import say, show_json, show_table
from surefoot.cli.post import post
from surefoot.config import ConfigError, Settings
from surefoot.core.account_records import RecoveryFinished, kind_of
from surefoot.core.records import PositionFrozen
from surefoot.core.values import AccountName
from surefoot.engine.clock import SystemClock
from surefoot.engine.voice import Log
from surefoot.journal import journal_exists, journal_holder, open_reader
from surefoot.journal.port import Reader
from surefoot.journal.review import ReviewFinding
from surefoot.journal.sentences import sentence
from surefoot.journal.status import read_status


def recover(
    *bots: str,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    options: Options | None = None,
) -> int:
    """Reconcile with the exchange. If a server runs, it is asked to; if not, it is done here.

    What wants somebody is listed, also what was frozen before; then the exit code is 3.

    Parameters
    ----------
    bots
        Only the accounts of these bots (or of these positions' bots); none means all.
    dry_run
        Print findings and what would be done; write nothing, send nothing.
    options
        Where the configuration is, and how to answer.
    """
    options = options or Options()
    settings = options.settings(keys=True)
    named = asyncio.run(_bots(settings, bots))
    wanted = named or tuple(settings.bots)
    unknown = [name for name in wanted if name not in settings.bots]
    if unknown:
        problems = [f"there is no bot {each}{nearest(each, settings.bots)}" for each in unknown]
        raise ConfigError(str(options.config), problems)
    if dry_run:
        return _look(settings, options, wanted)
    if journal_holder(settings.journal_url, settings.directory) is not None:
        return _ask(settings, options, wanted)
    strategies = config.strategies(settings)
    progress = Progress(Console(stderr=True)) if sys.stderr.isatty() else None
    try:
        log = start_log(settings, progress=progress)
        accounts = {settings.bots[name].account for name in wanted}  # type: ignore[index]
        reports = asyncio.run(_recovered(settings, strategies, accounts, log))
    finally:
        if progress is not None:
            progress.stop()
    return _report(options, reports)


async def _recovered(
    settings: Settings, strategies: app.Strategies, accounts: set[AccountName], log: Log
) -> tuple[RecoveryFinished, ...]:
    say_forgotten(asyncio.get_running_loop(), log)
    async with reached(settings, SystemClock(), changing=True) as placed:
        return await app.recover(placed, strategies, accounts, log)


async def _bots(settings: Settings, names: tuple[str, ...]) -> tuple[str, ...]:
    """Return the bots that names mean; only of a position is the journal asked.

    One that is not there yet has none, and one of an older format is brought up to date first.
    """
    asked = any(name not in settings.bots for name in names)
    if not asked or not journal_exists(settings.journal_url, settings.directory):
        return names
    reader = open_reader(settings.journal_url, settings.directory)
    try:
        return tuple([(await find(reader, name, settings.bots)).bot for name in names])
    finally:
        await reader.close()


def _ask(settings: Settings, options: Options, bots: tuple[str, ...]) -> int:
    """Ask the running server, once an account."""
    firsts = {settings.bots[name].account: name for name in reversed(bots)}  # type: ignore[index]
    return max(post(options, "recover", name) for name in firsts.values())


async def _review(reader: Reader) -> list[ReviewFinding]:
    """Read what wants somebody; that no server runs is known to whoever recovers by hand."""
    try:
        document = await read_status(reader, now=SystemClock().now())
        return [each for each in document.review if each.kind != UNWATCHED]
    finally:
        await reader.close()


def _report(options: Options, reports: tuple[RecoveryFinished, ...]) -> int:
    review = asyncio.run(_review(options.reader()))
    if options.json:
        show_json([{"report": each, "review": _of(review, each.account)} for each in reports])
    else:
        for report in reports:
            say(f"{report.account}: {sentence(report)}")
        show_findings(review)
    if any(report.outcome == "failed" for report in reports):
        return FAILED
    return REVIEW if review else FINE


def _of(review: list[ReviewFinding], account: str) -> list[ReviewFinding]:
    return [each for each in review if each.account == account]


async def _looks(settings: Settings) -> tuple[Look, ...]:
    async with reached(settings, SystemClock(), changing=True) as placed:
        return await app.look(placed)


def _look(settings: Settings, options: Options, bots: tuple[str, ...]) -> int:
    start_log(settings, level="warning")
    looks = asyncio.run(_looks(settings))
    accounts = {settings.bots[name].account for name in bots}  # type: ignore[index]
    looks = tuple(each for each in looks if each.account in accounts)
    review = asyncio.run(_review(options.reader()))
    if options.json:
        show_json([_document(each, _of(review, each.account)) for each in looks])
    else:
        for each in looks:
            _show(each)
        show_findings(review)
    return REVIEW if review or any(_would_freeze(each) for each in looks) else FINE


def _would_freeze(look: Look) -> bool:
    """Tell whether a recovery would find something that wants somebody."""
    decisions = look.outcome.decisions.values()
    return any(isinstance(record, PositionFrozen) for each in decisions for record in each.records)


def _document(look: Look, review: list[ReviewFinding]) -> dict[str, Any]:
    return {
        "account": look.account,
        "review": review,
        "findings": look.outcome.findings,
        "intended": {
            position: [
                {"kind": kind_of(record), "says": sentence(record)} for record in decision.records
            ]
            for position, decision in look.outcome.decisions.items()
        },
        "orphans": [
            {**asdict(orphan.report), "reason": orphan.reason} for orphan in look.outcome.orphans
        ],
        "failures": look.failures,
    }


def _show(look: Look) -> None:
    findings = look.outcome.findings
    count = "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    say(f"{look.account}: {count}. Nothing was written and nothing was sent.")
    rows = [
        (each.kind.value, each.bot, each.order, each.evidence, each.outcome) for each in findings
    ]
    if rows:
        show_table(("FINDING", "BOT", "ORDER", "EVIDENCE", "OUTCOME"), rows)
    for position, decision in look.outcome.decisions.items():
        say(f"{position} would be written:")
        for record in decision.records:
            say(f"  {sentence(record)}")
    for failure in look.failures:
        say(f"not read: {failure}", "yellow")
