"""How many files and sockets this process may hold open."""

from __future__ import annotations

import resource
from typing import Final

from surefoot.config import Settings

# Journal, log, the strategies' shared loop, and what libraries open without asking.
BASE: Final = 100
# Streams and requests of one login; a bot more costs nothing.
EACH_ACCOUNT: Final = 50


def raise_limit() -> None:
    """Take the whole of what the system allows this process anyway."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    except (ValueError, OSError):  # some systems allow less than they say: then as it was
        return


def too_few(settings: Settings) -> str | None:
    """Return what is wrong with the limit for these accounts, or None if it will do."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = BASE + EACH_ACCOUNT * len(settings.accounts)
    if hard == resource.RLIM_INFINITY or hard >= needed:
        return None
    return (
        f"this process may open {hard} files and sockets; {len(settings.accounts)} accounts with "
        f"{len(settings.bots)} bots need {needed} (ulimit -Hn, or LimitNOFILE)"
    )
