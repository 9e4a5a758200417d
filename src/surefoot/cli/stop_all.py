"""`surefoot stop-all` and `surefoot resume-all`: one word on every bot."""

from __future__ import annotations

from surefoot.cli.options import Options
from surefoot.cli.post import post_to


def stop_all(*, options: Options | None = None) -> int:
    """Let no bot enter any more, at once; every stop, target and exit works on.

    Parameters
    ----------
    options
        Where the configuration is, and how to answer.
    """
    return post_to(options or Options(), "stop-all")


def resume_all(*, options: Options | None = None) -> int:
    """Let the bots run again that `stop-all` paused, and no others.

    Parameters
    ----------
    options
        Where the configuration is, and how to answer.
    """
    return post_to(options or Options(), "resume-all")
