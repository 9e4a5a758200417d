"""`surefoot repair`: the journal's tables, made anew from its records."""

from __future__ import annotations

from surefoot.cli.options import Options
from surefoot.cli.outcome import FINE
from surefoot.cli.output import say, show_json
from surefoot.engine.clock import SystemClock
from surefoot.journal import repair_journal


def repair(*, options: Options | None = None) -> int:
    """Make the journal's tables follow from its records again, if they do not.

    The server has to be stopped. Records are never changed: if they are damaged, restore a backup.
    What was wrong is kept in a copy beside the journal.

    Parameters
    ----------
    options
        Where the configuration is, and how to answer.
    """
    options = options or Options()
    settings = options.settings(keys=False)
    done = repair_journal(settings.journal_url, settings.directory, at=SystemClock().now())
    if options.json:
        show_json(done)
        return FINE
    if not done.mended:
        say(f"{settings.journal_shown}: {done.records} records, sound. Nothing was changed.")
        return FINE
    for sentence in done.mended:
        say(f"mended: {sentence}")
    say(f"{settings.journal_shown}: its tables follow from its {done.records} records again.")
    say(f"As it was before, it is kept in {done.copy}.")
    return FINE
