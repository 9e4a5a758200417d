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
from surefoot.cli.logs import Progress, start_log
from surefoot.cli.options import Options
from surefoot.cli.outcome import FAILED, FINE, REVIEW
from surefoot.cli.output import say, show_json, show_table
from surefoot.cli.post import post
from surefoot.config import ConfigError, Settings
from surefoot.core.records import RecoveryFinished, kind_of
from surefoot.journal import journal_holder
from surefoot.journal.sentences import sentence


def recover(
    *bots: str,
    dry_run: Annotated[bool, Parameter(negative="")] = False,
    options: Options | None = None,
) -> int:
    """Reconcile with the exchange. If a server runs, it is asked to; if not, it is done here.

    Parameters
    ----------
    bots
        Only the accounts of these bots; none means all.
    dry_run
        Print findings and what would be done; write nothing, send nothing.
    options
        Where the configuration is, and how to answer.
    """
    options = options or Options()
    settings = options.settings(keys=True)
    wanted = tuple(bots) or tuple(settings.bots)
    unknown = [name for name in wanted if name not in settings.bots]
    if unknown:
        raise ConfigError(str(options.config), [f"there is no bot {name}" for name in unknown])
    if dry_run:
        return _look(settings, options, wanted)
    if journal_holder(settings.journal_url, settings.directory) is not None:
        return _ask(settings, options, wanted)
    strategies = config.strategies(settings)
    progress = Progress(Console(stderr=True)) if sys.stderr.isatty() else None
    try:
        log = start_log(settings, progress=progress)
        accounts = {settings.bots[name].account for name in wanted}  # type: ignore[index]
        reports = asyncio.run(app.recover(settings, strategies, accounts, log))
    finally:
        if progress is not None:
            progress.stop()
    return _report(options, reports)


def _ask(settings: Settings, options: Options, bots: tuple[str, ...]) -> int:
    """Ask the running server, once an account."""
    firsts = {settings.bots[name].account: name for name in reversed(bots)}  # type: ignore[index]
    return max(post(options, "recover", name) for name in firsts.values())


def _report(options: Options, reports: tuple[RecoveryFinished, ...]) -> int:
    if options.json:
        show_json(reports)
    else:
        for report in reports:
            say(f"{report.account}: {sentence(report)}")
    if any(report.outcome == "failed" for report in reports):
        return FAILED
    return REVIEW if any(report.bots_in_review for report in reports) else FINE


def _look(settings: Settings, options: Options, bots: tuple[str, ...]) -> int:
    start_log(settings, level="warning")
    looks = asyncio.run(app.look(settings))
    accounts = {settings.bots[name].account for name in bots}  # type: ignore[index]
    looks = tuple(each for each in looks if each.account in accounts)
    if options.json:
        show_json([_document(each) for each in looks])
    else:
        for each in looks:
            _show(each)
    return FINE


def _document(look: Look) -> dict[str, Any]:
    return {
        "account": look.account,
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
    say(f"{look.account}: {len(findings)} findings. Nothing was written and nothing was sent.")
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
