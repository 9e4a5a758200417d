"""What is wrong on this machine, or soon will be: looked at without a key and without an exchange.

`surefoot check` shows it beside what the exchanges answer, the dashboard on its page of settings,
and `surefoot report` in its bundle.
"""

from __future__ import annotations

import platform
import shutil
import stat
from collections.abc import Iterator
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

import surefoot
from surefoot.cli import open_files
from surefoot.config import Settings
from surefoot.journal import journal_holder
from surefoot.web import token_file
from surefoot.web.answers import Symptom

# A journal that cannot grow stops the server; this lasts for a while.
FREE_MIN: Final = 500_000_000
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO


def versions() -> dict[str, str]:
    """Return what runs, by name."""
    found = {"surefoot": surefoot.__version__, "python": platform.python_version()}
    return found | {name: version(name) for name in ("ccxt", "apsw", "msgspec")}


def examine(settings: Settings) -> list[Symptom]:
    """Look at everything; what is well is said too."""
    return [
        *_server(settings),
        *_files(settings),
        *_disk(settings),
        *_open_files(settings),
        *_dashboard(settings),
        *_messengers(settings),
    ]


def _server(settings: Settings) -> Iterator[Symptom]:
    holder = journal_holder(settings.journal_url, settings.directory)
    running = "no server runs on this journal"
    if holder is not None:
        running = f"process {holder.pid} runs on this journal since {holder.since:%F %T} UTC"
    yield Symptom(what="server", well=True, said=running)


def files(settings: Settings) -> list[Path]:
    """Return the files that lie beside the journal and are part of it, those that exist."""
    journal = settings.journal_path
    if journal is None:
        return []
    beside = journal.parent.glob(f"{journal.name}*")
    return [each for each in sorted({*beside, token_file(journal)}) if each.is_file()]


def _files(settings: Settings) -> Iterator[Symptom]:
    found = files(settings)
    shared = [each for each in found if each.stat().st_mode & _OTHERS]
    for each in shared:
        yield Symptom(
            what="files", well=False, said=f"others may read {each.name}; run: chmod 600 {each}"
        )
    if found and not shared:
        yield Symptom(what="files", well=True, said=f"{len(found)} of them, for you alone")


def _disk(settings: Settings) -> Iterator[Symptom]:
    place = settings.directory if settings.journal_path is None else settings.journal_path.parent
    try:
        free = shutil.disk_usage(place).free
    except OSError as error:
        yield Symptom(what="disk", well=False, said=f"{place} cannot be looked at: {error}")
        return
    said = f"{free / 1e9:.1f} GB free for the journal"
    if free < FREE_MIN:
        said += "; when it is full, the server stops and only stops at the exchange protect"
    yield Symptom(what="disk", well=free >= FREE_MIN, said=said)


def _open_files(settings: Settings) -> Iterator[Symptom]:
    few = open_files.too_few(settings)
    yield Symptom(what="open files", well=few is None, said=few or "as many as are needed")


def _dashboard(settings: Settings) -> Iterator[Symptom]:
    # Whoever wrote another address wanted it: it is said, and it is no illness.
    said = settings.web.exposure or f"{settings.web.url}, for this machine only"
    yield Symptom(what="dashboard", well=True, said=said)


def _messengers(settings: Settings) -> Iterator[Symptom]:
    notify = settings.notify
    for wanted, package, extra in (
        (notify.telegram is not None, "telegram", "telegram"),
        (bool(notify.apprise), "apprise", "apprise"),
    ):
        if wanted and find_spec(package) is None:
            said = f'[{extra}] is configured, but not installed: pip install "surefoot[{extra}]"'
            yield Symptom(what="messengers", well=False, said=said)
